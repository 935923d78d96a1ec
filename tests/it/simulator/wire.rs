//! The simulator's connections and faults.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sim::client::Connection;
use crate::sim::{Fault, World};
use crate::simulator::itself::{get, refused, token};

#[test]
fn a_wrong_secret_is_refused_late_and_without_a_body() {
    let world = World::three();
    let cluster = world.cluster("staging");
    let begun = Instant::now();
    let mut connection = Connection::open(cluster, "stg-pve1").expect("it connects");
    let reply = connection.send("GET", "/nodes", "mcp@pve!mcp=wrong", &Value::Null);
    refused(&reply, 401, "Authentication failed!");
    assert!(reply.body.is_empty() && begun.elapsed() >= Duration::from_millis(30));
    assert!(connection.ended());
}

#[test]
fn connections_are_kept_for_a_hundred_requests() {
    let world = World::three();
    let cluster = world.cluster("production");
    let mut connection = Connection::open(cluster, "prod-pve1").expect("it connects");
    for i in 1..=100 {
        let reply = connection.send("GET", "/version", &token(cluster), &Value::Null);
        assert_eq!(
            reply.header("connection"),
            [if i == 100 { "close" } else { "Keep-Alive" }],
            "request {i}"
        );
    }
    assert!(connection.ended());
    let mut connection = Connection::open(cluster, "prod-pve1").expect("it connects");
    let reply = connection.send(
        "GET",
        "/nodes/prod-pve2/status",
        &token(cluster),
        &Value::Null,
    );
    assert_eq!(reply.header("connection").len(), 2);
    assert_eq!(
        connection
            .send("GET", "/version", &token(cluster), &Value::Null)
            .status,
        200
    );
}

#[test]
fn idle_connections_are_closed() {
    let world = World::three();
    let cluster = world.cluster("production");
    cluster.edit(|state| state.pace.idle_ms = 100);
    let mut connection = Connection::open(cluster, "prod-pve1").expect("it connects");
    assert_eq!(
        connection
            .send("GET", "/version", &token(cluster), &Value::Null)
            .status,
        200
    );
    let begun = Instant::now();
    assert!(connection.ended() && begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn raw_oddities() {
    let world = World::three();
    let cluster = world.cluster("production");
    let raw = |text: &str| {
        Connection::open(cluster, "prod-pve1")
            .expect("it connects")
            .raw(text.as_bytes())
    };
    refused(
        &raw("HEAD /api2/json/version HTTP/1.1\r\n\r\n"),
        501,
        "method 'HEAD' not available",
    );
    refused(
        &raw("POST /api2/json/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        501,
        "chunked transfer encoding not supported",
    );
    refused(
        &raw("DELETE /api2/json/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
        501,
        "Unexpected content for method 'DELETE'",
    );
    refused(
        &raw("PUT /api2/json/x HTTP/1.1\r\nContent-Length: 600018\r\n\r\n"),
        501,
        "for data too large",
    );
    refused(
        &raw("GET /api2/json/version HTTP/1.1\r\n\r\n"),
        401,
        "No ticket",
    );
}

#[test]
fn lost_nodes_and_lost_quorum() {
    let world = World::three();
    let cluster = world.cluster("production");
    cluster.fault(Fault::NodeOffline("prod-pve2".into()));
    refused(
        &cluster.ask("GET", "/nodes/prod-pve2/status", &Value::Null),
        595,
        "No route to host",
    );
    assert!(
        Connection::open(cluster, "prod-pve2")
            .map(|mut c| c.send("GET", "/version", "", &Value::Null).status)
            .unwrap_or(0)
            == 0
    );
    let rows = get(cluster, "/cluster/resources?type=vm");
    assert!(rows.as_array().is_some_and(|rows| {
        rows.iter()
            .any(|row| row["vmid"] == 101 && row["status"] == "unknown")
    }));
    cluster.heal();
    assert_eq!(
        cluster
            .ask("GET", "/nodes/prod-pve2/status", &Value::Null)
            .status,
        200
    );
    cluster.fault(Fault::NoQuorum);
    refused(
        &cluster.ask("POST", "/nodes/prod-pve1/qemu", &json!({"vmid": 333})),
        500,
        "cluster not ready - no quorum?",
    );
    assert_eq!(get(cluster, "/cluster/status")[0]["quorate"], 0);
}

#[test]
fn faults_hit_what_they_are_limited_to() {
    let world = World::three();
    let cluster = world.cluster("production");
    let version = || cluster.ask("GET", "/version", &Value::Null);
    cluster.fault(Fault::CutInBody.on("GET", "/version").times(1));
    assert_eq!(version().json(), Value::Null);
    assert_eq!(version().data()["version"], "9.2.11");
    cluster.fault(Fault::CutAfterExecute.on("POST", "/nodes"));
    assert_eq!(
        cluster
            .ask("POST", "/pools", &json!({"poolid": "x1"}))
            .status,
        200
    );
    assert_eq!(
        cluster
            .ask("POST", "/nodes/prod-pve3/qemu/110/status/start", &json!({}))
            .status,
        0
    );
    assert_eq!(
        cluster
            .edit(|state| state.tasks.last().map(|task| task.kind.clone()))
            .as_deref(),
        Some("qmstart")
    );
    cluster.heal();
    cluster.fault(Fault::Refuse.on_node("prod-pve1"));
    assert_eq!(version().status, 0);
    cluster.heal();
    assert_eq!(version().status, 200);
    for (fault, status) in [
        (Fault::Html, 200),
        (Fault::Empty, 200),
        (Fault::BadJson, 200),
        (Fault::Redirect, 301),
        (Fault::Status401, 401),
        (Fault::DeepJson(500), 200),
        (Fault::Huge(1 << 20), 200),
    ] {
        cluster.fault(fault.clone().times(1));
        assert_eq!(version().status, status, "{fault:?}");
    }
    cluster.fault(Fault::TokenLacks(vec!["VM.PowerMgmt".into()]));
    refused(
        &cluster.ask("POST", "/nodes/prod-pve1/qemu/100/status/stop", &json!({})),
        403,
        "Permission check failed (/vms/100, VM.PowerMgmt)",
    );
}

#[test]
fn the_api_description_is_served() {
    let world = World::three();
    let cluster = world.cluster("staging");
    let ask = |header: &str| {
        Connection::open(cluster, "stg-pve1")
            .expect("it connects")
            .raw(format!("GET /pve-docs/api-viewer/apidoc.js HTTP/1.1\r\n{header}\r\n").as_bytes())
    };
    let reply = ask("");
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(
        text.len() > 4_000_000
            && text.starts_with("const apiSchema = [")
            && text.contains("\"999999999\"")
    );
    let begin = text.find('[').unwrap_or(0);
    let mut values = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
    let tree = values.next().and_then(Result::ok).unwrap_or_default();
    assert!(
        tree.as_array()
            .is_some_and(|tree| tree.iter().any(|node| node["path"] == "/cluster"))
    );
    let changed = reply.header("last-modified")[0].to_string();
    assert_eq!(
        ask(&format!("If-Modified-Since: {changed}\r\n")).status,
        304
    );
    cluster.fault(Fault::NoApiDoc);
    assert_eq!(ask("").status, 500);
}
