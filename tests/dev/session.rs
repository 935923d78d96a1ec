//! `dev demo [PROGRAM]`: shows what the program does, against simulated clusters.
//! Ends with status 1 where anything is not as expected, and leaves nothing behind.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::demo;

pub fn run(words: Vec<String>) -> ExitCode {
    let Some(program) = program(words) else {
        eprintln!("the program is not built: `cargo build` makes it, or name it as the argument");
        return ExitCode::FAILURE;
    };
    match demo::play(&program, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\nNot as expected: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The one that is named, else the one that was built beside the examples.
fn program(words: Vec<String>) -> Option<PathBuf> {
    let beside = || {
        Some(
            std::env::current_exe()
                .ok()?
                .parent()?
                .parent()?
                .join("proxmox-mcp"),
        )
    };
    let program = words.first().map(PathBuf::from).or_else(beside)?;
    program.is_file().then_some(program)
}
