//! What a method asks of its caller, in the words of the API description: judged before the call, as
//! far as it is a plain check of privileges.

use serde_json::{Map, Value};

/// What can be said of a call before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermissionCheck {
    /// The plain part of the rule holds. There may be a part that the description has in prose.
    May,
    /// It must fail: all of this is missing.
    Lacks(Vec<MissingPrivileges>),
    /// It must fail: no token may call it.
    NoToken,
    /// Nothing certain.
    Unclear,
}

/// What is missing on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPrivileges {
    pub path: String,
    pub privileges: Vec<String>,
    /// One of the privileges will do; otherwise all are missing.
    pub any: bool,
}

/// What a check comes to.
enum RuleOutcome {
    Yes,
    /// With what would make it hold; nothing where no privilege would.
    No(Vec<MissingPrivileges>),
    Unclear,
}

/// The values of a call: its path's slots and its parameters.
pub struct CallValues<'v> {
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
    values: &CallValues,
    holds: &mut dyn FnMut(&str, &str) -> Result<bool, E>,
) -> Result<PermissionCheck, E> {
    let Some(permissions) = permissions else {
        return Ok(PermissionCheck::NoToken);
    };
    let permissions: Map<String, Value> = serde_json::from_str(permissions).unwrap_or_default();
    if let Some("all" | "world") = permissions.get("user").and_then(Value::as_str) {
        return Ok(PermissionCheck::May);
    }
    let Some(rule) = permissions.get("check") else {
        return Ok(PermissionCheck::Unclear);
    };
    // A rule beside the check, such as "the caller is who the call is about", may let it pass.
    let is_whole = permissions.len() == 1;
    Ok(match check(rule, values, holds)? {
        RuleOutcome::Yes => PermissionCheck::May,
        RuleOutcome::No(lacks) if is_whole && !lacks.is_empty() => PermissionCheck::Lacks(lacks),
        _ => PermissionCheck::Unclear,
    })
}

type Holds<'h, E> = &'h mut dyn FnMut(&str, &str) -> Result<bool, E>;

fn check<E>(rule: &Value, values: &CallValues, holds: Holds<E>) -> Result<RuleOutcome, E> {
    let Some([Value::String(word), rest @ ..]) = rule.as_array().map(Vec::as_slice) else {
        return Ok(RuleOutcome::Unclear);
    };
    match word.as_str() {
        "perm" => perm(rest, values, holds),
        "and" => all(rest, values, holds),
        "or" => any(rest, values, holds),
        _ => Ok(RuleOutcome::Unclear),
    }
}

fn all<E>(rules: &[Value], values: &CallValues, holds: Holds<E>) -> Result<RuleOutcome, E> {
    let (mut lacks, mut fails, mut unclear) = (Vec::new(), false, false);
    for rule in rules {
        match check(rule, values, holds)? {
            RuleOutcome::Yes => {}
            RuleOutcome::Unclear => unclear = true,
            RuleOutcome::No(more) => {
                fails = true;
                lacks.extend(more);
            }
        }
    }
    Ok(match (fails, unclear) {
        (true, _) => RuleOutcome::No(lacks),
        (false, true) => RuleOutcome::Unclear,
        (false, false) => RuleOutcome::Yes,
    })
}

/// Of what is missing for each of the alternatives the first is named.
fn any<E>(rules: &[Value], values: &CallValues, holds: Holds<E>) -> Result<RuleOutcome, E> {
    let (mut first, mut unclear) = (Vec::new(), false);
    for rule in rules {
        match check(rule, values, holds)? {
            RuleOutcome::Yes => return Ok(RuleOutcome::Yes),
            RuleOutcome::Unclear => unclear = true,
            RuleOutcome::No(lacks) if first.is_empty() => first = lacks,
            RuleOutcome::No(_) => {}
        }
    }
    Ok(if unclear {
        RuleOutcome::Unclear
    } else {
        RuleOutcome::No(first)
    })
}

/// `"/vms/{vmid}", ["VM.Config.Disk", ...], "any", 1`; all of the privileges without `any`.
fn perm<E>(rest: &[Value], values: &CallValues, holds: Holds<E>) -> Result<RuleOutcome, E> {
    let [
        Value::String(template),
        Value::Array(privileges),
        options @ ..,
    ] = rest
    else {
        return Ok(RuleOutcome::Unclear);
    };
    let names: Vec<&str> = privileges.iter().filter_map(Value::as_str).collect();
    let is_plain = names.len() == privileges.len() && !names.is_empty();
    if !is_plain || !names.iter().all(|name| is_word(name)) {
        return Ok(RuleOutcome::Unclear);
    }
    let mut one_will_do = false;
    for option in options.chunks(2) {
        match option {
            [Value::String(name), value] if name == "any" => one_will_do = value == 1,
            [Value::String(name), Value::String(param)] if name == "require_param" => {
                if values.get(param).is_none() {
                    return Ok(RuleOutcome::No(Vec::new()));
                }
            }
            _ => return Ok(RuleOutcome::Unclear),
        }
    }
    let Some(path) = values.fill(template) else {
        return Ok(RuleOutcome::Unclear);
    };
    let mut missing = Vec::new();
    for name in &names {
        match holds(&path, name)? {
            true if one_will_do => return Ok(RuleOutcome::Yes),
            true => {}
            false => missing.push((*name).to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(RuleOutcome::Yes);
    }
    Ok(RuleOutcome::No(vec![MissingPrivileges {
        path,
        any: one_will_do && missing.len() > 1,
        privileges: missing,
    }]))
}

impl CallValues<'_> {
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

impl std::fmt::Display for MissingPrivileges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let between = if self.any { "` or `" } else { "` and `" };
        write!(f, "`{}` on `{}`", self.privileges.join(between), self.path)
    }
}

impl MissingPrivileges {
    /// What has to be granted.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        let most = if self.any { 1 } else { self.privileges.len() };
        self.privileges.iter().take(most).map(String::as_str)
    }
}
