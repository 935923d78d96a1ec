//! `check`: asks every endpoint of every cluster, step by step, and says what is wrong and what
//! mends it.

mod cure;
mod json;
mod judge;
mod privileges;
mod report;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::terminal::Terminal;
use super::{Command, EXIT_WRONG, EarlyExit, Start};
use crate::config::{Cluster, Config};
use crate::fleet::fan_out;
use crate::fleet::permissions::TokenPermissions;
use crate::proxmox::probe::{self, Probe};
use crate::proxmox::session::Session;
use crate::text::repeated;
use crate::time;
use crate::wait::{self, ListeningCall, Wake};
use judge::{EndpointCheck, Finding, Severity};
use privileges::PrivilegeReport;

/// The longest that one endpoint takes, in seconds. Proxmox takes 3 for a token that it refuses.
const ENDPOINT_MAX_S: u64 = 20;

pub(super) const CHECK: Command = Command {
    name: "check",
    usage: "[CLUSTER...] [--json]",
    about: "asks each endpoint step by step; says what is wrong and what mends it",
    flags: &["--json"],
    valued: &[],
    run,
};

/// A cluster as it was found.
struct CheckedCluster<'a> {
    cluster: &'a Cluster,
    endpoints: Vec<(Probe, EndpointCheck)>,
    /// `None` where no endpoint said.
    privileges: Option<PrivilegeReport>,
    findings: Vec<Finding>,
}

impl CheckedCluster<'_> {
    fn is_good(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity == Severity::Note)
    }
}

fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let config = start.configuration()?;
    let clusters = chosen(&config, &start.options.rest)?;
    let checked = check(&clusters, config.fanout, start.terminal);
    let text = if start.options.has("--json") {
        json::text(&checked)
    } else {
        report::text(&checked, start.terminal)
    };
    start.print(&text)?;
    Ok(if checked.iter().all(CheckedCluster::is_good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_WRONG)
    })
}

/// The clusters that were named, in the order of the configuration; all where none was.
fn chosen<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a Cluster>, EarlyExit> {
    for name in names {
        if config.place(name).is_none() {
            let known: Vec<&str> = config
                .clusters
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            return Err(EarlyExit::Usage(format!(
                "no cluster is named `{}`; configured: {}",
                repeated(name),
                known.join(", ")
            )));
        }
    }
    let clusters = config.clusters.iter();
    let chosen = clusters.filter(|one| names.is_empty() || names.contains(&one.name));
    Ok(chosen.collect())
}

/// Asks several endpoints at a time.
fn check<'a>(
    clusters: &[&'a Cluster],
    at_a_time: usize,
    terminal: Terminal,
) -> Vec<CheckedCluster<'a>> {
    // One session a cluster: a secret's program is started once.
    let sessions: Vec<OnceLock<Result<Session, String>>> =
        clusters.iter().map(|_| OnceLock::new()).collect();
    let jobs: Vec<_> = clusters
        .iter()
        .zip(&sessions)
        .enumerate()
        .flat_map(|(place, (cluster, session))| {
            let endpoints = cluster.settings.endpoints.iter();
            endpoints.map(move |endpoint| (place, &cluster.settings, session, endpoint))
        })
        .collect();
    let done = Arc::new(AtomicUsize::new(0));
    let places: Vec<usize> = (0..jobs.len()).collect();
    let listening = ListeningCall::new(None, progress(terminal, Arc::clone(&done), jobs.len()));
    let limit = Duration::from_secs(ENDPOINT_MAX_S);
    let probes = wait::during(listening, || {
        fan_out::fan_out_within(&places, at_a_time, limit, |place| {
            let (_, settings, session, endpoint) = jobs.get(place)?;
            let session = || session.get_or_init(|| Session::new(settings));
            let probe = probe::probe(settings, endpoint, limit, session);
            done.fetch_add(1, Ordering::Relaxed);
            Some(probe)
        })
    });
    terminal.progress("");
    let now = time::now();
    let mut checked: Vec<CheckedCluster> = clusters
        .iter()
        .map(|cluster| CheckedCluster::new(cluster))
        .collect();
    for ((place, settings, _, endpoint), probe) in jobs.iter().zip(probes) {
        if let (Some(checked), Some(Some(probe))) = (checked.get_mut(*place), probe) {
            let check = judge::judge(settings, endpoint, &probe, now);
            checked.endpoints.push((probe, check));
        }
    }
    checked.iter_mut().for_each(CheckedCluster::conclude);
    checked
}

/// What the calling thread does while it waits: it shows how far things are.
fn progress(
    terminal: Terminal,
    done: Arc<AtomicUsize>,
    all: usize,
) -> impl FnMut(Duration) -> Wake {
    let mut shown = None;
    move |time| {
        let done = done.load(Ordering::Relaxed);
        if shown != Some(done) {
            shown = Some(done);
            terminal.progress(&format!("checking: {done} of {all} endpoints are done"));
        }
        std::thread::sleep(time);
        Wake::Nothing
    }
}

impl<'a> CheckedCluster<'a> {
    fn new(cluster: &'a Cluster) -> CheckedCluster<'a> {
        CheckedCluster {
            cluster,
            endpoints: Vec::new(),
            privileges: None,
            findings: Vec::new(),
        }
    }

    /// What holds for the cluster as a whole. What several endpoints say is said once.
    fn conclude(&mut self) {
        for (_, check) in &self.endpoints {
            for finding in &check.findings {
                let mut known = self.findings.iter_mut();
                match known.find(|known| known.is_same(finding)) {
                    Some(known) => known.endpoints.extend(finding.endpoints.clone()),
                    None => self.findings.push(finding.clone()),
                }
            }
        }
        let said = self.endpoints.iter().find_map(|(probe, _)| {
            let permissions = probe.permissions.as_ref()?.as_ref().ok()?;
            Some((permissions, probe))
        });
        if let Some((permissions, probe)) = said {
            let token_id = &self.cluster.settings.token_id;
            let permissions = TokenPermissions::of(permissions);
            let privileges =
                PrivilegeReport::of(&permissions, token_id, probe.separated, probe.major());
            self.findings.extend(privileges.finding());
            self.findings.extend(privileges.finding_of_extras());
            self.privileges = Some(privileges);
        }
    }
}
