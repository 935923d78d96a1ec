//! A change that the running guest did not take: Proxmox refuses it at the hotplug, and keeps it all
//! the same. What waits for the next start, what took effect, what was allocated, and how it is taken
//! back.

use serde_json::{Map, Value};

use super::encoded;
use super::property::{self, DiskContent, Properties};
use crate::api::loose::plain;
use crate::api::request::Request;
use crate::error::{Code, Error};
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::printable;

const VALUE_MAX_CHARS: usize = 200;
/// Parameters that are no option of the guest.
const ABOUT_THE_REQUEST: [&str; 5] = ["digest", "delete", "revert", "force", "skiplock"];
/// The option that the removal of a disk changes too.
const BOOT: &str = "boot";

/// Whether Proxmox refused a change where it was to reach the running guest (texts measured on 9.2).
pub(super) fn is_plug(error: &Error) -> bool {
    let is_of_plug =
        |text: &str| text.contains("hotplug problem") || text.contains("unable to hotplug");
    match error.code {
        Code::Proxmox => error.by_parameter.iter().any(|(_, text)| is_of_plug(text)),
        Code::Task => is_of_plug(&error.cause),
        _ => false,
    }
}

/// What a change came to.
#[derive(Default)]
struct ChangeResult {
    pending: Vec<String>,
    in_effect: Vec<String>,
    allocated: Vec<String>,
    /// Neither in effect nor pending.
    nothing: Vec<String>,
    /// What is to be named to take back what is pending.
    revert: Vec<String>,
}

/// The refusal, with what became of the change. `before` is the configuration that was read for it.
pub(super) fn told(
    reach: &Reach,
    mut error: Error,
    request: &Request,
    before: &Map<String, Value>,
) -> Error {
    let looked = match reach.rows_of_guest("/pending", "key") {
        Ok(rows) => rows,
        Err(cancelled) if cancelled.is_cancelled() => return cancelled,
        Err(cause) => {
            error.seen = Some(format!("it could not be looked at: {cause}"));
            return error.hint(UNSEEN);
        }
    };
    let kind = reach.guest().map_or(GuestKind::Qemu, |guest| guest.kind);
    let came = came(kind, &looked, request, before);
    error.seen = Some(came.sentence());
    error.hint(came.hint())
}

const UNSEEN: &str = "it may be pending and act at the next start: guest_get shows it with `include` \
                      [\"pending\"]; do not repeat it before";

fn came(
    kind: GuestKind,
    rows: &[Value],
    request: &Request,
    before: &Map<String, Value>,
) -> ChangeResult {
    let mut came = ChangeResult::default();
    let row_of = |key: &str| {
        let mut rows = rows.iter();
        rows.find(|row| row.get("key").and_then(Value::as_str) == Some(key))
    };
    let changed = request.params.iter();
    let changed = changed.filter(|(key, _)| !ABOUT_THE_REQUEST.contains(&key.as_str()));
    for (key, sent) in changed {
        let row = row_of(key);
        let now = row.and_then(|row| row.get("value"));
        let next = row.and_then(|row| row.get("pending"));
        match (now, next) {
            (_, Some(next)) => came.waits(key, &encoded::readable(key, next)),
            (Some(now), None) if Some(now) != before.get(key) => came.in_effect.push(key.clone()),
            (Some(now), None) if plain(now) == plain(sent) => {}
            _ => came.nothing.push(key.clone()),
        }
        let made = next.or(now).map(plain);
        if let Some(volume) = made.and_then(|made| new_volume(kind, key, &made, sent)) {
            came.allocated.push(volume);
        }
    }
    let removed = request.params.get("delete").map(plain).unwrap_or_default();
    let removed: Vec<&str> = removed
        .split([',', ' '])
        .filter(|key| !key.is_empty())
        .collect();
    for key in &removed {
        match row_of(key) {
            None => came.in_effect.push(format!("{key} (removed)")),
            Some(row) if row.get("delete").is_some() => came.waits(key, REMOVED),
            Some(_) => came.nothing.push((*key).to_string()),
        }
    }
    // With a disk its place in the order goes, and does not come back with it.
    let is_disk = removed.iter().any(|key| property::is_disk(kind, key));
    let boot = row_of(BOOT).and_then(|row| row.get("pending"));
    if let Some(order) = boot.filter(|_| is_disk && !came.revert.is_empty()) {
        came.waits(BOOT, &plain(order));
    }
    came
}

const REMOVED: &str = "(removed)";

/// The volume that was made for a disk: what was sent for it names only a size.
fn new_volume(kind: GuestKind, key: &str, made: &str, sent: &Value) -> Option<String> {
    let held = |text: &str| property::held(&Properties::parse(text));
    match (held(made), held(&plain(sent))) {
        (DiskContent::Volume(made), DiskContent::Volume(sent))
            if property::is_disk(kind, key) && made != sent =>
        {
            Some(printable(&made, VALUE_MAX_CHARS))
        }
        _ => None,
    }
}

impl ChangeResult {
    fn waits(&mut self, key: &str, value: &str) {
        let shown = printable(value, VALUE_MAX_CHARS);
        self.pending.push(format!("`{key}` = `{shown}`"));
        self.revert.push(key.to_string());
    }

    fn sentence(&self) -> String {
        let quoted = |names: &[String]| format!("`{}`", names.join("`, `"));
        let parts = [
            (!self.pending.is_empty()).then(|| {
                format!(
                    "pending now, to act at the next start: {}",
                    self.pending.join(", ")
                )
            }),
            (!self.allocated.is_empty()).then(|| format!("allocated: {}", quoted(&self.allocated))),
            (!self.in_effect.is_empty()).then(|| format!("in effect: {}", quoted(&self.in_effect))),
            (!self.nothing.is_empty())
                .then(|| format!("left as it was: {}", quoted(&self.nothing))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.join("; ") {
            nothing if nothing.is_empty() => "nothing of it is seen".into(),
            parts => parts,
        }
    }

    fn hint(&self) -> String {
        if self.revert.is_empty() {
            return "what is not in effect was not kept".into();
        }
        let revert = self.revert.join(",");
        let volume = match self.allocated.is_empty() {
            true => "",
            false => {
                "; the volume then stays as `unusedN`, which guest_disk removes, and to repeat the \
                 call would allocate another"
            }
        };
        format!(
            "to take it back: guest_configure with `settings` {{\"revert\": \"{revert}\"}}{volume}; \
             to have it: shut the guest down and start it"
        )
    }
}
