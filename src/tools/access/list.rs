//! `access_list`: users, tokens, groups, roles, realms, access rules.

use serde_json::Value;

use super::{NAME_MAX_CHARS, name_unseen};
use crate::api::loose::{boolean, flag, items, number, plain};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::room;
use crate::text::printable;
use crate::time;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::rows::{self, CURSOR, LIMIT, ROW_BYTES, Row};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

const COMMENT_MAX_CHARS: usize = 500;
const PRIVILEGES_MAX_CHARS: usize = 2_000;

/// What can be listed: the path, what an entry is known by, its columns, and how a row is made of it.
struct AccessKind {
    name: &'static str,
    path: &'static str,
    key: &'static str,
    columns: &'static [&'static str],
    rows: fn(&Value) -> Vec<Row>,
}

const KINDS: &[AccessKind] = &[
    AccessKind {
        name: "users",
        path: "/access/users",
        key: "userid",
        columns: &[
            "user",
            "disabled",
            "expires",
            "groups",
            "tokens",
            "email",
            "untrusted_text",
        ],
        rows: |entry| vec![user(entry)],
    },
    AccessKind {
        name: "tokens",
        path: "/access/users",
        key: "userid",
        columns: &[
            "token",
            "privsep",
            "expires",
            "user_disabled",
            "untrusted_text",
        ],
        rows: tokens,
    },
    AccessKind {
        name: "groups",
        path: "/access/groups",
        key: "groupid",
        columns: &["group", "users", "untrusted_text"],
        rows: |entry| vec![group(entry)],
    },
    AccessKind {
        name: "roles",
        path: "/access/roles",
        key: "roleid",
        columns: &["role", "own", "privileges"],
        rows: |entry| vec![role(entry)],
    },
    AccessKind {
        name: "realms",
        path: "/access/domains",
        key: "realm",
        columns: &["realm", "type", "default", "tfa", "untrusted_text"],
        rows: |entry| vec![realm(entry)],
    },
    AccessKind {
        name: "acl",
        path: "/access/acl",
        key: "path",
        columns: &["path", "who", "type", "role", "this_path_only"],
        rows: |entry| vec![rule(entry)],
    },
];

pub(super) const LIST: Tool = Tool {
    name: "access_list",
    title: "List users, tokens, roles and access rules",
    about: "Lists a cluster's users, their tokens, groups, roles with their privileges, realms, or access rules (acl). Who may \
            do one thing: access_check.",
    actions: Actions::one(&[&[
        sending::get("/access/users"),
        sending::get("/access/groups"),
        sending::get("/access/roles"),
        sending::get("/access/domains"),
        sending::get("/access/acl"),
    ]]),
    subject: Subject::Cluster,
    params: &[
        Param::new(
            "what",
            ParamKind::OneOf(&["users", "tokens", "groups", "roles", "realms", "acl"]),
            "",
        ),
        LIMIT,
        CURSOR,
    ],
    answer: &[("items", "array"), ("total", "integer")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(list),
};

fn list(reach: &Reach, args: &Args) -> HandlerResult {
    let what = args.need("what")?;
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|kind| kind.name == what);
    let kind = kind.ok_or_else(|| Error::internal(format!("`{what}` is not listed")))?;
    let mut request = Request::new(Verb::Get, kind.path, &[])?;
    if kind.path == "/access/users" {
        request = request.with("full", true);
    }
    let entries = reach.rows(&request, kind.key)?;
    let mut found: Vec<Row> = entries.iter().flat_map(kind.rows).collect();
    room::note(found.len() * ROW_BYTES);
    if let [first, second, ..] = kind.columns {
        found.sort_by_cached_key(|row| (row.text(first).to_owned(), row.text(second).to_owned()));
    }
    let mut answer = rows::page(found, kind.columns, kind.columns, args)?;
    name_unseen(reach, &mut answer)?;
    Ok(answer)
}

/// A text of an entry.
pub(super) fn text(entry: &Value, key: &str) -> String {
    let text = entry.get(key).map(plain).unwrap_or_default();
    printable(&text, NAME_MAX_CHARS)
}

fn comment(entry: &Value) -> Value {
    let comment = entry.get("comment").map(plain).unwrap_or_default();
    printable(&comment, COMMENT_MAX_CHARS).into()
}

/// When something expires; nothing where it never does.
fn expires(entry: &Value) -> Value {
    let at = number(entry.get("expire"));
    (at > 0).then(|| time::iso(at)).into()
}

/// Whether a user cannot log in.
pub(super) fn is_disabled(entry: &Value) -> bool {
    entry.get("enable").and_then(boolean) == Some(false)
}

/// The tokens of a user, as `id` and its entry.
pub(super) fn tokens_of(entry: &Value) -> Vec<(String, &Value)> {
    let tokens = entry.get("tokens").and_then(Value::as_array);
    let tokens = tokens.map(Vec::as_slice).unwrap_or_default().iter();
    let user = text(entry, "userid");
    tokens
        .map(|token| (format!("{user}!{}", text(token, "tokenid")), token))
        .collect()
}

fn user(entry: &Value) -> Row {
    let groups = entry.get("groups").map(items).unwrap_or_default();
    Row::from([
        ("user", text(entry, "userid").into()),
        ("disabled", is_disabled(entry).into()),
        ("expires", expires(entry)),
        (
            "groups",
            printable(&groups.join(","), NAME_MAX_CHARS).into(),
        ),
        ("tokens", tokens_of(entry).len().into()),
        ("email", text(entry, "email").into()),
        ("untrusted_text", comment(entry)),
    ])
}

fn tokens(entry: &Value) -> Vec<Row> {
    let row = |(id, token): (String, &Value)| {
        Row::from([
            ("token", id.into()),
            // What it is where nothing is said.
            (
                "privsep",
                token
                    .get("privsep")
                    .is_none_or(|privsep| boolean(privsep) != Some(false))
                    .into(),
            ),
            ("expires", expires(token)),
            ("user_disabled", is_disabled(entry).into()),
            ("untrusted_text", comment(token)),
        ])
    };
    tokens_of(entry).into_iter().map(row).collect()
}

fn group(entry: &Value) -> Row {
    let users = entry.get("users").map(items).unwrap_or_default();
    Row::from([
        ("group", text(entry, "groupid").into()),
        (
            "users",
            printable(&users.join(","), PRIVILEGES_MAX_CHARS).into(),
        ),
        ("untrusted_text", comment(entry)),
    ])
}

fn role(entry: &Value) -> Row {
    let privileges = entry.get("privs").map(plain).unwrap_or_default();
    Row::from([
        ("role", text(entry, "roleid").into()),
        // Not one of those that Proxmox brings.
        ("own", (!flag(entry.get("special"))).into()),
        (
            "privileges",
            printable(&privileges, PRIVILEGES_MAX_CHARS).into(),
        ),
    ])
}

fn realm(entry: &Value) -> Row {
    Row::from([
        ("realm", text(entry, "realm").into()),
        ("type", text(entry, "type").into()),
        ("default", flag(entry.get("default")).into()),
        ("tfa", text(entry, "tfa").into()),
        ("untrusted_text", comment(entry)),
    ])
}

fn rule(entry: &Value) -> Row {
    Row::from([
        ("path", text(entry, "path").into()),
        ("who", text(entry, "ugid").into()),
        ("type", text(entry, "type").into()),
        ("role", text(entry, "roleid").into()),
        ("this_path_only", (!flag(entry.get("propagate"))).into()),
    ])
}
