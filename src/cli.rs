//! How it is started: the arguments, where the configuration is found, and the exit status.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::files;
use crate::fleet::Fleet;
use crate::fleet::config::{self, Config, Report};
use crate::fleet::env_file;
use crate::fleet::variables::{self, Scope, Stage, VARIABLES};
use crate::log;
use crate::mcp::server;
use crate::proxmox::secret::SecretSource;
use crate::proxmox::settings::Trust;
use crate::tool::call::Desk;

/// The exit status for wrong arguments and a broken configuration.
pub const EXIT_NOT_STARTED: u8 = 2;

/// The code of a broken configuration, as users of the Python package know it.
pub const CONFIGURATION_ERROR: &str = "ClusterConfigurationError";

const SYSTEM_FILE: &str = "/etc/proxmox-mcp/.env";

/// What the process was given, which only `main` asks for.
pub struct Given {
    /// Without the program's own name.
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    /// The running program's path, where it can be told.
    pub executable: Option<PathBuf>,
}

/// Does what the arguments say.
pub fn run(given: Given) -> ExitCode {
    let env_file = match arguments(&given.arguments) {
        Ok(Command::Serve { env_file }) => env_file,
        Ok(Command::Print(text)) => return print(&text),
        Err(problem) => {
            log::error(&format!("{problem}; see `proxmox-mcp --help`"));
            return ExitCode::from(EXIT_NOT_STARTED);
        }
    };
    match configuration(&given, env_file) {
        Ok(config) => {
            log::set(config.log);
            config.warnings.iter().for_each(|line| log::warn(line));
            missing_files(&config)
                .iter()
                .for_each(|line| log::warn(line));
            serve(config)
        }
        Err(report) => {
            report.warnings.iter().for_each(|line| log::warn(line));
            for line in &report.problems {
                log::error(&format!("{CONFIGURATION_ERROR}: {line}"));
            }
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

/// Serves until the client goes away.
fn serve(config: Config) -> ExitCode {
    server::stdio(Desk::new(Fleet::new(config)))
}

enum Command {
    Serve { env_file: Option<PathBuf> },
    Print(String),
}

fn arguments(arguments: &[OsString]) -> Result<Command, String> {
    let mut env_file = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let path = match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Print(help())),
            Some("--version" | "-V") => {
                let version = concat!("proxmox-mcp ", env!("CARGO_PKG_VERSION"), "\n");
                return Ok(Command::Print(version.into()));
            }
            Some("--env-file") => rest.next().map(PathBuf::from),
            Some(text) => match text.strip_prefix("--env-file=") {
                Some(path) => Some(PathBuf::from(path)),
                None => return Err(format!("there is no argument `{}`", text.escape_debug())),
            },
            None => return Err("an argument is not UTF-8".into()),
        };
        let path = path.filter(|path| !path.as_os_str().is_empty());
        let path = path.ok_or("`--env-file` needs a path")?;
        if env_file.replace(path).is_some() {
            return Err("`--env-file` is there twice".into());
        }
    }
    Ok(Command::Serve { env_file })
}

/// Reads the environment and the file to a configuration, or to every problem of both.
fn configuration(given: &Given, env_file: Option<PathBuf>) -> Result<Config, Report> {
    let mut report = Report::default();
    let environment = texts(&given.environment, &mut report);
    let path = env_file.or_else(|| {
        usual_files(given)
            .into_iter()
            .find(|path| files::exists(path))
    });
    let pairs = match &path {
        Some(path) => read_file(path, &environment, &mut report),
        None => Some(Vec::new()),
    };
    // Without the file that was meant, what is not set would be said of everything.
    let Some(pairs) = pairs else {
        return Err(report);
    };
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
fn missing_files(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for cluster in &config.clusters {
        let name = &cluster.name;
        let trusted = match &cluster.settings.trust {
            Trust::CaFile(path) => files::read_limited(path, files::PEM_MAX_BYTES).err(),
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

fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn help() -> String {
    let mut text = String::from(
        "proxmox-mcp: an MCP server for Proxmox VE clusters, on standard input and output

usage: proxmox-mcp [--env-file PATH]

  --env-file PATH  read the configuration from this file; else from the first of
                   $XDG_CONFIG_HOME/proxmox-mcp/.env (~/.config/proxmox-mcp/.env),
                   .env beside this program, /etc/proxmox-mcp/.env
  --help           print this text
  --version        print the version

The environment holds before the file, variable by variable.
",
    );
    for (scope, title) in [
        (Scope::Registry, "\nFor all clusters:\n"),
        (
            Scope::Cluster,
            "\nFor each cluster as PROXMOX_CLUSTER_{name}_{FIELD}; with one cluster only, as PROXMOX_{FIELD}:\n",
        ),
    ] {
        text.push_str(title);
        let built = |variable: &&variables::Variable| {
            variable.scope == scope && variable.stage == Stage::Built
        };
        for variable in VARIABLES.iter().filter(built) {
            text.push_str(&format!("  {}\n      {}", variable.name, variable.about));
            if !variable.default.is_empty() {
                text.push_str(&format!(" (default {})", variable.default));
            }
            text.push('\n');
        }
    }
    text
}
