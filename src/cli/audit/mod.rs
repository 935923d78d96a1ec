//! `audit`: verifies the audit file, and shows it. Neither asks for a configuration.

mod show;
mod verify;

use std::process::ExitCode;

use super::{Command, EarlyExit, Start};
use crate::text::repeated;

pub(super) const AUDIT: Command = Command {
    name: "audit",
    usage: "verify FILE... [--head RUN=HASH ...] [--json] | show FILE... [--cluster NAME] [--tool NAME] [--since TIME] [--json]",
    about: "Verifies that no line of the audit file was changed, removed or inserted, the older file first where it was rotated, and that lines which were noted by run and hash are there; or shows its records",
    flags: &["--json"],
    valued: &["--head...", "--cluster", "--tool", "--since"],
    run,
};

fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let (verb, files) = match start.options.rest.split_first() {
        Some((verb, files)) if !files.is_empty() => (verb.as_str(), files),
        _ => {
            let problem = "`audit` needs `verify` or `show`, and a file";
            return Err(EarlyExit::Usage(problem.to_owned()));
        }
    };
    match verb {
        "verify" => {
            not_with(start, verb, &["--cluster", "--tool", "--since"])?;
            verify::run(start, files)
        }
        "show" => {
            not_with(start, verb, &["--head"])?;
            show::run(start, files)
        }
        other => Err(EarlyExit::Usage(format!(
            "`audit` has `verify` and `show`, not `{}`",
            repeated(other)
        ))),
    }
}

/// That options of the other verb are not there.
fn not_with(start: &Start, verb: &str, options: &[&str]) -> Result<(), EarlyExit> {
    let mut given = options
        .iter()
        .filter(|name| start.options.value(name).is_some());
    match given.next() {
        None => Ok(()),
        Some(name) => Err(EarlyExit::Usage(format!(
            "`audit {verb}` takes no `{name}`"
        ))),
    }
}
