//! A tool as its entry in `tools/list`: everything is read off its declaration. What an answer has is
//! declared there as well, but never sent: some hosts drop every key that an output schema does not
//! name, a plan and its code among them.

use serde_json::{Map, Value, json};

use super::revision::Revision;
use crate::api::mark::{Effect, Mark};
use crate::tool::offer::Offered;
use crate::tool::schema;

/// The entry of a tool as far as it is offered, as a client of this revision knows it.
pub fn entry(offered: &Offered, revision: Revision) -> Value {
    let tool = offered.tool;
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    put("name", json!(tool.name));
    put("description", json!(tool.about));
    put("inputSchema", schema::input(offered));
    if revision.has_annotations() {
        let mut annotations = annotations(offered.heaviest());
        if revision.is_structured() {
            put("title", json!(tool.title));
        } else if let Some(annotations) = annotations.as_object_mut() {
            // 2025-03-26 knows a title only here.
            annotations.insert("title".to_owned(), json!(tool.title));
        }
        put("annotations", annotations);
    }
    Value::Object(entry)
}

/// How heavy a call may be, for hosts that ask their user. `idempotentHint` is left out: a table of
/// marks does not know it.
fn annotations(mark: Mark) -> Value {
    let destructive = mark.effect == Effect::Full || mark.interrupts || mark.asks;
    json!({
        "readOnlyHint": mark.effect == Effect::Read,
        "destructiveHint": destructive,
        "openWorldHint": false,
    })
}
