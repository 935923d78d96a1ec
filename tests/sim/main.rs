//! Three simulated clusters for a person to point any client at.
//! `cargo run --example sim [-- --env-file PATH] [--until-eof]` prints (or writes) a ready `.env`
//! and stays up until it is killed, or until its input ends.

#[path = "mod.rs"]
mod sim;

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut file, mut until_eof) = (None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--env-file" => file = Some(args.next().ok_or("--env-file wants a path")?),
            "--until-eof" => until_eof = true,
            other => {
                return Err(
                    format!("unknown argument `{other}`: [--env-file PATH] [--until-eof]").into(),
                );
            }
        }
    }
    let world = sim::World::three();
    match file {
        Some(path) => {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(world.env().as_bytes())?;
            eprintln!("three simulated clusters are up; {path} holds their configuration");
        }
        None => {
            print!("{}", world.env());
            std::io::stdout().flush()?;
        }
    }
    if until_eof {
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}
