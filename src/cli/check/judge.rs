//! What the outcomes of one endpoint's steps mean: short words for the table, and each thing that is
//! wrong with what mends it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::cure;
use crate::api::loose::flag;
use crate::error::Code;
use crate::proxmox::cert::{self, Certificate};
use crate::proxmox::digest::{fingerprint_text, sha256};
use crate::proxmox::exchange::Remedy;
use crate::proxmox::key;
use crate::proxmox::look::Distrust;
use crate::proxmox::probe::{Probe, ServerClock};
use crate::proxmox::settings::{Endpoint, Settings, Trust};
use crate::text::printable;
use crate::time;
use crate::tools::fleet::Quorum;
use serde_json::Value;

/// A certificate that ends sooner is said, in days.
const EXPIRES_SOON_DAYS: i64 = 30;
/// Clocks that are further apart are said, in seconds.
const CLOCK_MAX_S: i64 = 60;
const DAY_S: i64 = 86_400;
const NAME_MAX_CHARS: usize = 100;

/// How bad something is. All but a note makes the exit status 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Note,
    Warning,
    Error,
}

/// Something that is to be said, and what mends it.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// Where it was found; none where it is the cluster's as a whole.
    pub(super) endpoints: Vec<String>,
    pub(super) step: &'static str,
    pub(super) what: String,
    pub(super) cure: String,
    /// For a shell, or for the configuration, a line each.
    pub(super) commands: Vec<String>,
}

impl Finding {
    /// Whether the same is said of another endpoint.
    pub(super) fn is_same(&self, other: &Finding) -> bool {
        (self.step, &self.what, &self.cure) == (other.step, &other.what, &other.cure)
    }
}

/// One endpoint, judged.
#[derive(Default)]
pub(super) struct EndpointCheck {
    /// What is in the certificate, with its fingerprint and the days that it still holds.
    pub(super) certificate: Option<(Certificate, String, Option<i64>)>,
    /// By what it is trusted, where it is.
    pub(super) trusted_by: Option<&'static str>,
    /// How far its clock is ahead of ours.
    pub(super) clock_s: Option<i64>,
    pub(super) version: Option<String>,
    pub(super) quorum: Option<Quorum>,
    /// Nodes that are online, and all.
    pub(super) nodes: Option<(usize, usize)>,
    /// Where it did not get further, in short.
    pub(super) stopped: Option<&'static str>,
    pub(super) findings: Vec<Finding>,
}

/// Judges what `endpoint` was found to be at `now`.
pub(super) fn judge(
    settings: &Settings,
    endpoint: &Endpoint,
    probe: &Probe,
    now: u64,
) -> EndpointCheck {
    let mut judging = Judging {
        settings,
        endpoint,
        now: i64::try_from(now).unwrap_or_default(),
        check: EndpointCheck::default(),
    };
    judging.reached(probe);
    judging.trusted(probe);
    judging.clock(probe);
    judging.token(probe);
    judging.cluster(probe);
    judging.check
}

struct Judging<'a> {
    settings: &'a Settings,
    endpoint: &'a Endpoint,
    now: i64,
    check: EndpointCheck,
}

impl Judging<'_> {
    fn find(&mut self, severity: Severity, step: &'static str, what: String, cure: String) {
        self.check.findings.push(Finding {
            severity,
            endpoints: vec![self.endpoint.to_string()],
            step,
            what,
            cure,
            commands: Vec::new(),
        });
    }

    fn reached(&mut self, probe: &Probe) {
        if let Some(Err(cause)) = &probe.look.addresses {
            self.check.stopped = Some("no address");
            let cure = cure::name(self.settings, self.endpoint);
            self.find(Severity::Error, "name", cause.clone(), cure);
        }
        if let Some(Err(cause)) = &probe.look.connected {
            self.check.stopped = Some("not connected");
            let what = format!("not connected: {cause}");
            let cure = cure::connection(self.settings, self.endpoint);
            self.find(Severity::Error, "connection", what, cure);
        }
    }

    fn trusted(&mut self, probe: &Probe) {
        let look = &probe.look;
        let seen = look.chain.first().map(|der| {
            let certificate = cert::read(der);
            let days = days_left(&certificate, self.now);
            (certificate, fingerprint_text(&sha256(der)), days)
        });
        let settings = self.settings;
        match (&look.trusted, &seen) {
            (Some(Err(why)), Some((certificate, fingerprint, days))) => {
                self.check.stopped = Some("not trusted");
                let what = format!(
                    "the certificate is not trusted: {why}; SHA-256 fingerprint {fingerprint}, subject `{}`, issuer `{}`, valid until {} UTC",
                    certificate.subject, certificate.issuer, certificate.not_after
                );
                let cure = match (look.distrust, days, &settings.trust) {
                    (Some(Distrust::Certificate(Remedy::OtherKey)), ..) => key::OTHER.into(),
                    (Some(Distrust::Certificate(Remedy::Nothing)), ..) => cure::copied(),
                    (_, Some(..=-1), Trust::System { .. } | Trust::CaFile(_)) => cure::expired(),
                    _ => cure::untrusted(settings, fingerprint),
                };
                self.find(Severity::Error, "certificate", what, cure);
            }
            (Some(Err(cause)), None) => {
                self.check.stopped = Some("not trusted");
                let (what, cure) = if look.distrust == Some(Distrust::Unreadable) {
                    let what = format!("what is to be trusted cannot be read: {cause}");
                    (what, cure::unreadable(settings))
                } else {
                    let cure = match look.distrust {
                        Some(Distrust::Certificate(Remedy::OtherKey)) => key::OTHER.into(),
                        _ => cure::no_tls(settings),
                    };
                    (format!("no TLS: {cause}"), cure)
                };
                self.find(Severity::Error, "certificate", what, cure);
            }
            (Some(Ok(())), Some((certificate, fingerprint, days))) => {
                self.check.trusted_by = Some(by_what(&settings.trust));
                if settings.trust == Trust::Nothing {
                    let what =
                        "the certificate is not checked: anybody on the way can take the token"
                            .to_string();
                    let cure = cure::untrusted(settings, fingerprint);
                    self.find(Severity::Warning, "certificate", what, cure);
                }
                if let Some(days) = days.filter(|days| *days < EXPIRES_SOON_DAYS) {
                    let until = &certificate.not_after;
                    let what = if days < 0 {
                        format!("the certificate has expired on {until} UTC")
                    } else {
                        format!("the certificate expires in {days} days, on {until} UTC")
                    };
                    self.find(Severity::Warning, "certificate", what, cure::expired());
                }
            }
            _ => {}
        }
        self.check.certificate = seen;
    }

    fn clock(&mut self, probe: &Probe) {
        let Some(ahead) = probe.date.as_ref().and_then(ahead_s) else {
            return;
        };
        self.check.clock_s = Some(ahead);
        if ahead.abs() > CLOCK_MAX_S {
            let way = if ahead > 0 { "ahead of" } else { "behind" };
            let what = format!(
                "its clock is {} {way} the one here",
                time::span(ahead.unsigned_abs())
            );
            self.find(Severity::Warning, "clock", what, cure::clock());
        }
    }

    fn token(&mut self, probe: &Probe) {
        if let Some(cause) = &probe.unasked {
            self.check.stopped = Some("no secret");
            let cure = cure::secret(self.settings);
            self.find(Severity::Error, "token", cause.clone(), cure);
        }
        match &probe.version {
            Some(Ok(answer)) => {
                let version = answer.get("version").and_then(Value::as_str);
                self.check.version = Some(printable(version.unwrap_or("?"), NAME_MAX_CHARS));
            }
            Some(Err(error)) if error.code == Code::Permission => {
                self.check.stopped = Some("token refused");
                let what = format!("{}: {}", error.sentence, error.cause);
                let cure = error.hint.clone().unwrap_or_default();
                self.find(Severity::Error, "token", what, cure);
            }
            Some(Err(error)) => {
                self.check.stopped = Some("no answer");
                self.find(
                    Severity::Error,
                    "version",
                    error.to_string(),
                    cure::no_answer(),
                );
            }
            None => {}
        }
    }

    fn cluster(&mut self, probe: &Probe) {
        let rows = match &probe.status {
            Some(Ok(Value::Array(rows))) => rows,
            // What the token lacks is said of the cluster.
            None => return,
            Some(Err(error)) if error.code == Code::Permission => return,
            Some(Ok(_)) => {
                let what = "its reply to `GET /cluster/status` is no list".to_string();
                return self.find(Severity::Warning, "quorum", what, cure::no_answer());
            }
            Some(Err(error)) => {
                let what = format!("quorum and nodes cannot be told: {error}");
                return self.find(Severity::Warning, "quorum", what, cure::no_answer());
            }
        };
        let quorum = Quorum::of(rows);
        if let Some(problem) = quorum.problem() {
            let what = format!("quorum is {problem}");
            self.find(Severity::Error, "quorum", what, cure::quorum());
        }
        let nodes: Vec<&Value> = rows.iter().filter(|row| is_node(row)).collect();
        let offline = nodes.iter().filter(|node| !flag(node.get("online")));
        let offline: Vec<String> = offline
            .map(|node| {
                let name = node.get("name").and_then(Value::as_str);
                printable(name.unwrap_or("?"), NAME_MAX_CHARS)
            })
            .collect();
        self.check.nodes = Some((nodes.len() - offline.len(), nodes.len()));
        self.check.quorum = Some(quorum);
        for node in offline {
            let what = format!("node `{node}` is offline");
            self.find(Severity::Error, "nodes", what, cure::node(&node));
        }
    }
}

/// How far a clock is ahead of ours, in seconds: it spoke at some moment between question and answer.
fn ahead_s(date: &ServerClock) -> Option<i64> {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    let theirs = i64::try_from(time::parse_http(&date.said)?).ok()?;
    let (asked, answered) = (seconds(date.asked)?, seconds(date.answered)?);
    Some(theirs - theirs.clamp(asked, answered.max(asked)))
}

fn is_node(row: &Value) -> bool {
    row.get("type").and_then(Value::as_str) == Some("node")
}

/// The days until a certificate ends, negative when it has.
fn days_left(certificate: &Certificate, now: i64) -> Option<i64> {
    let end = time::parse(&certificate.not_after, 0)?;
    Some((i64::try_from(end).ok()? - now).div_euclid(DAY_S))
}

fn by_what(trust: &Trust) -> &'static str {
    match trust {
        Trust::System { .. } => "system",
        Trust::CaFile(_) => "CA file",
        Trust::Fingerprints(_) => "fingerprint",
        Trust::Nothing => "nothing",
    }
}
