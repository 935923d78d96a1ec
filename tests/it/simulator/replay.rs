//! Recorded exchanges with real clusters, replayed against simulated ones: status, reason phrase and
//! `errors` word for word, a task's exit status too, bodies by shape.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::sim::World;
use crate::sim::client::{Connection, Reply};
use crate::sim::recording::{Exchange, family, recordings, seconds, token};
use crate::sim::replay::world;
use crate::sim::shape::differences;
use crate::sim::task::Script;
use crate::simulator::replay_data::EXCEPTIONS;
use crate::simulator::replay_remote::{acquaint, before, endpoints, errors};
use crate::simulator::replay_tally::Tally;
use crate::simulator::replay_text::{
    decode, encode, plain, spelled_out, stamp_of, steady, upid_in,
};

/// Why a task failed that found something in a file.
const IN_A_FILE: &[&str] = &[
    "qemu-img: Could not",
    "backing file not allowed",
    "could not get size",
];

pub(crate) struct Replay {
    pub(crate) world: World,
    /// Recorded texts (UPIDs, digests) and ours.
    pub(crate) names: HashMap<String, String>,
    /// Recorded tasks that were seen running, or stopped from outside.
    slow: HashSet<String>,
    pub(crate) outcomes: HashMap<String, (String, Vec<String>)>,
    /// Recorded tasks of requests that are not modelled.
    unmade: HashSet<String>,
}

#[test]
fn recordings_are_replayed() {
    let all = recordings();
    let mut replay = Replay::new(&all, world());
    let mut tally = Tally::default();
    for exchange in &all {
        replay.names.extend(before(&exchange.id, &replay.world));
        replay.count(exchange, &mut tally);
    }
    tally.judge(EXCEPTIONS);
}

impl Replay {
    pub(crate) fn new(all: &[Exchange], world: World) -> Replay {
        let (mut slow, mut outcomes) = (HashSet::new(), HashMap::new());
        for exchange in all {
            let listed = exchange.response["body"]["data"]
                .as_array()
                .into_iter()
                .flatten();
            let stopped = listed.filter(|row| row["status"] == "received interrupt");
            slow.extend(stopped.filter_map(|row| row["upid"].as_str().map(String::from)));
            let (Some(upid), data) = (upid_in(exchange), &exchange.response["body"]["data"]) else {
                continue;
            };
            if data["status"] == "running"
                || data["exitstatus"] == "received interrupt"
                || data["exitstatus"] == "unexpected status"
            {
                slow.insert(upid.clone());
            }
            if data["status"] == "stopped" {
                let outcome: &mut (String, Vec<String>) = outcomes.entry(upid.clone()).or_default();
                outcome.0 = data["exitstatus"].as_str().unwrap_or("").into();
            }
            if let Some(rows) = data.as_array() {
                let whole = exchange.response["body"]["total"].as_u64() == Some(rows.len() as u64);
                if whole
                    && rows
                        .last()
                        .is_some_and(|row| !row["t"].as_str().unwrap_or("").starts_with("TASK "))
                {
                    slow.insert(upid.clone());
                }
                let lines: Vec<String> = rows
                    .iter()
                    .filter_map(|row| row["t"].as_str())
                    .filter(|line| !line.starts_with("TASK "))
                    .map(String::from)
                    .collect();
                let outcome = outcomes.entry(upid).or_default();
                if lines.len() > outcome.1.len() {
                    outcome.1 = lines;
                }
            }
        }
        Replay {
            names: endpoints(all, &world).into_iter().collect(),
            world,
            slow,
            outcomes,
            unmade: HashSet::new(),
        }
    }

    /// Replays one exchange, if it is one.
    pub(crate) fn count(&mut self, exchange: &Exchange, tally: &mut Tally) {
        if exchange.request.is_null() || exchange.response.is_null() {
            return;
        }
        let family = family(exchange).unwrap_or("(raw)".into());
        if upid_in(exchange).is_some_and(|upid| self.unmade.contains(&upid)) {
            return tally.without_task();
        }
        let problems = self.step(exchange);
        tally.add(exchange, family, &problems);
    }

    fn step(&mut self, exchange: &Exchange) -> Vec<String> {
        let cluster = self.world.cluster(&exchange.cluster);
        let recorded = &exchange.response;
        let stamp = recorded["headers"]["Date"].as_str().and_then(seconds);
        let upid = recorded["body"]["data"]
            .as_str()
            .filter(|text| text.starts_with("UPID:"))
            .map(String::from);
        // A task's outcome that hangs on the lab is handed over; not what a tunnel carries.
        let path = exchange.request["path"].as_str().unwrap_or("");
        let tunnelled = path.ends_with("/remote_migrate");
        // What a server out there gave, and what was in a file, is the lab's too.
        let from_outside = path.ends_with("/download-url") || path.ends_with("/upload");
        let of_a_file = |exit: &str| IN_A_FILE.iter().any(|text| exit.contains(text));
        if let Some(upid) = &upid
            && !tunnelled
            && let Some((exit, log)) = self.outcomes.get(upid).filter(|(exit, _)| !exit.is_empty())
            && (exchange.lab || from_outside || of_a_file(exit))
            && !exit.contains("hotplug problem")
        {
            let kind = upid.split(':').nth(5).unwrap_or("").to_string();
            let script = Script {
                kind,
                exit: exit.clone(),
                log: log.clone(),
            };
            cluster.just_now(|state| state.scripts.push_back(script));
        }
        cluster.just_now(|state| {
            if let Some(stamp) = stamp {
                state.clock_s += stamp - exchange.ms / 1000 - state.now();
            }
        });
        if let Some(known) = upid_in(exchange).filter(|known| !self.names.contains_key(known))
            && let Some(ours) = cluster.just_now(|state| acquaint(&known, state))
        {
            self.names.insert(known, ours);
        }
        // Tasks that had ended by now end.
        if let Some(known) = upid_in(exchange)
            && recorded["body"]["data"]["status"] == "stopped"
            && let Some(ours) = self.names.get(&known)
        {
            self.world
                .cluster(&exchange.cluster)
                .just_now(|state| state.end(ours));
        }
        let reply = self.send(exchange);
        cluster.just_now(|state| state.scripts.clear());
        if let Some(upid) = upid.clone().filter(|_| reply.status == 501) {
            self.unmade.insert(upid);
        }
        let mut problems = self.compare(exchange, &reply);
        problems.extend(errors(exchange, &reply));
        if let (Some(upid), Some(ours)) = (&upid, reply.data().as_str()) {
            self.names.insert(upid.clone(), ours.to_string());
            if !self.slow.contains(upid) && !tunnelled {
                let text = self.outcomes.get(upid).and_then(|(_, log)| {
                    log.iter()
                        .find_map(|line| line.strip_prefix("INFO: Backup started at "))
                });
                let started = text.and_then(stamp_of);
                cluster_end(&self.world, &exchange.cluster, ours, started);
            }
        }
        self.learn(recorded, &reply);
        if recorded["body"]["data"]["exitstatus"].is_string() {
            let (theirs, ours) = (
                self.ours(
                    recorded["body"]["data"]["exitstatus"]
                        .as_str()
                        .unwrap_or(""),
                ),
                reply.data()["exitstatus"].clone(),
            );
            if steady(&theirs) != steady(ours.as_str().unwrap_or("")) {
                problems.push(format!("exit status {ours} instead of '{theirs}'"));
            }
        }
        problems
    }

    /// A digest that both answers carry is the same thing.
    fn learn(&mut self, recorded: &Value, reply: &Reply) {
        for key in ["digest"] {
            if let (Some(theirs), Some(ours)) = (
                recorded["body"]["data"][key].as_str(),
                reply.data()[key].as_str(),
            ) {
                self.names.insert(theirs.into(), ours.into());
            }
        }
    }

    /// A recorded text in our names.
    fn ours(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (theirs, ours) in &self.names {
            if text.contains(theirs.as_str()) {
                text = text.replace(theirs, ours);
            }
        }
        text
    }

    fn ticket(&self, cluster: &str, user: &str) -> (String, String) {
        self.world
            .cluster(cluster)
            .just_now(|state| (state.ticket(user), state.csrf(user)))
    }

    fn send(&self, exchange: &Exchange) -> Reply {
        let cluster = self.world.cluster(&exchange.cluster);
        let request = &exchange.request;
        let bytes = match request["raw"].as_str() {
            Some(raw) => spelled_out(&exchange.id, raw),
            None => self.bytes(exchange),
        };
        if exchange.id.starts_with("http-plain") || exchange.id == "garbage-plain" {
            return plain(cluster.port(&exchange.entry), &bytes);
        }
        cluster.just_now(|state| {
            state.pace.idle_ms = if exchange.response["status"].is_null() {
                50
            } else {
                5000
            }
        });
        Connection::open(cluster, &exchange.entry)
            .map(|mut connection| connection.raw(&bytes))
            .unwrap_or_default()
    }

    fn bytes(&self, exchange: &Exchange) -> Vec<u8> {
        let request = &exchange.request;
        let (fake, _) = self.ticket("A", "mcp@pve");
        let method = request["method"].as_str().unwrap_or("GET");
        let path = request["path"].as_str().unwrap_or("/");
        let path = match upid_in(exchange) {
            Some(upid) => decode(path)
                .replace(&upid, &self.ours(&upid))
                .replace('!', "%21")
                .replace('@', "%40"),
            None => path.into(),
        };
        let mut query: Vec<String> = Vec::new();
        for (key, value) in request["query"].as_object().into_iter().flatten() {
            query.push(format!(
                "{key}={}",
                encode(&self.ours(value.as_str().unwrap_or("")))
            ));
        }
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        let prefix = if path.starts_with("/pve-docs") {
            ""
        } else {
            "/api2/json"
        };
        let mut head = format!("{method} {prefix}{path}{query} HTTP/1.1\r\nHost: localhost\r\n");
        let headers = request["headers"].as_object().cloned().unwrap_or_default();
        for (name, value) in &headers {
            let value = value.as_str().unwrap_or("");
            let value = if value.contains("FAKESIGNATURE") {
                format!("PVEAuthCookie={}", encode(&fake))
            } else {
                value.into()
            };
            head += &format!("{name}: {value}\r\n");
        }
        let explicit = headers
            .keys()
            .any(|name| name == "Authorization" || name == "Cookie");
        if let Some(token) = token(&exchange.cluster, &exchange.role).filter(|_| !explicit) {
            head += &format!("Authorization: PVEAPIToken={token}\r\n");
        }
        if exchange.role.starts_with("ticket") && !explicit {
            let (ticket, csrf) = self.ticket(
                &exchange.cluster,
                if exchange.role == "ticket" {
                    "mcp@pve"
                } else {
                    "root@pam"
                },
            );
            head += &format!(
                "Cookie: PVEAuthCookie={}\r\nCSRFPreventionToken: {csrf}\r\n",
                encode(&ticket)
            );
        }
        let body = match &request["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.replace("<3000 bytes>", &"\0".repeat(3000)),
            other => self.ours(&other.to_string()),
        };
        let body = if body.contains("FAKESIGNATURE") {
            json!({"username": "mcp@pve", "password": fake}).to_string()
        } else {
            body
        };
        if let Some(kind) = request["content_type"].as_str() {
            head += &format!("Content-Type: {kind}\r\n");
        }
        if method == "POST" || method == "PUT" || !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        format!("{head}\r\n{body}").into_bytes()
    }

    fn compare(&self, exchange: &Exchange, reply: &Reply) -> Vec<String> {
        let recorded = &exchange.response;
        let mut problems = Vec::new();
        let status = recorded["status"].as_u64().unwrap_or(0) as u16;
        let reason = self.ours(recorded["reason"].as_str().unwrap_or(""));
        if (status, steady(&reason)) != (reply.status, steady(&reply.reason)) {
            return vec![format!(
                "{} {} instead of {status} {reason}",
                reply.status, reply.reason
            )];
        }
        let (body, ours) = (&recorded["body"], reply.json());
        if body["errors"] != ours["errors"] {
            problems.push(format!(
                "errors {} instead of {}",
                ours["errors"], body["errors"]
            ));
        }
        if body.is_object() {
            let whole = recorded.get("trimmed").is_none();
            let (body, ours) = (without_next_run(body), without_next_run(&ours));
            differences("body", &body, &ours, whole, &mut problems);
        }
        problems
    }
}

/// Without what a stand-in for Proxmox's calendar counted, or did not.
fn without_next_run(body: &Value) -> Value {
    let mut body = body.clone();
    for row in body["data"].as_array_mut().into_iter().flatten() {
        if let Some(row) = row.as_object_mut() {
            row.remove("next-run");
        }
    }
    body
}

fn cluster_end(world: &World, cluster: &str, upid: &str, started: Option<i64>) {
    world.cluster(cluster).just_now(|state| {
        if let Some(started) = started {
            state.clock_s += started - state.now();
        }
        state.end(upid);
    });
}
