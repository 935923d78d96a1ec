//! Three simulated clusters for a person to point any client at.
//! `dev sim [OPTIONS]` prints a ready `.env` and stays up until it is killed.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::time::Duration;

use crate::sim::World;

const OPTIONS: &str = "the options are:
  --env-file PATH  write the .env there instead, for its owner only
  --order TEXT     what happens to the clusters, as in `fault staging refuse` (tests/sim/order.rs)
  --show           say on standard error what reaches which cluster
  --until-eof      end when the input ends";

/// Between two looks at what reached the clusters, in milliseconds.
const LOOK_MS: u64 = 20;

#[derive(Default)]
struct Options {
    env_file: Option<String>,
    orders: Vec<String>,
    show: bool,
    until_eof: bool,
}

pub fn run(words: Vec<String>) -> ExitCode {
    match stay_up(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sim: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn stay_up(words: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    let options = options(words)?;
    let world = World::three();
    for order in &options.orders {
        world.direct(order)?;
    }
    match &options.env_file {
        Some(path) => {
            let mut private = std::fs::OpenOptions::new();
            private.write(true).create(true).truncate(true).mode(0o600);
            private.open(path)?.write_all(world.env().as_bytes())?;
            eprintln!("three simulated clusters are up; {path} holds their configuration");
        }
        None => {
            print!("{}", world.env());
            std::io::stdout().flush()?;
        }
    }
    let world = std::sync::Arc::new(world);
    if options.show {
        let world = world.clone();
        std::thread::spawn(move || show(&world));
    }
    if options.until_eof {
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

fn options(words: Vec<String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = words.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value; {OPTIONS}"));
        match arg.as_str() {
            "--env-file" => options.env_file = Some(value()?),
            "--order" => options.orders.push(value()?),
            "--show" => options.show = true,
            "--until-eof" => options.until_eof = true,
            _ => return Err(format!("there is no `{arg}`; {OPTIONS}")),
        }
    }
    Ok(options)
}

/// A line for each request.
fn show(world: &World) {
    loop {
        for seen in world.seen() {
            eprintln!(
                "@ {} {} {} -> {}",
                seen.cluster, seen.method, seen.path, seen.status
            );
        }
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
}
