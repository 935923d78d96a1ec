//! How it is started: serving, or one of the commands; the help topics; and the exit status.

mod audit;
mod call;
mod check;
mod client;
mod help;
mod manifest;
mod options;
mod person;
mod readable;
mod terminal;
mod token;
mod tools;
mod trust;
mod version;

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::find::{self, Process};
use crate::config::variables::PREFIX;
use crate::config::watch::Watch;
use crate::config::{Config, ConfigReport};
use crate::fleet::Fleet;
use crate::gate::CallOrigin;
use crate::mcp::server;
use crate::text::repeated;
use crate::tool::call::AppState;
use crate::tool::offer;
use crate::tools::TOOLSETS;
use crate::{files, log};
use options::CommandOptions;
use terminal::Terminal;

/// The exit status where something that was looked at or asked for is not as it should be.
pub const EXIT_WRONG: u8 = 1;
/// The exit status for wrong arguments and a broken configuration.
pub const EXIT_NOT_STARTED: u8 = 2;

/// The code of a broken configuration, as users of the Python package know it.
pub const CONFIGURATION_ERROR: &str = "ClusterConfigurationError";

/// The option that every command takes: the configuration's file.
const ENV_FILE: &str = "--env-file";

/// One command: a word behind the program's name.
pub struct Command {
    pub name: &'static str,
    /// What stands behind its name: `[CLUSTER...] [--json]`.
    pub usage: &'static str,
    /// One sentence without a full stop.
    pub about: &'static str,
    /// Options that stand alone, and options with a value, beside `--env-file` and `--help`.
    flags: &'static [&'static str],
    valued: &'static [&'static str],
    run: fn(&Start) -> Result<ExitCode, EarlyExit>,
}

/// All commands, in the order in which `--help` lists them. Without one, the program serves.
pub static COMMANDS: &[Command] = &[
    check::CHECK,
    trust::TRUST,
    tools::TOOLS,
    call::CALL,
    audit::AUDIT,
    token::TOKEN,
    client::CLIENT,
    manifest::MANIFEST,
    help::HELP,
];

/// What a command works with.
struct Start<'a> {
    process: &'a Process,
    options: CommandOptions,
    terminal: Terminal,
}

/// Why a command ends early.
enum EarlyExit {
    /// The arguments are wrong: what, and that `--help` says how.
    Usage(String),
    /// It was said already.
    Said(ExitCode),
}

/// Does what the arguments say; `words` are those without the program's own name.
pub fn run(mut words: Vec<OsString>, process: &Process) -> ExitCode {
    let own = |name: &&OsString| name.to_string_lossy().starts_with(PREFIX);
    let names = process.environment.iter().map(|(name, _)| name);
    files::keep_from_children(names.filter(own).cloned().collect());
    let command = place_of_command(&words).and_then(|place| {
        let word = words.get(place)?.to_str()?;
        let command = COMMANDS.iter().find(|command| command.name == word)?;
        words.remove(place);
        Some(command)
    });
    match begin(process, command, &words) {
        Ok(status) | Err(EarlyExit::Said(status)) => status,
        Err(EarlyExit::Usage(problem)) => {
            let name = command.map_or(String::new(), |command| format!(" {}", command.name));
            log::error(&format!("{problem}; see `proxmox-mcp{name} --help`"));
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

/// Where the command's name stands: the first word that is no option and no option's value.
fn place_of_command(words: &[OsString]) -> Option<usize> {
    let valued = |word: &str| {
        let mut known = COMMANDS.iter().flat_map(|command| command.valued);
        let is = |known: &str| known.strip_suffix("...").unwrap_or(known) == word;
        is(ENV_FILE) || known.any(|known| is(known))
    };
    let mut place = 0;
    while let Some(word) = words.get(place) {
        match word.to_str()? {
            "--" => return None,
            word if !word.starts_with('-') || word == "-" => return Some(place),
            word if valued(word) => place += 2,
            _ => place += 1,
        }
    }
    None
}

fn begin(
    process: &Process,
    command: Option<&Command>,
    words: &[OsString],
) -> Result<ExitCode, EarlyExit> {
    let mut flags = vec!["--help", "-h"];
    let mut valued = vec![ENV_FILE];
    match command {
        Some(command) => {
            flags.extend(command.flags);
            valued.extend(command.valued);
        }
        None => flags.extend(["--version", "-V"]),
    }
    let options = CommandOptions::read(words, &flags, &valued).map_err(EarlyExit::Usage)?;
    let no_color = process.environment.iter();
    let mut no_color = no_color.filter(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    let start = Start {
        process,
        terminal: Terminal::new(no_color.next().is_some()),
        options,
    };
    if start.options.has("--help") || start.options.has("-h") {
        return start.print(&command.map_or_else(help::whole, help::of));
    }
    match command {
        Some(command) => (command.run)(&start),
        None if start.options.has("--version") || start.options.has("-V") => {
            start.print(&version::line())
        }
        None => start.serve(),
    }
}

/// The configuration, held against the tools that there are.
fn read(process: &Process, env_file: Option<PathBuf>) -> Result<Config, ConfigReport> {
    find::read(process, env_file, |switches| {
        offer::problems(switches, TOOLSETS)
    })
}

impl Start<'_> {
    /// Writes to standard output and ends well.
    fn print(&self, text: &str) -> Result<ExitCode, EarlyExit> {
        match terminal::print(text) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(_) => Err(EarlyExit::Said(ExitCode::FAILURE)),
        }
    }

    /// That there are at most so many words beside the options.
    fn takes(&self, most: usize) -> Result<(), EarlyExit> {
        match self.options.rest.get(most) {
            None => Ok(()),
            Some(word) => {
                let word = repeated(word);
                Err(EarlyExit::Usage(format!(
                    "`{word}` is one argument too many"
                )))
            }
        }
    }

    /// The file given with `--env-file`.
    fn env_file(&self) -> Option<PathBuf> {
        self.options.value(ENV_FILE).map(PathBuf::from)
    }

    /// The configuration; its warnings are said, and so is every problem of it.
    fn configuration(&self) -> Result<Config, EarlyExit> {
        match read(self.process, self.env_file()) {
            Ok(config) => {
                log::set(config.log);
                let missing = find::missing_files(&config);
                let warnings = config.warnings.iter().chain(&missing);
                warnings.for_each(|line| log::warn(line));
                Ok(config)
            }
            Err(report) => {
                report.warnings.iter().for_each(|line| log::warn(line));
                for line in &report.problems {
                    log::error(&format!("{CONFIGURATION_ERROR}: {line}"));
                }
                Err(EarlyExit::Said(ExitCode::from(EXIT_NOT_STARTED)))
            }
        }
    }

    /// The value of a variable of the environment.
    fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut known = self.process.environment.iter();
        let found = known.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// Serves until the client goes away.
    fn serve(&self) -> Result<ExitCode, EarlyExit> {
        if let Some(word) = self.options.rest.first() {
            let word = repeated(word);
            return Err(EarlyExit::Usage(format!("there is no command `{word}`")));
        }
        let config = self.configuration()?;
        if stdin().is_terminal() {
            log::warn(
                "serving MCP on standard input and output, as clients start it; for people there are the commands of `proxmox-mcp --help`",
            );
        }
        let mut app = AppState::new(Fleet::new(config), TOOLSETS, CallOrigin::Mcp);
        app.watch = find::path(self.process, self.env_file()).map(|path| {
            let (process, file) = (self.process.clone(), path.clone());
            Watch::new(path, move || read(&process, Some(file.clone())))
        });
        Ok(server::stdio(app))
    }
}
