//! Where a call is done: the configured clusters, which of them a call means, and what is where.

pub mod config;
pub mod effect;
pub mod env_file;
pub mod fan_out;
pub mod index;
pub mod loose;
pub mod query;
pub mod registry;
pub mod reload;
pub mod resource;
pub mod rights;
pub mod rule;
pub mod safety;
pub mod sight;
pub mod slip;
pub mod variables;

mod cluster;
mod foreign;
mod names;
mod newcomer;
mod report;
mod spelling;
mod value;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::proxmox::client::{Client, Standing};
use crate::proxmox::request::{Request, Verb};
use crate::proxmox::schema::{Schema, Schemas};
use crate::proxmox::secret::Secret;
use crate::room::{self, Kept, NoRoom};
use config::{Cluster, Config};
use index::{Guest, Rows, Sighting};
use registry::{Ask, Decision, Named, Sighted, Step};

/// How long, in seconds, a cluster's answer decides where things are.
const SIGHTING_AGE_S: u64 = 5;
/// How long, in seconds, what a token may do is taken as known.
const RIGHTS_AGE_S: u64 = 60;

/// So many VMIDs of guests without a name are listed.
const NAMELESS_SHOWN: usize = 10;

/// All configured clusters, each with its client and what is known of it.
pub struct Fleet {
    pub config: Config,
    /// How long a cluster's answer decides where things are.
    pub sighting_age: Duration,
    /// How long what a token may do is taken as known.
    pub rights_age: Duration,
    members: Vec<Member>,
    schemas: Schemas,
}

struct Member {
    client: Client,
    sighting: Mutex<Option<Arc<Sighting>>>,
    rights: Mutex<Option<Arc<rights::Known>>>,
}

impl Member {
    fn new(cluster: &Cluster) -> Member {
        Member {
            client: Client::new(cluster.settings.clone()),
            sighting: Mutex::new(None),
            rights: Mutex::new(None),
        }
    }
}

impl Fleet {
    /// Contacts nothing.
    pub fn new(config: Config) -> Fleet {
        let members = config.clusters.iter().map(Member::new).collect();
        Fleet {
            config,
            sighting_age: Duration::from_secs(SIGHTING_AGE_S),
            rights_age: Duration::from_secs(RIGHTS_AGE_S),
            members,
            schemas: Schemas::new(),
        }
    }

    /// Goes by another configuration from now on, in which the clusters keep their places. What is known
    /// of those in `tokens`, whose token is another, is forgotten.
    pub fn take_over(&mut self, config: Config, tokens: &[usize]) {
        for (place, cluster) in config.clusters.iter().enumerate() {
            match self.members.get_mut(place) {
                None => self.members.push(Member::new(cluster)),
                Some(member) if tokens.contains(&place) => *member = Member::new(cluster),
                Some(_) => {}
            }
        }
        self.config = config;
    }

    /// Whether this is the secret of a cluster, of `except` aside, as far as it was read.
    pub fn has_secret(&self, secret: &Secret, except: Option<usize>) -> bool {
        let others = self.members.iter().enumerate();
        let mut others = others.filter(|(place, _)| Some(*place) != except);
        others.any(|(_, member)| member.client.has_secret(secret))
    }

    fn member(&self, cluster: usize) -> Result<&Member, Error> {
        self.members
            .get(cluster)
            .ok_or_else(|| Error::bad("no such cluster"))
    }

    pub(crate) fn client(&self, cluster: usize) -> Result<&Client, Error> {
        self.member(cluster).map(|member| &member.client)
    }

    /// What is known of a cluster without asking it.
    pub(crate) fn standing(&self, cluster: usize) -> Standing {
        let member = self.members.get(cluster);
        member.map_or_else(Standing::default, |member| member.client.standing())
    }

    pub fn cluster(&self, cluster: usize) -> Result<&Cluster, Error> {
        let known = self.config.clusters.get(cluster);
        known.ok_or_else(|| Error::bad("no such cluster"))
    }

    pub fn cluster_name(&self, cluster: usize) -> &str {
        let known = self.config.clusters.get(cluster);
        known.map_or("", |cluster| cluster.name.as_str())
    }

    /// What the cluster's own API description says against a request; `None` where it serves none.
    /// Before it refuses it is read anew where it has changed.
    pub(crate) fn problems(
        &self,
        cluster: usize,
        request: &Request,
    ) -> Result<Option<Vec<String>>, Error> {
        let client = self.client(cluster)?;
        let first = self.schemas.of(client)?;
        let problems = self::problems(first.as_deref(), request);
        if problems.as_ref().is_none_or(Vec::is_empty) {
            return Ok(problems);
        }
        let again = self.schemas.refreshed(client)?;
        Ok(again.map_or(problems, |schema| self::problems(Some(&schema), request)))
    }

    /// The cluster's own API description where it is known already; asks nobody.
    pub(crate) fn schema_at_hand(&self, cluster: usize) -> Result<Option<Arc<Schema>>, Error> {
        Ok(self.schemas.at_hand(self.client(cluster)?))
    }

    /// The same as the cluster serves it now.
    pub(crate) fn schema_now(&self, cluster: usize) -> Result<Option<Arc<Schema>>, Error> {
        self.schemas.refreshed(self.client(cluster)?)
    }

    /// Reads several clusters at a time; see [`fan_out::fan_out`]. Those of which it is known that
    /// they are down come last, so that the others do not wait for them.
    pub(crate) fn fan_out<T: Send>(
        &self,
        clusters: &[usize],
        work: impl Fn(usize) -> T + Sync,
    ) -> Vec<Option<T>> {
        let is_down = |cluster: &usize| {
            let member = self.members.get(*cluster);
            member.is_some_and(|member| member.client.is_down())
        };
        let mut places: Vec<(usize, usize)> = clusters.iter().copied().enumerate().collect();
        places.sort_by_cached_key(|(_, cluster)| is_down(cluster));
        let order: Vec<usize> = places.iter().map(|(_, cluster)| *cluster).collect();
        let results = fan_out::fan_out(&order, self.config.fanout, work);
        let mut results: Vec<(usize, Option<T>)> = places
            .iter()
            .map(|(place, _)| *place)
            .zip(results)
            .collect();
        results.sort_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Forgets what is where on a cluster, since something was written there.
    pub(crate) fn forget(&self, cluster: usize) {
        if let Ok(member) = self.member(cluster) {
            *lock(&member.sighting) = None;
        }
    }

    /// What is where on one cluster, at most [`Fleet::sighting_age`] old.
    fn look(&self, cluster: usize) -> Result<Arc<Sighting>, Error> {
        let member = self.member(cluster)?;
        let known = lock(&member.sighting).clone();
        if let Some(sighting) = known.filter(|known| known.at.elapsed() < self.sighting_age) {
            return Ok(sighting);
        }
        let request = Request::new(Verb::Get, "/cluster/resources", &[])?;
        let at = Instant::now();
        let body = member.client.send_raw(&request)?;
        let other = |cause: String| Error::NotAnAnswer {
            cluster: self.cluster_name(cluster).to_string(),
            request: request.line(),
            wrote: false,
            cause,
        };
        let (rows, _) = room::work(|| Rows::read(&body));
        let rows = rows.map_err(other)?;
        // What it replaces goes first.
        *lock(&member.sighting) = None;
        let kept = self
            .keep(rows.bytes())
            .map_err(|why| other(why.to_string()))?;
        let sighting = Arc::new(Sighting { at, rows, kept });
        *lock(&member.sighting) = Some(Arc::clone(&sighting));
        Ok(sighting)
    }

    /// Has so many bytes kept; what is too old to be of use goes for it.
    fn keep(&self, bytes: usize) -> Result<Kept, NoRoom> {
        Kept::new(bytes).or_else(|_| {
            for member in &self.members {
                let mut sighting = lock(&member.sighting);
                sighting.take_if(|known| known.at.elapsed() >= self.sighting_age);
                let mut rights = lock(&member.rights);
                rights.take_if(|known| known.at.elapsed() >= self.rights_age);
            }
            Kept::new(bytes)
        })
    }

    /// Which cluster a call means; for an existing guest also the guest.
    ///
    /// # Errors
    /// The call's words mean no cluster, or several; nothing of that name is there; or, for
    /// anything above reading, a cluster that might have it too is silent. Nothing was changed.
    pub fn locate(&self, ask: &Ask) -> Result<(Decision, Option<Guest>), Error> {
        let decision = match registry::by_words(&self.config, ask)? {
            Step::Decided(decision) => decision,
            Step::Look => self.locate_by_place(ask)?,
        };
        let guest = match ask.named {
            Named::Vmid(_) | Named::Guest(_) => Some(self.guest(&decision, ask)?),
            _ => None,
        };
        Ok((decision, guest))
    }

    fn locate_by_place(&self, ask: &Ask) -> Result<Decision, Error> {
        let all: Vec<usize> = self.config.settled().collect();
        if let Some(decision) = self.look_for(&all, ask)? {
            return Ok(decision);
        }
        all.iter().for_each(|cluster| self.forget(*cluster));
        self.look_for(&all, ask)?.ok_or_else(|| {
            let subject = registry::subject_text(ask.named);
            Error::bad(format!("no cluster has {subject}"))
        })
    }

    /// Looks on `clusters` (the others count as empty) for the subject.
    fn look_for(&self, clusters: &[usize], ask: &Ask) -> Result<Option<Decision>, Error> {
        let is_guest = matches!(ask.named, Named::Vmid(_) | Named::Guest(_));
        let needs_rights = is_guest && !ask.reading;
        let looked = self.fan_out(clusters, |cluster| {
            let sighting = self.look(cluster)?;
            let sees_all = !needs_rights || self.sight(cluster)?.guests;
            Ok((sighting, sees_all))
        });
        let mut seen: Vec<Option<(Arc<Sighting>, bool)>> = Vec::new();
        for result in looked {
            match result {
                Some(Err(Error::Cancelled)) => return Err(Error::Cancelled),
                Some(Ok(found)) => seen.push(Some(found)),
                Some(Err(_)) | None => seen.push(None),
            }
        }
        let sightings = seen.iter().map(|seen| {
            seen.as_ref().map(|(sighting, sees_all)| Sighted {
                rows: &sighting.rows,
                sees_all: *sees_all,
            })
        });
        registry::by_place(&self.config, ask, &sightings.collect())
    }

    /// The guest on the cluster that was decided for, which is asked once more on a miss.
    fn guest(&self, decision: &Decision, ask: &Ask) -> Result<Guest, Error> {
        let cluster = decision.cluster;
        if let Some(guest) = self.guest_in(&self.look(cluster)?.rows, cluster, ask.named)? {
            return Ok(guest);
        }
        self.forget(cluster);
        if let Some(guest) = self.guest_in(&self.look(cluster)?.rows, cluster, ask.named)? {
            return Ok(guest);
        }
        let subject = registry::subject_text(ask.named);
        let here = self.cluster_name(cluster);
        let by_name = ask.cluster.is_none() && self.members.len() > 1;
        if by_name && let Some(other) = self.elsewhere(ask)? {
            return Err(Error::AmbiguousCluster {
                sentence: format!(
                    "{subject} is not on {here} (chosen by {}), but on {other}",
                    decision.chosen_by
                ),
                candidates: Vec::new(),
                silent: Vec::new(),
            });
        }
        let mut problem = format!("{here} (chosen by {}) has no {subject}", decision.chosen_by);
        let sighting = self.look(cluster)?;
        let nameless = sighting.rows.nameless().take(NAMELESS_SHOWN);
        let nameless: Vec<String> = nameless.map(|vmid| vmid.to_string()).collect();
        if matches!(ask.named, Named::Guest(_)) && !nameless.is_empty() {
            let vmids = nameless.join(", ");
            problem.push_str(&format!(
                ", but guests whose node is lost have no name now: say the VMID ({vmids})"
            ));
        }
        Err(Error::bad(problem))
    }

    /// Which clusters have the subject, for an error's sentence.
    fn elsewhere(&self, ask: &Ask) -> Result<Option<String>, Error> {
        let all: Vec<usize> = self.config.settled().collect();
        all.iter().for_each(|cluster| self.forget(*cluster));
        let reading = Ask {
            reading: true,
            ..*ask
        };
        match self.look_for(&all, &reading) {
            Ok(found) => Ok(found.map(|found| self.cluster_name(found.cluster).to_string())),
            Err(Error::AmbiguousCluster { candidates, .. }) => {
                Ok((!candidates.is_empty()).then(|| candidates.join(", ")))
            }
            Err(error) => Err(error),
        }
    }

    fn guest_in(&self, rows: &Rows, cluster: usize, named: Named) -> Result<Option<Guest>, Error> {
        let mut found = match named {
            Named::Vmid(vmid) => rows.by_vmid(vmid).into_iter().collect(),
            Named::Guest(name) => rows.by_name(name),
            _ => Vec::new(),
        };
        if found.len() > 1 {
            return Err(Error::AmbiguousGuest {
                cluster: self.cluster_name(cluster).to_string(),
                name: match named {
                    Named::Guest(name) => name.to_string(),
                    other => registry::subject_text(other),
                },
                vmids: found.iter().map(|guest| guest.vmid).collect(),
            });
        }
        Ok(found.pop())
    }

    /// The guest that is meant on this cluster.
    ///
    /// # Errors
    /// The cluster does not say what it has; several bear the name.
    pub(crate) fn guest_on(&self, cluster: usize, named: Named) -> Result<Option<Guest>, Error> {
        self.guest_in(&self.look(cluster)?.rows, cluster, named)
    }

    /// The guest of this VMID as the cluster says now.
    pub(crate) fn guest_now(&self, cluster: usize, vmid: u32) -> Result<Option<Guest>, Error> {
        self.forget(cluster);
        self.look(cluster).map(|seen| seen.rows.by_vmid(vmid))
    }
}

fn problems(schema: Option<&Schema>, request: &Request) -> Option<Vec<String>> {
    let parts: Vec<&str> = request.path.iter().map(String::as_str).collect();
    Some(match schema?.find(request.verb, &parts) {
        Some(method) => method.check(&request.params),
        None => vec![format!("the cluster's API has no `{}`", request.line())],
    })
}

/// A poisoned lock only means that a reader ended early: what it guards is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
