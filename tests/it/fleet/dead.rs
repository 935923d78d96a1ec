//! Clusters of a fleet that take no connection: each costs its time once, and the others answer.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::proxmox::node::{Full, full};
use crate::session::Session;
use crate::sim::World;

/// A world's configuration with `dead` clusters more, of three endpoints each, whose packets are
/// dropped, and `more` that are the second cluster under other names.
fn fleet(world: &World, dead: usize, more: usize, fanout: usize) -> (String, Vec<Full>) {
    let full = vec![full(), full(), full()];
    let urls: Vec<String> = full
        .iter()
        .map(|one| format!("https://{}", one.endpoint))
        .collect();
    let own = world.env();
    let staging: Vec<&str> = own
        .lines()
        .filter_map(|line| line.strip_prefix("PROXMOX_CLUSTER_staging_"))
        .collect();
    let mut names = vec![
        "production".to_string(),
        "staging".into(),
        "disaster-recovery".into(),
    ];
    let mut text = String::new();
    for number in 0..dead + more {
        let name = if number < dead {
            format!("dead-{number}")
        } else {
            format!("copy-{number}")
        };
        for line in &staging {
            let line = match line.strip_prefix("API_URL=") {
                Some(_) if number < dead => format!("API_URL={}", urls.join(",")),
                _ => (*line).to_string(),
            };
            text += &format!("PROXMOX_CLUSTER_{name}_{line}\n");
        }
        names.insert(0, name);
    }
    (
        format!(
            "PROXMOX_CLUSTERS={}\nPROXMOX_FANOUT={fanout}\n{text}",
            names.join(",")
        ),
        full,
    )
}

fn timed(session: &mut Session, tool: &str, arguments: Value) -> (Map<String, Value>, Duration) {
    let begun = Instant::now();
    let answer = session.call(tool, &arguments).ok();
    (answer, begun.elapsed())
}

fn errors(answer: &Map<String, Value>) -> Vec<&str> {
    let errors = answer["errors"].as_array().expect("errors");
    let said = errors
        .iter()
        .map(|row| row["message"].as_str().expect("a message"));
    said.collect()
}

#[test]
fn dead_clusters_cost_their_time_once() {
    let world = World::three();
    let (env, _full) = fleet(&world, 4, 0, 4);
    let mut session = Session::with(&world, &env);
    let search = json!({"query": "type:guest", "limit": 100});
    let (first, took) = timed(&mut session, "fleet_search", search.clone());
    assert_eq!(errors(&first).len(), 4, "{first:?}");
    // A cluster has 5 s, not each of its three nodes.
    assert!(took < Duration::from_secs(14), "{took:?}");
    assert!(json!(first["items"]).to_string().contains("dr-web-01"));
    // At once again, from memory or by a short try.
    let (second, took) = timed(&mut session, "fleet_search", search);
    assert_eq!(errors(&second).len(), 4, "{second:?}");
    assert!(took < Duration::from_millis(4500), "{took:?}");
    // It is seen, without asking.
    let (listed, _) = timed(&mut session, "cluster_list", json!({}));
    let rows = listed["items"].as_array().expect("items");
    let dead: Vec<&Value> = rows
        .iter()
        .filter(|row| row["state"] == json!("not reached"))
        .collect();
    assert_eq!(dead.len(), 4, "{rows:?}");
    for row in dead {
        let outage = row["outage"].as_str().expect("an outage");
        assert!(
            outage.starts_with("tried in vain") && outage.contains("the next try is"),
            "{outage}"
        );
        assert_eq!(row["endpoints_down"].as_array().map(Vec::len), Some(3));
    }
    // Who wants to know gets it tried.
    let (checked, _) = timed(&mut session, "cluster_list", json!({"check": true}));
    for message in errors(&checked) {
        assert!(!message.contains("in vain"), "{message}");
    }
}
