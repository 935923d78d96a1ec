//! Where no cluster's secret may stand beside what the program says: in the audit file, and in the
//! list of processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::spec::holds_a_secret;

/// A temporary folder that is looked at when it goes: no file in it may hold a secret.
pub struct Clean(tempfile::TempDir);

impl Clean {
    /// # Errors
    /// Where none can be made.
    pub fn new() -> std::io::Result<Clean> {
        tempfile::tempdir().map(Clean)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The files that hold a secret.
    pub fn telling(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| tells(path)).collect()
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        let telling = self.telling();
        let fails = std::thread::panicking();
        assert!(fails || telling.is_empty(), "a secret is in {telling:?}");
    }
}

/// Whether a line of this file holds a secret.
fn tells(path: &Path) -> bool {
    let lines = fs::File::open(path).map(|file| BufReader::new(file).split(b'\n'));
    let lines = lines.into_iter().flatten().map_while(Result::ok);
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| holds_a_secret(&line))
}

/// The audit file that a configuration names, where it holds a secret.
pub fn telling_audit(env_file: &Path) -> Option<PathBuf> {
    // A named pipe would be waited for, and a device may have no end.
    let text = match env_file.is_file() {
        true => fs::read_to_string(env_file).unwrap_or_default(),
        false => String::new(),
    };
    let named = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("PROXMOX_AUDIT_LOG="));
    named.map(PathBuf::from).filter(|path| tells(path))
}

/// What the list of processes says of one, and of its children with what they were given.
pub fn listed(pid: u32) -> String {
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let mut text = String::from_utf8_lossy(&read("cmdline")).into_owned();
    let children = String::from_utf8_lossy(&read(&format!("task/{pid}/children"))).into_owned();
    for child in children
        .split_whitespace()
        .filter_map(|one| one.parse().ok())
    {
        let given = fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
        text += &String::from_utf8_lossy(&given);
        text += &listed(child);
    }
    text
}
