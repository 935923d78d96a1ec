//! Tools as their entries in `tools/list`.

use proxmox_mcp::mcp::listing;
use proxmox_mcp::mcp::revision::{self, Revision};
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tools::{TOOLSETS, Toolset};
use serde_json::{Value, json};

use crate::peer::{self, named};

#[test]
fn a_tool_is_read_off_its_declaration() {
    assert_eq!(
        listing::entry(&Offered::whole(named("everything")), Revision::Icons),
        json!({
            "name": "everything",
            "title": "For the tests",
            "description": "Does what its name says.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "cluster": {"type": "string"},
                    "guest": {"type": ["integer", "string"]},
                    "node": {"type": "string", "description": "where it goes"},
                    "action": {"type": "string", "enum": ["look", "take"]},
                    "include": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "limit": {"type": "integer"},
                    "size": {"type": "integer"},
                    "text": {"type": "string"},
                    "force": {"type": "boolean"},
                    "settings": {
                        "type": "object",
                    },
                    "confirm": {"type": "string"},
                    "wait": {"type": "integer", "maximum": 25},
                },
                "additionalProperties": false,
                "required": ["guest", "node", "action"],
            },
            // It may answer with a plan, so that its own keys cannot be relied upon.
            "outputSchema": {
                "type": "object",
                "required": ["cluster", "chosen_by"],
                "properties": {"cluster": {"type": "string"}, "chosen_by": {"type": "string"}},
            },
            "annotations": {"readOnlyHint": false, "destructiveHint": true, "openWorldHint": false},
        })
    );
}

#[test]
fn what_an_answer_has_depends_on_the_subject() {
    let rows: [(&str, &[&str]); 4] = [
        ("echo", &["items"]),
        ("sleeper", &["clusters_asked", "errors", "items"]),
        ("refuser", &["cluster", "chosen_by", "items"]),
        ("flood", &["cluster", "chosen_by"]),
    ];
    for (name, keys) in rows {
        let schema = listing::output_schema(&Offered::whole(named(name)));
        assert_eq!(schema["required"], json!(keys), "{name}");
        for key in keys {
            assert!(
                schema["properties"][key]["type"].is_string(),
                "{name}: {key}"
            );
        }
        let cluster = &listing::input_schema(&Offered::whole(named(name)))["properties"]["cluster"];
        let told = cluster.get("description").is_some();
        assert_eq!(told, ["echo", "sleeper"].contains(&name), "{name}");
    }
}

#[test]
fn annotations_show_the_heaviest_mark() {
    for (name, read_only, destructive) in [
        ("echo", true, false),
        ("refuser", false, false),
        ("quitter", false, true),
        ("flood", false, true),
        ("everything", false, true),
    ] {
        let annotations =
            &listing::entry(&Offered::whole(named(name)), Revision::Icons)["annotations"];
        assert_eq!(annotations["readOnlyHint"], read_only, "{name}");
        assert_eq!(annotations["destructiveHint"], destructive, "{name}");
    }
}

#[test]
fn a_client_is_shown_what_its_revision_knows() {
    let keys = |revision| {
        let entry = listing::entry(&Offered::whole(named("echo")), revision);
        let mut keys: Vec<String> = entry.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    let all = "annotations description inputSchema name outputSchema title";
    assert_eq!(keys(Revision::First), "description inputSchema name");
    assert_eq!(
        keys(Revision::Annotations),
        "annotations description inputSchema name"
    );
    for revision in [Revision::Structured, Revision::Icons, Revision::Stateless] {
        assert_eq!(keys(revision), all);
    }
    let titled = listing::entry(&Offered::whole(named("echo")), Revision::Annotations);
    assert_eq!(titled["annotations"]["title"], "For the tests");
}

/// Over every tool, ours and the tests': what clients choke on.
#[test]
fn every_entry_is_what_hosts_take() {
    for tool in tools(TOOLSETS).chain(tools(peer::TOOLSETS)) {
        for revision in revision::ALL {
            let entry = listing::entry(&Offered::whole(tool), revision);
            for key in ["inputSchema", "outputSchema"] {
                let Some(schema) = entry.get(key) else {
                    continue;
                };
                assert_eq!(schema["type"], "object", "{}", tool.name);
                for combinator in ["oneOf", "anyOf", "allOf", "$ref"] {
                    assert!(!schema.to_string().contains(combinator), "{}", tool.name);
                }
                jsonschema::meta::validate(schema)
                    .unwrap_or_else(|cause| panic!("{} {key}: {cause}", tool.name));
            }
            assert_eq!(
                entry["inputSchema"]["additionalProperties"], false,
                "{}",
                tool.name
            );
            assert!(
                listing::output_schema(&Offered::whole(tool))
                    .to_string()
                    .len()
                    <= 300,
                "{}",
                tool.name
            );
            assert!(!find_null(&entry), "{}", tool.name);
        }
    }
}

fn tools(toolsets: &'static [Toolset]) -> impl Iterator<Item = &'static proxmox_mcp::tool::Tool> {
    toolsets.iter().flat_map(|set| set.tools)
}

fn find_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(find_null),
        Value::Object(fields) => fields.values().any(find_null),
        _ => false,
    }
}
