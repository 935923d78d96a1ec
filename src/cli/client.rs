//! `proxmox-mcp client`: what to write where, so that a client starts this program.

use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Command, EarlyExit, Start};
use crate::config::find;
use crate::files;
use crate::text::shell_word;

pub(super) const CLIENT: Command = Command {
    name: "client",
    usage: "claude-desktop|claude-code|cursor|vscode|zed|lmstudio [--ssh HOST]",
    about: "Prints what to write into a client's configuration; with --ssh to run the program on that host",
    flags: &[],
    valued: &["--ssh"],
    run,
};

/// The name under which clients list the server.
const SERVER: &str = "proxmox";
/// What is called on the other side of ssh, where it is in the PATH.
const PROGRAM: &str = "proxmox-mcp";

/// A client and the form of its configuration.
struct ClientProgram {
    name: &'static str,
    /// The key that holds its servers.
    servers: &'static str,
    /// Whether a server bears `"type": "stdio"`.
    typed: bool,
    place: &'static str,
}

const CLIENTS: &[ClientProgram] = &[
    ClientProgram {
        name: "claude-desktop",
        servers: "mcpServers",
        typed: false,
        place: "claude_desktop_config.json (Settings, Developer, Edit Config): in ~/Library/Application Support/Claude on macOS, %APPDATA%\\Claude on Windows, ~/.config/Claude on Linux; then restart it",
    },
    ClientProgram {
        name: "claude-code",
        servers: "mcpServers",
        typed: true,
        place: ".mcp.json in the project's folder, or for all your projects by a command of its own:",
    },
    ClientProgram {
        name: "cursor",
        servers: "mcpServers",
        typed: true,
        place: "~/.cursor/mcp.json, or .cursor/mcp.json in one project's folder",
    },
    ClientProgram {
        name: "vscode",
        servers: "servers",
        typed: true,
        place: ".vscode/mcp.json in the project's folder; for all of them the file that the command `MCP: Open User Configuration` opens",
    },
    ClientProgram {
        name: "zed",
        servers: "context_servers",
        typed: false,
        place: "settings.json, which the command `zed: open settings file` opens; ~/.config/zed/settings.json on Linux and macOS",
    },
    ClientProgram {
        name: "lmstudio",
        servers: "mcpServers",
        typed: false,
        place: "mcp.json (Program, Install, Edit mcp.json); ~/.lmstudio/mcp.json",
    },
];

/// How the server is started.
struct ServerCommand {
    command: String,
    arguments: Vec<String>,
}

pub(super) fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    start.takes(1)?;
    let wish = start.options.rest.first().map(String::as_str);
    let Some(client) = CLIENTS.iter().find(|client| Some(client.name) == wish) else {
        let names: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
        let problem = format!("`client` needs one of {}", names.join(", "));
        return Err(EarlyExit::Usage(problem));
    };
    let line = match start.options.value("--ssh") {
        Some(host) => over_ssh(start, host)?,
        None => here(start)?,
    };
    // Standard output holds the snippet alone, to be written to a file as it is.
    start.terminal.say(&format!("# Into {}\n", client.place));
    if let Some(command) = client.command(&line) {
        start.terminal.say(&format!("#   {command}\n"));
    }
    start.print(&format!("{:#}\n", client.snippet(&line)))
}

/// In Markdown: each client's place and snippet, with the paths of an ordinary machine.
pub(super) fn examples() -> String {
    let line = ServerCommand {
        command: format!("/usr/local/bin/{PROGRAM}"),
        arguments: ["--env-file", "/home/you/.config/proxmox-mcp/.env"]
            .map(str::to_owned)
            .to_vec(),
    };
    let example = |client: &ClientProgram| {
        let command = client.command(&line);
        let command = command.map(|command| format!("```sh\n{command}\n```\n\n"));
        format!(
            "`{}`: into {}\n\n{}```json\n{:#}\n```\n",
            client.name,
            client.place,
            command.unwrap_or_default(),
            client.snippet(&line)
        )
    };
    let examples: Vec<String> = CLIENTS.iter().map(example).collect();
    examples.join("\n")
}

/// In Markdown: the snippet that starts the program on another host.
pub(super) fn ssh_example() -> String {
    let line = ssh("root@pve1.example.com");
    let snippet = CLIENTS.first().map(|client| client.snippet(&line));
    format!("```json\n{:#}\n```\n", snippet.unwrap_or_default())
}

impl ClientProgram {
    fn snippet(&self, line: &ServerCommand) -> Value {
        let mut server = serde_json::Map::new();
        if self.typed {
            server.insert("type".to_owned(), "stdio".into());
        }
        server.insert("command".to_owned(), line.command.as_str().into());
        server.insert("args".to_owned(), line.arguments.clone().into());
        json!({self.servers: {SERVER: server}})
    }

    /// What does the same in a shell, where the client has such a command.
    fn command(&self, line: &ServerCommand) -> Option<String> {
        let words = std::iter::once(&line.command).chain(&line.arguments);
        let words: Vec<String> = words.map(|word| shell_word(word)).collect();
        let words = words.join(" ");
        (self.name == "claude-code")
            .then(|| format!("claude mcp add --scope user {SERVER} -- {words}"))
    }
}

/// The program on another host, with the configuration that it finds there.
fn ssh(host: &str) -> ServerCommand {
    ServerCommand {
        command: "ssh".to_owned(),
        arguments: ["-T", "-o", "BatchMode=yes", host, PROGRAM]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// This program, with the configuration that it would find, or will.
fn here(start: &Start) -> Result<ServerCommand, EarlyExit> {
    let Some(program) = start.process.executable.as_deref() else {
        return Err(EarlyExit::Usage(
            "where this program lies cannot be told".into(),
        ));
    };
    let env_file = match start.env_file() {
        Some(path) => absolute(&path).unwrap_or(path),
        None => find::usual_file(start.process),
    };
    if !files::exists(&env_file) {
        let path = env_file.display();
        start.terminal.say(&format!(
            "# {path} is not there yet: `proxmox-mcp help configuration` says what stands in it\n"
        ));
    }
    Ok(ServerCommand {
        command: text(program)?,
        arguments: vec!["--env-file".to_owned(), text(&env_file)?],
    })
}

/// The line that starts the program on another host by ssh. What stands behind the host is a shell's line
/// there.
fn over_ssh(start: &Start, host: &str) -> Result<ServerCommand, EarlyExit> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:[]%/".contains(c);
    if host.starts_with('-') || !host.chars().all(is_plain) {
        return Err(EarlyExit::Usage(
            "`--ssh` needs a host as ssh takes it".into(),
        ));
    }
    let mut line = ssh(host);
    if let Some(path) = start.env_file() {
        if !path.is_absolute() {
            let problem = "with `--ssh`, `--env-file` is a path on the host and begins with `/`";
            return Err(EarlyExit::Usage(problem.into()));
        }
        line.arguments
            .extend(["--env-file".to_owned(), shell_word(&text(&path)?)]);
    }
    start.terminal.say(&format!(
        "# Nobody can type a password there: `ssh -o BatchMode=yes {host} {PROGRAM} --version` has to work by a key\n"
    ));
    Ok(line)
}

fn text(path: &Path) -> Result<String, EarlyExit> {
    let problem = || EarlyExit::Usage(format!("{} is not UTF-8", PathBuf::from(path).display()));
    path.to_str().map(str::to_owned).ok_or_else(problem)
}
