//! Who may do what: users, tokens, roles and access rules, evaluated as Proxmox does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::answer::{Params, Refusal, list, text};
use super::roles;
use super::state::State;

#[derive(Clone, Debug, Default)]
pub struct Access {
    pub users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, String>,
    /// Roles beside the built-in ones.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub acl: Vec<Rule>,
}

#[derive(Clone, Debug, Default)]
pub struct User {
    pub enable: bool,
    pub expire: i64,
    pub password: String,
    pub groups: Vec<String>,
    /// comment, email, firstname, lastname, keys
    pub fields: BTreeMap<String, String>,
    pub tokens: BTreeMap<String, Token>,
}

#[derive(Clone, Debug, Default)]
pub struct Token {
    pub secret: String,
    pub privsep: bool,
    pub expire: i64,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub path: String,
    pub propagate: bool,
    pub role: String,
    /// `user@realm`, a group, or `user@realm!token`
    pub ugid: String,
    /// `user`, `group` or `token`
    pub kind: String,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// Empty: nobody.
    pub user: String,
    pub token: Option<String>,
    /// Privileges that a fault takes away.
    pub lacks: Vec<String>,
}

impl Who {
    pub fn id(&self) -> String {
        match &self.token {
            Some(token) => format!("{}!{token}", self.user),
            None => self.user.clone(),
        }
    }

    /// root@pam with a ticket: the only one for whom some options exist.
    pub fn is_root(&self) -> bool {
        self.user == "root@pam" && self.token.is_none()
    }
}

/// Privileges, each with whether it propagates.
pub type Privileges = BTreeMap<String, bool>;

impl Access {
    pub fn role(&self, name: &str) -> Option<Vec<String>> {
        if name == "Administrator" {
            return Some(roles::PRIVILEGES.iter().map(|p| p.to_string()).collect());
        }
        if let Some((_, privileges)) = roles::BUILT_IN.iter().find(|(role, _)| *role == name) {
            return Some(list(privileges));
        }
        self.roles
            .get(name)
            .map(|privileges| privileges.iter().cloned().collect())
    }

    /// The roles that hold for a user or token on a path: the deepest level that says anything wins.
    fn roles_on(&self, id: &str, kind: &str, path: &str) -> BTreeMap<String, bool> {
        let mut found = BTreeMap::new();
        let groups = self
            .users
            .get(id)
            .map(|user| user.groups.clone())
            .unwrap_or_default();
        for level in levels(path) {
            let last = level == path;
            let at = |kind: &str, is: &dyn Fn(&str) -> bool| -> BTreeMap<String, bool> {
                let rules = self
                    .acl
                    .iter()
                    .filter(|rule| rule.path == level && rule.kind == kind && is(&rule.ugid));
                rules
                    .filter(|rule| last || rule.propagate)
                    .map(|rule| (rule.role.clone(), rule.propagate))
                    .collect()
            };
            let mut here = at(kind, &|ugid| ugid == id);
            if here.is_empty() && kind == "user" {
                here = at("group", &|ugid| groups.iter().any(|group| group == ugid));
            }
            if !here.is_empty() {
                found = here;
            }
        }
        if found.contains_key("NoAccess") {
            found.retain(|role, _| role == "NoAccess");
        }
        found
    }
}

fn levels(path: &str) -> Vec<String> {
    let mut all = vec!["/".to_string()];
    let mut walked = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        walked = format!("{walked}/{part}");
        all.push(walked.clone());
    }
    all
}

impl State {
    /// What somebody may do on a path.
    pub fn privileges(&self, who: &Who, path: &str) -> Privileges {
        let mut held = self.raw_privileges(&who.user, who.token.as_deref(), path);
        held.retain(|privilege, _| !who.lacks.contains(privilege));
        held
    }

    fn raw_privileges(&self, user: &str, token: Option<&str>, path: &str) -> Privileges {
        if let Some(token) = token {
            let of_user = self.raw_privileges(user, None, path);
            let separated = self
                .access
                .users
                .get(user)
                .and_then(|user| user.tokens.get(token))
                .is_some_and(|token| token.privsep);
            if !separated {
                return of_user;
            }
            let mut own = self.by_rules(&format!("{user}!{token}"), "token", path);
            own.retain(|privilege, _| of_user.contains_key(privilege));
            return own;
        }
        if user == "root@pam" {
            return roles::PRIVILEGES
                .iter()
                .map(|privilege| (privilege.to_string(), true))
                .collect();
        }
        self.by_rules(user, "user", path)
    }

    fn by_rules(&self, id: &str, kind: &str, path: &str) -> Privileges {
        let mut roles = self.access.roles_on(id, kind, path);
        if !roles.contains_key("NoAccess") {
            for pool in self.pools_of(path) {
                roles.extend(self.access.roles_on(id, kind, &format!("/pool/{pool}")));
            }
        }
        let mut held = Privileges::new();
        for (role, propagate) in roles {
            for privilege in self.access.role(&role).unwrap_or_default() {
                let known = held.entry(privilege).or_insert(false);
                *known = *known || propagate;
            }
        }
        held
    }

    fn pools_of(&self, path: &str) -> Vec<String> {
        let pools = self.pools.iter();
        if let Some(vmid) = path
            .strip_prefix("/vms/")
            .and_then(|id| id.parse::<u32>().ok())
        {
            return pools
                .filter(|(_, pool)| pool.vms.contains(&vmid))
                .map(|(id, _)| id.clone())
                .collect();
        }
        match path.strip_prefix("/storage/") {
            Some(storage) => pools
                .filter(|(_, pool)| pool.storages.contains(storage))
                .map(|(id, _)| id.clone())
                .collect(),
            None => Vec::new(),
        }
    }

    /// Holds at least one of the privileges on the path?
    pub fn may(&self, who: &Who, path: &str, any_of: &[&str]) -> bool {
        let held = self.privileges(who, path);
        any_of.iter().any(|privilege| held.contains_key(*privilege))
    }

    /// Every one of the privileges, or a 403 that names the first that is missing.
    pub fn need(&self, who: &Who, path: &str, all_of: &[&str]) -> Result<(), Refusal> {
        let held = self.privileges(who, path);
        match all_of
            .iter()
            .find(|privilege| !held.contains_key(**privilege))
        {
            Some(missing) => Err(Refusal::forbidden(&format!("{path}, {missing}"))),
            None => Ok(()),
        }
    }

    pub fn need_any(&self, who: &Who, path: &str, any_of: &[&str]) -> Result<(), Refusal> {
        if self.may(who, path, any_of) {
            Ok(())
        } else {
            Err(Refusal::forbidden(&format!("{path}, {}", any_of.join("|"))))
        }
    }

    /// Evaluates a method's `perms`.
    pub fn permitted(&self, who: &Who, perms: &Value, params: &Params) -> Result<(), Refusal> {
        match (perms["user"].as_str(), perms["check"].as_array()) {
            (Some("all" | "world"), _) => Ok(()),
            (_, Some(check)) => self.checked(who, check, params),
            _ if who.is_root() => Ok(()),
            _ => Err(Refusal::forbidden("user != root@pam")),
        }
    }

    fn checked(&self, who: &Who, check: &[Value], params: &Params) -> Result<(), Refusal> {
        let word = |i: usize| check.get(i).and_then(Value::as_str).unwrap_or_default();
        let inner = || check[1..].iter().filter_map(Value::as_array);
        match word(0) {
            "and" => inner().try_for_each(|part| self.checked(who, part, params)),
            "or" if inner().any(|part| self.checked(who, part, params).is_ok()) => Ok(()),
            "or" => Err(Refusal::forbidden("")),
            "perm" => self.perm(who, check, params),
            "perm-modify" => self.need(who, &filled(word(1), params), &["Permissions.Modify"]),
            "userid-param" if word(1) == "self" => {
                if text(params, "userid") == who.user {
                    Ok(())
                } else {
                    Err(Refusal::forbidden(""))
                }
            }
            "userid-param" => {
                let userid = text(params, "userid");
                let Some((_, realm)) = userid.rsplit_once('@') else {
                    return Err(Refusal::die(format!(
                        "value '{userid}' does not look like a valid user name"
                    )));
                };
                self.need(
                    who,
                    &format!("/access/realm/{realm}"),
                    &["Realm.AllocateUser"],
                )
            }
            "userid-group" => self.need_any(who, "/access/groups", &["User.Modify"]),
            _ => Ok(()),
        }
    }

    fn perm(&self, who: &Who, check: &[Value], params: &Params) -> Result<(), Refusal> {
        let path = filled(check[1].as_str().unwrap_or_default(), params);
        let privileges: Vec<&str> = check[2]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let option = |name: &str| {
            check
                .iter()
                .position(|part| part == name)
                .and_then(|i| check.get(i + 1))
        };
        if let Some(needed) = option("require_param").and_then(Value::as_str)
            && !params.contains_key(needed)
        {
            return Err(Refusal::forbidden(""));
        }
        if option("any").is_some_and(|any| any == 1) {
            self.need_any(who, &path, &privileges)
        } else {
            self.need(who, &path, &privileges)
        }
    }

    /// Who a token is, if its secret is right and neither it nor its user is disabled or expired.
    pub fn token(&self, id: &str, secret: &str) -> Option<Who> {
        let (user, token) = id.split_once('!')?;
        let known = self.access.users.get(user)?;
        let found = known.tokens.get(token)?;
        let now = self.now();
        let live = |expire: i64| expire == 0 || expire > now;
        let valid =
            found.secret == secret && known.enable && live(known.expire) && live(found.expire);
        valid.then(|| Who {
            user: user.into(),
            token: Some(token.into()),
            lacks: Vec::new(),
        })
    }
}

fn filled(template: &str, params: &Map<String, Value>) -> String {
    let mut path = template.to_string();
    for (name, _) in params {
        let slot = format!("{{{name}}}");
        if path.contains(&slot) {
            path = path.replace(&slot, &text(params, name));
        }
    }
    path
}
