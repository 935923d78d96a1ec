//! Groups, roles, passwords, realms.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, flag, given, list};
use super::super::gate::Call;
use super::super::roles;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/access/groups", groups),
    ("POST", "/access/groups", add_group),
    ("GET", "/access/groups/{groupid}", group),
    ("PUT", "/access/groups/{groupid}", change_group),
    ("DELETE", "/access/groups/{groupid}", remove_group),
    ("GET", "/access/roles", all_roles),
    ("GET", "/access/roles/{roleid}", role),
    ("POST", "/access/roles", add_role),
    ("PUT", "/access/roles/{roleid}", change_role),
    ("DELETE", "/access/roles/{roleid}", remove_role),
    ("PUT", "/access/password", password),
    ("GET", "/access/domains/{realm}", realm),
];

fn groups(call: &mut Call) -> Answer {
    let access = &call.state.access;
    let members = |group: &str| -> String {
        let users = access
            .users
            .iter()
            .filter(|(_, user)| user.groups.iter().any(|known| known == group));
        users
            .map(|(id, _)| id.as_str())
            .collect::<Vec<_>>()
            .join(",")
    };
    Ok(access
        .groups
        .iter()
        .map(|(id, comment)| json!({"groupid": id, "comment": comment, "users": members(id)}))
        .collect())
}

fn all_roles(call: &mut Call) -> Answer {
    let built_in = roles::BUILT_IN
        .iter()
        .map(|(id, privileges)| json!({"roleid": id, "privs": privileges, "special": 1}));
    let admin =
        json!({"roleid": "Administrator", "privs": roles::PRIVILEGES.join(","), "special": 1});
    let own = call.state.access.roles.iter().map(|(id, privileges)| {
        let privileges: Vec<&str> = privileges.iter().map(String::as_str).collect();
        json!({"roleid": id, "privs": privileges.join(","), "special": 0})
    });
    Ok(built_in.chain([admin]).chain(own).collect())
}

fn role(call: &mut Call) -> Answer {
    let id = call.text("roleid");
    let privileges = call
        .state
        .access
        .role(&id)
        .ok_or_else(|| Refusal::die(format!("role '{id}' does not exist")))?;
    Ok(privileges
        .into_iter()
        .map(|privilege| (privilege, Value::from(1)))
        .collect::<Map<_, _>>()
        .into())
}

fn add_role(call: &mut Call) -> Answer {
    let id = call.text("roleid");
    if id.to_lowercase().starts_with("pve") {
        return Err(Refusal::param(
            "roleid",
            "cannot use role ID starting with the (case-insensitive) 'PVE' namespace",
        ));
    }
    let privileges = list(&call.text("privs")).into_iter().collect();
    call.state.access.roles.insert(id, privileges);
    NULL
}

fn absent(id: &str) -> Refusal {
    Refusal::die(format!("group '{id}' does not exist"))
}

fn add_group(call: &mut Call) -> Answer {
    let id = call.text("groupid");
    if call.state.access.groups.contains_key(&id) {
        return Err(Refusal::die(format!(
            "create group failed: group '{id}' already exists"
        )));
    }
    let comment = call.text("comment");
    call.state.access.groups.insert(id, comment);
    NULL
}

fn group(call: &mut Call) -> Answer {
    let id = call.text("groupid");
    let access = &call.state.access;
    let comment = access.groups.get(&id).ok_or_else(|| absent(&id))?;
    let members: Vec<&String> = access
        .users
        .iter()
        .filter(|(_, user)| user.groups.contains(&id))
        .map(|(id, _)| id)
        .collect();
    Ok(json!({"comment": comment, "members": members}))
}

fn change_group(call: &mut Call) -> Answer {
    let (id, comment) = (call.text("groupid"), given(&call.params, "comment"));
    let known = call
        .state
        .access
        .groups
        .get_mut(&id)
        .ok_or_else(|| absent(&id))?;
    *known = comment.unwrap_or_default();
    NULL
}

fn remove_group(call: &mut Call) -> Answer {
    let id = call.text("groupid");
    call.state
        .access
        .groups
        .remove(&id)
        .ok_or_else(|| absent(&id))?;
    call.state
        .access
        .acl
        .retain(|rule| !(rule.kind == "group" && rule.ugid == id));
    NULL
}

fn change_role(call: &mut Call) -> Answer {
    let (id, privileges, append) = (
        call.text("roleid"),
        list(&call.text("privs")),
        flag(&call.params, "append"),
    );
    let known = call
        .state
        .access
        .roles
        .get_mut(&id)
        .ok_or_else(|| Refusal::die(format!("role '{id}' does not exist")))?;
    if !append {
        known.clear();
    }
    known.extend(privileges);
    NULL
}

fn remove_role(call: &mut Call) -> Answer {
    let id = call.text("roleid");
    if call.state.access.roles.remove(&id).is_none() {
        let built_in = call.state.access.role(&id).is_some();
        return Err(Refusal::die(if built_in {
            format!("auto-generated role '{id}' cannot be deleted")
        } else {
            format!("role '{id}' does not exist")
        }));
    }
    NULL
}

fn password(call: &mut Call) -> Answer {
    let (id, password) = (call.text("userid"), call.text("password"));
    if !call.params.contains_key("confirmation-password") {
        return Err(Refusal::param(
            "confirmation-password",
            "password is required to modify user",
        ));
    }
    let known = call
        .state
        .access
        .users
        .get_mut(&id)
        .ok_or_else(|| Refusal::die(format!("no such user ('{id}')")))?;
    known.password = password;
    NULL
}

fn realm(call: &mut Call) -> Answer {
    match call.text("realm").as_str() {
        "pve" => Ok(
            json!({"type": "pve", "comment": "Proxmox VE authentication server", "digest": super::super::digest::sha1(b"pve")}),
        ),
        "pam" => Ok(
            json!({"type": "pam", "comment": "Linux PAM standard authentication", "digest": super::super::digest::sha1(b"pam")}),
        ),
        other => Err(Refusal::die(format!("domain '{other}' does not exist"))),
    }
}
