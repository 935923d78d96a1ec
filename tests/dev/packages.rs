//! `dev dist --out DIR --binary PATH ...`: packs built binaries, as `make dist` has it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::dist;

const HELP: &str = "\
usage: dist --out DIR --binary PATH [--binary PATH...]
            [--name NAME] [--url URL] [--repository URL] [--maintainer NAME]
            [--time SECONDS] [--dynamic]

  --binary PATH      a binary of proxmox-mcp for Linux; one for each architecture
  --name NAME        the name in a registry: NAMESPACE/NAME, the namespace in reverse-DNS form
  --url URL          the address below which the bundles will be found
  --repository URL   where the sources are
  --maintainer NAME  who answers for the Debian package
  --time SECONDS     the time of every file, in seconds since 1970
  --dynamic          take binaries that need libraries too
";

pub fn run(words: Vec<String>) -> ExitCode {
    let order = match order(words.into_iter()) {
        Ok(order) => order,
        Err(problem) => {
            eprintln!("dist: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match dist::make(&order) {
        Ok(files) => {
            for file in files {
                println!("{}", order.out.join(file).display());
            }
            if order.name.is_none() || order.url.is_none() {
                eprintln!(
                    "server.json is not for a registry yet: it takes DIST_NAME, the name to publish under, \
                     and DIST_URL, the address below which the bundle will be found"
                );
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("dist: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn order(mut words: impl Iterator<Item = String>) -> Result<dist::Order, String> {
    let mut order = dist::Order::default();
    let mut out = None;
    while let Some(word) = words.next() {
        if word == "--dynamic" {
            order.dynamic = true;
            continue;
        }
        let value = words.next().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--binary" => order.binaries.push(PathBuf::from(value)),
            "--out" => out = Some(PathBuf::from(value)),
            "--name" => order.name = Some(value),
            "--url" => order.url = Some(value),
            "--repository" => order.repository = Some(value),
            "--maintainer" => order.maintainer = Some(value),
            "--time" => {
                let time = value.parse();
                order.time = time.map_err(|_| format!("`--time {value}`: must be seconds"))?;
            }
            _ => return Err(format!("there is no argument `{word}`")),
        }
    }
    order.out = out.ok_or("`--out` is missing")?;
    if order.binaries.is_empty() {
        return Err("`--binary` is missing".into());
    }
    Ok(order)
}
