//! Users and their tokens.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, flag, given, list, number};
use super::super::gate::Call;
use super::super::rights::{Token, User};
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/access/users", users),
    ("POST", "/access/users", add_user),
    ("GET", "/access/users/{userid}", user),
    ("PUT", "/access/users/{userid}", change_user),
    ("DELETE", "/access/users/{userid}", remove_user),
    ("GET", "/access/users/{userid}/token", tokens),
    ("GET", "/access/users/{userid}/token/{tokenid}", token),
    ("POST", "/access/users/{userid}/token/{tokenid}", add_token),
    (
        "PUT",
        "/access/users/{userid}/token/{tokenid}",
        change_token,
    ),
    (
        "DELETE",
        "/access/users/{userid}/token/{tokenid}",
        remove_token,
    ),
];

fn realm(id: &str) -> &str {
    id.rsplit_once('@').map_or("pam", |(_, realm)| realm)
}

fn user_row(id: &str, user: &User, full: bool) -> Value {
    let mut row = json!({"userid": id, "enable": u8::from(user.enable), "expire": user.expire, "realm-type": realm(id)});
    for (key, value) in &user.fields {
        row[key.as_str()] = value.clone().into();
    }
    if full {
        row["groups"] = user.groups.join(",").into();
        row["tokens"] = user
            .tokens
            .iter()
            .map(|(id, token)| token_row(Some(id), token))
            .collect();
    }
    row
}

fn users(call: &mut Call) -> Answer {
    let state = &*call.state;
    let all = state.may(&call.who, "/access/groups", &["User.Modify", "Sys.Audit"]);
    let full = flag(&call.params, "full");
    let seen = state
        .access
        .users
        .iter()
        .filter(|(id, _)| all || (**id == call.who.user && call.who.token.is_none()));
    Ok(seen.map(|(id, user)| user_row(id, user, full)).collect())
}

fn no_user(id: &str) -> Refusal {
    Refusal::die(format!("no such user ('{id}')"))
}

fn writable(call: &Call, what: &str) -> Result<(), Refusal> {
    if call.state.has_quorum() {
        Ok(())
    } else {
        Err(Refusal::die(format!(
            "{what} failed: cfs-lock 'file-user_cfg' error: no quorum!"
        ))
        .waiting(call.lock_s()))
    }
}

fn fill(user: &mut User, params: &Params) {
    for key in ["comment", "email", "firstname", "lastname", "keys"] {
        if let Some(value) = given(params, key) {
            user.fields.insert(key.into(), value);
        }
    }
    if params.contains_key("enable") {
        user.enable = flag(params, "enable");
    }
    if let Some(groups) = given(params, "groups") {
        user.groups = list(&groups);
    }
    user.expire = number(params, "expire").unwrap_or(user.expire);
}

fn add_user(call: &mut Call) -> Answer {
    let id = call.text("userid");
    if !id.contains('@') {
        return Err(Refusal::die(format!(
            "value '{id}' does not look like a valid user name"
        )));
    }
    writable(call, "create user")?;
    if call.state.access.users.contains_key(&id) {
        return Err(Refusal::die(format!(
            "create user failed: user '{id}' already exists"
        )));
    }
    let mut user = User {
        enable: true,
        password: call.text("password"),
        ..User::default()
    };
    fill(&mut user, &call.params);
    call.state.access.users.insert(id, user);
    NULL
}

fn user(call: &mut Call) -> Answer {
    let id = call.text("userid");
    let user = call
        .state
        .access
        .users
        .get(&id)
        .ok_or_else(|| no_user(&id))?;
    let mut row = json!({"enable": u8::from(user.enable), "expire": user.expire, "groups": user.groups, "tokens": null});
    for (key, value) in &user.fields {
        row[key.as_str()] = value.clone().into();
    }
    if !user.tokens.is_empty() {
        let tokens = user
            .tokens
            .iter()
            .map(|(id, token)| (id.clone(), token_row(None, token)));
        row["tokens"] = tokens.collect::<Map<_, _>>().into();
    }
    Ok(row)
}

fn change_user(call: &mut Call) -> Answer {
    let (id, params) = (call.text("userid"), call.params.clone());
    writable(call, "update user")?;
    fill(
        call.state
            .access
            .users
            .get_mut(&id)
            .ok_or_else(|| no_user(&id))?,
        &params,
    );
    NULL
}

fn remove_user(call: &mut Call) -> Answer {
    let id = call.text("userid");
    call.state
        .access
        .users
        .remove(&id)
        .ok_or_else(|| no_user(&id))?;
    call.state
        .access
        .acl
        .retain(|rule| rule.ugid != id && !rule.ugid.starts_with(&format!("{id}!")));
    NULL
}

fn token_row(id: Option<&str>, token: &Token) -> Value {
    let mut row = json!({"privsep": u8::from(token.privsep), "expire": token.expire});
    if let Some(id) = id {
        row["tokenid"] = id.into();
    }
    if let Some(comment) = &token.comment {
        row["comment"] = comment.clone().into();
    }
    row
}

fn tokens(call: &mut Call) -> Answer {
    let id = call.text("userid");
    let user = call
        .state
        .access
        .users
        .get(&id)
        .ok_or_else(|| no_user(&id))?;
    Ok(user
        .tokens
        .iter()
        .map(|(id, token)| token_row(Some(id), token))
        .collect())
}

fn no_token(user: &str, id: &str) -> Refusal {
    Refusal::die(format!("no such token '{id}' for user '{user}'"))
}

fn token(call: &mut Call) -> Answer {
    let (user, id) = (call.text("userid"), call.text("tokenid"));
    let known = call
        .state
        .access
        .users
        .get(&user)
        .ok_or_else(|| no_user(&user))?;
    known
        .tokens
        .get(&id)
        .map(|token| token_row(None, token))
        .ok_or_else(|| no_token(&user, &id))
}

fn add_token(call: &mut Call) -> Answer {
    let (user, id, params) = (
        call.text("userid"),
        call.text("tokenid"),
        call.params.clone(),
    );
    writable(call, "generating token")?;
    let secret = call.state.uuid();
    let known = call
        .state
        .access
        .users
        .get_mut(&user)
        .ok_or_else(|| no_user(&user))?;
    if known.tokens.contains_key(&id) {
        return Err(Refusal::param("tokenid", "Token already exists."));
    }
    let privsep = given(&params, "privsep").is_none_or(|privsep| privsep == "1");
    let token = Token {
        secret: secret.clone(),
        privsep,
        expire: number(&params, "expire").unwrap_or(0),
        comment: given(&params, "comment"),
    };
    let mut info = json!({"privsep": u8::from(privsep).to_string()});
    for key in ["expire", "comment"] {
        if let Some(value) = given(&params, key) {
            info[key] = value.into();
        }
    }
    known.tokens.insert(id.clone(), token);
    Ok(json!({"full-tokenid": format!("{user}!{id}"), "value": secret, "info": info}))
}

fn change_token(call: &mut Call) -> Answer {
    let (user, id, params) = (
        call.text("userid"),
        call.text("tokenid"),
        call.params.clone(),
    );
    let secret = call.state.uuid();
    let known = call
        .state
        .access
        .users
        .get_mut(&user)
        .ok_or_else(|| no_user(&user))?;
    let token = known
        .tokens
        .get_mut(&id)
        .ok_or_else(|| no_token(&user, &id))?;
    let mut row = json!({});
    if params.contains_key("privsep") {
        token.privsep = flag(&params, "privsep");
    }
    token.expire = number(&params, "expire").unwrap_or(token.expire);
    token.comment = given(&params, "comment").or(token.comment.take());
    row["privsep"] = given(&params, "privsep").map_or(u8::from(token.privsep).into(), Value::from);
    row["expire"] = given(&params, "expire").map_or(token.expire.into(), Value::from);
    if let Some(comment) = &token.comment {
        row["comment"] = comment.clone().into();
    }
    if flag(&params, "regenerate") {
        token.secret = secret.clone();
        row["value"] = secret.into();
        row["full-tokenid"] = format!("{user}!{id}").into();
    }
    Ok(row)
}

fn remove_token(call: &mut Call) -> Answer {
    let (user, id) = (call.text("userid"), call.text("tokenid"));
    let known = call
        .state
        .access
        .users
        .get_mut(&user)
        .ok_or_else(|| no_user(&user))?;
    known
        .tokens
        .remove(&id)
        .map(|_| Value::Null)
        .ok_or_else(|| no_token(&user, &id))
}
