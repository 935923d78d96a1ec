//! One cluster silent, a node of another down: what is read of the whole fleet is answered in time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::binary::within;
use crate::session::Session;
use crate::sim::{Fault, Limited, World};

/// What a fleet-wide read may take, whatever is down.
const LIMIT: Duration = Duration::from_secs(6);

fn check(tool: &str, arguments: &Value, offline_is_named: impl Fn(&Value) -> bool) {
    within(LIMIT, || took(tool, arguments, &offline_is_named));
}

fn took(tool: &str, arguments: &Value, offline_is_named: &dyn Fn(&Value) -> bool) -> Duration {
    let world = World::three();
    world
        .cluster("disaster-recovery")
        .fault(Limited::from(Fault::HangBefore));
    world
        .cluster("staging")
        .fault(Limited::from(Fault::NodeOffline("stg-pve2".into())));
    let mut session = Session::start(&world);
    let begun = Instant::now();
    let answer = Value::Object(session.call(tool, arguments).ok());
    let took = begun.elapsed();
    assert_eq!(answer["clusters_asked"], json!(3), "{tool}");
    assert_eq!(
        answer["errors"][0]["cluster"],
        json!("disaster-recovery"),
        "{tool}"
    );
    assert_eq!(answer["errors"][1], Value::Null, "{tool}");
    assert!(answer["items"][0].is_object(), "{tool}");
    assert!(offline_is_named(&answer), "{tool}: {answer}");
    took
}

#[test]
fn the_rest_answers_within_six_seconds_and_what_is_missing_is_named() {
    let named = |answer: &Value| answer["nodes_offline"] == json!(["staging/stg-pve2"]);
    let needs_attention = |answer: &Value| {
        answer["items"][0]["attention"]["nodes_not_online"] == json!(["stg-pve2 offline"])
    };
    let is_offline = |answer: &Value| {
        let rows = answer["items"].as_array().expect("items");
        rows.iter()
            .any(|row| row["node"] == json!("stg-pve2") && row["status"] == json!("offline"))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| check("fleet_search", &json!({"query": "type:guest"}), named));
        scope.spawn(|| check("guest_list", &json!({"cluster": "all"}), named));
        scope.spawn(|| check("fleet_summary", &json!({}), needs_attention));
        scope.spawn(|| check("node_list", &json!({"cluster": "all"}), is_offline));
    });
}

/// One that needs more than half of its time for an answer has enough for its rows and not for more:
/// they are shown, and that it is not known what its token sees.
#[test]
fn a_slow_clusters_rows_are_shown_with_what_is_not_known_of_them() {
    let world = World::three();
    let slow = world.cluster("staging");
    slow.fault(Limited::from(Fault::Latency(2_600)));
    let mut session = Session::start(&world);
    let mut told = Vec::new();
    within(LIMIT, || {
        let begun = Instant::now();
        let query = json!({"query": "type:guest", "limit": 500});
        let answer = Value::Object(session.call("fleet_search", &query).ok());
        let took = begun.elapsed();
        assert_eq!(answer["errors"], json!([]));
        let rows = answer["items"].as_array().expect("items");
        let of_it = rows.iter().filter(|row| row["cluster"] == json!("staging"));
        assert!(of_it.count() > 3, "{answer}");
        told = answer["incomplete"].as_array().cloned().unwrap_or_default();
        took
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["clusters"], json!(["staging"]), "{told:?}");
    let why = told[0]["may_miss"][0].as_str().unwrap_or_default();
    let begins = "what the token sees is not known: staging: ";
    assert!(why.starts_with(begins), "{told:?}");
}
