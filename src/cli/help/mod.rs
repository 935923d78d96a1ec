//! What `--help` prints, of the program and of each command, and the topics of `proxmox-mcp help`.

mod page;
mod tables;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use super::{COMMANDS, Command, EXIT_WRONG, EarlyExit, Start};
use crate::config::variables::{Scope, Stage, VARIABLES, Variable};
use crate::text::repeated;
use crate::{files, log};

pub(super) const HELP: Command = Command {
    name: "help",
    usage: "[TOPIC [WORDS...]]",
    about: "Prints this text and the topics, or a topic; with words only what holds them",
    flags: &[],
    valued: &[],
    run,
};

/// Where `$PAGER` says nothing.
const PAGER: &str = "less";
/// How `less` behaves where `$LESS` says nothing: it leaves what fits the screen, shows colours, keeps
/// what it has shown, and ends with Ctrl-C as this program does.
const LESS: (&str, &str) = ("LESS", "FRXK");

/// A part of the manual: a word behind `help`.
struct Topic {
    name: &'static str,
    about: &'static str,
    /// In Markdown, with places for its tables.
    text: &'static str,
}

/// All topics, in the order in which `help` lists them.
const TOPICS: &[Topic] = &[
    Topic {
        name: "tools",
        about: "what an assistant can call, and how to call it in a shell",
        text: include_str!("tools.md"),
    },
    Topic {
        name: "configuration",
        about: "token, file, variables, trust, what changes while it runs",
        text: include_str!("configuration.md"),
    },
    Topic {
        name: "clusters",
        about: "which cluster a call means",
        text: include_str!("clusters.md"),
    },
    Topic {
        name: "safety",
        about: "levels, confirmation, protection, limit; what is not guarded",
        text: include_str!("safety.md"),
    },
    Topic {
        name: "audit",
        about: "the file that says what was done, and what it proves",
        text: include_str!("audit.md"),
    },
    Topic {
        name: "errors",
        about: "codes and messages, and what helps",
        text: include_str!("errors.md"),
    },
    Topic {
        name: "search",
        about: "how a search over all clusters is written",
        text: include_str!("search.md"),
    },
    Topic {
        name: "clients",
        about: "what to write into a client's configuration; by ssh",
        text: include_str!("clients.md"),
    },
    Topic {
        name: "install",
        about: "to build it, where to put it, packages",
        text: include_str!("install.md"),
    },
    Topic {
        name: "limits",
        about: "how long things take, what is slow or down, memory",
        text: include_str!("limits.md"),
    },
];

fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let Some((name, words)) = start.options.rest.split_first() else {
        return start.print(&format!("{}{}", whole(), topics()));
    };
    let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) else {
        let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
        return Err(EarlyExit::Usage(format!(
            "there is no topic `{}`; the topics are {}",
            repeated(name),
            names.join(", ")
        )));
    };
    let text = tables::filled(topic.text);
    let text = format!("# {}: {}\n\n{text}", topic.name, topic.about);
    if words.is_empty() {
        return show(start, &text);
    }
    let found = page::holding(&text, words);
    if found.is_empty() {
        let words = repeated(&words.join(" "));
        log::error(&format!("nothing in `help {name}` holds `{words}`"));
        return Err(EarlyExit::Said(ExitCode::from(EXIT_WRONG)));
    }
    show(start, &found)
}

/// Prints Markdown: as it is, or at a terminal laid out, in a pager where there is one.
fn show(start: &Start, text: &str) -> Result<ExitCode, EarlyExit> {
    if !stdout().is_terminal() {
        return start.print(text);
    }
    let text = page::laid_out(text, start.terminal);
    let pager = start
        .variable("PAGER")
        .map_or(Some(PAGER), |set| set.to_str());
    let less = start.variable(LESS.0).is_none().then_some(LESS);
    match files::page(pager.unwrap_or_default(), less, &text) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Nothing of the text is lost by that.
        Err(_) => start.print(&text),
    }
}

/// The topics, a line each.
fn topics() -> String {
    let line = |topic: &Topic| format!("  {:15}{}\n", topic.name, topic.about);
    let lines: String = TOPICS.iter().map(line).collect();
    format!("\nTopics, printed by `proxmox-mcp help TOPIC`:\n{lines}")
}

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
        for variable in built(scope) {
            text.push_str(&format!("  {}\n      {}", variable.name, variable.about));
            if !variable.default.is_empty() {
                text.push_str(&format!(" (default {})", variable.default));
            }
            text.push('\n');
        }
    }
    text
}

fn built(scope: Scope) -> impl Iterator<Item = &'static Variable> {
    let is_built = move |one: &&Variable| one.scope == scope && one.stage == Stage::Built;
    VARIABLES.iter().filter(is_built)
}
