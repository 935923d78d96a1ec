//! Permissions, access rules, login.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, flag, given, list};
use super::super::gate::Call;
use super::super::rights::{Rule, Who};
use super::super::state::State;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/access/permissions", permissions),
    ("GET", "/access/acl", acl),
    ("PUT", "/access/acl", change_acl),
    ("GET", "/access/domains", |_| {
        Ok(
            json!([{"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"}, {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"}]),
        )
    }),
    ("GET", "/access/ticket", |_| NULL),
    ("POST", "/access/ticket", login),
];

const ROOTS: &[&str] = &[
    "/",
    "/access",
    "/access/groups",
    "/nodes",
    "/pool",
    "/sdn",
    "/storage",
    "/vms",
];

fn permissions(call: &mut Call) -> Answer {
    let state = &*call.state;
    let who = match given(&call.params, "userid") {
        Some(id) if id != call.who.id() => {
            let of = id.split('!').next().unwrap_or(&id);
            if of != call.who.user || call.who.token.is_some() && id == of {
                let allowed = state.may(&call.who, "/access", &["Sys.Audit"]);
                if !allowed {
                    return Err(Refusal::forbidden("/access, Sys.Audit"));
                }
            }
            let (user, token) = id
                .split_once('!')
                .map_or((id.clone(), None), |(user, token)| {
                    (user.into(), Some(token.into()))
                });
            Who {
                user,
                token,
                lacks: Vec::new(),
            }
        }
        _ => call.who.clone(),
    };
    let row = |path: &str| -> Value {
        let held = state.privileges(&who, path);
        held.into_iter()
            .map(|(privilege, propagate)| (privilege, Value::from(u8::from(propagate))))
            .collect::<Map<_, _>>()
            .into()
    };
    if let Some(path) = given(&call.params, "path") {
        return Ok(Value::Object(Map::from_iter([(path.clone(), row(&path))])));
    }
    let mut all = Map::new();
    let pooled = state
        .pools
        .values()
        .flat_map(|pool| pool.vms.iter().map(|vmid| format!("/vms/{vmid}")));
    let ruled = state.access.acl.iter().map(|rule| rule.path.clone());
    for path in ROOTS
        .iter()
        .map(|path| path.to_string())
        .chain(ruled)
        .chain(pooled)
    {
        let held = row(&path);
        if held.as_object().is_some_and(|held| !held.is_empty()) {
            all.insert(path, held);
        }
    }
    Ok(all.into())
}

fn acl(call: &mut Call) -> Answer {
    let state = &*call.state;
    let rows = state
        .access
        .acl
        .iter()
        .filter(|rule| state.may(&call.who, &rule.path, &["Permissions.Modify", "Sys.Audit"]));
    Ok(rows.map(|rule| json!({"path": rule.path, "propagate": u8::from(rule.propagate), "roleid": rule.role, "ugid": rule.ugid, "type": rule.kind})).collect())
}

const TREES: &[&str] = &[
    "access", "mapping", "nodes", "pool", "sdn", "storage", "vms",
];

fn change_acl(call: &mut Call) -> Answer {
    let params = call.params.clone();
    let path = call.text("path");
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    if !path.starts_with('/') || !(first.is_empty() || TREES.contains(&first)) {
        return Err(Refusal::param("path", format!("invalid ACL path '{path}'")));
    }
    let fail = |text: String| Refusal::die(format!("ACL update failed: {text}"));
    let kinds = [("users", "user"), ("groups", "group"), ("tokens", "token")];
    if kinds.iter().all(|(key, _)| !params.contains_key(*key)) {
        let text = "either 'users', 'groups' or 'tokens' is required.";
        let errors = kinds
            .iter()
            .map(|(key, _)| (key.to_string(), Value::from(text)));
        return Err(Refusal::params(errors.collect()));
    }
    let propagate = given(&params, "propagate").is_none_or(|propagate| propagate == "1");
    for role in list(&call.text("roles")) {
        if call.state.access.role(&role).is_none() {
            return Err(fail(format!("role '{role}' does not exist")));
        }
        for (key, kind) in kinds {
            for ugid in list(&given(&params, key).unwrap_or_default()) {
                if !known(call.state, kind, &ugid) {
                    return Err(fail(format!("{kind} '{ugid}' does not exist")));
                }
                let rule = Rule {
                    path: path.clone(),
                    propagate,
                    role: role.clone(),
                    ugid,
                    kind: kind.into(),
                };
                let acl = &mut call.state.access.acl;
                acl.retain(|old| {
                    !(old.path == rule.path && old.role == rule.role && old.ugid == rule.ugid)
                });
                if !flag(&params, "delete") {
                    acl.push(rule);
                }
            }
        }
    }
    NULL
}

fn known(state: &State, kind: &str, id: &str) -> bool {
    let access = &state.access;
    match kind {
        "user" => access.users.contains_key(id),
        "group" => access.groups.contains_key(id),
        _ => id.split_once('!').is_some_and(|(user, token)| {
            access
                .users
                .get(user)
                .is_some_and(|user| user.tokens.contains_key(token))
        }),
    }
}

fn login(call: &mut Call) -> Answer {
    let name = call.text("username");
    let id = match given(&call.params, "realm") {
        Some(realm) => format!("{name}@{realm}"),
        None => name,
    };
    let password = call.text("password");
    let state = &*call.state;
    let fits =
        state.access.users.get(&id).is_some_and(|user| {
            user.enable && !user.password.is_empty() && user.password == password
        });
    if !fits && state.ticket_user(&password).as_deref() != Some(id.as_str()) {
        return Err(Refusal::http(401, "authentication failure\n"));
    }
    let who = Who {
        user: id.clone(),
        ..Who::default()
    };
    let mut cap = Map::new();
    for (area, path, stems) in [
        ("vms", "/vms", &["VM."][..]),
        ("storage", "/storage", &["Datastore."]),
        ("nodes", "/nodes", &["Sys."]),
        ("access", "/access", &["User.", "Group."]),
        ("dc", "/", &["Sys.Audit", "Sys.Modify", "SDN."]),
        ("sdn", "/sdn", &["SDN."]),
        ("mapping", "/mapping", &["Mapping."]),
    ] {
        let held = state
            .privileges(&who, path)
            .into_keys()
            .filter(|privilege| {
                stems.iter().any(|stem| privilege.starts_with(stem))
                    || (privilege == "Permissions.Modify" && area != "dc")
            });
        cap.insert(
            area.into(),
            held.map(|privilege| (privilege, Value::from(1)))
                .collect::<Map<_, _>>()
                .into(),
        );
    }
    let mut answer = json!({"username": id, "ticket": state.ticket(&id), "CSRFPreventionToken": state.csrf(&id), "cap": cap});
    if !state.standalone {
        answer["clustername"] = state.name.clone().into();
    }
    Ok(answer)
}
