//! What `make dist` packs, looked into with the tools that users have.
//! `DIST_BINARY` names another binary to pack than the one of the tests.

use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::cli::binary::PROGRAM;
use crate::documents::dist_debian::{fields, has_dpkg};
use crate::leaks;
use crate::packing::{self, Order, elf};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const TIME: u64 = 1_700_000_000;

/// The binary that is packed, and the folder with what came of it.
pub(crate) static PACKED: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dist");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let binary = match std::env::var_os("DIST_BINARY") {
        Some(path) => PathBuf::from(path),
        None => stripped(&folder),
    };
    let order = order(&binary, &folder.join("made"));
    packing::make(&order).expect("it is packed");
    (binary, order.out)
});

/// Packing what is for debuggers takes most of the time.
fn stripped(folder: &Path) -> PathBuf {
    let to = folder.join("proxmox-mcp");
    let run = Command::new("strip")
        .arg("-o")
        .arg(&to)
        .arg(PROGRAM)
        .status();
    if run.is_ok_and(|status| status.success()) {
        to
    } else {
        PathBuf::from(PROGRAM)
    }
}

fn order(binary: &Path, out: &Path) -> Order {
    Order {
        binaries: vec![binary.to_owned()],
        out: out.to_owned(),
        time: TIME,
        dynamic: true,
        ..Order::default()
    }
}

fn made(name: &str) -> PathBuf {
    PACKED.1.join(name)
}

fn stem() -> String {
    format!("proxmox-mcp-{VERSION}-{}-linux", std::env::consts::ARCH)
}

pub(crate) fn debian() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

pub(crate) fn deb() -> PathBuf {
    made(&format!("proxmox-mcp_{VERSION}_{}.deb", debian()))
}

#[track_caller]
pub(crate) fn good(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = leaks::output(command);
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {said}");
    String::from_utf8(stdout).expect("text")
}

#[track_caller]
pub(crate) fn is_the_program(path: &Path) {
    assert_eq!(
        fs::read(path).expect("the program"),
        fs::read(&PACKED.0).expect("the binary")
    );
    let said = good(Command::new(path).arg("--version").env_clear());
    assert!(
        said.starts_with(&format!("proxmox-mcp {VERSION}")),
        "{said}"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let again = PACKED.1.with_file_name("again");
    packing::make(&order(&PACKED.0, &again)).expect("it is packed");
    let mut names = Vec::new();
    for entry in fs::read_dir(&PACKED.1).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let read = |folder: &Path| fs::read(folder.join(&name)).expect("a file");
        assert_eq!(read(&PACKED.1), read(&again), "{name:?}");
        names.push(name.into_string().expect("text"));
    }
    names.sort();
    let expected = [
        "SHA256SUMS".to_owned(),
        format!("{}.mcpb", stem()),
        format!("{}.tar.gz", stem()),
        format!("proxmox-mcp_{VERSION}_{}.deb", debian()),
        "server.json".to_owned(),
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_tarball_has_one_folder_with_everything() {
    let tarball = made(&format!("{}.tar.gz", stem()));
    let listed = good(Command::new("tar").arg("tzf").arg(&tarball));
    let stem = stem();
    let expected: Vec<String> = [
        "",
        ".env.example.multi",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "proxmox-mcp",
    ]
    .map(|name| format!("{stem}/{name}"))
    .into();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    good(
        Command::new("tar")
            .arg("xzf")
            .arg(&tarball)
            .arg("-C")
            .arg(folder.path()),
    );
    let folder = folder.path().join(stem);
    is_the_program(&folder.join("proxmox-mcp"));
    for name in ["README.md", "LICENSE", "CHANGELOG.md", ".env.example.multi"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let read = |path: &Path| fs::read(path).expect("a document");
        assert_eq!(read(&folder.join(name)), read(&source), "{name}");
        assert_eq!(
            fs::metadata(folder.join(name)).expect("it").mode() & 0o7777,
            0o644
        );
    }
}

#[test]
fn the_bundle_has_the_manifest_and_the_program() {
    let content = fs::read(made(&format!("{}.mcpb", stem()))).expect("the bundle");
    let mut bundle = zip::ZipArchive::new(Cursor::new(content)).expect("a zip");
    let names: Vec<String> = bundle.file_names().map(str::to_owned).collect();
    assert_eq!(names, ["manifest.json", "LICENSE", "server/proxmox-mcp"]);
    let mut entry = |name: &str| {
        let mut file = bundle.by_name(name).expect(name);
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect(name);
        (content, file.unix_mode().map(|mode| mode & 0o7777))
    };
    let (manifest, mode) = entry("manifest.json");
    assert_eq!(mode, Some(0o644));
    let printed = good(
        Command::new(&PACKED.0)
            .args(["manifest", "mcpb"])
            .env_clear(),
    );
    assert_eq!(String::from_utf8(manifest.clone()).expect("text"), printed);
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let listed = manifest["tools"].as_array().expect("tools");
    let missing = proxmox_mcp::tools::all()
        .filter(|tool| !listed.iter().any(|one| one["name"] == json!(tool.name)));
    assert_eq!(missing.count(), 0);
    let place = manifest["server"]["entry_point"].as_str().expect("a place");
    let (program, mode) = entry(place);
    assert_eq!(mode, Some(0o755));
    assert_eq!(program, fs::read(&PACKED.0).expect("the binary"));
}

#[test]
fn the_sums_agree() {
    let checked = good(
        Command::new("sha256sum")
            .args(["--strict", "-c", "SHA256SUMS"])
            .current_dir(&PACKED.1),
    );
    assert_eq!(
        checked
            .lines()
            .filter(|line| line.ends_with(": OK"))
            .count(),
        4
    );
    let sums = fs::read_to_string(made("SHA256SUMS")).expect("the sums");
    let bundle = format!("{}.mcpb", stem());
    let server: Value =
        serde_json::from_slice(&fs::read(made("server.json")).expect("it")).expect("JSON");
    let package = &server["packages"][0];
    assert_eq!(package["identifier"], json!(bundle));
    let sum = package["fileSha256"].as_str().expect("a sum");
    assert!(sums.contains(&format!("{sum}  {bundle}\n")), "{sums}");
}

/// With what only the publisher knows.
#[test]
fn each_architecture_has_its_packages() {
    let content = fs::read(&PACKED.0).expect("the binary");
    let out = PACKED.1.with_file_name("both");
    fs::create_dir_all(&out).expect("a folder");
    // As if it were for the other machine.
    let mut foreign = content.clone();
    foreign[18] = if cfg!(target_arch = "aarch64") {
        62
    } else {
        183
    };
    let path = out.join("foreign");
    fs::write(&path, foreign).expect("it is written");
    let alone = packing::make(&order(&path, &out)).expect_err("it cannot run");
    assert!(
        alone.contains("none can print its manifest here"),
        "{alone}"
    );
    let mut both = Order {
        name: Some("io.github.you/proxmox-mcp".into()),
        url: Some("https://host.invalid/v1".into()),
        repository: Some("https://host.invalid/you/proxmox-mcp".into()),
        maintainer: Some("You <you@host.invalid>".into()),
        ..order(&path, &out)
    };
    both.binaries.push(PACKED.0.clone());
    let names = packing::make(&both).expect("it is packed");
    let ends = [
        "x86_64-linux.tar.gz",
        "aarch64-linux.tar.gz",
        "_amd64.deb",
        "_arm64.deb",
    ];
    for end in ends {
        assert!(names.iter().any(|made| made.ends_with(end)), "{names:?}");
    }
    let server = fs::read(out.join("server.json")).expect("server.json");
    let server: Value = serde_json::from_slice(&server).expect("JSON");
    assert_eq!(server["name"], json!("io.github.you/proxmox-mcp"));
    let packages = server["packages"].as_array().expect("packages");
    let found: Vec<&Value> = packages.iter().map(|one| &one["identifier"]).collect();
    let foreign = if cfg!(target_arch = "aarch64") {
        "x86_64"
    } else {
        "aarch64"
    };
    let expected = [foreign, std::env::consts::ARCH].map(|arch| {
        json!(format!(
            "https://host.invalid/v1/proxmox-mcp-{VERSION}-{arch}-linux.mcpb"
        ))
    });
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    both.binaries.push(PACKED.0.clone());
    let twice = packing::make(&both).expect_err("two of one kind");
    assert!(twice.contains("two binaries are for"), "{twice}");
    if has_dpkg() {
        let fields = fields(&out.join(deb().file_name().expect("a name")));
        assert_eq!(fields["Maintainer"], "You <you@host.invalid>");
        assert_eq!(fields["Homepage"], "https://host.invalid/you/proxmox-mcp");
    }
}

#[test]
fn a_binary_that_needs_libraries_is_not_packed() {
    let program = fs::read(PROGRAM).expect("the binary");
    assert_eq!(
        elf::is_dynamic(&program),
        !cfg!(target_feature = "crt-static")
    );
    let order = Order {
        dynamic: false,
        ..order(Path::new(PROGRAM), &PACKED.1.with_file_name("refused"))
    };
    let problem = packing::make(&order).expect_err("it is refused");
    assert!(problem.contains("needs libraries"), "{problem}");
    for (content, said) in [
        (&b"#!/bin/sh\n"[..], "is no 64-bit program for Linux"),
        (
            b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x08\0",
            "a machine that is not known",
        ),
        (b"\x7fELF\x02\x01", "a machine that is not known"),
    ] {
        let problem = elf::machine(content).expect_err("it is refused");
        assert!(problem.contains(said), "{problem}");
    }
}
