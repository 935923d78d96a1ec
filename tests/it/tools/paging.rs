//! A list of several clusters is the same whether it is read in one page or in many.

use serde_json::{Map, Value, json};

use crate::session::Session;
use crate::sim::World;

/// All rows of a list, in pages of `limit`.
fn rows(session: &mut Session, tool: &str, arguments: &Value, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut arguments = arguments.as_object().cloned().expect("an object");
    arguments.insert("limit".into(), limit.into());
    loop {
        let answer: Map<String, Value> = session.call(tool, &json!(arguments)).ok();
        let items = answer["items"].as_array().expect("items");
        assert!(items.len() <= limit, "{tool} {arguments:?}");
        rows.extend(items.clone());
        match answer.get("next") {
            Some(next) => drop(arguments.insert("cursor".into(), next.clone())),
            None => {
                assert_eq!(answer["total"], json!(rows.len()), "{tool} {arguments:?}");
                return rows;
            }
        }
    }
}

#[test]
fn pages_are_parts_of_the_whole_list() {
    let world = World::three();
    let mut session = Session::start(&world);
    for (tool, arguments) in [
        ("guest_list", json!({"cluster": "all"})),
        ("guest_list", json!({"cluster": "all", "status": "running"})),
        ("fleet_search", json!({})),
        ("fleet_search", json!({"sort": "-memory_mib"})),
        ("fleet_search", json!({"sort": "name"})),
        ("fleet_search", json!({"query": "type:storage"})),
        (
            "fleet_search",
            json!({"query": "type:guest", "sort": "cluster"}),
        ),
    ] {
        let whole = rows(&mut session, tool, &arguments, 500);
        assert!(whole.len() > 5, "{tool} {arguments}: {}", whole.len());
        for limit in [1, 2, 7] {
            let parts = rows(&mut session, tool, &arguments, limit);
            assert_eq!(parts, whole, "{tool} {arguments}, {limit} at a time");
        }
    }
}
