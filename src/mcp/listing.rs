//! A tool as its entry in `tools/list`: everything is read off its declaration. What an answer has is
//! declared there as well, but never sent: some hosts drop every key that an output schema does not
//! name, a plan and its code among them.

use serde_json::{Map, Value, json};

use super::revision::Revision;
use crate::api::mark::{Effect, Mark};
use crate::tool::args::WAIT_MAX_S;
use crate::tool::offer::Offered;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Subject, Thing};

/// The entry of a tool as far as it is offered, as a client of this revision knows it.
pub fn entry(offered: &Offered, revision: Revision) -> Value {
    let tool = offered.tool;
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| entry.insert(key.to_owned(), value);
    put("name", json!(tool.name));
    put("description", json!(tool.about));
    put("inputSchema", input_schema(offered));
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

/// What a call may bring: closed, without combinators at the root.
pub fn input_schema(offered: &Offered) -> Value {
    let tool = offered.tool;
    let mut properties = Map::new();
    properties.insert("cluster".to_owned(), cluster(tool.subject));
    for param in tool.params {
        properties.insert(param.name.to_owned(), property(offered, param));
    }
    if offered.asks() {
        let confirm = json!({"type": "string", "description": "`confirm` of its plan"});
        properties.insert("confirm".to_owned(), confirm);
    }
    if tool.task {
        let first = tool.wait_default_s();
        let about = format!("seconds, {first} at first, {WAIT_MAX_S} at most");
        properties.insert(
            "wait".to_owned(),
            json!({"type": "integer", "description": about}),
        );
    }
    let required: Vec<&str> = tool
        .params
        .iter()
        .filter(|param| param.required)
        .map(|param| param.name)
        .collect();

    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    Value::Object(schema)
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

fn cluster(subject: Subject) -> Value {
    let about = match subject {
        Subject::List => "or `all`; else the default one",
        Subject::Cluster => "else the default one",
        Subject::ApiPath => "else by the path's node, or the default",
        Subject::Fleet => "this one only",
        Subject::New(_) => "else by the new name's prefix, or the default",
        Subject::Thing(Thing::Job, _) => "where there are several",
        _ => "where several have it",
    };
    json!({"type": "string", "description": about})
}

fn property(offered: &Offered, param: &Param) -> Value {
    let mut schema = kind(offered, param.kind);
    if !param.about.is_empty()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.insert("description".to_owned(), json!(param.about));
    }
    schema
}

/// Only what a model needs to get it right, since each word of it is paid for in every conversation:
/// ranges, lengths and patterns are checked when the call comes.
fn kind(offered: &Offered, kind: ParamKind) -> Value {
    match kind {
        ParamKind::Guest | ParamKind::Text(_) | ParamKind::Word(_) | ParamKind::Moment => {
            json!({"type": "string"})
        }
        ParamKind::Int(..) | ParamKind::Size(..) => json!({"type": "integer"}),
        ParamKind::Bool => json!({"type": "boolean"}),
        ParamKind::ActionWord => json!({"type": "string", "enum": offered.words()}),
        // Some hosts take `enum` only beside a type.
        ParamKind::OneOf(words) => json!({"type": "string", "enum": words}),
        ParamKind::SomeOf(words) => {
            json!({"type": "array", "items": {"type": "string", "enum": words}})
        }
        ParamKind::Texts(_) => json!({"type": "array", "items": {"type": "string"}}),
        ParamKind::Settings => json!({"type": "object", "additionalProperties": true}),
    }
}
