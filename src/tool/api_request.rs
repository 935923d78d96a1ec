//! The request that a call writes out itself: method, path and parameters are its arguments.

use super::args::Args;
use crate::api::path::ApiPath;
use crate::api::request::{Request, Verb};
use crate::error::Error;

/// The arguments that it is made of.
pub const METHOD: &str = "method";
pub const PATH: &str = "path";
pub const PARAMS: &str = "params";

/// The request; a GET where no method is said.
///
/// # Errors
/// The path is none.
pub fn of(args: &Args) -> Result<Request, Error> {
    let verb = match args.text(METHOD) {
        Some("POST") => Verb::Post,
        Some("PUT") => Verb::Put,
        Some("DELETE") => Verb::Delete,
        _ => Verb::Get,
    };
    let mut request = ApiPath::parse(args.need(PATH)?)?.request(verb)?;
    request.params = args.settings(PARAMS);
    Ok(request)
}
