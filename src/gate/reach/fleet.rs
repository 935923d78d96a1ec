//! Several clusters at once, for reading.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Admitted, Reach};
use crate::api::methods::sending::Sends;
use crate::config::Cluster;
use crate::error::{Code, Error, Happened};
use crate::fleet::Fleet;
use crate::fleet::registry::NamedSubject;
use crate::proxmox::client::ClientStatus;
use crate::room::{self, CacheCharge, NoRoom};

/// The clusters that a fleet-wide read may ask.
pub struct FleetReach<'a> {
    fleet: &'a Fleet,
    clusters: Vec<usize>,
    /// What the action sends.
    sends: Sends,
    /// Whether the caller meant one cluster: then its failure is the call's.
    one: bool,
    asked: RefCell<BTreeSet<usize>>,
    failed: RefCell<Vec<(usize, Error)>>,
    /// The memory that the answers take until the call ends.
    kept: RefCell<Vec<CacheCharge>>,
}

impl<'a> FleetReach<'a> {
    pub(in crate::gate) fn new(
        fleet: &'a Fleet,
        clusters: Vec<usize>,
        one: bool,
        sends: Sends,
    ) -> FleetReach<'a> {
        FleetReach {
            fleet,
            clusters,
            sends,
            one,
            asked: RefCell::default(),
            failed: RefCell::new(Vec::new()),
            kept: RefCell::default(),
        }
    }

    /// Runs `work` on each cluster, several at a time, and gives what those returned that answered.
    /// The others are named in the answer's `errors`.
    ///
    /// # Errors
    /// The call was withdrawn; or the one cluster that was meant failed.
    pub fn ask<T: Send>(
        &self,
        work: impl Fn(&Reach) -> Result<T, Error> + Sync,
    ) -> Result<Vec<(&str, T)>, Error> {
        self.ask_where(|_| true, work)
    }

    /// [`FleetReach::ask`], and whoever takes no connection is waited for to the end of its time, also
    /// where all others have answered.
    ///
    /// # Errors
    /// As [`FleetReach::ask`].
    pub fn ask_patiently<T: Send>(
        &self,
        work: impl Fn(&Reach) -> Result<T, Error> + Sync,
    ) -> Result<Vec<(&str, T)>, Error> {
        self.gather(self.clusters.clone(), false, work)
    }

    /// [`FleetReach::ask`] on those clusters only whose name `wanted` takes.
    ///
    /// # Errors
    /// As [`FleetReach::ask`].
    pub fn ask_where<T: Send>(
        &self,
        wanted: impl Fn(&str) -> bool,
        work: impl Fn(&Reach) -> Result<T, Error> + Sync,
    ) -> Result<Vec<(&str, T)>, Error> {
        let mut clusters = self.clusters.clone();
        clusters.retain(|cluster| wanted(self.fleet.cluster_name(*cluster)));
        self.gather(clusters, true, work)
    }

    fn gather<T: Send>(
        &self,
        clusters: Vec<usize>,
        hurried: bool,
        work: impl Fn(&Reach) -> Result<T, Error> + Sync,
    ) -> Result<Vec<(&str, T)>, Error> {
        let (fleet, sends) = (self.fleet, self.sends);
        self.asked.borrow_mut().extend(&clusters);
        let ask = |cluster| {
            let admitted = Admitted::reading(cluster, sends, None);
            let (found, bytes) = room::work(|| work(&Reach::new(fleet, &admitted, None)));
            let kept = CacheCharge::new(bytes).map_err(|why| too_much(fleet, cluster, bytes, why));
            found.and_then(|found| Ok((found, kept?)))
        };
        let results = match clusters.as_slice() {
            // The share of the time that a fleet leaves to each cluster is not for a single one.
            [only] => vec![Some(ask(*only))],
            several if hurried => fleet.fan_out_hurried(several, ask),
            several => fleet.fan_out(several, ask),
        };
        let mut answered = Vec::new();
        for (cluster, result) in clusters.into_iter().zip(results) {
            let result = result.unwrap_or_else(|| Err(not_asked(fleet, cluster)));
            match result {
                Ok((found, kept)) => {
                    self.kept.borrow_mut().push(kept);
                    answered.push((fleet.cluster_name(cluster), found));
                }
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) if self.one => return Err(error),
                Err(error) => self.failed.borrow_mut().push((cluster, error)),
            }
        }
        Ok(answered)
    }

    /// As [`Reach::elsewhere`], where one cluster is asked; nothing where several are.
    ///
    /// # Errors
    /// The call was withdrawn.
    pub fn elsewhere(&self, named: NamedSubject) -> Result<String, Error> {
        match self.clusters.as_slice() {
            [only] => self.fleet.elsewhere_than(*only, named),
            _ => Ok(String::new()),
        }
    }

    /// How many clusters were asked.
    pub fn asked(&self) -> usize {
        self.asked.borrow().len()
    }

    /// What is known of each cluster without asking it.
    pub fn statuses(&self) -> impl Iterator<Item = (&Cluster, ClientStatus)> {
        let clusters = self.clusters.iter();
        clusters.filter_map(|cluster| {
            let known = self.fleet.cluster(*cluster).ok()?;
            Some((known, self.fleet.status(*cluster)))
        })
    }

    /// Why a cluster did not answer.
    pub fn failure(&self, name: &str) -> Option<Error> {
        let failed = self.failed.borrow();
        let mut failed = failed.iter();
        let found = failed.find(|(cluster, _)| self.fleet.cluster_name(*cluster) == name);
        found.map(|(_, error)| error.clone())
    }

    /// The configuration of each cluster that is asked, with its place.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        let clusters = self.clusters.iter();
        clusters.filter_map(|cluster| self.fleet.cluster(*cluster).ok())
    }

    /// The whole configuration.
    pub fn config(&self) -> &crate::config::Config {
        &self.fleet.config
    }

    /// The clusters that failed, as an answer names them.
    pub fn errors(&self) -> Vec<Value> {
        let failed = self.failed.borrow();
        let rows = failed.iter().map(|(cluster, error)| {
            let mut row = Map::new();
            row.insert("cluster".into(), self.fleet.cluster_name(*cluster).into());
            row.insert("code".into(), error.code.as_str().into());
            row.insert("message".into(), error.to_string().into());
            if let Some(hint) = &error.hint {
                row.insert("hint".into(), hint.as_str().into());
            }
            Value::Object(row)
        });
        rows.collect()
    }
}

fn too_much(fleet: &Fleet, cluster: usize, bytes: usize, why: NoRoom) -> Error {
    let sentence = format!("its rows of {bytes} bytes are left out");
    let name = fleet.cluster_name(cluster);
    Error::new(Code::Reply, Happened::Done, name, sentence).because(why.to_string())
}

fn not_asked(fleet: &Fleet, cluster: usize) -> Error {
    let cause = "not asked: the call's time was over";
    Error::unreachable(fleet.cluster_name(cluster), cause)
}
