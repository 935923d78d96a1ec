//! Migration to another cluster: the endpoint, the maps, and what is checked before the task.

use std::time::Instant;

use super::super::answer::{Answer, Refusal, flag, given};
use super::super::gate::Call;
use super::super::guest::Kind;
use super::super::peers::Peer;
use super::super::rights::Who;
use super::super::task::Plan;
use super::moving::{Moving, stamp};
use super::{Handler, locked};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu/{vmid}/remote_migrate", remote),
    ("POST", "/nodes/{node}/lxc/{vmid}/remote_migrate", remote),
];

/// Where a guest is to go, and as whom.
struct Endpoint {
    host: String,
    port: u16,
    token: String,
    /// Without this word the plain calls work, the tunnel does not.
    worded: bool,
    fingerprint: Option<String>,
}

fn endpoint(text: &str) -> Endpoint {
    let part = |key: &str| {
        let found = text.split(',').find_map(|part| part.strip_prefix(key));
        found.map(String::from)
    };
    let token = part("apitoken=").unwrap_or_default();
    let worded = token.strip_prefix("PVEAPIToken=").map(String::from);
    Endpoint {
        host: part("host=").unwrap_or_default(),
        port: part("port=")
            .and_then(|port| port.parse().ok())
            .unwrap_or(8006),
        worded: worded.is_some(),
        token: worded.unwrap_or(token),
        fingerprint: part("fingerprint="),
    }
}

/// `default`, `source:target` or both; `1` keeps every name.
#[derive(Clone, Default)]
pub struct Names {
    default: Option<String>,
    of: Vec<(String, String)>,
}

impl Names {
    fn parse(text: &str, param: &str, what: &str) -> Result<Names, Refusal> {
        let fail =
            |why: String| Refusal::param(param, format!("failed to parse {what} map: {why}\n"));
        let mut names = Names::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match part.split_once(':') {
                Some((from, _)) if names.of.iter().any(|(known, _)| known == from) => {
                    return Err(fail(format!("duplicate mapping for source '{from}'")));
                }
                Some((from, to)) => names.of.push((from.into(), to.into())),
                None if names.default.is_some() => {
                    return Err(fail("default target ID can only be provided once".into()));
                }
                None => names.default = Some(part.into()),
            }
        }
        if names.identity() && !names.of.is_empty() {
            return Err(fail(
                "identity mapping cannot be combined with other mappings".into(),
            ));
        }
        Ok(names)
    }

    fn identity(&self) -> bool {
        self.default.as_deref() == Some("1")
    }

    pub fn to(&self, from: &str) -> String {
        let named = self
            .of
            .iter()
            .find(|(known, _)| known == from)
            .map(|(_, to)| to.clone());
        let default = || self.default.clone().filter(|_| !self.identity());
        named.or_else(default).unwrap_or(from.into())
    }
}

/// The first calls there: is it the right node, is the token good, may it look around?
fn contact(call: &mut Call, to: &Endpoint) -> Result<(Peer, Who), Refusal> {
    let shown = if to.host.contains(':') {
        format!("[{}]", to.host)
    } else {
        to.host.clone()
    };
    let failed =
        |why: &str| Refusal::die(format!("500 Can't connect to {shown}:{} ({why})", to.port));
    let peer = call
        .state
        .reach
        .find(&to.host, to.port)
        .map_err(|why| failed(&why))?;
    let trusted = call.state.reach.trusts.contains(&peer.name);
    let checked = peer.with(call.state, |there| {
        let Some(node) = there.nodes.get(&peer.node).filter(|node| node.online) else {
            return Err(failed("No route to host"));
        };
        let fits = match &to.fingerprint {
            Some(given) => given.eq_ignore_ascii_case(&node.fingerprint),
            None => trusted,
        };
        if !fits {
            let real = &node.fingerprint;
            return Err(Refusal::die(format!(
                "fingerprint '{real}' not verified, abort!"
            )));
        }
        let (id, secret) = to.token.split_once('=').unwrap_or_default();
        let Some(who) = there.token(id, secret) else {
            return Err(Refusal::die("401 Authentication failed!"));
        };
        let lacking = |refusal: Refusal| Refusal::die(format!("403 {}", refusal.reason()));
        there.need(&who, "/", &["Sys.Audit"]).map_err(lacking)?;
        Ok(who)
    });
    let who = checked.unwrap_or_else(|| Err(failed("Connection timed out")))?;
    Ok((peer, who))
}

fn remote(call: &mut Call) -> Answer {
    let (node, kind, vmid, params) = (
        call.node.clone(),
        call.kind(),
        call.vmid(),
        call.params.clone(),
    );
    call.quorate()?;
    let guest = call.guest()?.clone();
    locked(&guest).map_err(Refusal::die)?;
    if call.state.ha.contains_key(&guest.sid()) {
        let text = format!(
            "cannot migrate HA-managed {} to remote cluster",
            kind.short()
        );
        return Err(Refusal::param("vmid", text));
    }
    let to = endpoint(&call.text("target-endpoint"));
    if to.fingerprint.is_none() {
        contact(call, &to)?;
    }
    if guest.running() && kind == Kind::Qemu && !flag(&params, "online") {
        return Err(Refusal::die("can't migrate running VM without --online"));
    }
    let moves = flag(&params, "online") || flag(&params, "restart");
    if guest.running() && kind == Kind::Lxc && !moves {
        return Err(Refusal::die(
            "can't migrate running container without --online or --restart",
        ));
    }
    let storages = Names::parse(&call.text("target-storage"), "target-storage", "storage")?;
    let bridges = Names::parse(&call.text("target-bridge"), "target-bridge", "bridge")?;
    if storages.identity() {
        return Err(Refusal::die(
            "remote migration requires explicit storage mapping!",
        ));
    }
    let (peer, who) = contact(call, &to)?;
    if guest.running() && kind == Kind::Lxc && !flag(&params, "restart") {
        let plan = Plan::new(&node, "vzmigrate", vmid).length(0);
        let who = call.who.clone();
        return Ok(call.state.spawn(&who, plan, |state, log| {
            let text = "lxc live migration is currently not implemented";
            let stamp = stamp(state);
            log.push(format!(
                "{stamp} ERROR: migration aborted (duration 00:00:00): {text}"
            ));
            Err("migration aborted".into())
        }));
    }
    let vmid_there = given(&params, "target-vmid")
        .and_then(|id| id.parse().ok())
        .unwrap_or(vmid);
    let moving = Moving {
        own: peer.name == call.state.name && vmid == vmid_there,
        peer,
        who,
        node,
        kind,
        vmid,
        vmid_there,
        storages,
        bridges,
        delete: flag(&params, "delete"),
        host: to.host,
        begun: Instant::now(),
        tunnel: String::new(),
        disks: Vec::new(),
    };
    Ok(moving.begin(call, &guest, to.worded).into())
}
