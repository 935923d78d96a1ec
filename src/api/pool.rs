//! Pools, as requests name them.

use super::request::{Request, Verb};
use crate::error::Error;

/// A request about one pool. One within another has a slash in its name, which a path cannot take; where the
/// name is a parameter instead, releases before 8.1 do not know it.
///
/// # Errors
/// As [`Request::new`].
pub fn request(verb: Verb, pool: &str) -> Result<Request, Error> {
    if pool.contains('/') {
        Ok(Request::new(verb, "/pools", &[])?.with("poolid", pool))
    } else {
        Request::new(verb, "/pools/{poolid}", &[pool])
    }
}
