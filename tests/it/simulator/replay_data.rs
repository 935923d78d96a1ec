//! Which recorded families count, and which exchanges are excepted, each with its reason.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::sim::recording::family_of;

/// Id and reason.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    ("status-running", NO_DRIVES),
    ("status-paused", NO_DRIVES),
    (
        "backup-create-bad",
        "what stood in for Proxmox's calendar took any schedule",
    ),
    (
        "net-apply",
        "the lab's nodes were containers, which could not apply it",
    ),
    ("agent-users", SILENT_AGENT),
    ("agent-fsinfo", SILENT_AGENT),
    ("agent-time", SILENT_AGENT),
    ("agent-vcpus", SILENT_AGENT),
    ("agent-tz", SILENT_AGENT),
    ("agent-fstrim", SILENT_AGENT),
    (
        "cluster-log",
        "its last entries tell what was done before the recordings began",
    ),
];

/// The later recordings have what such commands tell.
const SILENT_AGENT: &str = "what stood in for the agent answered it with nothing";
/// The later recordings have them.
const NO_DRIVES: &str = "what stood in for QEMU told no statistics of its drives";

/// The families of what the tools send, as the golden sessions show it.
pub(crate) fn families_of_the_transcripts() -> HashSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = fs::read_dir(folder).expect("tests/transcripts");
    let mut families = HashSet::from(["GET /pve-docs/api-viewer/apidoc.js".to_string()]);
    for file in files {
        let written = fs::read_to_string(file.expect("an entry").path()).expect("a transcript");
        // `@ CLUSTER METHOD PATH ...`
        for line in written.lines().filter_map(|line| line.strip_prefix("@ ")) {
            let mut words = line.split(' ').skip(1);
            if let (Some(method), Some(path)) = (words.next(), words.next()) {
                families.extend(family_of(method, path));
            }
        }
    }
    assert!(families.len() > 30, "{families:?}");
    families
}
