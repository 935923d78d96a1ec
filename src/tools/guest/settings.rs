//! The free settings of a call: none may stand for a named argument, and no secret among them comes
//! back in an error.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::tool::args::Args;
use crate::tool::param::{Kind, Param};

/// Any further parameters of the API.
pub(super) const SETTINGS: Param =
    Param::new("settings", Kind::Settings, "other API parameters").optional();

/// Parameters whose values are secrets.
const SECRETS: &[&str] = &["password", "cipassword"];
/// What stands in their place.
const HIDDEN: &str = "(hidden)";
/// A secret shorter than this cannot be told from other text.
const SECRET_MIN_CHARS: usize = 4;

/// The settings. `taken` are API parameters that may not be among them, each with what to use
/// instead.
///
/// # Errors
/// All that are taken.
pub(super) fn free(args: &Args, taken: &[(&str, &str)]) -> Result<Map<String, Value>, Error> {
    let settings = args.settings("settings");
    let problems = taken
        .iter()
        .filter(|(name, _)| settings.contains_key(*name));
    let problems: Vec<String> = problems
        .map(|(name, instead)| format!("`settings` may not have `{name}`: use {instead}"))
        .collect();
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(Error::BadArguments(problems))
    }
}

/// An error without the secrets of the call that it may repeat.
pub(super) fn without_secrets(error: Error, args: &Args) -> Error {
    let settings = args.settings("settings");
    let named = SECRETS.iter().filter_map(|name| args.text(name));
    let free = SECRETS
        .iter()
        .filter_map(|name| settings.get(*name)?.as_str());
    let secrets: Vec<&str> = named
        .chain(free)
        .filter(|secret| secret.chars().count() >= SECRET_MIN_CHARS)
        .collect();
    let clean = |text: String| {
        let hide = |text: String, secret: &&str| text.replace(*secret, HIDDEN);
        secrets.iter().fold(text, hide)
    };
    match error {
        Error::BadArguments(problems) => {
            Error::BadArguments(problems.into_iter().map(clean).collect())
        }
        Error::Refused {
            cluster,
            status,
            message,
            errors,
            hint,
        } => Error::Refused {
            cluster,
            status,
            message: clean(message),
            errors: errors
                .into_iter()
                .map(|(name, text)| (name, clean(text)))
                .collect(),
            hint,
        },
        Error::TaskFailed {
            task,
            exit,
            log_tail,
            hint,
        } => Error::TaskFailed {
            task,
            exit: clean(exit),
            log_tail: log_tail.into_iter().map(clean).collect(),
            hint,
        },
        other => other,
    }
}
