//! proxmox-mcp: an MCP server for one to a hundred and more Proxmox VE clusters.
//!
//! One small program, one thread: a blocking JSON-RPC loop over standard input and output, and a
//! client with one agent for each cluster.
//!
//! # One way through
//!
//! ```text
//! stdin -> mcp: a line, a message, a method -> tools: the entry of that name
//!       -> tool: checked arguments -> fleet: which cluster, and why
//!       -> gate: may it, is it confirmed; a `Reach` -> the tool's handler
//!       -> proxmox: a request value, an agent, a reply -> shaped answer -> mcp: a reply -> stdout
//! ```
//!
//! Nothing flows back up but return values. The modules are floors; a floor imports itself and the
//! floors below it, never one above:
//!
//! | floor | what lives there | its question |
//! |---|---|---|
//! | `cli` | arguments, where the configuration is, exit status | how is it started |
//! | `mcp` | lines, messages, methods of both eras, `tools/list` entries | what did the client say |
//! | `tools` | the families of tools, one file or folder a noun | what can be done |
//! | `tool` | what a tool is; its parameters, arguments, rows; one call from end to end | in which words is it declared |
//! | `gate` | the weighing table, confirmation, the audit file, `Reach` | may it be done |
//! | `fleet` | configuration, which cluster a call means, what is where, several at a time | where is it done |
//! | `proxmox` | requests, TLS, endpoints, replies, tasks, the API's own description | how does Proxmox want it said |
//! | `files`, `wait`, `text`, `time`, `log`, `error` | files and children, listening while waiting, printable text, times as text, lines on stderr, why a call failed | |
//!
//! # A tool is a value
//!
//! One [`tool::Tool`] declares a tool; schema, argument checks, annotations, the gate, README's line
//! and dispatch are read off it. A handler never holds a client. It is given a [`gate::reach::Reach`],
//! which weighs every request by the gate's table and refuses what is heavier than the tool
//! declared, or touches something else than the call addresses.
//!
//! # Waiting is listening
//!
//! [`wait`] holds, for each thread, what listening means while a call runs. The transport reads and
//! writes in slices and asks it in between, and so does whoever waits for a task: `ping` is
//! answered, a cancellation ends the wait, the end of input ends the program.
//!
//! # Invariants
//!
//! 1. Standard output carries one JSON value a line, and is written in one function.
//! 2. One loop, one thread; a call is answered before the next is begun. The one exception is a
//!    fleet-wide read, whose threads are joined before the answer.
//! 3. Only `proxmox` touches the network; only `files` opens files and starts children; only `main`
//!    reads the environment.
//! 4. A tool is declared once. No other file names it. A handler reaches a cluster through its
//!    `Reach` only.
//! 5. A call is refused as a whole: all problems at once, before anything is sent.
//! 6. Every error says whether something may have happened.
//! 7. Everything has a limit: line, reply, redirects (none), time, rows, depth.
//! 8. A secret is a type without `Debug` or `Display`; it becomes text in one place, the header.
//! 9. What a cluster says is data: control characters and terminal escapes never reach the client
//!    raw.
//! 10. No panic on any input.

// The release build aborts on panic, and standard output belongs to the protocol. These stand here
// and not in Cargo.toml, since they are for the program and not for its tests.
#![warn(
    clippy::dbg_macro,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod cli;

pub mod mcp;

pub mod tools;

pub mod tool;

pub mod gate;

pub mod fleet;

pub mod proxmox;

pub mod error;
pub mod files;
pub mod log;
pub mod text;
pub mod time;
pub mod wait;
