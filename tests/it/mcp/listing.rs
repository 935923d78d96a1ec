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
                    "cluster": {"type": "string", "description": "where several have it"},
                    "guest": {"type": "string"},
                    "node": {"type": "string", "description": "where it goes"},
                    "action": {"type": "string", "enum": ["look", "take"]},
                    "include": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "limit": {"type": "integer"},
                    "size": {"type": "integer"},
                    "text": {"type": "string"},
                    "force": {"type": "boolean"},
                    "settings": {"type": "object", "additionalProperties": true},
                    "confirm": {"type": "string", "description": "`confirm` of its plan"},
                    "wait": {
                        "type": "integer",
                        "description": "seconds, 10 at first, 25 at most",
                    },
                },
                "additionalProperties": false,
                "required": ["guest", "node", "action"],
            },
            "annotations": {"readOnlyHint": false, "destructiveHint": true, "openWorldHint": false},
        })
    );
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
    let all = "annotations description inputSchema name title";
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
            let schema = &entry["inputSchema"];
            // Some hosts take it for all that an answer has, others refuse what does not fit it.
            assert!(entry.get("outputSchema").is_none(), "{}", tool.name);
            assert_eq!(schema["type"], "object", "{}", tool.name);
            assert_eq!(schema["additionalProperties"], false, "{}", tool.name);
            for word in ["oneOf", "anyOf", "allOf", "$ref", "format"] {
                let key = format!("\"{word}\":");
                assert!(!schema.to_string().contains(&key), "{}", tool.name);
            }
            for (name, property) in schema["properties"].as_object().expect("properties") {
                let what = format!("{}.{name}: {property}", tool.name);
                assert!(property["type"].is_string(), "{what}");
                let is_free = property["additionalProperties"] == true;
                assert!(property["type"] != "object" || is_free, "{what}");
            }
            jsonschema::meta::validate(schema)
                .unwrap_or_else(|cause| panic!("{}: {cause}", tool.name));
            assert!(!find_null(&entry), "{}", tool.name);
        }
    }
}

#[test]
fn every_parameter_says_what_it_is() {
    for tool in tools(TOOLSETS) {
        let entry = listing::entry(&Offered::whole(tool), Revision::Stateless);
        let properties = &entry["inputSchema"]["properties"];
        for (name, property) in properties.as_object().expect("properties") {
            let is_said = property["description"].is_string();
            let what = format!("{}.{name}: {property}", tool.name);
            assert!(is_said || says_itself(name, property), "{what}");
        }
    }
}

/// Whether a parameter needs no description: its words say all, or its name does. Those that many
/// tools have in common always have one.
fn says_itself(name: &str, property: &Value) -> bool {
    let is_common = ["guest", "cluster", "wait", "confirm"].contains(&name);
    let is_plain = ["cores", "tags_add", "tags_remove"].contains(&name);
    !is_common
        && (is_plain
            || property
                .get("enum")
                .or(property["items"].get("enum"))
                .is_some())
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
