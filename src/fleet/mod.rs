//! Where a call is done: the configured clusters, which of them a call means, and what is where.

pub mod fan_out;
pub mod index;
pub mod permissions;
pub mod query;
pub mod registry;
pub mod resource;
pub mod visibility;

mod absent;
mod asked;
mod find;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::answer_count::AnswerCount;
use crate::api::request::{Request, Verb};
use crate::api::schema::Schema;
use crate::config::{Cluster, Config};
use crate::error::Error;
use crate::proxmox::client::{ClientStatus, ClusterClient};
use crate::proxmox::schemas::Schemas;
use crate::proxmox::secret::Secret;
use crate::room::{self, CacheCharge, NoRoom};
use crate::wait;
use index::Names;
use index::{CachedIndex, ResourceIndex};

/// How long, in seconds, a cluster's answer decides where things are.
const INDEX_AGE_S: u64 = 5;
/// How long, in seconds, what a token may do is taken as known.
const PERMISSIONS_AGE_S: u64 = 60;

/// All configured clusters, each with its client and what is known of it.
pub struct Fleet {
    pub config: Config,
    /// How long a cluster's answer decides where things are.
    pub index_age: Duration,
    /// How long what a token may do is taken as known.
    pub permissions_age: Duration,
    /// How long what is known of a guest's name goes before what the list says.
    pub names_age: Duration,
    members: Vec<Member>,
    schemas: Schemas,
}

struct Member {
    client: Arc<ClusterClient>,
    cached_index: Mutex<Option<Arc<CachedIndex>>>,
    names: Mutex<Names>,
    permissions: Mutex<Option<Arc<permissions::CachedPermissions>>>,
    /// Whether it answered when it was last asked with others.
    answers: AtomicBool,
}

impl Member {
    fn new(cluster: &Cluster) -> Member {
        Member {
            client: Arc::new(ClusterClient::new(cluster.settings.clone())),
            cached_index: Mutex::new(None),
            names: Mutex::default(),
            permissions: Mutex::new(None),
            answers: AtomicBool::new(false),
        }
    }
}

impl Fleet {
    /// Contacts nothing.
    pub fn new(config: Config) -> Fleet {
        let members = config.clusters.iter().map(Member::new).collect();
        Fleet {
            config,
            index_age: Duration::from_secs(INDEX_AGE_S),
            permissions_age: Duration::from_secs(PERMISSIONS_AGE_S),
            names_age: Duration::from_secs(index::NAME_AGE_S),
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
            .ok_or_else(|| Error::internal("no such cluster"))
    }

    pub(crate) fn client(&self, cluster: usize) -> Result<&Arc<ClusterClient>, Error> {
        self.member(cluster).map(|member| &member.client)
    }

    /// What is known of a cluster without asking it.
    pub(crate) fn status(&self, cluster: usize) -> ClientStatus {
        let member = self.members.get(cluster);
        member.map_or_else(ClientStatus::default, |member| member.client.status())
    }

    pub fn cluster(&self, cluster: usize) -> Result<&Cluster, Error> {
        let known = self.config.clusters.get(cluster);
        known.ok_or_else(|| Error::internal("no such cluster"))
    }

    pub fn cluster_name(&self, cluster: usize) -> &str {
        let known = self.config.clusters.get(cluster);
        known.map_or("", |cluster| &cluster.name)
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

    /// The cluster's own API description, read where it is not known yet.
    pub(crate) fn schema(&self, cluster: usize) -> Result<Option<Arc<Schema>>, Error> {
        self.schemas.of(self.client(cluster)?)
    }

    /// The cluster's own API description where it is known already.
    pub(crate) fn schema_at_hand(&self, cluster: usize) -> Result<Option<Arc<Schema>>, Error> {
        Ok(self.schemas.at_hand(self.client(cluster)?))
    }

    /// The API description that the cluster serves now.
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

    /// [`Fleet::fan_out`] for what may miss a cluster: once enough have answered, one that takes no
    /// connection is not waited for to the end of its time; see [`AnswerCount`].
    pub(crate) fn fan_out_hurried<T: Send>(
        &self,
        clusters: &[usize],
        work: impl Fn(usize) -> Result<T, Error> + Sync,
    ) -> Vec<Option<Result<T, Error>>> {
        let answers = |cluster: usize| self.members.get(cluster).map(|member| &member.answers);
        let is_usual = |cluster: usize| answers(cluster).is_some_and(|is| is.load(Relaxed));
        let usual = clusters.iter().filter(|cluster| is_usual(**cluster));
        let answer_count = Arc::new(AnswerCount::new(clusters.len(), usual.count()));
        self.fan_out(clusters, |cluster| {
            let (result, answered) = wait::counting_answers(&answer_count, || work(cluster));
            if result.as_ref().is_err_and(Error::is_cancelled) {
                return result;
            }
            // What is known of a cluster may do without asking it.
            let answered = answered || result.is_ok();
            if answered {
                answer_count.add(is_usual(cluster));
            }
            if let Some(answers) = answers(cluster) {
                answers.store(answered, Relaxed);
            }
            result
        })
    }

    /// Forgets what is where on a cluster, since something was written there.
    pub(crate) fn forget(&self, cluster: usize) {
        if let Ok(member) = self.member(cluster) {
            *lock(&member.cached_index) = None;
        }
    }

    /// What is where on one cluster, at most [`Fleet::index_age`] old.
    fn look(&self, cluster: usize) -> Result<Arc<CachedIndex>, Error> {
        let member = self.member(cluster)?;
        let known = lock(&member.cached_index).clone();
        if let Some(cached_index) = known.filter(|known| known.at.elapsed() < self.index_age) {
            return Ok(cached_index);
        }
        let request = Request::new(Verb::Get, "/cluster/resources", &[])?;
        let at = Instant::now();
        let body = member.client.send_raw(&request)?;
        let other =
            |cause: String| Error::no_answer(self.cluster_name(cluster), &request.line(), cause);
        let (rows, _) = room::work(|| ResourceIndex::read(&body));
        let rows = rows.map_err(other)?;
        // What it replaces goes first.
        *lock(&member.cached_index) = None;
        let kept = self
            .keep(rows.bytes())
            .map_err(|why| other(why.to_string()))?;
        let cached_index = Arc::new(CachedIndex { at, rows, kept });
        *lock(&member.cached_index) = Some(Arc::clone(&cached_index));
        Ok(cached_index)
    }

    /// Has so many bytes kept; what is too old to be of use goes for it.
    fn keep(&self, bytes: usize) -> Result<CacheCharge, NoRoom> {
        CacheCharge::new(bytes).or_else(|_| {
            for member in &self.members {
                let mut cached_index = lock(&member.cached_index);
                cached_index.take_if(|known| known.at.elapsed() >= self.index_age);
                let mut permissions = lock(&member.permissions);
                permissions.take_if(|known| known.at.elapsed() >= self.permissions_age);
            }
            CacheCharge::new(bytes)
        })
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
