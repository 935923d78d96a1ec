//! Where the configuration is found: the environment, and a file that is looked for in fixed places.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Given;
use crate::files;
use crate::fleet::config::{self, Config, Report};
use crate::fleet::env_file;
use crate::fleet::variables;
use crate::proxmox::secret::SecretSource;
use crate::proxmox::settings::Trust;
use crate::tool::offer;
use crate::tools;

const SYSTEM_FILE: &str = "/etc/proxmox-mcp/.env";

/// Reads the environment and the file to a configuration, or to every problem of both.
pub(super) fn read(given: &Given, env_file: Option<PathBuf>) -> Result<Config, Report> {
    let mut report = Report::default();
    let environment = texts(&given.environment, &mut report);
    let path = path(given, env_file);
    let pairs = match &path {
        Some(path) => read_file(path, &environment, &mut report),
        None => Some(Vec::new()),
    };
    // Without the file that was meant, what is not set would be said of everything.
    let Some(pairs) = pairs else {
        return Err(report);
    };
    let switches = config::switches(&environment, &pairs);
    let problems = offer::problems(&switches, tools::TOOLSETS);
    report.problems.extend(problems);
    match config::read(&environment, &pairs) {
        Ok(mut config) if report.problems.is_empty() => {
            config.warnings.splice(..0, report.warnings);
            Ok(config)
        }
        Ok(config) => {
            report.warnings.extend(config.warnings);
            Err(report)
        }
        Err(found) => {
            report.problems.extend(found.problems);
            report.warnings.extend(found.warnings);
            if path.is_none() {
                report.problems.push(nothing_found(given));
            }
            Err(report)
        }
    }
}

/// The file that is read: the one that is named, else the first that exists.
pub(super) fn path(given: &Given, env_file: Option<PathBuf>) -> Option<PathBuf> {
    let mut usual = usual_files(given).into_iter();
    env_file.or_else(|| usual.find(|path| files::exists(path)))
}

/// The file that is read where none is named: the first that exists, else the first there could be.
pub(super) fn usual_file(given: &Given) -> PathBuf {
    let places = usual_files(given);
    let found = places.iter().find(|path| files::exists(path));
    let found = found.or(places.first()).cloned();
    found.unwrap_or_else(|| PathBuf::from(SYSTEM_FILE))
}

/// The clusters of a configuration that need not be complete, each with its token where that is set.
/// What else is wrong is for others to say.
pub(super) fn token_ids(given: &Given, env_file: Option<PathBuf>) -> Vec<(String, Option<String>)> {
    let mut report = Report::default();
    let environment = texts(&given.environment, &mut report);
    let path = env_file.unwrap_or_else(|| usual_file(given));
    let pairs = if files::exists(&path) {
        read_file(&path, &environment, &mut report).unwrap_or_default()
    } else {
        Vec::new()
    };
    config::token_ids(&environment, &pairs)
}

/// The environment as text. A variable of ours that is no text is a problem; others do not matter.
fn texts(environment: &[(OsString, OsString)], report: &mut Report) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in environment {
        match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => texts.push((name.to_owned(), value.to_owned())),
            (Some(name), None) if is_ours(name) => {
                report.problems.push(format!("{name}: is not UTF-8"));
            }
            _ => {}
        }
    }
    texts
}

fn is_ours(name: &str) -> bool {
    name.starts_with(variables::PREFIX)
        || ["SSL_CERT_FILE", "CREDENTIALS_DIRECTORY"].contains(&name)
}

/// Where the file is looked for. Never the working directory: clients start servers in whatever folder
/// is open, and a cloned repository must not configure this one.
fn usual_files(given: &Given) -> Vec<PathBuf> {
    let folder = |name: &str| {
        let (_, value) = given.environment.iter().find(|(known, _)| known == name)?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let of_user = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let of_program = given.executable.as_deref().and_then(Path::parent);
    let candidates = [
        of_user.map(|folder| folder.join("proxmox-mcp/.env")),
        of_program.map(|folder| folder.join(".env")),
        Some(PathBuf::from(SYSTEM_FILE)),
    ];
    candidates.into_iter().flatten().collect()
}

fn read_file(
    path: &Path,
    environment: &[(String, String)],
    report: &mut Report,
) -> Option<Vec<(String, String)>> {
    let found = match files::read_configuration(path) {
        Ok(found) => found,
        Err(problem) => {
            report.problems.push(problem);
            return None;
        }
    };
    report.warnings.extend(found.warning);
    let environment: HashMap<&str, &str> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let read = env_file::read(&found.content, &environment);
    for line in read.broken {
        let path = path.display();
        report
            .problems
            .push(format!("{path}: line {line} cannot be read"));
    }
    Some(read.pairs)
}

/// Where a file was looked for in vain, and the one that was not taken.
fn nothing_found(given: &Given) -> String {
    let places: Vec<String> = usual_files(given)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut line = format!(
        "there is no configuration file: looked for {}",
        places.join(", ")
    );
    if files::exists(Path::new(".env")) {
        line.push_str("; the one in this folder is read only if asked for: --env-file ./.env");
    }
    line
}

/// What the clusters' files would answer if they were needed now. Only a warning: they are read anew
/// whenever a connection is, and may be there by then.
pub(super) fn missing_files(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    // Many clusters may name the same one.
    let mut looked: HashMap<&Path, Option<String>> = HashMap::new();
    for cluster in &config.clusters {
        let name = &cluster.name;
        let trusted = match &cluster.settings.trust {
            Trust::CaFile(path) => {
                let look = || files::could_be_read(path, files::PEM_MAX_BYTES).err();
                looked.entry(path).or_insert_with(look).clone()
            }
            _ => None,
        };
        lines.extend(trusted.map(|problem| format!("{name}: CA_FILE: {problem}")));
        let secret = match &cluster.settings.secret {
            SecretSource::File(path) => {
                files::secret_file(path).map_or_else(Some, |_| files::secret_file_warning(path))
            }
            _ => None,
        };
        lines.extend(secret.map(|problem| format!("{name}: TOKEN_SECRET_FILE: {problem}")));
    }
    lines
}
