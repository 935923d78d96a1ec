//! `proxmox-mcp token`: the commands that make a role, a user and a token for an access level.

use std::process::ExitCode;

use super::{Command, EXIT_WRONG, EarlyExit, Start};
use crate::api::mark::Effect;
use crate::config::SINGLE_CLUSTER;
use crate::config::find;
use crate::config::variables::{CLUSTER_PREFIX, PREFIX, TOKEN_ID, TOKEN_SECRET};
use crate::log;
use crate::text::{repeated, shell_word};
use crate::tools::levels::{self, LEVELS, PveRelease};

pub(super) const TOKEN: Command = Command {
    name: "token",
    usage: "CLUSTER [--access read|operate|change|full]",
    about: "Prints the commands that make a role, a user and a token with the least privileges; read where no level is given",
    flags: &[],
    valued: &["--access"],
    run,
};

/// What is made where no configuration says which token it will be.
const USUAL_TOKEN: &str = "mcp@pve!main";
/// The user that exists and may everything.
const ROOT: &str = "root@pam";

pub(super) fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    start.takes(1)?;
    let Some(cluster) = start.options.rest.first() else {
        return Err(EarlyExit::Usage(
            "`token` needs the name of a cluster".into(),
        ));
    };
    let wish = start.options.value("--access").unwrap_or("read");
    let Some((level, effect)) = LEVELS.iter().find(|(name, _)| *name == wish) else {
        let names: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
        let problem = format!("`--access` must be one of {}", names.join(", "));
        return Err(EarlyExit::Usage(problem));
    };
    let token_id = token_id(start, cluster)?;
    start.print(&commands(cluster, level, *effect, &token_id))
}

/// The token that the configuration names; of a configuration that is not complete no more is needed.
fn token_id(start: &Start, cluster: &str) -> Result<String, EarlyExit> {
    let known = find::token_ids(start.process, start.env_file());
    let found = known.iter().find(|(name, _)| name == cluster);
    if let Some((_, token_id)) = found {
        if token_id.is_none() {
            log::warn(&format!(
                "the configuration sets no {TOKEN_ID} for `{cluster}`, so that `{USUAL_TOKEN}` is taken"
            ));
        }
        return Ok(token_id.clone().unwrap_or_else(|| USUAL_TOKEN.to_owned()));
    }
    if known.is_empty() {
        log::warn(&format!(
            "there is no configuration that could say which token it will be, so that `{USUAL_TOKEN}` is taken"
        ));
        return Ok(USUAL_TOKEN.to_owned());
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    log::error(&format!(
        "no cluster is named `{}`; configured are: {}",
        repeated(cluster),
        names.join(", ")
    ));
    Err(EarlyExit::Said(ExitCode::from(EXIT_WRONG)))
}

fn commands(cluster: &str, level: &str, effect: Effect, token_id: &str) -> String {
    let role = format!("mcp-{level}");
    let (user, token) = token_id.split_once('!').unwrap_or((token_id, "main"));
    let add_role = |release| {
        let privileges = Vec::from_iter(levels::privileges(effect, release));
        format!("pveum role add {role} --privs {}\n", privileges.join(","))
    };
    let cluster = repeated(cluster);
    let mut text = format!(
        "# Access level {level} on {cluster}: role {role}, token {token_id}.\n\
         # On any node of the cluster, as root. Proxmox VE 9:\n{}\
         # Proxmox VE 8 instead:\n# {}",
        add_role(PveRelease::Pve9),
        add_role(PveRelease::Pve8),
    );
    let quoted = shell_word(user);
    let mut grant = String::new();
    if user == ROOT {
        text.push_str("# The user is there already.\n");
    } else {
        text.push_str(&format!(
            "# The user, unless it is there already:\npveum user add {quoted}\n"
        ));
        grant = format!("--users {quoted} ");
    }
    text.push_str(&format!(
        "# The token; its secret is printed this once, as `value`:\n\
         pveum user token add {quoted} {token} --privsep 1\n\
         pveum acl modify / {grant}--tokens {} --roles {role}\n\n\
         # In the configuration:\n\
         #   {prefix}{TOKEN_ID}={token_id}\n\
         #   {prefix}{TOKEN_SECRET}=the secret\n\n\
         # Good to know:\n",
        shell_word(token_id),
        prefix = prefix(&cluster),
    ));
    for remark in levels::remarks(effect) {
        text.push_str(&format!("# - {remark}\n"));
    }
    text.push_str(
        "# - Levels add up: to lower one, repeat `acl modify` with the former role and `--delete 1`.\n",
    );
    text
}

fn prefix(cluster: &str) -> String {
    if cluster == SINGLE_CLUSTER {
        PREFIX.to_owned()
    } else {
        format!("{CLUSTER_PREFIX}{cluster}_")
    }
}
