//! The rows of who may do what: users, groups, roles, realms, tokens, access rules, tickets.

use super::method::{
    FULL, FULL_STOPS, Marked, Method, Named, SECRET, Sent, TICKET, delete, get, post, put,
};
use super::permissions::SEES_ACCESS;
use crate::api::mark::Mark;

const USER: &[Named] = &[Named::Access("userid")];
const GROUP: &[Named] = &[Named::Access("groupid")];
const ROLE: &[Named] = &[Named::Access("roleid")];
const REALM: &[Named] = &[Named::Access("realm")];
const LOGIN: &[Named] = &[Named::Access("username")];

#[rustfmt::skip] // One row a line.
pub(super) const ROWS: &[Method] = &[
    get("/access/users").taking(&[SEES_ACCESS]),
    post("/access/users", FULL, USER).making("userid"),
    put("/access/users/{userid}", Marked::By(change_user), USER),
    delete("/access/users/{userid}", FULL_STOPS, USER),
    put("/access/users/{userid}/unlock-tfa", FULL, USER),
    post("/access/users/{userid}/token/{tokenid}", FULL, USER).withheld(SECRET),
    put("/access/users/{userid}/token/{tokenid}", Marked::By(change_token), USER).withheld_where("regenerate", SECRET),
    delete("/access/users/{userid}/token/{tokenid}", FULL_STOPS, USER),
    post("/access/groups", FULL, GROUP).making("groupid"),
    put("/access/groups/{groupid}", FULL, GROUP),
    delete("/access/groups/{groupid}", FULL_STOPS, GROUP),
    post("/access/roles", FULL, ROLE).making("roleid"),
    put("/access/roles/{roleid}", FULL, ROLE),
    delete("/access/roles/{roleid}", FULL_STOPS, ROLE),
    put("/access/acl", Marked::By(rules), &[Named::Access("path")]),
    post("/access/domains", FULL, REALM).making("realm"),
    put("/access/domains/{realm}", FULL, REALM),
    delete("/access/domains/{realm}", FULL_STOPS, REALM),
    // It may remove users and what they may do.
    post("/access/domains/{realm}/sync", FULL_STOPS, REALM),
    put("/access/password", FULL_STOPS, USER),
    post("/access/tfa/{userid}", FULL, USER).withheld(SECRET),
    put("/access/tfa/{userid}/{id}", FULL, USER),
    delete("/access/tfa/{userid}/{id}", FULL_STOPS, USER),
    post("/access/ticket", FULL, LOGIN).withheld(TICKET),
    post("/access/vncticket", FULL, &[Named::Access("authid")]).withheld(TICKET),
    post("/access/openid/auth-url", FULL, REALM).withheld(TICKET),
    post("/access/openid/login", FULL, REALM).withheld(TICKET),
    post("/cluster/jobs/realm-sync/{id}", FULL, &[Named::Job]),
    put("/cluster/jobs/realm-sync/{id}", FULL, &[Named::Job]),
    delete("/cluster/jobs/realm-sync/{id}", FULL, &[Named::Job]),
];

/// A user who is switched off, or expires, is out.
fn change_user(sent: &Sent) -> Mark {
    if sent.has("enable") || sent.has("expire") {
        Mark::FULL.interrupts()
    } else {
        Mark::FULL
    }
}

/// So is a program whose token expires or gets another secret.
fn change_token(sent: &Sent) -> Mark {
    if sent.has("expire") || sent.is_set("regenerate") {
        Mark::FULL.interrupts()
    } else {
        Mark::FULL
    }
}

fn rules(sent: &Sent) -> Mark {
    if sent.is_set("delete") {
        Mark::FULL.interrupts()
    } else {
        Mark::FULL
    }
}
