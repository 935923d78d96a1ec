//! `dev bench PROGRAM [--json FILE] [--compare FILE] [--only PART]`: measures a built
//! program with simulated clusters behind it, over TLS. Only what is counted can fail it; times and
//! memory are the machine's.

mod bare;
mod fleet;
mod hostile;
mod light;
mod one;
mod table;
mod waiting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::demo;
use crate::demo::client::{Client, Way};
use crate::process;
use crate::sim::World;
use light::Light;
use table::Table;

const REVISION: &str = "2025-11-25";
const CLUSTERS: usize = 100;
/// Beside them: one that is slow at first, one that is slow, one that refuses the token.
const OTHERS: usize = 2;
const DEAD: usize = 20;

/// What is measured, and the clusters to measure it with.
struct Ground<'a> {
    program: &'a Path,
    /// The three of the tests' simulator.
    world: World,
    light: Light,
}

#[derive(Default)]
struct Options {
    program: PathBuf,
    json: Option<PathBuf>,
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
            "--json" => options.json = Some(value()?.into()),
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
    // Read first: it may be the file that is written.
    let before = options.compare.as_deref().map(table::read).transpose()?;
    let machine = process::machine();
    let mut table = Table::default();
    measure(&options, &mut table)?;
    table.show(&machine, &before.unwrap_or_else(BTreeMap::new));
    if let Some(path) = &options.json {
        table.write(path, &machine, &options.program)?;
        eprintln!("also written to {}", path.display());
    }
    Ok(table.is_faulty())
}

type Part = fn(&Ground, &mut Table) -> Result<(), String>;

const PARTS: [(&str, Part); 12] = [
    ("program", one::program),
    ("warm", one::warm),
    ("listed", one::listed),
    ("silent", waiting::silent),
    ("task", waiting::task),
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
    let ground = Ground {
        program: &options.program,
        world: World::three(),
        light: Light::start(CLUSTERS + OTHERS, DEAD)?,
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

impl Ground<'_> {
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
