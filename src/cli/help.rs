//! What `--help` prints: of the program, and of each command.

use super::{COMMANDS, Command};
use crate::config::variables::{self, Scope, Stage, VARIABLES};

/// Of one command.
pub(super) fn of(command: &Command) -> String {
    format!(
        "proxmox-mcp {} {}\n    {}\n\n  --env-file PATH  read the configuration from this file\n  --help           print this text\n",
        command.name, command.usage, command.about
    )
}

/// All of it: commands, options, variables.
pub(super) fn whole() -> String {
    let mut text = String::from(
        "proxmox-mcp: an MCP server for Proxmox VE clusters, on standard input and output

usage: proxmox-mcp [--env-file PATH]            serve a client
       proxmox-mcp COMMAND [ARGUMENTS]

",
    );
    for command in COMMANDS {
        text.push_str(&format!(
            "  {} {}\n      {}\n",
            command.name, command.usage, command.about
        ));
    }
    text.push_str(
        "
  --env-file PATH  read the configuration from this file; else from the first of
                   $XDG_CONFIG_HOME/proxmox-mcp/.env (~/.config/proxmox-mcp/.env),
                   .env beside this program, /etc/proxmox-mcp/.env
  --help           print this text
  --version        print the version, its commit and its target

The environment holds before the file, variable by variable.
",
    );
    text.push_str(&variables());
    text
}

/// Every variable that is built, with what it says.
fn variables() -> String {
    let mut text = String::new();
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
