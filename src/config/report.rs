//! What is wrong with a configuration, and what should be looked at: a line each.

use super::value;

/// Why there is no configuration: every problem, a line each, and what else was noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
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

impl Report {
    pub(super) fn problem(&mut self, variable: &str, what: impl AsRef<str>) {
        self.problems.push(format!("{variable}: {}", what.as_ref()));
    }

    pub(super) fn warn(&mut self, variable: &str, what: impl AsRef<str>) {
        self.warnings.push(format!("{variable}: {}", what.as_ref()));
    }

    /// What `parse` makes of a variable's text.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let refused = |what: String| match value::is_quoted(text) {
            true => self.problem(variable, value::QUOTED),
            false => self.problem(variable, what),
        };
        parse(text).map_err(refused).ok()
    }

    /// Reports a list of names whose text stands in quotes.
    pub(super) fn is_quoted(&mut self, variable: &str, text: &str) -> bool {
        self.parsed(variable, text, |text| match value::is_quoted(text) {
            true => Err(String::new()),
            false => Ok(()),
        })
        .is_none()
    }
}
