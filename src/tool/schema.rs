//! What a model is told that a call of a tool may bring, as a JSON schema: read off its declaration.

use serde_json::{Map, Value, json};

use super::args::WAIT_MAX_S;
use super::offer::Offered;
use super::param::{Param, ParamKind};
use super::{Subject, Thing};

/// What a call may bring: closed, without combinators at the root.
pub fn input(offered: &Offered) -> Value {
    let tool = offered.tool;
    let mut properties = Map::new();
    if tool.subject != Subject::Session {
        properties.insert("cluster".to_owned(), cluster(tool.subject));
    }
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

fn cluster(subject: Subject) -> Value {
    let about = match subject {
        Subject::List => "or `all`; else the default one",
        Subject::Cluster => "else the default one",
        Subject::GuestNodeOrCluster => "else by guest or node, or the default",
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
