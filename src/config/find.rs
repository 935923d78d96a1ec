//! Where the configuration is found: the environment, and a file that is looked for in fixed places.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::env_file::{self, EnvFile};
use super::safety::Switches;
use super::variables::{CA_FILE, TOKEN_SECRET_FILE};
use super::{Config, ConfigReport, slip};
use crate::files;
use crate::proxmox::secret::{self, SecretSource};
use crate::proxmox::settings::Trust;
use crate::text::repeated;

const SYSTEM_FILE: &str = "/etc/proxmox-mcp/.env";

/// What the process was started with, beside its arguments.
#[derive(Clone)]
pub struct Process {
    pub environment: Vec<(OsString, OsString)>,
    /// The running program's path, where it can be told.
    pub executable: Option<PathBuf>,
}

/// Reads the environment and the file to a configuration, or to every problem of both; `unknown` are
/// those of tools that do not exist.
pub(crate) fn read(
    process: &Process,
    env_file: Option<PathBuf>,
    unknown: impl Fn(&Switches) -> Vec<String>,
) -> Result<Config, ConfigReport> {
    let mut report = ConfigReport::default();
    let environment = texts(&process.environment, &mut report);
    let path = path(process, env_file);
    let file = match &path {
        Some(path) => read_file(path, &environment, &mut report),
        None => Some(EnvFile::default()),
    };
    // Without the file that was meant, what is not set would be said of everything.
    let Some(file) = file else {
        return Err(report);
    };
    report.tells_expanded = super::tells_expanded(&file);
    let (config, found) = super::draft(&environment, &file);
    report.problems.extend(unknown(&config.safety.switches));
    report.problems.extend(found.problems);
    report.warnings.extend(found.warnings);
    if path.is_none() && found.is_nothing {
        report.problems.push(nothing_found(process));
    }
    report.of(config)
}

/// The file that is read: the one that is named, else the first that exists.
pub(crate) fn path(process: &Process, env_file: Option<PathBuf>) -> Option<PathBuf> {
    let mut usual = usual_files(process).into_iter();
    env_file.or_else(|| usual.find(|path| files::exists(path)))
}

/// The file that is read where none is named: the first that exists, else the first there could be.
pub(crate) fn usual_file(process: &Process) -> PathBuf {
    let places = usual_files(process);
    let found = places.iter().find(|path| files::exists(path));
    let found = found.or(places.first()).cloned();
    found.unwrap_or_else(|| PathBuf::from(SYSTEM_FILE))
}

/// The clusters of a configuration that need not be complete, each with its token where that is set.
/// What else is wrong is for others to say.
pub(crate) fn token_ids(
    process: &Process,
    env_file: Option<PathBuf>,
) -> Vec<(String, Option<String>)> {
    let mut report = ConfigReport::default();
    let environment = texts(&process.environment, &mut report);
    let path = env_file.unwrap_or_else(|| usual_file(process));
    let file = if files::exists(&path) {
        read_file(&path, &environment, &mut report).unwrap_or_default()
    } else {
        EnvFile::default()
    };
    super::token_ids(&environment, &file)
}

/// The environment as text. A variable of ours that is no text is a problem; others do not matter. What
/// is no text in a name becomes a character beyond ASCII, which no name of ours has.
fn texts(environment: &[(OsString, OsString)], report: &mut ConfigReport) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in environment {
        let name = name.to_string_lossy();
        match value.to_str() {
            Some(value) => texts.push((name.into_owned(), value.to_owned())),
            None if is_ours(&name) => {
                let name = repeated(&name);
                report.problems.push(format!("{name}: is not UTF-8"));
            }
            None => {}
        }
    }
    texts
}

fn is_ours(name: &str) -> bool {
    slip::begins_like_ours(name) || ["SSL_CERT_FILE", "CREDENTIALS_DIRECTORY"].contains(&name)
}

/// Where the file is looked for. Never the working directory: clients start servers in whatever folder
/// is open, and a cloned repository must not configure this one.
fn usual_files(process: &Process) -> Vec<PathBuf> {
    let folder = |name: &str| {
        let (_, value) = process
            .environment
            .iter()
            .find(|(known, _)| known == name)?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let of_user = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let of_program = process.executable.as_deref().and_then(Path::parent);
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
    report: &mut ConfigReport,
) -> Option<EnvFile> {
    let found = match files::read_configuration(path) {
        Ok(found) => found,
        Err(problem) => {
            report.problems.push(problem);
            return None;
        }
    };
    report.warnings.extend(found.warning);
    let name = path.display();
    if env_file::is_utf16(&found.content) {
        report.problems.push(format!(
            "{name}: is a text in UTF-16, and this is read as UTF-8: save it anew as UTF-8"
        ));
        return None;
    }
    let environment: HashMap<&str, &str> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let read = env_file::read(&found.content, &environment);
    let broken = read.broken.iter();
    let broken = broken.map(|line| format!("{name}: line {line} cannot be read"));
    report.problems.extend(broken);
    Some(read)
}

/// Where a file was looked for in vain, and the one that was not taken.
fn nothing_found(process: &Process) -> String {
    let places: Vec<String> = usual_files(process)
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
pub(crate) fn missing_files(config: &Config) -> Vec<String> {
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
        lines.extend(trusted.map(|problem| format!("{name}: {CA_FILE}: {problem}")));
        let secret = match &cluster.settings.secret {
            SecretSource::File(path) => match files::secret_file(path) {
                Err(problem) => Some(problem),
                Ok(secret) => files::secret_file_warning(path).or_else(|| {
                    let doubt = secret::doubt(&secret);
                    doubt.map(|doubt| format!("{}: what it holds {doubt}", path.display()))
                }),
            },
            _ => None,
        };
        lines.extend(secret.map(|problem| format!("{name}: {TOKEN_SECRET_FILE}: {problem}")));
    }
    lines
}
