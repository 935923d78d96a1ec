//! What a token may do, path by path: the one reading of `GET /access/permissions`.
//!
//! The answer lists the top-level paths, every path with an access rule and whatever is in a pool,
//! each with the privileges that the token has there in the end, its user's, groups' and pools'
//! counted in. What it has nothing on is left out, also where a rule says so on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::visibility::TokenVisibility;
use super::{Fleet, lock};
use crate::api::loose::flag;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::room::CacheCharge;

const PERMISSIONS_PATH: &str = "/access/permissions";

/// What a name takes beside its bytes.
const NAME_BYTES: usize = 32;

/// What is known of a cluster's permissions, and since when.
pub(super) struct CachedPermissions {
    pub(super) at: Instant,
    permissions: Arc<TokenPermissions>,
    _kept: CacheCharge,
}

/// The privileges on one path, each with whether it also holds below.
pub type PathPrivileges = BTreeMap<Box<str>, bool>;

/// What a token holds. Equal privileges of many paths are kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenPermissions {
    paths: BTreeMap<Box<str>, Arc<PathPrivileges>>,
    /// What they show. There may be thousands of paths, and each list asks.
    visibility: TokenVisibility,
}

/// Where a token holds a privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivilegeScope {
    /// The path and all below.
    Everywhere,
    /// Some paths below only, or the path alone.
    Somewhere,
    Nowhere,
}

impl TokenPermissions {
    /// Reads the `data` of the answer: 1 is a privilege that also holds below its path, 0 one that
    /// does not. What has another shape says nothing.
    pub fn of(data: &Value) -> TokenPermissions {
        let mut known: BTreeSet<Arc<PathPrivileges>> = BTreeSet::new();
        let mut paths = BTreeMap::new();
        for (path, held) in data.as_object().into_iter().flatten() {
            let Some(held) = held.as_object() else {
                continue;
            };
            let held = held.iter();
            let held: PathPrivileges = held
                .map(|(name, below)| (name.as_str().into(), flag(Some(below))))
                .collect();
            let held = match known.get(&held) {
                Some(equal) => Arc::clone(equal),
                None => {
                    let held = Arc::new(held);
                    known.insert(Arc::clone(&held));
                    held
                }
            };
            paths.insert(path.as_str().into(), held);
        }
        let mut permissions = TokenPermissions {
            paths,
            visibility: TokenVisibility::default(),
        };
        permissions.visibility = TokenVisibility::of(&permissions);
        permissions
    }

    /// The memory that they take, about. Privileges are kept once for all paths that have the same, and
    /// known by their counters here.
    pub fn bytes(&self) -> usize {
        let held = self.paths.values().map(|held| {
            let names = held.keys().map(|name| name.len() + NAME_BYTES);
            names.sum::<usize>() / Arc::strong_count(held)
        });
        let paths = self.paths.keys().map(|path| path.len() + 2 * NAME_BYTES);
        paths.sum::<usize>() + held.sum::<usize>()
    }

    /// What they show.
    pub fn visibility(&self) -> TokenVisibility {
        self.visibility
    }

    /// What is held on a path that the answer names.
    pub fn on(&self, path: &str) -> Option<&PathPrivileges> {
        self.paths.get(path).map(Arc::as_ref)
    }

    /// No privilege at all.
    pub fn is_bare(&self) -> bool {
        self.paths.values().all(|held| held.is_empty())
    }

    /// Whether a privilege holds on `path`: by its own entry, or by the nearest one above that hands
    /// it down.
    pub fn holds(&self, path: &str, privilege: &str) -> bool {
        let mut at = path;
        loop {
            if let Some(held) = self.on(at) {
                return held
                    .get(privilege)
                    .is_some_and(|below| *below || at == path);
            }
            at = match at.rsplit_once('/') {
                _ if at == "/" => return false,
                Some(("", _)) | None => "/",
                Some((above, _)) => above,
            };
        }
    }

    /// Whether the token holds one of several privileges on a path.
    pub fn holds_any(&self, path: &str, privileges: &[&str]) -> bool {
        privileges
            .iter()
            .any(|privilege| self.holds(path, privilege))
    }

    /// Whether a privilege holds on every guest, whichever there are.
    pub fn on_all_guests(&self, privilege: &str) -> bool {
        self.on_all("/vms", privilege, &["/vms/", "/pool/"])
    }

    /// Whether a privilege holds on `path` and below, and no path that begins with one of `below`
    /// takes it away.
    pub fn on_all(&self, path: &str, privilege: &str, below: &[&str]) -> bool {
        let on = |path: &str| self.on(path).and_then(|held| held.get(privilege));
        let is_below = |path: &str| below.iter().any(|start| path.starts_with(start));
        let mut paths = self.paths.iter();
        on(path) == Some(&true)
            && paths.all(|(path, held)| !is_below(path) || held.contains_key(privilege))
    }

    /// How far a privilege on `path` reaches.
    pub fn reach(&self, path: &str, privilege: &str) -> PrivilegeScope {
        let here = self.on(path).and_then(|held| held.get(privilege));
        // What is asked on `/` itself need not reach further.
        if here == Some(&true) || (path == "/" && here.is_some()) {
            return PrivilegeScope::Everywhere;
        }
        let below = format!("{path}/");
        let is_part = |at: &str| path != "/" && (at == path || at.starts_with(&below));
        let mut paths = self.paths.iter();
        if paths.any(|(at, held)| is_part(at) && held.contains_key(privilege)) {
            PrivilegeScope::Somewhere
        } else {
            PrivilegeScope::Nowhere
        }
    }
}

impl Fleet {
    /// What the token of a cluster may do, at most [`Fleet::permissions_age`] old.
    pub(crate) fn permissions(&self, cluster: usize) -> Result<Arc<TokenPermissions>, Error> {
        let member = self.member(cluster)?;
        let known = lock(&member.permissions).clone();
        if let Some(known) = known
            && known.at.elapsed() < self.permissions_age
        {
            return Ok(Arc::clone(&known.permissions));
        }
        self.permissions_now(cluster)
    }

    /// What the token of a cluster may do, asked for now: for what is said of things that it may not see.
    pub(crate) fn permissions_now(&self, cluster: usize) -> Result<Arc<TokenPermissions>, Error> {
        let request = Request::new(Verb::Get, PERMISSIONS_PATH, &[])?;
        let (permissions, bytes) = self.read_permissions(cluster, &request)?;
        let permissions = Arc::new(permissions);
        let member = self.member(cluster)?;
        *lock(&member.permissions) = None;
        let kept = self.keep(bytes);
        let kept =
            kept.map_err(|why| self.unreadable_permissions(cluster, &request, why.to_string()))?;
        let known = CachedPermissions {
            at: Instant::now(),
            permissions: Arc::clone(&permissions),
            _kept: kept,
        };
        *lock(&member.permissions) = Some(Arc::new(known));
        Ok(permissions)
    }

    /// What the token may do on one path, as the cluster decides itself, asked for now.
    pub(crate) fn permissions_on(
        &self,
        cluster: usize,
        path: &str,
    ) -> Result<TokenPermissions, Error> {
        let request = Request::new(Verb::Get, PERMISSIONS_PATH, &[])?.with("path", path);
        self.read_permissions(cluster, &request)
            .map(|(permissions, _)| permissions)
    }

    /// The permissions, and the most that they take.
    fn read_permissions(
        &self,
        cluster: usize,
        request: &Request,
    ) -> Result<(TokenPermissions, usize), Error> {
        let data = self.client(cluster)?.send(request)?.data;
        if !are_permissions(&data) {
            return Err(self.unreadable_permissions(
                cluster,
                request,
                "it lists no permissions".into(),
            ));
        }
        let permissions = TokenPermissions::of(&data);
        let bytes = permissions.bytes();
        Ok((permissions, bytes))
    }

    fn unreadable_permissions(&self, cluster: usize, request: &Request, cause: String) -> Error {
        Error::no_answer(self.cluster_name(cluster), &request.line(), cause)
    }

    /// Forgets what the token may do, since the cluster said otherwise.
    pub(crate) fn forget_permissions(&self, cluster: usize) {
        if let Ok(member) = self.member(cluster) {
            *lock(&member.permissions) = None;
        }
    }

    /// What the token of a cluster sees: an empty place in a list proves nothing where rows are left
    /// out.
    pub(crate) fn visibility(&self, cluster: usize) -> Result<TokenVisibility, Error> {
        self.permissions(cluster)
            .map(|permissions| permissions.visibility())
    }
}

/// Whether this is what is asked for: by path, a number for each privilege.
fn are_permissions(data: &Value) -> bool {
    let plain = |value: &Value| value.is_number() || value.is_string() || value.is_boolean();
    let of_path = |held: &Value| {
        let held = held.as_object();
        held.is_some_and(|held| held.values().all(plain))
    };
    let paths = data.as_object();
    paths.is_some_and(|paths| paths.values().all(of_path))
}
