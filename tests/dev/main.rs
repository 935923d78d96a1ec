//! `cargo run --example dev -- COMMAND ...`: the programs for who works on this one, in one, so that
//! what they share (the simulated clusters above all) is compiled and linked once.
#![allow(unreachable_pub)]

#[path = "../bench/mod.rs"]
mod bench;
mod clusters;
#[path = "../sim/demo/mod.rs"]
mod demo;
#[path = "../dist/mod.rs"]
mod dist;
#[path = "../faults/mod.rs"]
mod faults;
mod packages;
mod process;
#[path = "../static/proof.rs"]
mod proof;
mod session;
#[path = "../sim/mod.rs"]
mod sim;
#[path = "../soak/mod.rs"]
mod soak;

use std::process::ExitCode;

/// What is run with the words behind the command's name.
type Run = fn(Vec<String>) -> ExitCode;

const COMMANDS: [(&str, Run, &str); 7] = [
    ("bench", bench::run, "what it costs: time, memory, bytes"),
    ("demo", session::run, "a session, shown and checked"),
    ("dist", packages::run, "the packages, out of built binaries"),
    ("faults", faults::run, "every tool under every fault"),
    ("proof", proof::run, "what a static binary promises"),
    ("sim", clusters::run, "simulated clusters, for any client"),
    ("soak", soak::run, "whether it holds more in the end"),
];

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).map(|word| word.into_string());
    let mut words = match words.collect::<Result<Vec<String>, _>>() {
        Ok(words) => words.into_iter(),
        Err(word) => {
            eprintln!("dev: {} is not UTF-8", word.display());
            return ExitCode::from(2);
        }
    };
    let name = words.next();
    let known = COMMANDS
        .iter()
        .find(|(known, ..)| name.as_deref() == Some(known));
    if let Some((_, run, _)) = known {
        return run(words.collect());
    }
    match name {
        Some(name) => eprintln!("dev: there is no `{name}`; the commands are:"),
        None => eprintln!("dev: which command? There are:"),
    }
    for (name, _, text) in COMMANDS {
        eprintln!("  {name:8}{text}");
    }
    ExitCode::from(2)
}
