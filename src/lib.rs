//! proxmox-mcp: an MCP server for one to a hundred and more Proxmox VE clusters.
//!
//! One small program, one thread: a blocking JSON-RPC loop over standard input and output, the calls that
//! are open, and a client with one agent for each cluster.
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
//! | `cli` | arguments, serving or one of the commands, exit status, the help topics | how is it started |
//! | `mcp` | lines, messages, methods of both eras, the calls that are open, `tools/list` entries, questions to the user, progress | what did the client say |
//! | `tools` | the families of tools, one file or folder a noun | what can be done |
//! | `tool` | what a tool is; its parameters, arguments, rows; which are offered; one call from end to end, its steps | in which words is it declared |
//! | `gate` | levels, protection, confirmation, privileges, the bulk limit, the audit file, `Reach` | may it be done |
//! | `fleet` | which cluster a call means, what is where, what a token may, several at a time, the search language | where is it done |
//! | `config` | finding, reading, checking, watching and taking over a configuration; what it says keeps clusters safe | how is it set up |
//! | `proxmox` | TLS, endpoints, replies, tasks, what became of a write, the descriptions that clusters serve | how is it said over the wire |
//! | `api` | one row a method: what it risks and touches; requests, UPIDs, volumes, loose values, permissions, the description of an API | what does Proxmox have |
//! | `files`, `wait`, `answer_count`, `room`, `charged`, `counted`, `log`, `shown`, `secrets`, `text`, `meant`, `time`, `size`, `error` | files and children, listening while waiting, what a read of several clusters has heard so far, the memory that replies may take, what takes some of it, values that are counted while they are made, lines on stderr, what may be shown, what is a secret, printable text, what is meant by an unknown word, times and sizes as text, why a call failed | |
//!
//! # A tool is a value
//!
//! One [`tool::Tool`] declares a tool; schema, argument checks, annotations, the gate, its line in the help
//! and dispatch are read off it. Each of its actions names the methods that it sends
//! ([`api::methods::sending`]); what it weighs, and what a token needs for it, is read off their rows
//! ([`api::methods`]). A handler never holds a client. It is given a [`gate::reach::Reach`], which weighs
//! every request and refuses what the action does not name, what is heavier than it, and what touches
//! something else than the call addresses.
//!
//! # What stands between
//!
//! A call passes [`gate::Gate::enter`]: which holds it against the cluster's level,
//! `gate::protect` against the protected guests, and [`gate::confirm`] has it confirmed, by a code or
//! by a question, which `mcp::question` puts to the user. Each write passes the `Reach` once more: its
//! weight, level and protection, what the token may do ([`gate::privileges`] or the cluster's own
//! description, judged by [`api::permission`], against [`fleet::permissions`]), the bulk limit
//! ([`gate::bulk_limit`]), and last the line in the audit file ([`gate::audit`]).
//!
//! What the gate goes by is [`config::safety`]: levels ([`api::mark`]), rules ([`config::rule`]),
//! switches. [`config::watch`] notices a changed file at the next call, and [`config::reload`] says what
//! of it does not loosen and is taken over; [`tool::offer`] leaves out the tools that no cluster allows.
//!
//! # Waiting is a state of the loop
//!
//! A handler does not wait. A write says what it sends, what the answer says, and what is looked at when its
//! task has ended ([`tool::write`]); what needs more goes by steps, each of which ends with the answer, or
//! with the task or the pause behind which it goes on ([`tool::step`]). Meanwhile the call is open ([`tool::open`]): it owns what it goes on with, and
//! the loop (`mcp::server`, `mcp::open_calls`) answers others, looks at its task now and then, and has
//! the users of legacy clients asked. For each step a `Reach` is lent anew on what the gate let pass
//! ([`gate::reach::Admitted`]): it goes by the level, the rules and the token of that moment.
//!
//! What is left that can hold up others is one request, whose time is bounded. [`wait`] holds, for each
//! thread, what listening means while a step runs: the transport reads and writes in slices and asks it in
//! between, so that `ping` is answered, a cancellation ends it, and so does the end of input. A client
//! that gave a token for it is told how far it has come.
//!
//! # What may have happened
//!
//! Every failure is one before a byte of the request had left, or after: the first goes to the next
//! endpoint, the second is repeated for reads only. A write whose answer did not come is looked for by
//! its task or its object ([`proxmox::aftermath`]), in the one place where requests are sent. What
//! failed is remembered for each endpoint and cluster, with growing pauses, so that it costs its time
//! once.
//!
//! # Invariants
//!
//! 1. Standard output carries one JSON value a line, and is written in one function.
//! 2. One loop, one thread, but for a fleet-wide read, whose threads are joined before the answer, and
//!    the look-up of a name, which is left behind when the call's time is over. No open call delays
//!    another, but for the time of one request or one fleet-wide read.
//! 3. Only `proxmox` touches the network; only `files` opens files and starts children; only `main`
//!    reads the environment.
//! 4. A tool is declared once. No other file names it, but the table of words in [`meant`]. A handler
//!    reaches a cluster through its `Reach` only. A variable is described once, by its row in
//!    [`config::variables`].
//! 5. A call is refused as a whole: all problems at once, before anything is sent.
//! 6. Every error says whether something may have happened: that is a field of it
//!    ([`error::Happened`]), and no phrase.
//! 7. Everything has a limit: line, reply, redirects (none), time, rows, depth, open calls, questions.
//! 8. A secret is a type without `Debug` or `Display`; it becomes text in one place, the header. What
//!    else could be one is masked where an answer, an error or a log line leaves, in [`shown`], and
//!    where a line of the audit file is made, both by [`secrets`].
//! 9. What a cluster says is data, and so is what a caller wrote: control characters and terminal
//!    escapes never reach the client raw, which [`shown`] holds too.
//! 10. A protecting rule that cannot be checked protects, and where there is an audit file, a line that
//!     cannot be written holds the write back.
//! 11. No panic on any input.

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

pub mod config;

pub mod proxmox;

pub mod api;

pub mod answer_count;
pub mod charged;
pub mod counted;
pub mod error;
pub mod files;
pub mod log;
pub mod meant;
pub mod room;
pub mod secrets;
pub mod shown;
pub mod size;
pub mod text;
pub mod time;
pub mod wait;
