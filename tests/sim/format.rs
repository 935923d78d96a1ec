//! The named formats of Proxmox's schema and its property strings (`key=value,key=value`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::answer::{list, scalar};
use super::{calendar, check};

pub mod firewall;

pub type Checked = Result<(), String>;

/// Checks a value against a named format; the error carries Perl's newline.
pub fn named(format: &str, name: &str, text: &str) -> Checked {
    if let Some(item) = format.strip_suffix("-opt") {
        return if text.is_empty() {
            Ok(())
        } else {
            named(item, name, text)
        };
    }
    if let Some(item) = format.strip_suffix("-list") {
        return list(text)
            .iter()
            .try_for_each(|part| named(item, name, part));
    }
    match format {
        "pve-vmid" => need(vmid(text), "value does not look like a valid VM ID"),
        "pve-node" => need(node(text), "value does not look like a valid node name"),
        "dns-name" => need(dns(text), "value does not look like a valid DNS name"),
        "ip" => need(
            text.parse::<IpAddr>().is_ok(),
            "value does not look like a valid IP address",
        ),
        "ipv4" => need(
            text.parse::<Ipv4Addr>().is_ok(),
            "value does not look like a valid IPv4 address",
        ),
        "ipv6" => need(
            text.parse::<Ipv6Addr>().is_ok(),
            "value does not look like a valid IPv6 address",
        ),
        "CIDRv4" => need(
            cidr(text, false),
            "value does not look like a valid IPv4 CIDR network",
        ),
        "CIDRv6" => need(
            cidr(text, true),
            "value does not look like a valid IPv6 CIDR network",
        ),
        "CIDR" => need(
            cidr(text, false) || cidr(text, true),
            "value does not look like a valid CIDR network",
        ),
        "address" => need(
            dns(text) || text.parse::<IpAddr>().is_ok(),
            "value does not look like a valid IP address or DNS name",
        ),
        "mac-addr" => need(
            mac(text),
            "value does not look like a valid unicast MAC address",
        ),
        "pve-configid" => need(
            word(text, "_-"),
            &format!("invalid configuration ID '{text}'"),
        ),
        "pve-storage-id" => need(
            storage(text),
            &format!("storage ID '{text}' contains illegal characters"),
        ),
        "pve-iface" => need(
            iface(text),
            &format!("invalid network interface name '{text}'"),
        ),
        "pve-storage-content" => need(
            CONTENT.contains(&text),
            &format!("invalid content type '{text}'"),
        ),
        "pve-priv" => need(
            super::roles::PRIVILEGES.contains(&text),
            &format!("invalid privilege '{text}'"),
        ),
        "pve-groupid" => need(
            word(text, "._-"),
            &format!("group name '{text}' contains invalid characters"),
        ),
        "pve-roleid" => need(
            word(text, "._-"),
            &format!("role name '{text}' contains invalid characters"),
        ),
        "pve-poolid" => need(
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)),
            &format!("pool name '{text}' contains invalid characters"),
        ),
        "pve-tag" => need(tag(text), &format!("invalid characters in tag {text}")),
        "pve-volume-id" => need(volume(text), &format!("unable to parse volume ID '{text}'")),
        "urlencoded" => need(
            !text.contains([' ', '+', '/', '\n']),
            &format!("invalid urlencoded string: {text}"),
        ),
        "pve-qm-smbios1" => smbios(name, text),
        "storage-pair" => need(
            text.split(':').all(storage),
            &format!("invalid storage pair '{text}'"),
        ),
        "prune-backups" => prune_backups(name, text),
        "proxmox-remote" => property_string(&remote(), name, text),
        "pve-qm-ide" => property_string(&drive(), name, text),
        "pve-task-status-type" => need(
            STATES.contains(&text),
            &format!("unable to parse status type '{text}'"),
        ),
        "pve-calendar-event" => calendar::parse(text)
            .map(drop)
            .map_err(|e| format!("{e}\n")),
        _ => firewall::named(format, text),
    }
}

/// Texts are of the letters of base64, whether they are meant so or not.
fn smbios(name: &str, text: &str) -> Checked {
    text.split(',').try_for_each(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let letters = value.trim_end_matches('=');
        let fits = match key {
            "uuid" => letters.len() == 36,
            "base64" => matches!(value, "0" | "1"),
            "version" | "serial" | "manufacturer" | "product" | "sku" | "family" => {
                !letters.is_empty()
                    && letters
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
            }
            _ => false,
        };
        let text = format!(
            "invalid format - format error\n{name}.{key}: value does not match the regex pattern"
        );
        need(fits, &text)
    })
}

const CONTENT: &[&str] = &[
    "images", "rootdir", "vztmpl", "iso", "backup", "snippets", "none", "import",
];
const STATES: &[&str] = &["ok", "error", "warning", "unknown"];

fn need(fits: bool, text: &str) -> Checked {
    if fits {
        Ok(())
    } else {
        Err(format!("{text}\n"))
    }
}

fn vmid(text: &str) -> bool {
    !text.starts_with('0')
        && (3..=9).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_digit())
}

pub fn dns(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(label)
}

fn node(text: &str) -> bool {
    label(text)
}

fn label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let chars = text.chars();
    edge(chars.clone().next())
        && edge(chars.clone().last())
        && text.len() <= 63
        && chars.clone().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn word(text: &str, more: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

fn storage(text: &str) -> bool {
    text == "1" || word(text, "-_.")
}

fn volume(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(id, rest)| storage(id) && !rest.is_empty())
}

fn iface(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && (2..=20).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c))
}

fn tag(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-+.".contains(c))
}

fn mac(text: &str) -> bool {
    text.len() == 17
        && text.split(':').count() == 6
        && text
            .split(':')
            .all(|part| part.len() == 2 && u8::from_str_radix(part, 16).is_ok())
}

fn cidr(text: &str, six: bool) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let Ok(bits) = bits.parse::<u8>() else {
        return false;
    };
    if six {
        bits <= 128 && address.parse::<Ipv6Addr>().is_ok()
    } else {
        bits <= 32 && address.parse::<Ipv4Addr>().is_ok()
    }
}

fn prune_backups(name: &str, text: &str) -> Checked {
    property_string(&prune(), name, text)?;
    let keeps = parse(&prune(), text)?;
    let all = keeps
        .iter()
        .any(|(key, value)| key == "keep-all" && value == "1");
    need(
        !all || keeps.len() == 1,
        "keep-all cannot be set together with other options.",
    )
}

fn prune() -> Value {
    let keep = serde_json::json!({"type": "integer", "minimum": 0, "optional": 1});
    let mut all: Map<String, Value> = ["last", "hourly", "daily", "weekly", "monthly", "yearly"]
        .iter()
        .map(|when| (format!("keep-{when}"), keep.clone()))
        .collect();
    all.insert(
        "keep-all".into(),
        serde_json::json!({"type": "boolean", "optional": 1}),
    );
    Value::Object(all)
}

fn remote() -> Value {
    let text = |optional: u8| serde_json::json!({"type": "string", "optional": optional});
    serde_json::json!({
        "host": text(0), "apitoken": text(0), "fingerprint": text(1),
        "port": {"type": "integer", "optional": 1},
    })
}

fn drive() -> Value {
    super::schema::find("POST", "/nodes/x/qemu")
        .map(|(method, _)| method.params["scsi[n]"]["format"].clone())
        .unwrap_or_default()
}

/// Splits a property string into its parts, short forms resolved, without checking the values.
pub fn parse(format: &Value, text: &str) -> Result<Vec<(String, String)>, String> {
    let empty = Map::new();
    let keys = format.as_object().unwrap_or(&empty);
    let default = keys
        .iter()
        .find(|(_, schema)| schema["default_key"] == 1)
        .map(|(key, _)| key.clone());
    let mut parts: Vec<(String, String)> = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        match part.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                let schema = &format[key];
                if let Some(short) = schema["keyAlias"].as_str() {
                    parts.push((short.into(), key.into()));
                }
                let name = schema["alias"].as_str().unwrap_or(key);
                if parts.iter().any(|(known, _)| known == name) {
                    return Err(format!(
                        "duplicate key in comma-separated list property: {name}\n"
                    ));
                }
                parts.push((name.into(), value.into()));
            }
            Some(_) => return Err("missing key in comma-separated list property\n".into()),
            None => match &default {
                Some(key) if parts.iter().any(|(known, _)| known == key) => {
                    return Err(format!(
                        "duplicate key in comma-separated list property: {key}\n"
                    ));
                }
                Some(key) => parts.push((key.clone(), part.into())),
                None => {
                    return Err(
                        "value without key, but schema does not define a default key\n".into(),
                    );
                }
            },
        }
    }
    Ok(parts)
}

pub fn property_string(format: &Value, name: &str, text: &str) -> Checked {
    let parts = parse(format, text)?;
    let mut errors: Vec<String> = Vec::new();
    for (key, value) in &parts {
        match format.get(key) {
            None => errors.push(format!(
                "{name}.{key}: property is not defined in schema and the schema does not allow additional properties"
            )),
            Some(schema) => {
                if let Err(text) = check::plain(schema, key, &spelled(schema, value)) {
                    errors.push(format!("{name}.{key}: {}", text.trim_end()));
                }
            }
        }
    }
    for (key, schema) in format.as_object().into_iter().flatten() {
        let needed = schema["optional"] != 1
            && schema.get("alias").is_none()
            && schema.get("default").is_none();
        if needed && !parts.iter().any(|(known, _)| known == key) {
            errors.push(format!(
                "{name}.{key}: property is missing and it is not optional"
            ));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    errors.sort();
    Err(format!("format error\n{}\n", errors.join("\n")))
}

/// Inside a property string a boolean may be spelled out.
fn spelled(schema: &Value, value: &str) -> String {
    if schema["type"] != "boolean" {
        return scalar(&Value::String(value.into()));
    }
    match value.to_lowercase().as_str() {
        "on" | "yes" | "true" => "1".into(),
        "off" | "no" | "false" => "0".into(),
        _ => value.into(),
    }
}
