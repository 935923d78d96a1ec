//! The program: standard input to standard output. The only reader of the environment.

use std::process::ExitCode;

use proxmox_mcp::cli;

fn main() -> ExitCode {
    cli::run(cli::Given {
        arguments: std::env::args_os().skip(1).collect(),
        environment: std::env::vars_os().collect(),
        executable: std::env::current_exe().ok(),
    })
}
