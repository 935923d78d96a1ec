//! What a method asks of its caller, in the words of the API description: judged before the call, as
//! far as it is a plain check of privileges.

use serde_json::{Map, Value};

/// What can be said of a call before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The plain part of the rule holds. There may be a part that the description has in prose.
    May,
    /// It must fail: all of this is missing.
    Lacks(Vec<Lack>),
    /// It must fail: no token may call it.
    NoToken,
    /// Nothing certain.
    Unclear,
}

/// What is missing on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub path: String,
    pub privileges: Vec<String>,
    /// One of the privileges will do; otherwise all are missing.
    pub any: bool,
}

/// What a check comes to.
enum Outcome {
    Yes,
    /// With what would make it hold; nothing where no privilege would.
    No(Vec<Lack>),
    Unclear,
}

/// The values of a call: its path's slots and its parameters.
pub struct Values<'v> {
    pub slots: &'v [(&'v str, &'v str)],
    pub params: &'v Map<String, Value>,
}

/// Judges the `permissions` of a method, as JSON (`None`: it has none), for a token of which `holds`
/// tells by path and privilege what it has.
///
/// # Errors
/// What `holds` fails with.
pub fn judge<E>(
    permissions: Option<&str>,
    values: &Values,
    holds: &mut dyn FnMut(&str, &str) -> Result<bool, E>,
) -> Result<Verdict, E> {
    let Some(permissions) = permissions else {
        return Ok(Verdict::NoToken);
    };
    let permissions: Map<String, Value> = serde_json::from_str(permissions).unwrap_or_default();
    if let Some("all" | "world") = permissions.get("user").and_then(Value::as_str) {
        return Ok(Verdict::May);
    }
    let Some(rule) = permissions.get("check") else {
        return Ok(Verdict::Unclear);
    };
    // A rule beside the check, such as "the caller is who the call is about", may let it pass.
    let is_whole = permissions.len() == 1;
    Ok(match check(rule, values, holds)? {
        Outcome::Yes => Verdict::May,
        Outcome::No(lacks) if is_whole && !lacks.is_empty() => Verdict::Lacks(lacks),
        _ => Verdict::Unclear,
    })
}

type Holds<'h, E> = &'h mut dyn FnMut(&str, &str) -> Result<bool, E>;

fn check<E>(rule: &Value, values: &Values, holds: Holds<E>) -> Result<Outcome, E> {
    let Some([Value::String(word), rest @ ..]) = rule.as_array().map(Vec::as_slice) else {
        return Ok(Outcome::Unclear);
    };
    match word.as_str() {
        "perm" => perm(rest, values, holds),
        "and" => all(rest, values, holds),
        "or" => any(rest, values, holds),
        _ => Ok(Outcome::Unclear),
    }
}

fn all<E>(rules: &[Value], values: &Values, holds: Holds<E>) -> Result<Outcome, E> {
    let (mut lacks, mut fails, mut unclear) = (Vec::new(), false, false);
    for rule in rules {
        match check(rule, values, holds)? {
            Outcome::Yes => {}
            Outcome::Unclear => unclear = true,
            Outcome::No(more) => {
                fails = true;
                lacks.extend(more);
            }
        }
    }
    Ok(match (fails, unclear) {
        (true, _) => Outcome::No(lacks),
        (false, true) => Outcome::Unclear,
        (false, false) => Outcome::Yes,
    })
}

/// Of what is missing for each of the alternatives the first is named.
fn any<E>(rules: &[Value], values: &Values, holds: Holds<E>) -> Result<Outcome, E> {
    let (mut first, mut unclear) = (Vec::new(), false);
    for rule in rules {
        match check(rule, values, holds)? {
            Outcome::Yes => return Ok(Outcome::Yes),
            Outcome::Unclear => unclear = true,
            Outcome::No(lacks) if first.is_empty() => first = lacks,
            Outcome::No(_) => {}
        }
    }
    Ok(if unclear {
        Outcome::Unclear
    } else {
        Outcome::No(first)
    })
}

/// `"/vms/{vmid}", ["VM.Config.Disk", ...], "any", 1`; all of the privileges without `any`.
fn perm<E>(rest: &[Value], values: &Values, holds: Holds<E>) -> Result<Outcome, E> {
    let [
        Value::String(template),
        Value::Array(privileges),
        options @ ..,
    ] = rest
    else {
        return Ok(Outcome::Unclear);
    };
    let names: Vec<&str> = privileges.iter().filter_map(Value::as_str).collect();
    let is_plain = names.len() == privileges.len() && !names.is_empty();
    if !is_plain || !names.iter().all(|name| is_word(name)) {
        return Ok(Outcome::Unclear);
    }
    let mut one_will_do = false;
    for option in options.chunks(2) {
        match option {
            [Value::String(name), value] if name == "any" => one_will_do = value == 1,
            [Value::String(name), Value::String(param)] if name == "require_param" => {
                if values.get(param).is_none() {
                    return Ok(Outcome::No(Vec::new()));
                }
            }
            _ => return Ok(Outcome::Unclear),
        }
    }
    let Some(path) = values.fill(template) else {
        return Ok(Outcome::Unclear);
    };
    let mut missing = Vec::new();
    for name in &names {
        match holds(&path, name)? {
            true if one_will_do => return Ok(Outcome::Yes),
            true => {}
            false => missing.push((*name).to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(Outcome::Yes);
    }
    Ok(Outcome::No(vec![Lack {
        path,
        any: one_will_do && missing.len() > 1,
        privileges: missing,
    }]))
}

impl Values<'_> {
    fn get(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.slots.iter().find(|(slot, _)| *slot == name) {
            return Some((*value).to_string());
        }
        match self.params.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The path that a template means; `None` where Proxmox may see it otherwise.
    fn fill(&self, template: &str) -> Option<String> {
        if template == "/" {
            return Some("/".into());
        }
        let mut path = String::new();
        for part in template.strip_prefix('/')?.split('/') {
            let slot = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            let value = match slot {
                Some("vmid" | "newid") => self.get(slot?)?.parse::<u32>().ok()?.to_string(),
                Some(slot) => self.get(slot)?,
                None => part.to_string(),
            };
            let is_fit = match slot {
                // A pool within another is a path of several parts.
                Some("pool" | "poolid") => value.split('/').all(is_word),
                _ => is_word(&value),
            };
            if !is_fit {
                return None;
            }
            path.push('/');
            path.push_str(&value);
        }
        Some(path)
    }
}

/// What a path part or a privilege is made of. Both end up in a command that a person may paste into a
/// root shell.
fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let between = if self.any { "` or `" } else { "` and `" };
        write!(f, "`{}` on `{}`", self.privileges.join(between), self.path)
    }
}

impl Lack {
    /// What has to be granted.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        let most = if self.any { 1 } else { self.privileges.len() };
        self.privileges.iter().take(most).map(String::as_str)
    }
}
