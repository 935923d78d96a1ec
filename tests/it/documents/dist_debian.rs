//! The Debian package, installed and removed in a throw-away root.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::documents::dist::{PACKED, VERSION, deb, debian, good, is_the_program};

/// Whether there is a `dpkg`; on a machine that checks a change there has to be.
pub(crate) fn has_dpkg() -> bool {
    let is_there = Command::new("dpkg").arg("--version").status().is_ok();
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "dpkg is missing"
    );
    is_there
}

pub(crate) fn fields(package: &Path) -> BTreeMap<String, String> {
    let text = good(Command::new("dpkg-deb").arg("--field").arg(package));
    let lines = text.lines().filter(|line| !line.starts_with(' '));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_debian_package_says_what_it_is() {
    if !has_dpkg() {
        return;
    }
    let fields = fields(&deb());
    let size = fs::metadata(&PACKED.0).expect("the binary").len() / 1024;
    for (name, value) in [
        ("Package", "proxmox-mcp"),
        ("Version", VERSION),
        ("Architecture", debian()),
        ("Maintainer", "The proxmox-mcp authors"),
        ("Section", "admin"),
        ("Priority", "optional"),
        ("Description", env!("CARGO_PKG_DESCRIPTION")),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(!fields.contains_key("Depends") && !fields.contains_key("Homepage"));
    let installed: u64 = fields["Installed-Size"].parse().expect("a number");
    assert!((size..size + 200).contains(&installed), "{installed}");
    // No maintainer scripts.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    good(
        Command::new("dpkg-deb")
            .arg("--control")
            .arg(deb())
            .arg(folder.path()),
    );
    let members = fs::read_dir(folder.path()).expect("a folder");
    let mut members: Vec<_> = members
        .map(|one| one.expect("an entry").file_name())
        .collect();
    members.sort();
    assert_eq!(members, ["control", "md5sums"]);
}

/// A machine with nothing on it.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        for folder in ["info", "updates", "triggers"] {
            let folder = root.path().join("var/lib/dpkg").join(folder);
            fs::create_dir_all(folder).expect("a folder");
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "").expect("it is written");
        Machine(root)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    #[track_caller]
    fn dpkg(&self, arguments: &[&OsStr]) -> String {
        // Who is not root here is it in a name space of their own.
        let is_root = good(Command::new("id").arg("-u")).trim() == "0";
        let mut command = Command::new(if is_root { "dpkg" } else { "unshare" });
        if !is_root {
            command.args(["--map-root-user", "dpkg"]);
        }
        let mut root = std::ffi::OsString::from("--root=");
        root.push(self.0.path());
        command
            .arg(root)
            .args(["--force-not-root", "--force-script-chrootless"]);
        good(command.args(arguments))
    }

    /// Everything but what dpkg keeps for itself.
    fn files(&self) -> Vec<(String, u32)> {
        fn walk(folder: &Path, root: &Path, into: &mut Vec<(String, u32)>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let below = path
                    .strip_prefix(root)
                    .expect("below")
                    .display()
                    .to_string();
                let about = fs::symlink_metadata(&path).expect("it");
                if below == "var" {
                    continue;
                }
                into.push((below, about.permissions().mode() & 0o7777));
                if about.is_dir() {
                    walk(&path, root, into);
                }
            }
        }
        let mut files = Vec::new();
        walk(self.0.path(), self.0.path(), &mut files);
        files.sort();
        files
    }
}

#[test]
fn the_debian_package_is_installed_and_leaves_nothing() {
    if !has_dpkg() {
        return;
    }
    let machine = Machine::new();
    machine.dpkg(&["--install".as_ref(), deb().as_ref()]);
    let expected = [
        ("etc", 0o755),
        ("etc/proxmox-mcp", 0o750),
        ("usr", 0o755),
        ("usr/bin", 0o755),
        ("usr/bin/proxmox-mcp", 0o755),
        ("usr/share", 0o755),
        ("usr/share/doc", 0o755),
        ("usr/share/doc/proxmox-mcp", 0o755),
        ("usr/share/doc/proxmox-mcp/.env.example.multi", 0o644),
        ("usr/share/doc/proxmox-mcp/CHANGELOG.md", 0o644),
        ("usr/share/doc/proxmox-mcp/README.md", 0o644),
        ("usr/share/doc/proxmox-mcp/copyright", 0o644),
    ]
    .map(|(path, mode)| (path.to_owned(), mode));
    assert_eq!(machine.files(), expected);
    let status = fs::read_to_string(machine.path("var/lib/dpkg/status")).expect("it");
    assert!(
        status.contains("Status: install ok installed\n"),
        "{status}"
    );
    // The sums are those of the files: what is not is a line.
    assert_eq!(
        machine.dpkg(&["--verify".as_ref(), "proxmox-mcp".as_ref()]),
        ""
    );
    is_the_program(&machine.path("usr/bin/proxmox-mcp"));
    // Installed anew over itself, as an upgrade is.
    machine.dpkg(&["--install".as_ref(), deb().as_ref()]);
    assert_eq!(machine.files(), expected);

    machine.dpkg(&["--remove".as_ref(), "proxmox-mcp".as_ref()]);
    assert_eq!(machine.files(), []);
    machine.dpkg(&["--install".as_ref(), deb().as_ref()]);
    machine.dpkg(&["--purge".as_ref(), "proxmox-mcp".as_ref()]);
    assert_eq!(machine.files(), []);
    let status = fs::read_to_string(machine.path("var/lib/dpkg/status")).expect("it");
    assert!(!status.contains("proxmox-mcp"), "{status}");
}

#[test]
fn what_the_administrator_wrote_stays() {
    if !has_dpkg() {
        return;
    }
    let machine = Machine::new();
    machine.dpkg(&["--install".as_ref(), deb().as_ref()]);
    let env = machine.path("etc/proxmox-mcp/.env");
    fs::write(&env, "PROXMOX_CLUSTERS=\n").expect("it is written");
    machine.dpkg(&["--install".as_ref(), deb().as_ref()]);
    machine.dpkg(&["--purge".as_ref(), "proxmox-mcp".as_ref()]);
    assert_eq!(
        fs::read_to_string(&env).expect("it is there"),
        "PROXMOX_CLUSTERS=\n"
    );
    assert!(!machine.path("usr/bin/proxmox-mcp").exists());
}
