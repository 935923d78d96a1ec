//! How many backups of a guest are kept: in our words, `last 3, daily 7`, and in Proxmox's,
//! `keep-last=3,keep-daily=7`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::loose::{items, plain};
use crate::error::Error;
use crate::text::repeated;
use crate::tool::param::{Param, ParamKind};

/// As Proxmox has them, the shortest first.
const SPANS: [&str; 6] = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];

/// What the API calls it.
pub(super) const KEY: &str = "prune-backups";
pub(super) const KEEPS: Param = Param::new(
    "keeps",
    ParamKind::Text(100),
    "of each guest: `last 3, daily 7`, or `all`; else the storage's rule",
)
.optional();
const KEPT_MAX: u64 = 100_000;
const ALL: &str = "all";

/// How many backups of a guest are kept: `last 3, daily 7`, or `all`.
pub(super) fn shown(rule: &Value) -> String {
    let parts: Vec<String> = match rule {
        Value::Object(parts) => parts
            .iter()
            .map(|(key, value)| format!("{key}={}", plain(value)))
            .collect(),
        rule => items(rule),
    };
    let of = |span: &str| {
        let kept = parts.iter().find_map(|part| {
            let value = part.strip_prefix("keep-")?.strip_prefix(span)?;
            value.strip_prefix('=')?.parse::<u64>().ok()
        });
        kept.filter(|kept| *kept > 0)
    };
    if of(ALL).is_some() {
        return ALL.into();
    }
    let kept = SPANS.iter().filter_map(|span| {
        let kept = of(span)?;
        Some(format!("{span} {kept}"))
    });
    kept.collect::<Vec<_>>().join(", ")
}

/// As it is sent, from either form.
///
/// # Errors
/// It is neither.
pub(super) fn sent(keeps: &str) -> Result<String, Error> {
    let wrong = || {
        Error::bad(format!(
            "`keeps` is `{}`: say `last 7`, `last 3, daily 7, weekly 4` (of {}), or `all`",
            repeated(keeps),
            SPANS.join(", ")
        ))
    };
    if keeps.trim() == ALL {
        return Ok("keep-all=1".into());
    }
    let mut kept: BTreeMap<usize, u64> = BTreeMap::new();
    for part in keeps.split(',') {
        let part = part.trim();
        let part = part.strip_prefix("keep-").unwrap_or(part);
        let (span, number) = part.split_once([' ', '=']).ok_or_else(wrong)?;
        let span = SPANS.iter().position(|one| *one == span);
        let number = number.trim().parse().ok();
        let number = number.filter(|number| (1..=KEPT_MAX).contains(number));
        let (Some(span), Some(number)) = (span, number) else {
            return Err(wrong());
        };
        if kept.insert(span, number).is_some() {
            return Err(wrong());
        }
    }
    let kept = kept.into_iter();
    let kept =
        kept.filter_map(|(span, number)| Some(format!("keep-{}={number}", SPANS.get(span)?)));
    Ok(kept.collect::<Vec<_>>().join(","))
}
