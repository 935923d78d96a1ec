//! Exchanges of the later recordings that are excepted, each with its reason.

/// Id and reason.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[];
