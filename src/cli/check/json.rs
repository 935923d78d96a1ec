//! What `check` found, for machines.

use serde_json::{Value, json};

use super::judge::{EndpointCheck, Finding, Severity};
use super::{CheckedCluster, Probe};
use crate::error::Code;
use crate::proxmox::settings::Endpoint;
use crate::tools::fleet::Quorum;

pub(super) fn text(checked: &[CheckedCluster]) -> String {
    let clusters: Vec<Value> = checked.iter().map(cluster).collect();
    let ok = checked.iter().all(CheckedCluster::is_good);
    format!("{}\n", json!({"ok": ok, "clusters": clusters}))
}

fn cluster(checked: &CheckedCluster) -> Value {
    let settings = &checked.cluster.settings;
    let endpoints = settings.endpoints.iter().zip(&checked.endpoints);
    let endpoints: Vec<Value> = endpoints
        .map(|(endpoint, (probe, check))| self::endpoint(endpoint, probe, check))
        .collect();
    let toolsets = checked.privileges.as_ref().map(|privileges| {
        let sets = privileges.sets.iter();
        let sets = sets.map(|set| json!({"toolset": set.name, "may": set.may, "lacks": set.lacks}));
        sets.collect::<Vec<Value>>()
    });
    let privileges = checked.privileges.as_ref();
    json!({
        "cluster": checked.cluster.name,
        "ok": checked.is_good(),
        "token": settings.token_id,
        "endpoints": endpoints,
        "toolsets": toolsets,
        "missing_privileges": privileges.map(|privileges| &privileges.lacks),
        "without": privileges.map(|privileges| &privileges.extras),
        "findings": checked.findings.iter().map(finding).collect::<Vec<Value>>(),
    })
}

/// `null` is what an earlier step kept from being known.
fn endpoint(endpoint: &Endpoint, probe: &Probe, check: &EndpointCheck) -> Value {
    let addresses = probe
        .look
        .addresses
        .as_ref()
        .and_then(|found| found.as_ref().ok());
    let addresses = addresses.map(|addresses| {
        let addresses = addresses.iter().map(|address| address.ip().to_string());
        addresses.collect::<Vec<String>>()
    });
    let connected = probe.look.connected.as_ref();
    let certificate = check
        .certificate
        .as_ref()
        .map(|(certificate, fingerprint, days)| {
            json!({
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "names": certificate.names,
                "not_before": certificate.not_before,
                "not_after": certificate.not_after,
                "days_left": days,
                "fingerprint": fingerprint,
            })
        });
    json!({
        "endpoint": endpoint.to_string(),
        "ok": check.findings.iter().all(|finding| finding.severity == Severity::Note),
        "addresses": addresses,
        "connected": connected.map(Result::is_ok),
        "trusted": probe.look.trusted.as_ref().map(Result::is_ok),
        "trusted_by": check.trusted_by,
        "certificate": certificate,
        "clock_ahead_s": check.clock_s,
        "token_accepted": accepted(probe),
        "version": check.version,
        "quorum": check.quorum.as_ref().map(Quorum::name),
        "nodes_online": check.nodes.map(|(online, _)| online),
        "nodes": check.nodes.map(|(_, all)| all),
        "latency_ms": probe.latency.map(|latency| (latency.as_secs_f64() * 10_000.0).round() / 10.0),
    })
}

/// Whether the token is accepted; unknown where what came back says neither.
fn accepted(probe: &Probe) -> Option<bool> {
    match probe.version.as_ref()? {
        Ok(_) => Some(true),
        Err(error) if error.code == Code::Permission => Some(false),
        Err(_) => None,
    }
}

fn finding(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    json!({
        "severity": severity,
        "step": finding.step,
        "endpoints": finding.endpoints,
        "what": finding.what,
        "cure": finding.cure,
        "commands": finding.commands,
    })
}
