//! The next step, where a refusal leaves only one: commands and variables, ready to be copied.

use std::collections::BTreeSet;

use super::exchange::Remedy;
use super::key;
use super::settings::{Settings, Trust};
use crate::api::permission::MissingPrivileges;

/// The role that the advice to a missing privilege makes.
const ADVICE_ROLE: &str = "mcp-extra";
/// The cluster that the variables without a cluster's name make.
const LEGACY_CLUSTER: &str = "default";

/// What to do about a token that was not accepted.
pub fn token(token_id: &str) -> String {
    let user = user_of(token_id);
    format!(
        "check the token `{token_id}` and its secret: one that is unknown, wrong, expired or \
         disabled is refused in the same words; on a node, `pveum user token list '{user}'` lists \
         the tokens"
    )
}

/// The commands that grant what a 403 names; `None` where it names no privilege.
///
/// A privilege cannot be granted by itself, only as part of a role. Roles on one path add up; those
/// on a deeper path replace what is inherited. A token never has more than its user; one without privilege separation has exactly what its user has.
pub fn grant(token_id: &str, message: &str) -> Option<String> {
    let (path, privileges) = missing_privileges(message)?;
    let named: Vec<String> = privileges.iter().map(|one| format!("`{one}`")).collect();
    let verb = if named.len() == 1 { "is" } else { "are" };
    let missing = format!("{} on `{path}` {verb} missing", named.join(" and "));
    Some(granting(token_id, &missing, &privileges.join(",")))
}

/// The commands that grant what a call that was not sent lacks.
pub fn grant_lacks(token_id: &str, lacks: &[MissingPrivileges]) -> String {
    let named: Vec<String> = lacks.iter().map(MissingPrivileges::to_string).collect();
    let privileges: BTreeSet<&str> = lacks.iter().flat_map(MissingPrivileges::needed).collect();
    let privileges: Vec<&str> = privileges.into_iter().collect();
    let missing = format!("missing: {}", named.join(", "));
    granting(token_id, &missing, &privileges.join(","))
}

fn granting(token_id: &str, missing: &str, privileges: &str) -> String {
    let user = user_of(token_id);
    format!(
        "{missing}; to grant it, on a node as root: `pveum role add {ADVICE_ROLE} --privs \
         {privileges}` (`pveum role modify {ADVICE_ROLE} --privs {privileges} --append` if that role \
         is there), then give it on the path on which the token has its role now, as by `pveum acl \
         modify / --tokens '{token_id}' --roles {ADVICE_ROLE}` (`pveum acl list` shows that path; an \
         entry on a deeper one would replace the role there), and the same with `--users '{user}'` in \
         place of the token where the user lacks it too: a token never has more than its user"
    )
}

/// Path and privileges of `Permission check failed (/vms/100, VM.PowerMgmt)`. Other 403s have prose
/// between the parentheses, or nothing.
fn missing_privileges(message: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = message.split_once('(')?;
    let (inside, _) = rest.rsplit_once(')')?;
    let (path, privileges) = inside.split_once(", ")?;
    // Several with `|` between them are alternatives: the first one will do. With `&&` all are wanted.
    let wanted: Vec<&str> = privileges.split('|').next()?.split(" && ").collect();
    // Both end up in a command that a person may paste into a root shell.
    let plain = |text: &str, others: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let sound = path.starts_with('/')
        && plain(path, "/-_.@:")
        && wanted.iter().all(|privilege| plain(privilege, "."));
    sound.then_some((path, wanted))
}

/// What a refusal means where it does not say so itself (texts measured on 9.2).
pub fn refusal(message: &str) -> Option<String> {
    let meaning = match message {
        m if is_no_quorum(m) => {
            "the cluster has no quorum: nothing can be changed before more than half of its nodes are \
             back, so look at its nodes before anything else"
        }
        m if m.contains("is locked (") => {
            "another task holds the guest, or one that died left its lock: look at the list of tasks"
        }
        m if m.contains("got timeout") && m.contains("lock") => {
            "another task holds the lock: wait for it and repeat"
        }
        m if m.contains("checksum mismatch (file change")
            || m.contains("detected modified configuration") =>
        {
            "somebody else has changed it since it was read: read it again before repeating"
        }
        m if m.contains("No QEMU guest agent configured") => {
            "the guest's `agent` option is off; it takes effect at the next start of the guest"
        }
        m if m.contains("QEMU guest agent is not running") => {
            "the agent is not installed or not started inside the guest"
        }
        _ => return None,
    };
    Some(meaning.to_string())
}

/// Whether a text of Proxmox says that the cluster lacks its majority. It has three ways to: two name
/// the quorum, one of them after the 10 s that it waits for a lock; the third is that a file of the
/// cluster's own file system, which is read-only then, cannot be written (measured on 9.2).
pub fn is_no_quorum(message: &str) -> bool {
    let unwritable = message.contains("'/etc/pve/") && message.contains("Permission denied");
    unwritable || message.contains("no quorum")
}

/// What the exit status of a task that failed means, where it does not say so itself. `of_one` where
/// the task is about one guest.
pub fn task_exit(exit: &str, of_one: bool) -> Option<String> {
    let meaning = match exit {
        "received interrupt" | "interrupted by signal" => "somebody stopped the task",
        "unexpected status" => {
            "the task's process was killed, or its node went down: look at what it left behind"
        }
        "job errors" if of_one => "the backup failed: the log says why",
        "job errors" => "one of several guests failed: the log says which",
        "migration aborted" => {
            "the log says why; a guest that is left with `lock: migrate` was not moved"
        }
        other => return refusal(other),
    };
    Some(meaning.to_string())
}

/// What to do about a certificate with this fingerprint that was not trusted.
pub fn untrusted(settings: &Settings, remedy: Remedy, fingerprint: &str) -> Option<String> {
    match remedy {
        Remedy::Pin => Some(trust(settings, fingerprint)),
        Remedy::OtherKey => Some(key::OTHER.into()),
        Remedy::Nothing => None,
    }
}

/// How the certificate with this fingerprint is pinned.
pub fn trust(settings: &Settings, fingerprint: &str) -> String {
    let pin = variable(settings, "FINGERPRINT");
    let instead = match settings.trust {
        Trust::CaFile(_) => {
            format!(" in place of `{}`", variable(settings, "CA_FILE"))
        }
        Trust::Fingerprints(_) => " in place of the one that is pinned".to_string(),
        Trust::Nothing => format!(" in place of `{}`", variable(settings, "VERIFY")),
        Trust::System { .. } => String::new(),
    };
    format!(
        "compare the fingerprint with the one that `pvenode cert info` shows on the node's own \
         console; only if they agree set `{pin}={fingerprint}`{instead}"
    )
}

/// How a field of this cluster is written in the configuration.
pub fn variable(settings: &Settings, field: &str) -> String {
    match settings.cluster.as_str() {
        LEGACY_CLUSTER => format!("PROXMOX_{field}"),
        cluster => format!("PROXMOX_CLUSTER_{cluster}_{field}"),
    }
}

/// Privileges to be had on a path.
pub struct PrivilegeGrant<'a> {
    pub path: &'a str,
    pub privileges: Vec<&'a str>,
}

/// The commands that grant these to a token, a line each, for a node's root shell.
///
/// An entry on a path replaces what the token would inherit there from above, so each grant must also
/// name what the token holds there already. `separated` says whether the token has entries of its own;
/// one that has not is granted what its user is.
pub fn grants(token_id: &str, separated: Option<bool>, grants: &[PrivilegeGrant]) -> Vec<String> {
    let user = user_of(token_id);
    let name = token_id.split('!').nth(1).unwrap_or_default();
    let mut lines = Vec::new();
    for PrivilegeGrant { path, privileges } in grants {
        let role = format!("mcp-{name}{}", path.trim_end_matches('/').replace('/', "-"));
        lines.push(format!(
            "pveum role add {role} --privs '{}'",
            privileges.join(",")
        ));
        let to_user = format!("pveum acl modify {path} --users '{user}' --roles {role}");
        if separated == Some(false) {
            lines.push(to_user);
            continue;
        }
        lines.push(format!(
            "pveum acl modify {path} --tokens '{token_id}' --roles {role}"
        ));
        lines.push(format!("# only if the user lacks it too: {to_user}"));
    }
    lines
}

fn user_of(token_id: &str) -> &str {
    token_id.split('!').next().unwrap_or(token_id)
}
