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
//! Nothing flows back up but return values, and what [`wait`] lends. The modules are floors; a floor imports
//! itself and the floors below it, never one above:
//!
//! | floor | what lives there | its question |
//! |---|---|---|
//! | `cli` | arguments, serving or one of the commands, exit status, the help topics | how is it started |
//! | `mcp` | lines, messages, methods of both eras, the calls that are open, `tools/list` entries, questions to the user, progress | what did the client say |
//! | `tools` | the families of tools, one file or folder a noun | what can be done |
//! | `tool` | what a tool is; its parameters, arguments, rows; which are offered; one call from end to end, its steps; a changed configuration taken over | in which words is it declared |
//! | `gate` | levels, protection, confirmation, privileges, the bulk limit, who uses a volume, the audit file, `Reach` | may it be done |
//! | `fleet` | which cluster a call means, what is where, what a token may, several at a time, the search language | where is it done |
//! | `config` | finding, reading, checking and watching a configuration, and what of a changed one may be taken over; what it says keeps clusters safe | how is it set up |
//! | `proxmox` | TLS, endpoints, replies, tasks, what became of a write, the descriptions that clusters serve | how is it said over the wire |
//! | `api` | one row a method: what it risks and touches; requests, UPIDs, volumes, loose values, permissions, the description of an API | what does Proxmox have |
//! | `files`, `wait`, `answer_count`, `room`, `charged`, `counted`, `log`, `shown`, `secrets`, `text`, `meant`, `time`, `size`, `error` | files and children, listening while waiting, what a read of several clusters has heard so far, the memory that replies may take, what takes some of it, values that are counted while they are made, lines on stderr, what may be shown, what is a secret, printable text, what is meant by an unknown word, times and sizes as text, why a call failed | |
//!
//! # A tool is a value
//!
//! One [`tool::Tool`] declares a tool; all that is said or asked of it is read off that. Each of its actions
//! names the methods that it sends ([`api::methods::sending`]), off whose rows ([`api::methods`]) is read what
//! it weighs and what a token needs for it. A handler holds no client but a [`gate::reach::Reach`], which
//! refuses what the action does not name, what is heavier, and what touches anything else than the call.
//!
//! # What stands between
//!
//! A call on one cluster passes [`gate::Gate::enter`]: what writes is held against the cluster's level, what
//! may harm against the protected guests (`gate::protect`), and what asks is confirmed ([`gate::confirm`]), by
//! a code or by a question that `mcp::question` puts to the user. Reads need none of that; those of several
//! clusters pass `enter_fleet`. Each write passes the `Reach` once more: its weight, level, protection, what
//! the token may do ([`gate::privileges`]), the bulk limit, last the line in the audit file ([`gate::audit`]).
//!
//! What the gate goes by is [`config::safety`]: levels, rules, switches. [`config::watch`] notices a changed
//! file at the next call, and [`config::reload`] says what of it does not loosen and is taken over;
//! [`tool::offer`] leaves out the tools that no cluster allows.
//!
//! # Waiting is a state of the loop
//!
//! A handler waits for replies only. Its shape ([`tool::RunFn`]) is a read of one cluster or of several; a
//! write, which says what it sends, what the answer says, and what is looked at when its task has ended
//! ([`tool::write`]); or steps, each of which ends with the answer, or with the task or the pause behind which
//! it goes on ([`tool::step`]). Meanwhile the call is open: it owns what it goes on with ([`tool::open`]), and
//! the loop (`mcp::server`, `mcp::open_calls`) answers others, has the users of legacy clients asked, and looks
//! at tasks now and then: at each by itself, since a node's list of them may tell an end 10 s late.
//!
//! For each step a `Reach` is lent anew on what the gate let pass ([`gate::reach::Admitted`]): it goes by the
//! level, the rules and the token of that moment, a look at a task by the token that began it. It writes
//! nothing behind a wait, so that writes need no turns. A job of several tasks, which would need them, has no
//! user yet. The transport asks [`wait`] all the time, so that `ping` is answered, and a cancellation or the
//! end of input ends the step.
//!
//! # What may have happened
//!
//! A failure before a byte of the request had left goes to the next endpoint; one after that is repeated for
//! reads, and for writes where the answer says that nothing was begun. A write without an answer is looked for
//! by its task or its object ([`proxmox::aftermath`]). What failed is remembered for each endpoint and cluster,
//! with growing pauses, so that it costs its time once.
//!
//! # Invariants
//!
//! 1. Standard output carries one JSON value a line, and is written in one function.
//! 2. One loop, one thread, but for a fleet-wide read, whose threads are joined before the answer, and the
//!    look-up of a name, which is left behind when the call's time is over. No call delays another, but for one
//!    step, whose requests and time are bounded.
//! 3. Only `proxmox` touches the network, only `files` files and children, only `main` the environment.
//! 4. A tool is declared once. Outside `tools` no file names it, but the table of words in [`meant`]. A handler
//!    reaches a cluster through its `Reach` only. A variable is its row in [`config::variables`].
//! 5. A call is refused as a whole: all problems at once, before anything is sent.
//! 6. Every error says whether something may have happened, by a field ([`error::Happened`]) and no phrase.
//! 7. Everything has a limit: line, reply, redirects (none), time, rows, depth, open calls, questions.
//! 8. A secret is a type without `Debug` or `Display`; it becomes text in the header only. What else could be
//!    one is masked where it leaves, in [`shown`], and in the audit file ([`secrets`]).
//! 9. What a cluster says is data, and so is what a caller wrote: control characters and terminal escapes never
//!    reach the client raw, which [`shown`] holds too.
//! 10. A protecting rule that cannot be checked protects. What cannot be written down (audit file) is not sent.
//! 11. No panic on any input.

// The release build aborts on panic, and standard output belongs to the protocol. These stand here
// and not in Cargo.toml, since they are for the program and not for its tests.
#![warn(clippy::panic, clippy::todo, clippy::unimplemented)]
#![warn(clippy::unreachable, clippy::expect_used, clippy::unwrap_used)]
#![warn(clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::dbg_macro, clippy::print_stderr, clippy::print_stdout)]

pub mod api;
pub mod cli;
pub mod config;
pub mod fleet;
pub mod gate;
pub mod mcp;
pub mod proxmox;
pub mod tool;
pub mod tools;

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
