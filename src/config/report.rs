//! What is wrong with a configuration, and what should be looked at: a line each.

use std::path::Path;

use super::{Config, value};

/// Why there is no configuration: every problem, a line each, and what else was noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigReport {
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
    /// Whether something that must be set is not.
    pub(super) is_incomplete: bool,
    /// Whether nothing was set of what makes a cluster, nor of another program's variables: then it is
    /// the file that is missed.
    pub is_nothing: bool,
    /// Whether a line may show what a `${NAME}` of the file stands for.
    pub tells_expanded: bool,
}

impl ConfigReport {
    pub(super) fn problem(&mut self, variable: &str, what: impl AsRef<str>) {
        self.problems.push(format!("{variable}: {}", what.as_ref()));
    }

    pub(super) fn warn(&mut self, variable: &str, what: impl AsRef<str>) {
        self.warnings.push(format!("{variable}: {}", what.as_ref()));
    }

    /// The configuration with what should be looked at, where there is no problem.
    pub(super) fn of(self, config: Config) -> Result<Config, ConfigReport> {
        if !self.problems.is_empty() {
            return Err(self);
        }
        let warnings = self.warnings;
        Ok(Config { warnings, ..config })
    }
}

/// A variable that says something, or its default.
pub(super) struct SetVariable<'a> {
    /// Its whole name.
    pub(super) variable: &'a str,
    pub(super) text: &'a str,
    /// Nobody said it: the text is what holds then.
    pub(super) is_default: bool,
    /// `CREDENTIALS_DIRECTORY` of the real environment.
    pub(super) credentials: Option<&'a Path>,
    pub(super) report: &'a mut ConfigReport,
}

impl<'a> SetVariable<'a> {
    pub(super) fn problem(&mut self, what: impl AsRef<str>) {
        self.report.problem(self.variable, what);
    }

    pub(super) fn warn(&mut self, what: impl AsRef<str>) {
        self.report.warn(self.variable, what);
    }

    /// What `parse` makes of it.
    pub(super) fn parsed<T>(
        &mut self,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text) {
            Ok(value) => return Some(value),
            Err(_) if value::is_quoted(self.text) => self.problem(value::QUOTED),
            Err(what) => self.problem(what),
        }
        None
    }

    /// Puts what `parse` makes of it into its place.
    pub(super) fn put<T>(
        &mut self,
        place: &mut T,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) {
        if let Some(value) = self.parsed(parse) {
            *place = value;
        }
    }

    /// Its items; none, and a problem, where all of it stands in quotes.
    pub(super) fn names(&mut self) -> Vec<&'a str> {
        let names = self.parsed(|text| match value::is_quoted(text) {
            true => Err(String::new()),
            false => Ok(value::items(text).collect()),
        });
        names.unwrap_or_default()
    }

    /// Its items as they stand.
    pub(super) fn items(&self) -> Vec<String> {
        value::items(self.text).map(str::to_owned).collect()
    }

    /// Free text, in which quotes are hardly meant.
    pub(super) fn words(&mut self) -> Option<String> {
        if value::is_quoted(self.text) {
            self.warn(value::QUOTED);
        }
        Some(self.text.to_owned())
    }
}
