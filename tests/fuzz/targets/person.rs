//! What people write: the configuration file, and search terms.

use std::collections::HashMap;

use proxmox_mcp::config::{self as configuration, env_file};
use proxmox_mcp::fleet::query::grammar::{self, GRAMMAR};
use proxmox_mcp::fleet::resource;
use serde_json::json;

use super::assert_shown;

/// What secrets of the corpus hold, so that one can be told from other text.
const SECRET: &str = "s3cr3t";

/// A configuration, or problems that show no secret.
pub fn config(bytes: &[u8]) {
    let file = env_file::read(bytes, &HashMap::new());
    assert!(file.broken.is_sorted());
    let lines = bytes
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count()
        + 1;
    assert!(
        file.broken.iter().all(|line| (1..=lines).contains(line)),
        "{:?}",
        file.broken
    );
    let (report, warnings) = match configuration::read(&[], &file) {
        Ok(read) => {
            assert!(!read.clusters.is_empty());
            for cluster in &read.clusters {
                assert!(!cluster.settings.endpoints.is_empty());
                assert_eq!(cluster.name, cluster.settings.cluster);
            }
            assert!(read.default.is_none_or(|place| place < read.clusters.len()));
            assert!(
                read.patterns
                    .iter()
                    .all(|(_, place)| *place < read.clusters.len())
            );
            (Vec::new(), read.warnings)
        }
        Err(report) => {
            assert!(!report.problems.is_empty());
            (report.problems, report.warnings)
        }
    };
    let text = String::from_utf8_lossy(bytes);
    let secrets = file
        .pairs
        .iter()
        .filter(|(name, _)| name.ends_with("TOKEN_SECRET"));
    let in_secrets: usize = secrets
        .map(|(_, value)| value.matches(SECRET).count())
        .sum();
    let only_there = text.matches(SECRET).count() == in_secrets;
    for said in report.iter().chain(&warnings) {
        assert_shown(said);
        assert!(!only_there || !said.contains(SECRET), "{said}");
    }
}

/// A query that contradicts itself nowhere, or problems; the grammar stands last or nowhere, and never
/// alone.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let query = match grammar::parse(text) {
        Ok(query) => query,
        Err(problems) => {
            let (said, grammar) = match problems.split_last() {
                Some((last, said)) if last == GRAMMAR => (said, true),
                _ => (problems.as_slice(), false),
            };
            assert!(!said.is_empty(), "{grammar}");
            for problem in said {
                assert!(problem != GRAMMAR);
            }
            problems.iter().for_each(|problem| assert_shown(problem));
            return;
        }
    };
    let _ = query.names_without_wildcard();
    let rows = json!({"data": [
        {"type": "qemu", "vmid": 100, "name": "web-01", "node": "pve1", "status": "running",
         "tags": "prod;web", "pool": "shop", "cpu": 0.9, "maxcpu": 4, "mem": 7, "maxmem": 8,
         "maxdisk": 32, "uptime": 1800},
        {"type": "lxc", "vmid": 210, "name": "cache", "node": "pve1", "status": "stopped",
         "template": 1},
        {"type": "node", "node": "pve1", "status": "online", "cpu": 0.5, "maxcpu": 16},
        {"type": "storage", "storage": "nas", "node": "pve1", "status": "available", "disk": 95,
         "maxdisk": 100},
        {"type": "pool", "pool": "shop"}]});
    let read = resource::each(rows.to_string().as_bytes(), &mut |row| {
        if query.finds("production", row) {
            assert!(
                query.may_be(row.kind()) && query.may_be_on("production"),
                "{text:?}"
            );
        }
    });
    assert_eq!(read, Ok(()));
}
