//! `dev proof PROGRAM`: holds a static binary against what is promised of it. It runs
//! in a root folder that has nothing but it and its configuration, and there asks a simulated
//! cluster over TLS. Ends with status 1 at the first promise that does not hold.

mod elf;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::json;

use crate::demo;
use crate::demo::client::{Client, Way};
use crate::sim::World;

const SIZE_MAX: usize = 4_000_000;
const REVISION: &str = "2025-11-25";
/// The cluster that is asked, and its node.
const CLUSTER: &str = "production";
const NODE: &str = "prod-pve1";

pub fn run(words: Vec<String>) -> ExitCode {
    let proven = match words.as_slice() {
        [inside, root, rest @ ..] if inside == "--inside" => Err(go_inside(root.as_ref(), rest)),
        [program] => prove(program.as_ref()),
        _ => Err("which program? Name it as the argument".into()),
    };
    match proven {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("not as promised: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Makes `root` the root folder of this process and becomes the program in it; returns why not.
fn go_inside(root: &Path, arguments: &[String]) -> String {
    let moved = std::os::unix::fs::chroot(root).and_then(|()| std::env::set_current_dir("/"));
    match moved {
        Ok(()) => Command::new("/proxmox-mcp")
            .args(arguments)
            .env_clear()
            .exec()
            .to_string(),
        Err(cause) => format!("{}: {cause}", root.display()),
    }
}

fn prove(program: &Path) -> Result<(), String> {
    let said = |cause: std::io::Error| format!("{}: {cause}", program.display());
    let file = std::fs::read(program).map_err(said)?;
    size(&file)?;
    headers(&file)?;
    paths(&file)?;
    tool("file", program, &["static"])?;
    tool(
        "ldd",
        program,
        &["not a dynamic executable", "statically linked"],
    )?;
    let root = tempfile::tempdir().map_err(said)?;
    std::fs::copy(program, root.path().join("proxmox-mcp")).map_err(said)?;
    match way_inside(root.path())? {
        Some(way) => alone(&way, root.path()),
        None if is_ci() => Err(
            "a root folder of its own can be had neither by chroot nor by \
                                `unshare -r`, so that it runs alone is not proven"
                .into(),
        ),
        None => {
            put(
                "alone",
                "NOT PROVEN: neither chroot nor `unshare -r` is allowed here",
            );
            Ok(())
        }
    }
}

fn put(what: &str, found: &str) {
    println!("  {what:8}{found}");
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

fn size(file: &[u8]) -> Result<(), String> {
    if file.len() > SIZE_MAX {
        return Err(format!("it has {} bytes, more than {SIZE_MAX}", file.len()));
    }
    put("size", &format!("{} bytes, at most {SIZE_MAX}", file.len()));
    Ok(())
}

fn headers(file: &[u8]) -> Result<(), String> {
    let elf = elf::read(file)?;
    if elf.interpreter || elf.needed > 0 {
        let interpreter = if elf.interpreter { "an" } else { "no" };
        let needed = elf.needed;
        return Err(format!(
            "{interpreter} interpreter, {needed} needed libraries"
        ));
    }
    if elf.symbols {
        return Err("it is not stripped".into());
    }
    let place = if elf.movable {
        "anywhere"
    } else {
        "at one place only"
    };
    put(
        "elf",
        &format!("no interpreter, no needed library, no symbols, loaded {place}"),
    );
    Ok(())
}

/// It does not tell where it was built.
fn paths(file: &[u8]) -> Result<(), String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let folders = [
        env!("CARGO_MANIFEST_DIR").to_string(),
        format!("{cargo}/registry"),
    ];
    for folder in folders {
        let is_there = file
            .windows(folder.len())
            .any(|part| part == folder.as_bytes());
        if is_there {
            return Err(format!("it names a folder of this machine: {folder}"));
        }
    }
    put("paths", "none of this machine");
    Ok(())
}

/// What a tool of the system says, where there is one: one of `good`.
fn tool(name: &str, program: &Path, good: &[&str]) -> Result<(), String> {
    let Ok(run) = Command::new(name).arg(program).env("LC_ALL", "C").output() else {
        put(name, "not installed here, so not asked");
        return Ok(());
    };
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !good.iter().any(|good| said.contains(good)) {
        return Err(format!("`{name}` says: {}", said.trim()));
    }
    let path = format!("{}: ", program.display());
    put(name, said.trim().trim_start_matches(path.as_str()));
    Ok(())
}

/// The words before the program's arguments that run it with `root` as its root folder: by ourselves
/// as root, else as root of a user namespace.
fn way_inside(root: &Path) -> Result<Option<Vec<OsString>>, String> {
    let ourselves = std::env::current_exe().map_err(|cause| cause.to_string())?;
    let inside = [
        ourselves.into(),
        "proof".into(),
        "--inside".into(),
        root.into(),
    ];
    let unshared: Vec<OsString> = ["unshare".into(), "-r".into()]
        .into_iter()
        .chain(inside.clone())
        .collect();
    for way in [inside.to_vec(), unshared] {
        let run = command(&way).arg("--version").output();
        let Ok(run) = run else { continue };
        if run.status.success() {
            put("version", String::from_utf8_lossy(&run.stdout).trim());
            return Ok(Some(way));
        }
    }
    Ok(None)
}

fn command(words: &[OsString]) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or_else(PathBuf::new, PathBuf::from));
    command.args(words);
    command
}

/// In its root folder it answers the handshake and one call, and believes nobody but the cluster
/// whose fingerprint it was given.
fn alone(way: &[OsString], root: &Path) -> Result<(), String> {
    let world = World::three();
    let (status, answer) = ask(way, root, &world, world.cluster(CLUSTER).fingerprint(NODE))?;
    if status || !answer.contains(NODE) {
        return Err(format!("node_list answered: {answer}"));
    }
    let seen = world.seen().len();
    put("alone", "in an empty root folder it answers `initialize`");
    put(
        "tls",
        &format!("there `node_list` names {NODE}, after {seen} requests to a pinned cluster"),
    );
    let strange = world.cluster("staging").fingerprint("stg-pve1");
    let (status, answer) = ask(way, root, &world, strange)?;
    if !status || !world.seen().is_empty() {
        return Err(format!("with another's fingerprint it answered: {answer}"));
    }
    put(
        "pinned",
        "with another certificate's fingerprint it asks nothing",
    );
    Ok(())
}

/// Whether the call fails, and its text.
fn ask(
    way: &[OsString],
    root: &Path,
    world: &World,
    fingerprint: &str,
) -> Result<(bool, String), String> {
    let cluster = world.cluster(CLUSTER);
    let (id, secret) = (&cluster.spec.token_id, &cluster.spec.token_secret);
    let env = format!(
        "PROXMOX_API_URL=https://127.0.0.1:{}\nPROXMOX_TOKEN_ID={id}\n\
         PROXMOX_TOKEN_SECRET={secret}\nPROXMOX_FINGERPRINT={fingerprint}\n",
        cluster.port(NODE)
    );
    let path = root.join(".env");
    let _ = std::fs::remove_file(&path);
    demo::write_private(&path, &env).map_err(|cause| cause.to_string())?;
    let mut client = Client::start_as(command(way), Path::new("/.env"), Way::Pipe)?;
    client.initialize(REVISION)?;
    let answer = client.call("node_list", &json!({}))?;
    let (status, rest, stderr) = client.end()?;
    if !status.success() || !rest.is_empty() || !stderr.is_empty() {
        return Err(format!(
            "it ended with {status}, after {rest:?}, and said: {stderr}"
        ));
    }
    let text = answer["content"][0]["text"].as_str().unwrap_or_default();
    Ok((answer["isError"] == json!(true), text.to_string()))
}
