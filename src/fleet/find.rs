//! Which cluster and which guest a call means, though lists tell names late (see [`super::index`]).
//!
//! Where the list has no name, the guest is asked for; before anything is changed, the one that bears
//! the name is held against what its node says; and what no list has is asked of the nodes of the
//! cluster that was decided, before it is an error. Nobody asks the nodes of the whole fleet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Fleet;
use super::index::Names;
use super::index::{CachedIndex, Guest, ResourceIndex};
use super::registry::{
    self, ClusterQuestion, Decision, FirstDecision, IndexedCluster, NamedSubject,
};
use crate::error::{Code, Error, Happened};
use crate::wait;

/// So many VMIDs of guests without a name are listed.
const NAMELESS_SHOWN: usize = 10;
/// So many guests of a cluster are asked how they are called, for one call.
const ASKED_MAX: usize = 20;
/// How long, in seconds, that may take on one cluster.
const ASKED_TIMEOUT_S: u64 = 2;

/// What one cluster has, as far as it is known.
struct Looked {
    cached_index: Arc<CachedIndex>,
    names: Names,
    /// The guests that are meant.
    guests: Vec<Guest>,
}

impl Fleet {
    /// Which cluster a call means; for an existing guest also the guest.
    ///
    /// # Errors
    /// The call's words mean no cluster, or several; nothing of that name is there; or, for
    /// anything above reading, a cluster that might have it too is silent. Nothing was changed.
    pub fn locate(&self, ask: &ClusterQuestion) -> Result<(Decision, Option<Guest>), Error> {
        let since = Instant::now();
        let decision = match registry::by_words(&self.config, ask)? {
            FirstDecision::Decided(decision) => decision,
            FirstDecision::Look => self.locate_by_place(ask, since)?,
        };
        let guest = match ask.named {
            NamedSubject::Vmid(_) | NamedSubject::Guest(_) => {
                Some(self.guest(&decision, ask, since)?)
            }
            _ => None,
        };
        Ok((decision, guest))
    }

    fn locate_by_place(&self, ask: &ClusterQuestion, since: Instant) -> Result<Decision, Error> {
        let all: Vec<usize> = self.config.settled().collect();
        // What is changed is looked for to the end.
        let hurried = ask.reading;
        if let Some(decision) = self.look_for(&all, ask, since, hurried)? {
            return Ok(decision);
        }
        all.iter().for_each(|cluster| self.forget(*cluster));
        if let Some(decision) = self.look_for(&all, ask, since, hurried)? {
            return Ok(decision);
        }
        let subject = registry::subject_text(ask.named);
        let doubts = self.doubts(&all, ask.named)?;
        let late = match ask.named {
            NamedSubject::Guest(_) => {
                ", as far as lists tell: a name that was given within the last 12 s is found where \
                 `cluster` says on which"
            }
            NamedSubject::Pool(_) => "; a new one is made where `cluster` is said",
            _ => "",
        };
        Err(Error::bad(format!(
            "no cluster has {subject}{doubts}{late}"
        )))
    }

    /// Looks on `clusters` (the others count as empty) for the subject.
    fn look_for(
        &self,
        clusters: &[usize],
        ask: &ClusterQuestion,
        since: Instant,
        hurried: bool,
    ) -> Result<Option<Decision>, Error> {
        let is_guest = matches!(ask.named, NamedSubject::Vmid(_) | NamedSubject::Guest(_));
        let needs_permissions = is_guest && !ask.reading;
        let look = |cluster| {
            let looked = self.look_named(cluster, ask, since)?;
            let sees_all = !needs_permissions || self.visibility(cluster)?.guests;
            Ok((looked, sees_all))
        };
        let looked = match hurried {
            true => self.fan_out_hurried(clusters, look),
            false => self.fan_out(clusters, look),
        };
        let mut seen: Vec<Option<(Looked, bool)>> = Vec::new();
        for result in looked {
            match result {
                Some(Err(error)) if error.is_cancelled() => return Err(error),
                Some(Ok(found)) => seen.push(Some(found)),
                Some(Err(_)) | None => seen.push(None),
            }
        }
        let indexed_clusters = seen.iter().map(|seen| {
            seen.as_ref().map(|(looked, sees_all)| IndexedCluster {
                rows: &looked.cached_index.rows,
                names: &looked.names,
                sees_all: *sees_all,
            })
        });
        registry::by_place(&self.config, ask, &indexed_clusters.collect())
    }

    /// What is where on a cluster, and what its guests are called as far as it matters for the name that
    /// is asked for.
    fn look_named(
        &self,
        cluster: usize,
        ask: &ClusterQuestion,
        since: Instant,
    ) -> Result<Looked, Error> {
        let looked = self.look_known(cluster, ask.named)?;
        let NamedSubject::Guest(_) = ask.named else {
            return Ok(looked);
        };
        let (rows, names) = (&looked.cached_index.rows, &looked.names);
        let mut bearers: Vec<&Guest> = looked.guests.iter().collect();
        if ask.reading && bearers.len() < 2 {
            bearers.clear();
        }
        bearers.retain(|guest| !names.is_known_since(guest.vmid, since));
        let mut nameless = rows.nameless(names);
        nameless.retain(|guest| rows.is_online(&guest.node));
        if bearers.is_empty() && nameless.is_empty() {
            return Ok(looked);
        }
        let all_there = wait::within(Duration::from_secs(ASKED_TIMEOUT_S), || {
            let mut all_there = true;
            for guest in bearers {
                all_there &= self.ask_name(cluster, guest)?;
            }
            for guest in nameless.iter().take(ASKED_MAX) {
                match self.ask_name(cluster, guest) {
                    Ok(is_there) => all_there &= is_there,
                    Err(error) if error.is_cancelled() => return Err(error),
                    // Its name stays unknown.
                    Err(_) if wait::remaining().is_some_and(|left| left.is_zero()) => break,
                    Err(_) => {}
                }
            }
            Ok(all_there)
        })?;
        if !all_there {
            // One has moved, or is gone.
            self.forget(cluster);
        }
        self.look_known(cluster, ask.named)
    }

    /// What is where on a cluster, as far as that is known now.
    fn look_known(&self, cluster: usize, named: NamedSubject) -> Result<Looked, Error> {
        let cached_index = self.look(cluster)?;
        let names = self.names(cluster);
        let rows = &cached_index.rows;
        let guests = match named {
            NamedSubject::Vmid(vmid) => rows.by_vmid(vmid, &names).into_iter().collect(),
            NamedSubject::Guest(name) => rows.by_name(name, &names),
            _ => Vec::new(),
        };
        Ok(Looked {
            cached_index,
            names,
            guests,
        })
    }

    /// The guest on the cluster that was decided for, which is asked once more on a miss, and then its
    /// nodes.
    fn guest(
        &self,
        decision: &Decision,
        ask: &ClusterQuestion,
        since: Instant,
    ) -> Result<Guest, Error> {
        let cluster = decision.cluster;
        if let Some(guest) = self.guest_by(cluster, ask, since)? {
            return Ok(guest);
        }
        if self.look(cluster)?.at < since {
            self.forget(cluster);
            if let Some(guest) = self.guest_by(cluster, ask, since)? {
                return Ok(guest);
            }
        }
        let told = self.ask_nodes(cluster, ask.named)?;
        if let Some(guest) = self.guest_by(cluster, ask, since)? {
            return Ok(guest);
        }
        if let Some(guest) = self.only(cluster, ask.named, told.found)? {
            return Ok(guest);
        }
        Err(self.not_there(decision, ask, &told.silent)?)
    }

    /// Holds a node against the cluster that was decided for, of which a narrowed list says nothing.
    ///
    /// # Errors
    /// It has no such node; where that is.
    pub fn check_node(&self, decision: &Decision, node: &str) -> Result<(), Error> {
        if self.look(decision.cluster)?.rows.has_node(node) {
            return Ok(());
        }
        let ask = ClusterQuestion {
            cluster: Some(self.cluster_name(decision.cluster)),
            named: NamedSubject::Node(node),
            beside: None,
            reading: true,
        };
        Err(self.not_there(decision, &ask, &[])?)
    }

    /// Why the subject is not on the cluster that was decided for, and where it is instead.
    fn not_there(
        &self,
        decision: &Decision,
        ask: &ClusterQuestion,
        silent_nodes: &[String],
    ) -> Result<Error, Error> {
        let cluster = decision.cluster;
        let subject = registry::subject_text(ask.named);
        let (here, why) = (self.cluster_name(cluster), &decision.chosen_by);
        let several = self.members.len() > 1;
        let other = if several { self.elsewhere(ask)? } else { None };
        match other {
            Some(other) if ask.cluster.is_none() => {
                let sentence =
                    format!("{subject} is not on {here} (chosen by {why}), but on {other}");
                return Ok(Error::ambiguous(sentence, Vec::new(), Vec::new()));
            }
            Some(other) => {
                return Ok(Error::bad(format!(
                    "{here} (chosen by {why}) has no {subject}; it is on {other}"
                )));
            }
            None => {}
        }
        let mut problem = format!("{here} (chosen by {why}) has no {subject}");
        if matches!(ask.named, NamedSubject::Node(_)) {
            let nodes = self.look(cluster)?.rows.nodes().join(", ");
            problem.push_str(&format!("; its nodes are {nodes}"));
        }
        if matches!(ask.named, NamedSubject::Guest(_)) {
            problem.push_str(&lost(&self.look(cluster)?.rows, &self.names(cluster)));
        }
        if !silent_nodes.is_empty() {
            let nodes = silent_nodes.join(", ");
            problem.push_str(&format!(", as far as it answered: not of node {nodes}"));
        }
        problem.push_str(&self.doubts(&[cluster], ask.named)?);
        Ok(Error::bad(problem))
    }

    /// Which clusters have the subject, for an error's sentence.
    fn elsewhere(&self, ask: &ClusterQuestion) -> Result<Option<String>, Error> {
        let all: Vec<usize> = self.config.settled().collect();
        all.iter().for_each(|cluster| self.forget(*cluster));
        let reading = ClusterQuestion {
            beside: None,
            reading: true,
            ..*ask
        };
        match self.look_for(&all, &reading, Instant::now(), ask.reading) {
            Ok(found) => Ok(found.map(|found| self.cluster_name(found.cluster).to_string())),
            Err(error) if error.code == Code::AmbiguousClusterSelection => {
                let there = &error.candidates;
                Ok((!there.is_empty()).then(|| there.join(", ")))
            }
            Err(error) => Err(error),
        }
    }

    fn guest_by(
        &self,
        cluster: usize,
        ask: &ClusterQuestion,
        since: Instant,
    ) -> Result<Option<Guest>, Error> {
        let looked = self.look_named(cluster, ask, since)?;
        self.only(cluster, ask.named, looked.guests)
    }

    fn only(
        &self,
        cluster: usize,
        named: NamedSubject,
        mut found: Vec<Guest>,
    ) -> Result<Option<Guest>, Error> {
        if found.len() > 1 {
            let name = match named {
                NamedSubject::Guest(name) => name.to_string(),
                other => registry::subject_text(other),
            };
            let sentence = format!("several guests are named `{name}`");
            let (code, cluster) = (Code::AmbiguousGuest, self.cluster_name(cluster));
            let mut error = Error::new(code, Happened::Nothing, cluster, sentence)
                .hint("repeat the call with the VMID as `guest`");
            error.candidates = found.iter().map(|guest| guest.vmid.to_string()).collect();
            return Err(error);
        }
        Ok(found.pop())
    }

    /// The guest that is meant on this cluster, for reading.
    ///
    /// # Errors
    /// The cluster does not say what it has; several bear the name.
    pub(crate) fn guest_on(
        &self,
        cluster: usize,
        named: NamedSubject,
    ) -> Result<Option<Guest>, Error> {
        let ask = ClusterQuestion {
            cluster: None,
            named,
            beside: None,
            reading: true,
        };
        self.guest_by(cluster, &ask, Instant::now())
    }

    /// The guest that has a VMID; where that may be another than a moment ago, it is asked for its name.
    pub(crate) fn bearer(
        &self,
        cluster: usize,
        vmid: u32,
        is_fresh: bool,
    ) -> Result<Option<Guest>, Error> {
        let found = self.guest_on(cluster, NamedSubject::Vmid(vmid))?;
        if !is_fresh || self.names(cluster).of(vmid).is_some() {
            return Ok(found);
        }
        match found {
            Some(guest) if self.ask_name(cluster, &guest)? => {
                self.guest_on(cluster, NamedSubject::Vmid(vmid))
            }
            _ => Ok(None),
        }
    }

    /// The guest of this VMID as the cluster says now.
    pub(crate) fn guest_now(&self, cluster: usize, vmid: u32) -> Result<Option<Guest>, Error> {
        self.forget(cluster);
        self.guest_on(cluster, NamedSubject::Vmid(vmid))
    }
}

/// The guests that the name may belong to, for an error's sentence.
fn lost(rows: &ResourceIndex, names: &Names) -> String {
    let mut nameless = rows.nameless(names);
    let is_lost = |guest: &Guest| !rows.is_online(&guest.node);
    let why = if nameless.iter().all(is_lost) {
        "guests whose node is lost have no name now"
    } else {
        "the names of some guests could not be read"
    };
    if nameless.is_empty() {
        return String::new();
    }
    nameless.truncate(NAMELESS_SHOWN);
    let vmids: Vec<String> = nameless
        .iter()
        .map(|guest| guest.vmid.to_string())
        .collect();
    format!(", but {why}: say the VMID ({})", vmids.join(", "))
}
