//! `access_check`: what a user or token may do on a path, or who may do one thing there, as the cluster itself
//! reckons it; and what our own token lacks for a tool.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::list::{is_disabled, text, tokens_of};
use super::{NAME_MAX_CHARS, name_unseen};
use crate::api::loose::{flag, number};
use crate::api::methods::permissions::PrivilegeOn;
use crate::api::methods::sending;
use crate::api::permission::MissingPrivileges;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::meant;
use crate::proxmox::advice;
use crate::room;
use crate::text::{printable, repeated};
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::rows::{ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools;

const PATH_MAX_CHARS: usize = 200;
const USER_MAX_CHARS: usize = 200;
/// So many users and tokens are asked about in one call.
const ASKED_MAX: usize = 200;
/// The one who has every privilege there is.
const ROOT: &str = "root@pam";

pub(super) const CHECK: Tool = Tool {
    name: "access_check",
    title: "Check who may do what",
    about: "Tells what a user or token may do on a path, or with `privilege` alone who may do that there. Starting and \
            stopping guests is VM.PowerMgmt on `/vms/100`, or on `/vms` for all; our own token without `user`.",
    actions: Actions::one(&[&[
        sending::get("/access/permissions"),
        sending::get("/access/users"),
    ]]),
    subject: Subject::Cluster,
    params: &[
        Param::new(
            "user",
            ParamKind::Text(USER_MAX_CHARS),
            "`ci@pve`, a token `ci@pve!deploy`",
        )
        .optional(),
        Param::new(
            "path",
            ParamKind::Text(PATH_MAX_CHARS),
            "`/vms/100`, `/storage/nas`; else `/`",
        )
        .optional(),
        Param::new(
            "privilege",
            ParamKind::Word(Word::Id),
            "as VM.PowerMgmt; without `user`: who has it",
        )
        .optional(),
        Param::new(
            "tool",
            ParamKind::Word(Word::Id),
            "alone: what our own token lacks for this tool, and the commands that grant it",
        )
        .optional(),
    ],
    answer: &[],
    task: false,
    plan: None,
    run: RunFn::AtOnce(check),
};

/// Somebody who may log in, or a token.
struct Person {
    id: String,
    /// Why it cannot be used now.
    unusable: Option<&'static str>,
}

fn check(reach: &Reach, args: &Args) -> HandlerResult {
    if let Some(tool) = args.text("tool") {
        if let Some(other) = ["user", "path", "privilege"]
            .into_iter()
            .find(|name| args.has(name))
        {
            return Err(Error::bad(format!(
                "`tool` stands alone, without `{other}`"
            )));
        }
        return of_tool(reach, tool);
    }
    let path = args.text("path").unwrap_or("/");
    if !path.starts_with('/') {
        return Err(Error::bad(format!(
            "`path` begins with a slash, as `/vms/100`, unlike `{}`",
            repeated(path)
        )));
    }
    let mut answer = Map::from_iter([("path".to_string(), path.into())]);
    match (args.text("user"), args.text("privilege")) {
        (None, Some(privilege)) => holders(reach, path, privilege, &mut answer)?,
        (user, privilege) => {
            if let Some(user) = user {
                answer.insert("user".into(), printable(user, NAME_MAX_CHARS).into());
            }
            let held = privileges(reach, user, path)?;
            if let Some(privilege) = privilege {
                answer.insert("privilege".into(), privilege.into());
                answer.insert(
                    "may".into(),
                    held.iter().any(|(name, _)| name == privilege).into(),
                );
            } else {
                let only_here: Vec<&str> = held
                    .iter()
                    .filter(|(_, below)| !below)
                    .map(|(name, _)| name.as_str())
                    .collect();
                if !only_here.is_empty() {
                    answer.insert("this_path_only".into(), json!(only_here));
                }
                answer.insert(
                    "privileges".into(),
                    held.iter()
                        .map(|(name, _)| Value::from(name.as_str()))
                        .collect(),
                );
            }
        }
    }
    Ok(answer)
}

/// What our own token lacks of what a tool takes, whatever it is called for.
fn of_tool(reach: &Reach, name: &str) -> HandlerResult {
    let Some(tool) = tools::find(name) else {
        let known: Vec<&str> = tools::all().map(|tool| tool.name).collect();
        let meant = meant::hint(name, &known).map_or(String::new(), |hint| format!("; {hint}"));
        return Err(Error::bad(format!(
            "there is no tool `{}`{meant}",
            repeated(name)
        )));
    };
    let sends = tool.actions().iter().flat_map(|action| action.sends.iter());
    let grants = sends
        .flat_map(|sends| sends.iter())
        .flat_map(|sending| sending.grants);
    let grants: BTreeSet<&PrivilegeOn> = grants.collect();
    let permissions = reach.permissions()?;
    let mut lacks: Vec<MissingPrivileges> = Vec::new();
    for PrivilegeOn { path, privilege } in grants {
        if permissions.holds(path, privilege) {
            continue;
        }
        match lacks.iter_mut().find(|lack| lack.path == *path) {
            Some(lack) => lack.privileges.push((*privilege).into()),
            None => lacks.push(MissingPrivileges {
                path: (*path).into(),
                privileges: vec![(*privilege).into()],
                any: false,
            }),
        }
    }
    let said: Vec<Value> = lacks.iter().map(|lack| lack.to_string().into()).collect();
    let mut answer = Map::from_iter([
        ("tool".to_string(), tool.name.into()),
        ("lacks".to_string(), said.into()),
    ]);
    if !lacks.is_empty() {
        let token_id = &reach.cluster()?.settings.token_id;
        answer.insert("grant".into(), advice::grant_lacks(token_id, &lacks).into());
    }
    Ok(answer)
}

/// What somebody, or else our own token, may do on a path, and whether on what is below it too.
fn privileges(reach: &Reach, user: Option<&str>, path: &str) -> Result<Vec<(String, bool)>, Error> {
    let mut request = Request::new(Verb::Get, "/access/permissions", &[])?.with("path", path);
    if let Some(user) = user {
        request = request.with("userid", user);
    }
    let paths = reach.object(&request, &[])?;
    let Some(Value::Object(held)) = paths.get(path) else {
        let cause = "it does not tell of the path".to_string();
        return Err(Error::no_answer(
            reach.cluster_name(),
            &request.line(),
            cause,
        ));
    };
    let held = held.iter();
    let held = held.map(|(name, below)| (printable(name, NAME_MAX_CHARS), flag(Some(below))));
    Ok(held.collect())
}

/// Puts into the answer who has a privilege on a path.
fn holders(
    reach: &Reach,
    path: &str,
    privilege: &str,
    answer: &mut Map<String, Value>,
) -> Result<(), Error> {
    let request = Request::new(Verb::Get, "/access/users", &[])?.with("full", true);
    let users = reach.rows(&request, "userid")?;
    let people: Vec<Person> = users.iter().flat_map(people).collect();
    let mut holders = Vec::new();
    for person in people.iter().take(ASKED_MAX) {
        let held = privileges(reach, Some(&person.id), path)?;
        let has = held.iter().any(|(name, _)| name == privilege);
        if person.id == ROOT && !has {
            let known: Vec<&str> = held.iter().map(|(name, _)| name.as_str()).collect();
            let meant =
                meant::hint(privilege, &known).map_or(String::new(), |hint| format!("; {hint}"));
            return Err(Error::bad(format!(
                "{}: no privilege is called `{}`{meant}",
                reach.cluster_name(),
                repeated(privilege)
            )));
        }
        if has {
            room::note(ROW_BYTES);
            let row = Row::from([
                ("who", person.id.as_str().into()),
                ("unusable", person.unusable.into()),
            ]);
            holders.push(Value::Object(row.into_object()));
        }
    }
    answer.insert("privilege".into(), privilege.into());
    answer.insert("holders".into(), holders.into());
    answer.insert("asked".into(), people.len().min(ASKED_MAX).into());
    if let Some(more) = people.len().checked_sub(ASKED_MAX).filter(|more| *more > 0) {
        answer.insert("not_asked".into(), more.into());
    }
    name_unseen(reach, answer)
}

/// A user and their tokens.
fn people(user: &Value) -> Vec<Person> {
    let now = time::now();
    let is_over = |entry: &Value| (1..=now).contains(&number(entry.get("expire")));
    let unusable = match () {
        () if is_disabled(user) => Some("disabled"),
        () if is_over(user) => Some("expired"),
        () => None,
    };
    let own = Person {
        id: text(user, "userid"),
        unusable,
    };
    let tokens = tokens_of(user).into_iter().map(|(id, token)| Person {
        id,
        unusable: unusable.or_else(|| is_over(token).then_some("expired")),
    });
    std::iter::once(own).chain(tokens).collect()
}
