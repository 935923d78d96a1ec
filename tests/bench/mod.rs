//! `dev bench PROGRAM [--compare PROGRAM] [--only PART]`: measures a built program with simulated
//! clusters behind it, over TLS. Only what is counted can fail it; times and memory are the machine's.
//! With another program, an older one, to compare with, the two are measured by turns.

mod bare;
mod fleet;
mod hostile;
mod light;
mod one;
mod table;
mod waiting;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::demo;
use crate::demo::client::{Client, Way};
use crate::process;
use crate::sim::World;
use light::Light;
use table::{Side, Table};

const REVISION: &str = "2025-11-25";
const CLUSTERS: usize = 100;
/// Beside them: one that is slow at first, one that is slow, one that refuses the token.
const OTHERS: usize = 2;
const DEAD: usize = 20;

/// With two programs, so many turns for each: as many as fit in the time, at least the least, and odd, so
/// that there is one in the middle.
const TURNS_LEAST: usize = 3;
const TURNS_MOST: usize = 25;
/// What is repeated anyway is then repeated so many times less in a turn: short turns lie near each other.
const TURNS_SHARE: usize = 10;
const TURNS_TIME: Duration = Duration::from_secs(20);

/// What is measured, and the clusters to measure it with.
struct Ground {
    new: PathBuf,
    /// What it is compared with.
    old: Option<PathBuf>,
    /// The three of the tests' simulator.
    world: World,
    light: Light,
}

#[derive(Default)]
struct Options {
    program: PathBuf,
    compare: Option<PathBuf>,
    /// The name of the one of [`PARTS`] to measure.
    only: Option<String>,
}

pub fn run(words: Vec<String>) -> ExitCode {
    match measured(words) {
        Ok(faulty) => ExitCode::from(u8::from(faulty)),
        Err(problem) => {
            eprintln!("not measured: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn options(words: Vec<String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = words.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--compare" => options.compare = Some(value()?.into()),
            "--only" => options.only = Some(value()?),
            _ => options.program = arg.into(),
        }
    }
    if options.program.as_os_str().is_empty() {
        return Err("which program? Name it as the argument".into());
    }
    Ok(options)
}

/// Whether something that is counted is over its limit.
fn measured(words: Vec<String>) -> Result<bool, String> {
    let options = options(words)?;
    let machine = process::machine();
    let mut table = Table::new();
    measure(&options, &mut table)?;
    table.show(&machine, &options.program, options.compare.as_deref());
    Ok(table.is_faulty())
}

type Part = fn(&Ground, &mut Table) -> Result<(), String>;

const PARTS: [(&str, Part); 13] = [
    ("program", one::program),
    ("warm", one::warm),
    ("listed", one::listed),
    ("silent", waiting::silent),
    ("task", waiting::task),
    ("open", waiting::open),
    ("clusters", fleet::clusters),
    ("guests", fleet::guests),
    ("dead", fleet::dead),
    ("names", fleet::names),
    ("mixed", fleet::mixed),
    ("hostile", hostile::clusters),
    ("messages", hostile::client),
];

fn measure(options: &Options, table: &mut Table) -> Result<(), String> {
    let only = options.only.as_deref();
    let names = PARTS.map(|(name, _)| name);
    if only.is_some_and(|only| !names.contains(&only)) {
        return Err(format!("--only wants one of: {}", names.join(", ")));
    }
    let light = Light::start(CLUSTERS + OTHERS, DEAD)?;
    let (new, old) = match &options.compare {
        Some(old) => {
            let folder = light.folder();
            let new = copied(&options.program, folder.join("new"))?;
            // What is not there is marked as all that it cannot do.
            let old = copied(old, folder.join("old")).unwrap_or_else(|_| old.clone());
            (new, Some(old))
        }
        None => (options.program.clone(), None),
    };
    let ground = Ground {
        new,
        old,
        world: World::three(),
        light,
    };
    let three = ground.three();
    demo::write_private(&three, &ground.world.env()).map_err(|cause| cause.to_string())?;
    for (name, part) in PARTS {
        if only.is_none_or(|only| only == name) {
            part(&ground, table)?;
        }
    }
    Ok(())
}

/// A copy of a program: how the kernel keeps a file depends on how it was written, which shows in
/// memory and at the start, so that what a linker wrote is no match for what was copied.
fn copied(program: &Path, to: PathBuf) -> Result<PathBuf, String> {
    let copied = std::fs::copy(program, &to);
    copied.map_err(|cause| format!("{}: {cause}", program.display()))?;
    Ok(to)
}

impl Ground {
    /// How often to repeat in a turn what is repeated so often for one program alone.
    fn repeats(&self, alone: usize) -> usize {
        match self.old {
            Some(_) => alone.div_ceil(TURNS_SHARE),
            None => alone,
        }
    }

    /// Measures with the new program or, where there is an old one too, with the two by turns, each time
    /// with the clusters as they were at the start.
    ///
    /// # Errors
    /// What the new program cannot do. What the old one cannot do ends the turns, and is marked.
    fn by_turns(
        &self,
        table: &mut Table,
        mut measure: impl FnMut(&Path, &mut Table) -> Result<(), String>,
    ) -> Result<(), String> {
        let begun = Instant::now();
        let mut by = |side, program: &Path| {
            self.light.calm();
            table.turn(side);
            let measured = measure(program, table);
            if let (Side::Old, Err(problem)) = (side, &measured) {
                table.refused(problem.clone());
            }
            measured
        };
        for turn in 1..=TURNS_MOST {
            by(Side::New, &self.new)?;
            let Some(old) = &self.old else { break };
            let is_enough = turn >= TURNS_LEAST && turn % 2 == 1 && begun.elapsed() > TURNS_TIME;
            if by(Side::Old, old).is_err() || is_enough {
                break;
            }
        }
        Ok(())
    }

    /// The configuration of the simulator's three clusters.
    fn three(&self) -> PathBuf {
        self.light.folder().join("three.env")
    }
}

/// The program after its handshake.
fn started(program: &Path, env_file: &Path) -> Result<Client, String> {
    let mut client = Client::start(program, env_file, Way::Pipe)?;
    client.initialize(REVISION)?;
    client.request("ping", &json!({}))?;
    Ok(client)
}

/// Ends it, which must go well and without a word.
fn ended(client: Client) -> Result<(), String> {
    let (status, _, stderr) = client.end()?;
    if status.success() && stderr.is_empty() {
        return Ok(());
    }
    Err(format!("it ended with {status} and said: {stderr}"))
}
