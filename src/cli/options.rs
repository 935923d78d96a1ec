//! The words behind a command, taken apart by hand: flags, options with a value, and the rest.

use crate::text::repeated;
use std::ffi::OsString;

/// What was given, checked against what the command takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandOptions {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    /// What is no option, in its order.
    pub(super) rest: Vec<String>,
}

impl CommandOptions {
    /// Reads `arguments`; `flags` stand alone, `valued` are followed by a value, also as `--name=value`;
    /// one that stands there as `--name...` may be given several times. Behind `--` everything is no option.
    ///
    /// # Errors
    /// An unknown option, one that is there twice, or one without its value.
    pub(super) fn read(
        arguments: &[OsString],
        flags: &[&str],
        valued: &[&str],
    ) -> Result<CommandOptions, String> {
        let mut options = CommandOptions::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let Some(word) = word.to_str() else {
                return Err("an argument is not UTF-8".into());
            };
            if word == "--" {
                for word in words.by_ref() {
                    let Some(word) = word.to_str() else {
                        return Err("an argument is not UTF-8".into());
                    };
                    options.rest.push(word.to_string());
                }
                break;
            }
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_string())),
                _ => (word, None),
            };
            if !name.starts_with('-') || name == "-" {
                options.rest.push(word.to_string());
            } else if flags.contains(&name) && inline.is_none() {
                options.flags.push(name.to_string());
            } else if let Some(form) = form(name, valued) {
                let next = || {
                    words
                        .next()
                        .and_then(|word| word.to_str())
                        .map(str::to_string)
                };
                let value = inline.or_else(next).filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| format!("`{name}` needs a value"))?;
                if form == Form::Once && options.value(name).is_some() {
                    return Err(format!("`{name}` is there twice"));
                }
                options.values.push((name.to_string(), value));
            } else {
                return Err(format!("there is no argument `{}`", repeated(name)));
            }
        }
        Ok(options)
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Of an option that may be given several times.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.values.iter().filter(move |(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }
}

/// How often an option may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Once,
    Often,
}

fn form(name: &str, valued: &[&str]) -> Option<Form> {
    valued
        .iter()
        .find_map(|known| match known.strip_suffix("...") {
            Some(known) => (known == name).then_some(Form::Often),
            None => (*known == name).then_some(Form::Once),
        })
}
