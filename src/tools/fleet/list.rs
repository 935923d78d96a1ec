//! `cluster_list`: which clusters there are, as they are configured; and whether they answer.

use serde_json::{Map, Value};

use super::check::{self, ClusterHealth};
use crate::api::methods::sending;
use crate::config::{Cluster, Config};
use crate::error::{Code, Error};
use crate::gate::reach::FleetReach;
use crate::proxmox::ClientStatus;
use crate::proxmox::settings::Trust;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, LIMIT, Row};
use crate::tool::{Actions, RunFn, Subject, Tool};

const COLUMNS: &[&str] = &[
    "cluster",
    "state",
    "version",
    "quorum",
    "latency_ms",
    "missing_privileges",
    "not_read",
    "default",
    "endpoints",
    "endpoints_down",
    "outage",
    "region",
    "tier",
    "patterns",
    "trust",
    "warning",
];

pub(super) const LIST: Tool = Tool {
    name: "cluster_list",
    title: "List clusters",
    about: "Lists the configured clusters: endpoints, region, tier, patterns. `check` asks each: trust, token, version, quorum, latency, missing privileges.",
    actions: Actions::one(&[&[sending::get("/cluster/status"), sending::get("/version")]]),
    subject: Subject::Fleet,
    params: &[
        Param::new("check", ParamKind::Bool, "ask each; else nothing is asked").optional(),
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::Fleet(list),
};

fn list(reach: &FleetReach, args: &Args) -> Result<Map<String, Value>, Error> {
    rows::check(args, COLUMNS)?;
    let check = args.yes("check");
    let mut checked: Vec<(&str, ClusterHealth)> = match check {
        true => reach.ask_patiently(check::check)?,
        false => Vec::new(),
    };
    let mut found = Vec::new();
    for (cluster, status) in reach.statuses() {
        let place = checked.iter().position(|(name, _)| *name == cluster.name);
        let state = match place.map(|place| checked.swap_remove(place).1) {
            Some(checked) => checked.row(),
            None if check => failed(reach, &cluster.name),
            None => known(&status),
        };
        found.push(row(reach.config(), cluster, state));
    }
    rows::page(found, COLUMNS, COLUMNS, args)
}

/// What is known without asking.
fn known(status: &ClientStatus) -> Row {
    let mut row = Row::new();
    let state = match status {
        ClientStatus { refused: true, .. } => "token refused",
        ClientStatus {
            outage: Some(_), ..
        } => "not reached",
        ClientStatus {
            accepted: false, ..
        } => "not asked yet",
        ClientStatus { .. } => "answered",
    };
    row.insert("state", state.into());
    row.insert("version", status.version.clone().into());
    row.insert("outage", status.outage.clone().into());
    row.insert("endpoints_down", status.down.clone().into());
    row
}

/// A cluster whose check failed; why stands in the answer's `errors`.
fn failed(reach: &FleetReach, cluster: &str) -> Row {
    let failure = reach.failure(cluster);
    let state = match failure.as_ref().map(|error| (error.code, &error.hint)) {
        // Of those that were not reached only one whose certificate was shown has a next step.
        Some((Code::ClusterConnection, Some(_))) => "not trusted",
        Some((Code::ClusterConnection, None)) => "not reached",
        Some((Code::Permission, _)) => "token refused",
        _ => "failed",
    };
    Row::from([("state", state.into())])
}

/// The cluster as it is configured, behind its state.
fn row(config: &Config, cluster: &Cluster, mut row: Row) -> Row {
    let place = config.place(&cluster.name);
    let patterns = config.patterns.iter();
    let patterns = patterns.filter(|(_, of)| Some(*of) == place);
    let patterns: Vec<&str> = patterns.map(|(prefix, _)| prefix.as_str()).collect();
    let settings = &cluster.settings;
    let endpoints: Vec<String> = settings.endpoints.iter().map(ToString::to_string).collect();
    let (trust, warning) = match &settings.trust {
        Trust::System { .. } => ("system", None),
        Trust::CaFile(_) => ("CA file", None),
        Trust::Fingerprints(_) => ("fingerprint", None),
        Trust::Nothing => (
            "none",
            Some("its certificate is not checked: anybody on the way can take its token"),
        ),
    };
    let warning = warning.or(cluster.joined.then_some(
        "came while this server ran: it is read by its name in `cluster`, and takes part in the rest \
         after a restart",
    ));
    let is_default = config.default.is_some() && config.default == place;
    row.extend([
        ("cluster", cluster.name.clone().into()),
        ("default", is_default.into()),
        ("endpoints", endpoints.into()),
        ("region", cluster.region.clone().into()),
        ("tier", cluster.tier.clone().into()),
        ("patterns", patterns.into()),
        ("trust", trust.into()),
        ("warning", warning.into()),
    ]);
    row
}
