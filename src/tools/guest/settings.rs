//! The free settings of a call: none may stand for a named argument.

use serde_json::{Map, Value};

use super::encoded;
use crate::error::Error;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};

/// Any further parameters of the API.
pub(super) const SETTINGS: Param = Param::new(
    "settings",
    ParamKind::Settings,
    "further options, by the API's names",
)
.optional();

/// The settings, encoded where Proxmox keeps them so. `taken` are API parameters that may not be among them, each with what to use
/// instead.
///
/// # Errors
/// All that are taken.
pub(super) fn free(args: &Args, taken: &[(&str, &str)]) -> Result<Map<String, Value>, Error> {
    let mut settings = args.settings("settings");
    encoded::encode(&mut settings);
    let problems = taken
        .iter()
        .filter(|(name, _)| settings.contains_key(*name));
    let problems: Vec<String> = problems
        .map(|(name, instead)| format!("`settings` may not have `{name}`: use {instead}"))
        .collect();
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(Error::bad_arguments(problems))
    }
}
