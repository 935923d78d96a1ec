//! What is taken over of a configuration that was changed while the program runs. Pure.
//!
//! At once: new clusters, changed tokens, and whatever tightens. All else waits for a restart: coding
//! hosts give the model a file editor, which must not loosen what holds the model back.

use super::config::{Cluster, Config};
use super::rule::Rule;
use super::safety::{Safety, Way};
use crate::proxmox::secret::SecretSource;

/// What became of a changed configuration.
pub struct Reload {
    /// What holds from now on. The clusters known before keep their places.
    pub config: Config,
    /// The places of the clusters whose token has changed.
    pub tokens: Vec<usize>,
    /// What was taken over, a phrase each.
    pub taken: Vec<String>,
    /// What waits for a restart, a variable or a phrase each.
    pub waiting: Vec<String>,
}

/// Merges `new`, as the file has it now, into what holds. Switches of tools are left as they are.
pub fn reload(old: &Config, new: Config) -> Reload {
    let mut reload = Reload {
        config: old.clone(),
        tokens: Vec::new(),
        taken: Vec::new(),
        waiting: Vec::new(),
    };
    reload.safety(&old.safety, &new);
    for (place, known) in old.clusters.iter().enumerate() {
        match new.clusters.iter().find(|one| one.name == known.name) {
            Some(changed) => reload.cluster(place, known, changed),
            None => reload.waits(format!("the removal of cluster {}", known.name)),
        }
    }
    for added in &new.clusters {
        if old.clusters.iter().all(|known| known.name != added.name) {
            reload.add(old, added);
        }
    }
    let named = |config: &Config| -> Vec<(String, String)> {
        let patterns = config.patterns.iter();
        let patterns = patterns.map(|(prefix, place)| (prefix.clone(), name(config, *place)));
        patterns.collect()
    };
    let default = |config: &Config| config.default.map(|place| name(config, place));
    for (variable, differs) in [
        ("PROXMOX_CLUSTER_PATTERNS", named(old) != named(&new)),
        ("PROXMOX_DEFAULT_CLUSTER", default(old) != default(&new)),
        ("PROXMOX_FANOUT", old.fanout != new.fanout),
        ("PROXMOX_LOG", old.log != new.log),
    ] {
        if differs {
            reload.waits(variable);
        }
    }
    reload
}

fn name(config: &Config, place: usize) -> String {
    let cluster = config.clusters.get(place);
    cluster.map_or_else(String::new, |cluster| cluster.name.clone())
}

/// The ways to confirm, from the loosest to the strictest.
fn strictness(way: Way) -> u8 {
    match way {
        Way::Code => 0,
        Way::Auto => 1,
        Way::Ask => 2,
    }
}

impl Reload {
    fn waits(&mut self, what: impl Into<String>) {
        self.waiting.push(what.into());
    }

    fn takes(&mut self, what: impl Into<String>) {
        self.taken.push(what.into());
    }

    fn safety(&mut self, old: &Safety, new_config: &Config) {
        const CONFIRM: &str = "PROXMOX_CONFIRM";
        let new = &new_config.safety;
        if new.access < old.access {
            self.config.safety.access = new.access;
        }
        let (before, now) = (old.confirm.way, new.confirm.way);
        let off = |config: &Config| -> Vec<String> {
            let off = config.safety.confirm.off.iter();
            off.map(|place| name(config, *place)).collect()
        };
        let (off_before, off_now) = (off(&self.config), off(new_config));
        if strictness(now) > strictness(before) {
            self.config.safety.confirm.way = now;
            self.takes(CONFIRM);
        }
        let kept = old.confirm.off.iter().zip(&off_before);
        let kept = kept.filter(|(_, name)| off_now.contains(name));
        let kept: Vec<usize> = kept.map(|(place, _)| *place).collect();
        if kept.len() < old.confirm.off.len() {
            self.config.safety.confirm.off = kept;
            self.takes(format!("{CONFIRM} (fewer clusters go unconfirmed)"));
        }
        let more_off = off_now.iter().any(|name| !off_before.contains(name));
        if strictness(now) < strictness(before) || more_off {
            self.waits(CONFIRM);
        }
        if new.bulk_limit < old.bulk_limit {
            self.config.safety.bulk_limit = new.bulk_limit;
            self.takes("PROXMOX_BULK_LIMIT");
        } else if new.bulk_limit > old.bulk_limit {
            self.waits("PROXMOX_BULK_LIMIT");
        }
        match (&old.audit_log, &new.audit_log) {
            (None, Some(path)) => {
                self.config.safety.audit_log = Some(path.clone());
                self.takes("PROXMOX_AUDIT_LOG");
            }
            (before, now) if before != now => self.waits("PROXMOX_AUDIT_LOG"),
            _ => {}
        }
        let (protect, change) = united(&old.protect, &new.protect);
        self.config.safety.protect = protect;
        self.protection(change, "PROXMOX_PROTECT");
    }

    fn protection(&mut self, change: Change, variable: &str) {
        if change.more {
            self.takes(variable);
        }
        if change.fewer {
            self.waits(format!("{variable} (rules that were taken out still hold)"));
        }
    }

    fn cluster(&mut self, place: usize, old: &Cluster, new: &Cluster) {
        let of = |field: &str| format!("{field} of {}", old.name);
        let mut held = old.clone();
        if new.access < old.access {
            held.access = new.access;
            held.access_variable.clone_from(&new.access_variable);
            self.takes(of("ACCESS"));
        } else if new.access > old.access {
            self.waits(of("ACCESS"));
        }
        let (protect, change) = united(&old.protect, &new.protect);
        held.protect = protect;
        self.protection(change, &of("PROTECT"));
        let (before, now) = (&old.settings, &new.settings);
        let token = |settings: &crate::proxmox::settings::Settings| {
            (settings.token_id.clone(), settings.secret.clone())
        };
        if token(before) != token(now) {
            if starts_a_program(&before.secret, &now.secret) {
                self.waits(of("TOKEN_SECRET_COMMAND"));
            } else {
                held.settings.token_id.clone_from(&now.token_id);
                held.settings.secret = now.secret.clone();
                self.tokens.push(place);
                self.takes(of("the token"));
            }
        }
        let mut rest = new.clone();
        rest.access = old.access;
        rest.access_variable.clone_from(&old.access_variable);
        rest.protect.clone_from(&old.protect);
        rest.settings.token_id.clone_from(&before.token_id);
        rest.settings.secret = before.secret.clone();
        if rest != *old {
            self.waits(of("what else was changed"));
        }
        if let Some(slot) = self.config.clusters.get_mut(place) {
            *slot = held;
        }
    }

    /// Takes a cluster that was not there. What held all clusters back so far holds for it too.
    fn add(&mut self, old: &Config, added: &Cluster) {
        if matches!(added.settings.secret, SecretSource::Command(_)) {
            let name = &added.name;
            return self.waits(format!("cluster {name}, whose secret comes from a program"));
        }
        let mut added = added.clone();
        if self.config.safety.access < added.access {
            added.access = self.config.safety.access;
            added.access_variable = "PROXMOX_ACCESS".into();
        }
        added.protect = united(&old.safety.protect, &added.protect).0;
        self.takes(format!("cluster {}", added.name));
        self.config.clusters.push(added);
    }
}

/// Whether taking the new secret over would start a program that was not named at the start.
fn starts_a_program(old: &SecretSource, new: &SecretSource) -> bool {
    matches!(new, SecretSource::Command(_)) && old != new
}

struct Change {
    more: bool,
    fewer: bool,
}

/// All rules of both.
fn united(old: &[Rule], new: &[Rule]) -> (Vec<Rule>, Change) {
    let mut rules = old.to_vec();
    rules.extend(new.iter().filter(|rule| !old.contains(rule)).cloned());
    let change = Change {
        more: rules.len() > old.len(),
        fewer: old.iter().any(|rule| !new.contains(rule)),
    };
    (rules, change)
}
