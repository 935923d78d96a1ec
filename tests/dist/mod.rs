//! The packages of a release, out of built binaries: a tarball, a Debian package and an MCP bundle for
//! each architecture, `server.json`, and the sums of all. The same input gives the same bytes.

mod bundle;
mod deb;
pub(crate) mod elf;
mod tarball;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proxmox_mcp::proxmox::digest;
use serde_json::Value;

/// What is to be packed, and what only the one who publishes it knows.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) binaries: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) maintainer: Option<String>,
    /// Of every file, in seconds since 1970.
    pub(crate) time: u64,
    /// Whether a binary may need libraries, as those of the tests do.
    pub(crate) dynamic: bool,
}

/// A file or, without content, a folder in a package.
pub(crate) struct Entry {
    /// Without a `/` at either end.
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: Option<Vec<u8>>,
}

impl Entry {
    fn file(path: impl Into<String>, mode: u32, content: &[u8]) -> Entry {
        Entry {
            path: path.into(),
            mode,
            content: Some(content.to_vec()),
        }
    }

    fn folder(path: impl Into<String>, mode: u32) -> Entry {
        Entry {
            path: path.into(),
            mode,
            content: None,
        }
    }
}

/// The documents that every package has.
pub(crate) struct Documents {
    readme: Vec<u8>,
    license: Vec<u8>,
    changelog: Vec<u8>,
    example: Vec<u8>,
}

/// What the program says of itself.
pub(crate) struct About {
    manifest: String,
    version: String,
    description: String,
    author: String,
}

const EXAMPLE: &str = ".env.example.multi";

/// Makes everything; the names of the files in `out`.
pub(crate) fn make(order: &Order) -> Result<Vec<String>, String> {
    let binaries: Vec<(elf::Machine, Vec<u8>)> = order
        .binaries
        .iter()
        .map(|path| binary(path, order.dynamic))
        .collect::<Result<_, _>>()?;
    for (at, (machine, _)) in binaries.iter().enumerate() {
        if binaries
            .iter()
            .skip(at + 1)
            .any(|(other, _)| other == machine)
        {
            return Err(format!("two binaries are for {}", machine.name()));
        }
    }
    let speaker = speaker(order, &binaries)?;
    let documents = documents()?;
    let about = about(speaker, order)?;
    fs::create_dir_all(&order.out).map_err(|error| format!("{}: {error}", order.out.display()))?;

    let mut made = Vec::new();
    let mut bundles = Vec::new();
    for (machine, program) in &binaries {
        let stem = format!("proxmox-mcp-{}-{}-linux", about.version, machine.name());
        let tarball = tarball::release(&stem, program, &documents, order.time)?;
        made.push((format!("{stem}.tar.gz"), tarball));
        made.push(deb::package(*machine, program, &documents, &about, order)?);
        let bundle = bundle::pack(&about.manifest, program, &documents)?;
        let file = format!("{stem}.mcpb");
        bundles.push(format!("{file}={}", sum(&bundle)));
        made.push((file, bundle));
    }
    let server = registry(speaker, order, &bundles)?;
    made.push(("server.json".to_owned(), server.into_bytes()));
    made.sort();
    let sums: String = made
        .iter()
        .map(|(name, content)| format!("{}  {name}\n", sum(content)))
        .collect();
    made.push(("SHA256SUMS".to_owned(), sums.into_bytes()));
    for (name, content) in &made {
        let path = order.out.join(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(made.into_iter().map(|(name, _)| name).collect())
}

fn binary(path: &Path, dynamic: bool) -> Result<(elf::Machine, Vec<u8>), String> {
    let shown = path.display();
    let content = fs::read(path)
        .map_err(|error| format!("{shown}: {error}; `make static` builds the binary"))?;
    let machine = elf::machine(&content).map_err(|problem| format!("{shown}: {problem}"))?;
    if elf::is_dynamic(&content) && !dynamic {
        return Err(format!(
            "{shown}: needs libraries of the machine that it was built on; pack what `make static` builds"
        ));
    }
    Ok((machine, content))
}

/// The first binary that runs here: the manifests come from the program itself.
fn speaker<'a>(order: &'a Order, binaries: &[(elf::Machine, Vec<u8>)]) -> Result<&'a Path, String> {
    let mut candidates = order.binaries.iter().zip(binaries);
    let found = candidates.find(|(_, (machine, _))| machine.name() == std::env::consts::ARCH);
    match found {
        Some((path, _)) => Ok(path),
        None => Err(format!(
            "none of the binaries is for {}, so none can print its manifest here",
            std::env::consts::ARCH
        )),
    }
}

/// What the program prints; it needs nothing of the environment.
fn say(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let shown = program.display();
    let run = Command::new(program).args(arguments).env_clear().output();
    let run = run.map_err(|error| format!("{shown}: {error}"))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr);
        return Err(format!("{shown} {}: {said}", arguments.join(" ")));
    }
    String::from_utf8(run.stdout).map_err(|_| format!("{shown}: what it prints is not UTF-8"))
}

fn about(program: &Path, order: &Order) -> Result<About, String> {
    let mut arguments = vec!["manifest", "mcpb"];
    if let Some(repository) = &order.repository {
        arguments.extend(["--repository", repository]);
    }
    let text = say(program, &arguments)?;
    let manifest: Value =
        serde_json::from_str(&text).map_err(|error| format!("the manifest: {error}"))?;
    let field = |pointer: &str| {
        let value = manifest.pointer(pointer).and_then(Value::as_str);
        let value = value.ok_or_else(|| format!("the manifest has no {pointer}"))?;
        Ok::<String, String>(value.to_owned())
    };
    let version = field("/version")?;
    if version != env!("CARGO_PKG_VERSION") {
        return Err(format!(
            "{} is {version}, but the sources are {}: build it anew",
            program.display(),
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(About {
        version,
        description: field("/description")?,
        author: field("/author/name")?,
        manifest: text,
    })
}

fn registry(program: &Path, order: &Order, bundles: &[String]) -> Result<String, String> {
    let mut arguments = vec!["manifest", "registry"];
    for (option, value) in [
        ("--name", &order.name),
        ("--url", &order.url),
        ("--repository", &order.repository),
    ] {
        if let Some(value) = value {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(bundles.iter().map(String::as_str));
    say(program, &arguments)
}

fn documents() -> Result<Documents, String> {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok(Documents {
        readme: read("README.md")?,
        license: read("LICENSE")?,
        changelog: read("CHANGELOG.md")?,
        example: read(EXAMPLE)?,
    })
}

/// A SHA-256 as `sha256sum` prints it.
fn sum(content: &[u8]) -> String {
    let digest = digest::sha256(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
