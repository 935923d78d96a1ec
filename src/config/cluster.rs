//! The fields of one cluster to a [`Cluster`], or to every problem that they have.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rule::{self, Rule};
use super::safety;
use super::spelling::Field;
use super::value;
use super::variables::{self, PREFIX};
use super::{Cluster, Origin, Report};
use crate::api::effect::Effect;
use crate::proxmox::secret::{self, Secret, SecretSource};
use crate::proxmox::settings::{Settings, Trust};

const TIMEOUT_DEFAULT_S: u64 = 30;
const TIMEOUT_MAX_S: u32 = 300;

/// What holds for all clusters.
pub(super) struct Common<'a> {
    pub(super) validate: bool,
    pub(super) renew_after: Duration,
    /// The level of all clusters.
    pub(super) access: Effect,
    /// What is protected on all clusters.
    pub(super) protect: Vec<Rule>,
    /// `SSL_CERT_FILE` of the real environment.
    pub(super) cert_file: Option<PathBuf>,
    /// `CREDENTIALS_DIRECTORY` of the real environment.
    pub(super) credentials: Option<PathBuf>,
    /// Whether a variable's value stands in the file as it is.
    pub(super) is_literal: &'a dyn Fn(&str) -> bool,
    /// Whether all do, which is the usual.
    pub(super) all_literal: bool,
}

/// Where one cluster's fields are looked up.
pub(super) struct Fields<'a> {
    /// The name that a field would have, for what is missing.
    pub(super) spell: &'a dyn Fn(&str) -> String,
    pub(super) get: &'a dyn Fn(&str) -> Option<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// A field that says something; one set to nothing says nothing.
    fn said(&self, field: &str) -> Option<Field<'a>> {
        let Field { variable, value } = (self.get)(field)?;
        let value = value.trim();
        (!value.is_empty()).then_some(Field { variable, value })
    }

    /// The same of a field that also holds for all clusters: not where it is that variable itself, as
    /// with a single cluster.
    fn own(&self, field: &str) -> Option<Field<'a>> {
        self.said(field)
            .filter(|said| said.variable.strip_prefix(PREFIX) != Some(field))
    }

    /// Free text, in which quotes are hardly meant.
    fn text(&self, field: &str, report: &mut Report) -> Option<String> {
        let Field { variable, value } = self.said(field)?;
        if value::is_quoted(value) {
            report.warn(variable, value::QUOTED);
        }
        Some(value.to_owned())
    }

    fn parsed<T>(
        &self,
        field: &str,
        report: &mut Report,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let field = self.said(field)?;
        report.parsed(field.variable, field.value, parse)
    }

    fn required<T>(
        &self,
        field: &str,
        report: &mut Report,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.said(field).is_none() {
            let name = (self.get)(field).map(|set| set.variable.to_owned());
            let what = if name.is_some() {
                "is empty"
            } else {
                "is not set"
            };
            let name = name.unwrap_or_else(|| (self.spell)(field));
            report.is_incomplete = true;
            report.problem(&name, format!("{what}, but required"));
        }
        self.parsed(field, report, parse)
    }
}

/// Reads one cluster; nothing where something was reported.
pub(super) fn read(
    name: &str,
    fields: &Fields,
    common: &Common,
    report: &mut Report,
) -> Option<Cluster> {
    let endpoints = fields.required("API_URL", report, value::endpoints);
    let token_id = fields.required("TOKEN_ID", report, value::token_id);
    let secret = secret(fields, common, report);
    let trust = trust(fields, common, report);
    let timeout = |text: &str| value::seconds(text, 1, TIMEOUT_MAX_S);
    let proxy = fields.parsed("PROXY", report, value::proxy);
    let timeout = fields.parsed("TIMEOUT", report, timeout);
    let (access, access_variable) = access(fields, common, report);
    let mut protect = common.protect.clone();
    if let Some(own) = fields.own("PROTECT") {
        let rules = report.parsed(own.variable, own.value, |text| {
            rule::rules(own.variable, text)
        });
        protect.extend(rules.unwrap_or_default());
    }
    let origin = origin(fields, common);
    let mut text = |field: &str| fields.text(field, report);
    Some(Cluster {
        name: name.to_owned(),
        region: text("REGION"),
        tier: text("TIER"),
        default_node: text("DEFAULT_NODE"),
        default_storage: text("DEFAULT_STORAGE"),
        default_bridge: text("DEFAULT_BRIDGE"),
        access,
        access_variable,
        protect,
        origin,
        joined: false,
        settings: Settings {
            cluster: name.to_owned(),
            endpoints: endpoints?,
            token_id: token_id?,
            secret: secret?,
            trust: trust?,
            proxy,
            timeout: timeout.unwrap_or(Duration::from_secs(TIMEOUT_DEFAULT_S)),
            validate: common.validate,
            renew_after: common.renew_after,
        },
    })
}

fn origin(fields: &Fields, common: &Common) -> Origin {
    let is_literal = |field: &str| {
        let set = (fields.get)(field);
        common.all_literal || set.is_none_or(|set| (common.is_literal)(set.variable))
    };
    Origin {
        token: ["TOKEN_ID", "TOKEN_SECRET"].into_iter().all(is_literal),
        all: common.all_literal || variables::fields().all(|field| is_literal(field.name)),
    }
}

/// The stricter of the cluster's level and that of all, and the variable that says it.
fn access(fields: &Fields, common: &Common, report: &mut Report) -> (Effect, String) {
    let own = fields.own("ACCESS");
    let level = own.and_then(|field| report.parsed(field.variable, field.value, safety::level));
    match (level, own) {
        (Some(level), Some(field)) if level < common.access => (level, field.variable.to_owned()),
        _ => (common.access, format!("{PREFIX}ACCESS")),
    }
}

/// The one of the three that is set.
fn secret(fields: &Fields, common: &Common, report: &mut Report) -> Option<SecretSource> {
    const SOURCES: [&str; 3] = ["TOKEN_SECRET", "TOKEN_SECRET_FILE", "TOKEN_SECRET_COMMAND"];
    let set: Vec<Field> = SOURCES
        .iter()
        .filter_map(|field| fields.said(field))
        .collect();
    if let [_, others @ ..] = set.as_slice()
        && !others.is_empty()
    {
        let names: Vec<&str> = set.iter().map(|field| field.variable).collect();
        report.problems.push(format!(
            "{}: only one of these may be set",
            names.join(", ")
        ));
        return None;
    }
    if fields.said("TOKEN_SECRET_FILE").is_some() {
        let path = |text: &str| secret_path(text, common.credentials.as_deref());
        let path = fields.parsed("TOKEN_SECRET_FILE", report, path);
        return path.map(SecretSource::File);
    }
    if fields.said("TOKEN_SECRET_COMMAND").is_some() {
        let command = fields.parsed("TOKEN_SECRET_COMMAND", report, value::command);
        return command.map(SecretSource::Command);
    }
    let secret = fields.required("TOKEN_SECRET", report, value::secret);
    if let (Some(field), Some(secret)) = (fields.said("TOKEN_SECRET"), &secret)
        && let Some(doubt) = secret::doubt(secret)
    {
        report.warn(field.variable, doubt);
    }
    secret.map(|text| SecretSource::Value(Secret::new(text)))
}

fn secret_path(text: &str, credentials: Option<&Path>) -> Result<PathBuf, String> {
    match credentials {
        // An absolute path replaces the folder.
        Some(folder) => Ok(folder.join(text)),
        None if Path::new(text).is_absolute() => Ok(PathBuf::from(text)),
        None => Err("is a relative path, but CREDENTIALS_DIRECTORY is not set".into()),
    }
}

fn trust(fields: &Fields, common: &Common, report: &mut Report) -> Option<Trust> {
    let (before, verify) = (report.problems.len(), fields.said("VERIFY"));
    let checked = fields
        .parsed("VERIFY", report, value::boolean)
        .unwrap_or(true);
    let ca_file = fields.parsed("CA_FILE", report, value::absolute);
    let fingerprints = fields.parsed("FINGERPRINT", report, value::fingerprints);
    let named = |field: &str| fields.said(field).map(|field| field.variable.to_owned());
    if let Some(fingerprint) = named("FINGERPRINT") {
        if let Some(ca_file) = named("CA_FILE") {
            report.problem(
                &fingerprint,
                format!("replaces every other check, so {ca_file} cannot be set too"),
            );
        }
        if !checked && let Some(verify) = named("VERIFY") {
            report.problem(
                &fingerprint,
                format!("is a check, so {verify} cannot turn checking off"),
            );
        }
    }
    if report.problems.len() > before {
        return None;
    }
    if !checked {
        let unused = named("CA_FILE").map_or(String::new(), |name| format!("; {name} is not used"));
        let variable = verify.map_or("VERIFY", |field| field.variable);
        report.warn(
            variable,
            format!(
                "is off: anybody on the way can pose as this cluster and take its token{unused}"
            ),
        );
        return Some(Trust::Nothing);
    }
    Some(match (fingerprints, ca_file) {
        (Some(fingerprints), _) => Trust::Fingerprints(fingerprints),
        (None, Some(path)) => Trust::CaFile(path),
        (None, None) => Trust::System {
            cert_file: common.cert_file.clone(),
        },
    })
}
