//! The fields of one cluster to a [`Cluster`], and every problem that they have.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::env_file::EnvFile;
use super::report::SetVariable;
use super::spelling::SetField;
use super::variables::{
    self, CA_FILE, FINGERPRINT, OnReload, PREFIX, VERIFY, Variable, VariableTarget,
};
use super::{Cluster, ConfigReport, SetInFile, value};
use crate::proxmox::secret::{self, Secret, SecretSource};
use crate::proxmox::settings::Trust;

/// Where the values of a configuration come from.
pub(super) struct Sources<'a> {
    /// Our variables that the real environment sets.
    environment: HashSet<&'a str>,
    file: &'a EnvFile,
    /// `SSL_CERT_FILE` of the real environment.
    pub(super) cert_file: Option<&'a Path>,
    /// `CREDENTIALS_DIRECTORY` of the real environment.
    credentials: Option<&'a Path>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(environment: &'a [(String, String)], file: &'a EnvFile) -> Sources<'a> {
        let names = environment.iter().map(|(name, _)| name.as_str());
        let path = |name: &str| {
            let (_, value) = environment.iter().rfind(|(known, _)| known == name)?;
            (!value.is_empty()).then_some(Path::new(value))
        };
        Sources {
            environment: names.filter(|name| name.starts_with(PREFIX)).collect(),
            file,
            cert_file: path("SSL_CERT_FILE"),
            credentials: path("CREDENTIALS_DIRECTORY"),
        }
    }

    /// Whether every value stands in the file as it is, which is the usual.
    fn all_literal(&self) -> bool {
        self.environment.is_empty() && self.file.expanded.is_empty()
    }

    fn is_literal(&self, variable: &str) -> bool {
        !self.environment.contains(variable) && !self.file.is_expanded(variable)
    }
}

/// The fields of one cluster that are set.
pub(super) struct ClusterFields<'a> {
    /// What stands before a field in a variable's name.
    pub(super) prefix: String,
    pub(super) set: Vec<(&'static str, SetField<'a>)>,
    pub(super) sources: &'a Sources<'a>,
}

impl<'a> ClusterFields<'a> {
    fn get(&self, field: &str) -> Option<SetField<'a>> {
        let (_, set) = self.set.iter().find(|(name, _)| *name == field)?;
        Some(*set)
    }

    /// A field that says something; one set to nothing says nothing.
    fn said(&self, field: &str) -> Option<SetField<'a>> {
        let SetField { variable, value } = self.get(field)?;
        let value = value.trim();
        (!value.is_empty()).then_some(SetField { variable, value })
    }

    /// Whether anything is said of what a cluster must have.
    pub(super) fn is_begun(&self) -> bool {
        let mut required = variables::fields().flat_map(|field| field.one_of);
        required.any(|field| self.said(field).is_some())
    }

    /// Reports that one of several fields is missing, or that there is more than one.
    fn count(&self, row: &Variable, report: &mut ConfigReport) {
        let set = row.one_of.iter().filter_map(|field| self.said(field));
        let set: Vec<&str> = set.map(|field| field.variable).collect();
        match set.as_slice() {
            [] if row.one_of.is_empty() => {}
            [] => {
                report.is_incomplete = true;
                match self.get(row.name) {
                    Some(set) => report.problem(set.variable, "is empty, but required"),
                    None => {
                        let name = format!("{}{}", self.prefix, row.name);
                        report.problem(&name, "is not set, but required");
                    }
                }
            }
            [_] => {}
            several => {
                let names = several.join(", ");
                report.problem(&names, "only one of these may be set");
            }
        }
    }
}

/// Reads one cluster, which begins as `every` one does. It is sound where nothing was reported.
pub(super) fn read(
    name: &str,
    every: &Cluster,
    fields: &ClusterFields,
    report: &mut ConfigReport,
) -> Cluster {
    let mut cluster = every.clone();
    name.clone_into(&mut cluster.name);
    name.clone_into(&mut cluster.settings.cluster);
    for row in variables::fields() {
        fields.count(row, report);
        let said = fields.said(row.name);
        // With a single cluster some are those of all clusters too, and read already.
        let said = said.filter(|said| variables::of_registry(said.variable).is_none());
        let is_default = said.is_none();
        let (variable, text) = match said {
            Some(SetField { variable, value }) => (variable, value),
            None => (row.name, row.default),
        };
        if let (VariableTarget::Each(set), false) = (&row.sets, text.is_empty()) {
            let said = &mut SetVariable {
                variable,
                text,
                is_default,
                credentials: fields.sources.credentials,
                report,
            };
            set(&mut cluster, said);
        }
    }
    trust(fields, report);
    cluster.origin = origin(fields);
    cluster
}

fn origin(fields: &ClusterFields) -> SetInFile {
    let sources = fields.sources;
    let is_literal = |row: &Variable| {
        let set = fields.get(row.name);
        set.is_none_or(|set| sources.is_literal(set.variable))
    };
    let mut token = variables::fields().filter(|row| row.reload == OnReload::Taken);
    SetInFile {
        token: sources.all_literal() || token.all(is_literal),
        all: sources.all_literal() || variables::fields().all(is_literal),
    }
}

pub(super) fn secret(cluster: &mut Cluster, said: &mut SetVariable) {
    let Some(secret) = said.parsed(value::secret) else {
        return;
    };
    if let Some(doubt) = secret::doubt(&secret) {
        said.warn(doubt);
    }
    cluster.settings.secret = SecretSource::Value(Secret::new(secret));
}

pub(super) fn secret_file(cluster: &mut Cluster, said: &mut SetVariable) {
    let credentials = said.credentials;
    let path = said.parsed(|text| match credentials {
        // An absolute path replaces the folder.
        Some(folder) => Ok(folder.join(text)),
        None if Path::new(text).is_absolute() => Ok(PathBuf::from(text)),
        None => Err("is a relative path, but CREDENTIALS_DIRECTORY is not set".into()),
    });
    if let Some(path) = path {
        cluster.settings.secret = SecretSource::File(path);
    }
}

pub(super) fn secret_command(cluster: &mut Cluster, said: &mut SetVariable) {
    if let Some(command) = said.parsed(value::command) {
        cluster.settings.secret = SecretSource::Command(command);
    }
}

pub(super) fn verify(cluster: &mut Cluster, said: &mut SetVariable) {
    if said.parsed(value::boolean) == Some(false) {
        cluster.settings.trust = Trust::Nothing;
    }
}

/// Goes for nothing where nothing is checked.
pub(super) fn ca_file(cluster: &mut Cluster, said: &mut SetVariable) {
    if let Some(path) = said.parsed(value::absolute)
        && cluster.settings.trust != Trust::Nothing
    {
        cluster.settings.trust = Trust::CaFile(path);
    }
}

pub(super) fn fingerprint(cluster: &mut Cluster, said: &mut SetVariable) {
    if let Some(fingerprints) = said.parsed(value::fingerprints) {
        cluster.settings.trust = Trust::Fingerprints(fingerprints);
    }
}

/// Reports ways to trust a server that exclude each other, and one that trusts anybody.
fn trust(fields: &ClusterFields, report: &mut ConfigReport) {
    let ca_file = fields.said(CA_FILE).map(|field| field.variable);
    let verify = fields.said(VERIFY);
    let off = verify.filter(|field| value::boolean(field.value) == Ok(false));
    if let Some(SetField { variable, .. }) = fields.said(FINGERPRINT) {
        if let Some(ca_file) = ca_file {
            report.problem(
                variable,
                format!("replaces every other check, so {ca_file} cannot be set too"),
            );
        }
        if let Some(off) = off {
            report.problem(
                variable,
                format!("is a check, so {} cannot turn checking off", off.variable),
            );
        }
    } else if let Some(off) = off {
        let unused = ca_file.map_or(String::new(), |name| format!("; {name} is not used"));
        report.warn(
            off.variable,
            format!(
                "is off: anybody on the way can pose as this cluster and take its token{unused}"
            ),
        );
    }
}
