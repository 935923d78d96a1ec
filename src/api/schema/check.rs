//! Whether arguments fit a method: names, required ones, types, choices, ranges and lengths. Not
//! patterns and formats, which Proxmox itself checks before it does anything.

use serde_json::{Map, Value};

use super::{DescribedMethod, SchemaLimits, SchemaParam, SchemaType};
use crate::api::loose::truth;
use crate::meant;
use crate::text::printable;

const SHOWN_MAX_CHARS: usize = 80;
const PROBLEM_MAX_CHARS: usize = 2_000;
/// Above this many choices they are not all listed.
const OPTIONS_SHOWN: usize = 25;
/// Taken by every method: the web interface sends it against caches.
const IGNORED: &str = "_dc";

impl DescribedMethod {
    /// Every problem of `arguments`, as a sentence each; empty where they fit. The parameters that
    /// the path carries count as given.
    pub fn check(&self, arguments: &Map<String, Value>) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in arguments {
            // Unset ones are not sent.
            if value.is_null() || name == IGNORED {
                continue;
            }
            match self.param(name) {
                Some(param) => problems.extend(param.problem(name, value)),
                None if self.extra => {}
                None => problems.push(self.unknown(name)),
            }
        }
        for param in &self.params {
            let is_given = arguments
                .get(&*param.name)
                .is_some_and(|value| !value.is_null());
            if !param.optional && !is_given && !self.has_slot(&param.name) {
                problems.push(format!("`{}` is required", param.name));
            }
        }
        // Names and choices are the cluster's words, and caught here together.
        let problems = problems.iter();
        problems
            .map(|problem| printable(problem, PROBLEM_MAX_CHARS))
            .collect()
    }

    /// The parameter of that name, or the family that it is a member of.
    pub fn param(&self, name: &str) -> Option<&SchemaParam> {
        let known = |name: &str| {
            let found = self
                .params
                .binary_search_by(|param| (*param.name).cmp(name));
            found.ok().and_then(|index| self.params.get(index))
        };
        known(name).or_else(|| {
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            (stem.len() < name.len())
                .then(|| known(&format!("{stem}[n]")))
                .flatten()
        })
    }

    fn has_slot(&self, name: &str) -> bool {
        self.template
            .split('/')
            .any(|part| part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) == Some(name))
    }

    fn unknown(&self, name: &str) -> String {
        let shown = printable(name, SHOWN_MAX_CHARS);
        let mut known: Vec<&str> = self.params.iter().map(|param| &*param.name).collect();
        known.retain(|name| !self.has_slot(name));
        match meant::hint(name, &known) {
            Some(hint) => format!("`{shown}` is not known here; {hint}"),
            None => format!("`{shown}` is not known here"),
        }
    }
}

impl SchemaParam {
    fn problem(&self, name: &str, value: &Value) -> Option<String> {
        let limits = self.limits.as_deref().copied().unwrap_or_default();
        let wanted = |what: &str| {
            let shown = printable(&value.to_string(), SHOWN_MAX_CHARS);
            Some(format!("`{name}` must be {what}, not {shown}"))
        };
        match (self.kind, value) {
            (SchemaType::Any | SchemaType::Object, _) => None,
            (SchemaType::Array, Value::Array(_) | Value::String(_)) => None,
            (SchemaType::Array, _) => wanted("a list"),
            (_, Value::Array(_) | Value::Object(_)) => wanted(self.kind.name()),
            (SchemaType::Boolean, value) => {
                let fits = match value {
                    Value::Bool(_) => true,
                    Value::Number(number) => matches!(number.as_u64(), Some(0 | 1)),
                    Value::String(text) => truth(text).is_some(),
                    _ => false,
                };
                if fits { None } else { wanted("true or false") }
            }
            (SchemaType::Integer | SchemaType::Number, value) => {
                let number = match value {
                    Value::Number(number) => number.as_f64(),
                    Value::String(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
                    _ => None,
                };
                match number {
                    Some(n) if self.kind == SchemaType::Number || n.fract() == 0.0 => {
                        limits.problem_of_number(name, n)
                    }
                    _ => wanted(self.kind.name()),
                }
            }
            (SchemaType::String, value) => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    // Proxmox takes a number for a text; of a truth it makes 1 or nothing.
                    Value::Number(number) => number.to_string(),
                    _ => return wanted("a text"),
                };
                self.problem_of_option(name, &text)
                    .or_else(|| limits.problem_of_length(name, &text))
            }
        }
    }

    fn problem_of_option(&self, name: &str, text: &str) -> Option<String> {
        let options = self.options.as_deref()?;
        if options.iter().any(|option| &**option == text) {
            return None;
        }
        let shown: Vec<&str> = options.iter().take(OPTIONS_SHOWN).map(|o| &**o).collect();
        let more = if options.len() > OPTIONS_SHOWN {
            ", ..."
        } else {
            ""
        };
        Some(format!(
            "`{name}` must be one of {}{more}, not `{}`",
            shown.join(", "),
            printable(text, SHOWN_MAX_CHARS)
        ))
    }
}

impl SchemaType {
    fn name(self) -> &'static str {
        match self {
            SchemaType::String => "a text",
            SchemaType::Integer => "a whole number",
            SchemaType::Number => "a number",
            SchemaType::Boolean => "true or false",
            SchemaType::Array => "a list",
            SchemaType::Object | SchemaType::Any => "something else",
        }
    }
}

impl SchemaLimits {
    fn problem_of_number(&self, name: &str, number: f64) -> Option<String> {
        match (self.minimum, self.maximum) {
            (Some(least), _) if number < least => {
                Some(format!("`{name}` must be at least {least}, not {number}"))
            }
            (_, Some(most)) if number > most => {
                Some(format!("`{name}` must be at most {most}, not {number}"))
            }
            _ => None,
        }
    }

    fn problem_of_length(&self, name: &str, text: &str) -> Option<String> {
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        match (self.min_length, self.max_length) {
            (Some(least), _) if length < least => {
                Some(format!("`{name}` must have at least {least} characters"))
            }
            (_, Some(most)) if length > most => Some(format!(
                "`{name}` must have at most {most} characters, not {length}"
            )),
            _ => None,
        }
    }
}
