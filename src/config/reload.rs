//! What is taken over of a configuration that was changed while the program runs. Pure: what the machine
//! knows comes in as [`ReloadContext`].
//!
//! At once: whatever tightens; changed tokens and new clusters that stand literally in the file and are
//! nobody's, the clusters for reading by their name only. All else waits for a restart: coding hosts
//! give the model a file editor, which must not loosen what holds the model back.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::newcomer;
use super::rule::Rule;
use super::safety::{ConfirmMode, Switches};
use super::variables::{self, CLUSTERS, ReloadMerge, Scope, VARIABLES};
use super::{Cluster, Config, ConfigReport};
use crate::api::mark::Effect;
use crate::log;
use crate::proxmox::secret::{Secret, SecretSource};

/// What became of a changed configuration.
pub struct Reload {
    /// What holds from now on. The clusters known before keep their places.
    pub config: Config,
    /// The places of the clusters whose token has changed.
    pub tokens: Vec<usize>,
    /// The tools that are switched off from now on.
    pub switched_off: Vec<&'static str>,
    /// What was taken over, a phrase each.
    pub taken: Vec<String>,
    /// What waits for a restart, a variable or a phrase each.
    pub waiting: Vec<String>,
}

/// So many problems of a broken file are told in an answer; all stand on standard error.
const PROBLEMS_SHOWN_MAX: usize = 3;
/// The variable that a joined cluster's level comes from, in a sentence.
const JOINED: &str = "a cluster that came while this server ran";

/// A variable, with what it stands in before and now.
pub(super) struct ChangedVariable<'a, T> {
    /// As it is told.
    name: &'a str,
    old: &'a T,
    new: &'a T,
    /// The file's variables whose value holds a `${NAME}`.
    expanded: &'a [String],
}

impl<'a, T> ChangedVariable<'a, T> {
    fn new(name: &'a str, old: &'a T, new: &'a T, file: &'a Config) -> ChangedVariable<'a, T> {
        ChangedVariable {
            name,
            old,
            new,
            expanded: &file.expanded,
        }
    }
}

/// A cluster that the file has changed.
pub(super) struct ChangedCluster {
    /// What holds of it from now on.
    held: Cluster,
    /// The changed one, as it was before in what a reload looks at by itself.
    rest: Cluster,
}

impl ChangedCluster {
    fn new(old: &Cluster, new: &Cluster) -> ChangedCluster {
        ChangedCluster {
            held: old.clone(),
            rest: new.clone(),
        }
    }
}

/// What a reload asks the machine.
pub struct ReloadContext<'a> {
    /// The addresses of a host's name, where it resolves at once.
    pub addresses: &'a dyn Fn(&str) -> Option<Vec<IpAddr>>,
    /// Whether an address is one of this very machine.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// Whether a cluster, of the given place aside, was seen to have this secret, wherever from.
    pub has_secret: &'a dyn Fn(&Secret, Option<usize>) -> bool,
    /// What these switches do to the tools that there are.
    pub switched: &'a dyn Fn(&Switches) -> SwitchedTools,
}

/// The tools that other switches take away, and those that they would add.
#[derive(Default)]
pub struct SwitchedTools {
    pub off: Vec<&'static str>,
    pub on: Vec<&'static str>,
}

impl ReloadContext<'_> {
    /// Whether one of `held`, of `except` aside, has its secret from the same place, or has the same.
    pub(super) fn is_held(
        &self,
        secret: &SecretSource,
        held: &[Cluster],
        except: Option<usize>,
    ) -> bool {
        let others = held.iter().enumerate();
        let mut others = others.filter(|(place, _)| Some(*place) != except);
        others.any(|(_, one)| one.settings.secret == *secret)
    }
}

/// Merges `new`, as the file has it now, into what holds. The switches stay as they are: the tools that
/// they take away are told by name.
pub fn reload(old: &Config, new: Config, around: &ReloadContext) -> Reload {
    let mut reload = Reload {
        config: old.clone(),
        tokens: Vec::new(),
        switched_off: Vec::new(),
        taken: Vec::new(),
        waiting: Vec::new(),
    };
    for row in VARIABLES.iter().filter(|row| row.scope == Scope::Registry) {
        match row.merge {
            ReloadMerge::Within => {}
            ReloadMerge::All(merge) => merge(
                &mut reload,
                &ChangedVariable::new(row.name, old, &new, &new),
            ),
            ReloadMerge::Each(merge) => {
                let mut parts = ChangedCluster::new(&old.every, &new.every);
                let changed = ChangedVariable::new(row.name, &old.every, &new.every, &new);
                merge(&mut parts, &mut reload, &changed);
                reload.config.every = parts.held;
            }
        }
    }
    for (place, known) in old.clusters.iter().enumerate() {
        match new.clusters.iter().find(|one| one.name == known.name) {
            Some(changed) => reload.cluster(place, known, changed, (&new, around)),
            None => reload.waits(format!("the removal of cluster {}", known.name)),
        }
    }
    for added in &new.clusters {
        if old.clusters.iter().all(|known| known.name != added.name) {
            reload.add(old, added, (&new, around));
        }
    }
    let switched = (around.switched)(&new.safety.switches);
    if !switched.off.is_empty() {
        reload.takes(format!("switched off: {}", switched.off.join(", ")));
    }
    if !switched.on.is_empty() {
        reload.waits(format!("switched on: {}", switched.on.join(", ")));
    }
    reload.switched_off = switched.off;
    reload
}

/// What an answer says of a file with problems, of which nothing is taken over.
pub(crate) fn refused(report: &ConfigReport) -> Value {
    report.problems.iter().for_each(|line| log::error(line));
    let shown: Vec<&str> = match report.tells_expanded {
        true => vec!["they stand on standard error: a `${NAME}` of the file could be told by them"],
        false => {
            let shown = report.problems.iter().take(PROBLEMS_SHOWN_MAX);
            shown.map(String::as_str).collect()
        }
    };
    json!({"not_taken_over": shown, "problems": report.problems.len()})
}

/// The patterns with their clusters' names, whose places may be others.
pub(super) fn patterns(config: &Config) -> Vec<(String, String)> {
    let patterns = config.patterns.iter();
    let patterns = patterns.map(|(prefix, place)| (prefix.clone(), config.name(*place).to_owned()));
    patterns.collect()
}

pub(super) fn default_cluster(config: &Config) -> Option<String> {
    config.default.map(|place| config.name(place).to_owned())
}

/// The clusters that go unconfirmed.
fn unconfirmed(config: &Config) -> Vec<&str> {
    let off = config.safety.confirm.off.iter();
    off.map(|place| config.name(*place)).collect()
}

/// A stricter way is taken over, and so are fewer clusters that go unconfirmed.
pub(super) fn confirm(reload: &mut Reload, changed: &ChangedVariable<Config>) {
    let ChangedVariable { name, old, new, .. } = changed;
    let (off_before, off_now) = (unconfirmed(old), unconfirmed(new));
    let (old, new) = (&old.safety.confirm, &new.safety.confirm);
    let held = &mut reload.config.safety.confirm;
    if strictness(new.way) > strictness(old.way) {
        held.way = new.way;
        reload.taken.push((*name).to_owned());
    }
    let kept = old.off.iter().zip(&off_before);
    let kept = kept.filter(|(_, name)| off_now.contains(name));
    let kept: Vec<usize> = kept.map(|(place, _)| *place).collect();
    if kept.len() < old.off.len() {
        held.off = kept;
        reload.takes(format!("{name} (fewer clusters go unconfirmed)"));
    }
    let more_off = off_now.iter().any(|name| !off_before.contains(name));
    if strictness(new.way) < strictness(old.way) || more_off {
        reload.waits(*name);
    }
}

/// A lower level is taken over.
pub(super) fn access(
    parts: &mut ChangedCluster,
    reload: &mut Reload,
    changed: &ChangedVariable<Cluster>,
) {
    let (old, new) = (changed.old, changed.new);
    if new.access < old.access {
        parts.held.access = new.access;
        parts.held.access_variable.clone_from(&new.access_variable);
        reload.takes(changed.name);
    } else if new.access > old.access && old.joined {
        reload.waits(format!("{REST} of {}", old.name));
    } else if new.access > old.access {
        reload.waits(changed.name);
    }
    parts.rest.access = old.access;
    parts.rest.access_variable.clone_from(&old.access_variable);
}

/// More rules are taken over.
pub(super) fn protect(
    parts: &mut ChangedCluster,
    reload: &mut Reload,
    changed: &ChangedVariable<Cluster>,
) {
    let (name, old, new) = (changed.name, &changed.old.protect, &changed.new.protect);
    let (rules, is_unclear) = united(old, new, changed.expanded);
    if rules.len() > old.len() {
        reload.takes(name);
    }
    if is_unclear {
        reload.waits(format!("{name} (new rules with a `${{NAME}}`)"));
    }
    if old.iter().any(|rule| !new.contains(rule)) {
        reload.waits(format!("{name} (rules that were taken out still hold)"));
    }
    parts.held.protect = rules;
    parts.rest.protect.clone_from(old);
}

/// A lower limit is taken over.
pub(super) fn bulk_limit(reload: &mut Reload, changed: &ChangedVariable<Config>) {
    let new = changed.new.safety.bulk_limit;
    match new.cmp(&changed.old.safety.bulk_limit) {
        Ordering::Less => {
            reload.config.safety.bulk_limit = new;
            reload.takes(changed.name);
        }
        Ordering::Equal => {}
        Ordering::Greater => reload.waits(changed.name),
    }
}

/// A file is taken over where there was none.
pub(super) fn audit_log(reload: &mut Reload, changed: &ChangedVariable<Config>) {
    match (&changed.old.safety.audit_log, &changed.new.safety.audit_log) {
        (None, Some(path)) if is_literal(changed.expanded, changed.name) => {
            reload.config.safety.audit_log = Some(path.clone());
            reload.takes(changed.name);
        }
        (before, now) if before != now => reload.waits(changed.name),
        _ => {}
    }
}

/// The ways to confirm, from the loosest to the strictest.
fn strictness(way: ConfirmMode) -> u8 {
    match way {
        ConfirmMode::Code => 0,
        ConfirmMode::Auto => 1,
        ConfirmMode::Ask => 2,
    }
}

impl Reload {
    /// What an answer says of it; nothing where nothing has changed.
    pub(crate) fn notice(&self) -> Option<Value> {
        let parts = [
            ("taken_over", &self.taken),
            ("waits_for_restart", &self.waiting),
        ];
        let parts = parts.into_iter().filter(|(_, what)| !what.is_empty());
        let notice: Map<String, Value> = parts
            .map(|(key, what)| (key.to_owned(), json!(what)))
            .collect();
        (!notice.is_empty()).then_some(Value::Object(notice))
    }

    fn waits(&mut self, what: impl Into<String>) {
        self.waiting.push(what.into());
    }

    fn takes(&mut self, what: impl Into<String>) {
        self.taken.push(what.into());
    }

    /// What waits whenever it says something else.
    pub(super) fn waits_where<T: PartialEq>(
        &mut self,
        changed: &ChangedVariable<Config>,
        value: impl Fn(&Config) -> T,
    ) {
        if value(changed.old) != value(changed.new) {
            self.waits(changed.name);
        }
    }

    fn cluster(
        &mut self,
        place: usize,
        old: &Cluster,
        new: &Cluster,
        (new_config, around): (&Config, &ReloadContext),
    ) {
        let of = |field: &str| format!("{field} of {}", old.name);
        let mut parts = ChangedCluster::new(old, new);
        for row in variables::fields() {
            if let ReloadMerge::Each(merge) = row.merge {
                let name = of(row.name);
                merge(
                    &mut parts,
                    self,
                    &ChangedVariable::new(&name, old, new, new_config),
                );
            }
        }
        let ChangedCluster { mut held, mut rest } = parts;
        let (before, now) = (&old.settings, &new.settings);
        if before.token_id != now.token_id || before.secret != now.secret {
            if self.token_waits(place, new, around) {
                self.waits(format!(
                    "{}, which has to stand literally in the file and be no other's",
                    of("the token")
                ));
            } else {
                held.settings.token_id.clone_from(&now.token_id);
                held.settings.secret = now.secret.clone();
                self.tokens.push(place);
                self.takes(of("the token"));
            }
        }
        (rest.origin, rest.joined) = (old.origin, old.joined);
        rest.settings.token_id.clone_from(&before.token_id);
        rest.settings.secret = before.secret.clone();
        if rest != *old {
            self.waits(of("what else was changed"));
        }
        if let Some(slot) = self.config.clusters.get_mut(place) {
            *slot = held;
        }
    }

    /// Whether a changed token is not taken over: it must stand literally in the file, and be that of no
    /// other cluster. An id that is not changed may be another's too: each cluster has its own tokens.
    fn token_waits(&self, place: usize, new: &Cluster, around: &ReloadContext) -> bool {
        let settings = &new.settings;
        let SecretSource::Value(secret) = &settings.secret else {
            return true;
        };
        let held = &self.config.clusters;
        let id = &settings.token_id;
        let is_changed =
            |(other, one): (usize, &Cluster)| other == place && one.settings.token_id != *id;
        let is_others = |(other, one): (usize, &Cluster)| {
            other != place && one.settings.token_id.eq_ignore_ascii_case(id)
        };
        let takes_an_id =
            held.iter().enumerate().any(is_changed) && held.iter().enumerate().any(is_others);
        takes_an_id
            || !new.origin.token
            || around.is_held(&settings.secret, held, Some(place))
            || (around.has_secret)(secret, Some(place))
    }

    /// Takes a cluster that was not there, for reading and by its name alone. What held all clusters back
    /// so far holds for it too.
    fn add(&mut self, old: &Config, added: &Cluster, (new, around): (&Config, &ReloadContext)) {
        if !is_literal(&new.expanded, CLUSTERS) {
            return self.waits(format!("a new cluster, as {CLUSTERS} holds a `${{NAME}}`"));
        }
        let name = &added.name;
        if let Some(why) = newcomer::objection(&self.config.clusters, added, around) {
            return self.waits(format!("cluster {name}: {why}"));
        }
        let mut joined = added.clone();
        joined.joined = true;
        joined.access = Effect::Read;
        joined.access_variable = JOINED.into();
        joined.protect = united(&old.every.protect, &added.protect, &[]).0;
        joined.settings.validate = old.every.settings.validate;
        joined.settings.renew_after = old.every.settings.renew_after;
        self.takes(format!(
            "cluster {name}, for reads that name it in `cluster`"
        ));
        self.waits(format!("{REST} of {name}"));
        self.config.clusters.push(joined);
    }
}

/// All that a joined cluster does not take part in.
const REST: &str = "everything else";

fn is_literal(expanded: &[String], variable: &str) -> bool {
    expanded.iter().all(|expanded| expanded != variable)
}

/// All rules of both, and whether there are more: of the new ones none is taken of an `expanded` variable,
/// which errors would show.
fn united(old: &[Rule], new: &[Rule], expanded: &[String]) -> (Vec<Rule>, bool) {
    let added = new.iter().filter(|rule| !old.contains(rule));
    let (clear, unclear): (Vec<&Rule>, Vec<&Rule>) =
        added.partition(|rule| is_literal(expanded, &rule.variable));
    let rules = old.iter().chain(clear).cloned().collect();
    (rules, !unclear.is_empty())
}
