//! The program: standard input to standard output. The only reader of the environment.

use std::process::ExitCode;

use proxmox_mcp::cli;
use proxmox_mcp::config::find::Process;

fn main() -> ExitCode {
    let process = Process {
        environment: std::env::vars_os().collect(),
        executable: std::env::current_exe().ok(),
    };
    cli::run(std::env::args_os().skip(1).collect(), &process)
}
