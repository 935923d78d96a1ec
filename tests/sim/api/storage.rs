//! Storages: their definitions, and how they look from a node.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, flag, given, list, scalar, text};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::super::state::State;
use super::super::storage::Storage;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/storage", definitions),
    ("POST", "/storage", define),
    ("GET", "/storage/{storage}", definition),
    ("PUT", "/storage/{storage}", redefine),
    ("DELETE", "/storage/{storage}", undefine),
    ("GET", "/nodes/{node}/storage", here),
    ("GET", "/nodes/{node}/storage/{storage}/status", status),
];

fn digest(state: &State) -> String {
    let text: String = state
        .storages
        .iter()
        .map(|storage| {
            format!(
                "{}{}{}{:?}",
                storage.id,
                storage.kind,
                storage.content.join(","),
                storage.options
            )
        })
        .collect();
    sha1(text.as_bytes())
}

fn shown(state: &State, storage: &Storage) -> Value {
    let mut all = Map::new();
    all.insert("storage".into(), storage.id.clone().into());
    all.insert("type".into(), storage.kind.clone().into());
    all.insert("content".into(), storage.content.join(",").into());
    all.insert("digest".into(), digest(state).into());
    if !storage.path.is_empty() {
        all.insert("path".into(), storage.path.clone().into());
    }
    if storage.shared || storage.options.contains_key("shared") {
        all.insert("shared".into(), u8::from(storage.shared).into());
    }
    if storage.disabled {
        all.insert("disable".into(), 1.into());
    }
    if !storage.nodes.is_empty() {
        all.insert("nodes".into(), storage.nodes.join(",").into());
    }
    for (key, value) in storage.options.iter().filter(|(key, _)| *key != "shared") {
        all.insert(key.clone(), value.clone().into());
    }
    all.into()
}

fn absent(id: &str) -> Refusal {
    Refusal::die(format!("storage '{id}' does not exist"))
}

fn definitions(call: &mut Call) -> Answer {
    let (state, kind) = (&*call.state, given(&call.params, "type"));
    let seen = state.storages.iter().filter(|storage| {
        state.may(
            &call.who,
            &format!("/storage/{}", storage.id),
            &["Datastore.Audit"],
        )
    });
    Ok(seen
        .filter(|storage| kind.as_ref().is_none_or(|kind| storage.kind == *kind))
        .map(|storage| shown(state, storage))
        .collect())
}

fn definition(call: &mut Call) -> Answer {
    let id = call.text("storage");
    call.state
        .storage(&id)
        .map(|storage| shown(call.state, storage))
        .ok_or_else(|| absent(&id))
}

fn quorate(call: &Call, what: &str) -> Result<(), Refusal> {
    if call.state.has_quorum() {
        Ok(())
    } else {
        Err(Refusal::die(format!(
            "{what} storage failed: cfs-lock 'file-storage_cfg' error: no quorum!"
        ))
        .waiting(call.lock_s()))
    }
}

fn apply(storage: &mut Storage, params: &Map<String, Value>) {
    for (key, value) in params {
        let value = scalar(value);
        match key.as_str() {
            "storage" | "type" | "digest" | "delete" => {}
            "content" => storage.content = list(&value),
            "nodes" => storage.nodes = list(&value),
            "disable" => storage.disabled = value == "1",
            "shared" => {
                storage.shared = value == "1";
                storage.options.insert("shared".into(), value);
            }
            "path" => storage.path = value,
            _ => {
                storage.options.insert(key.clone(), value);
            }
        }
    }
}

fn define(call: &mut Call) -> Answer {
    quorate(call, "create")?;
    let (id, kind) = (call.text("storage"), call.text("type"));
    if call.state.storage(&id).is_some() {
        return Err(Refusal::die(format!(
            "create storage failed: storage ID '{id}' already defined"
        )));
    }
    let mut storage = Storage::new(
        &id,
        &kind,
        "images",
        matches!(kind.as_str(), "nfs" | "cifs" | "rbd" | "cephfs" | "pbs"),
    );
    storage.path = if storage.files() {
        storage.path
    } else {
        String::new()
    };
    apply(&mut storage, &call.params);
    call.state.storages.push(storage);
    Ok(json!({"storage": id, "type": kind}))
}

fn redefine(call: &mut Call) -> Answer {
    quorate(call, "update")?;
    let id = call.text("storage");
    let params = call.params.clone();
    if given(&params, "digest").is_some_and(|given| given != digest(call.state)) {
        return Err(Refusal::die(
            "detected modified configuration - file changed by other user? Try again.",
        ));
    }
    let storage = call.state.storage_mut(&id).ok_or_else(|| {
        Refusal::die(format!(
            "update storage failed: storage '{id}' does not exist"
        ))
    })?;
    apply(storage, &params);
    for key in list(&given(&params, "delete").unwrap_or_default()) {
        match key.as_str() {
            "nodes" => storage.nodes.clear(),
            "disable" => storage.disabled = false,
            _ => {
                storage.options.remove(&key);
            }
        }
    }
    Ok(json!({"storage": id, "type": storage.kind}))
}

fn undefine(call: &mut Call) -> Answer {
    quorate(call, "delete")?;
    let id = call.text("storage");
    if call.state.storage(&id).is_none() {
        return Err(Refusal::die(format!(
            "delete storage failed: storage '{id}' does not exist"
        )));
    }
    call.state.storages.retain(|storage| storage.id != id);
    NULL
}

fn usage(storage: &Storage, node: &str, row: &mut Map<String, Value>) {
    let active = storage.active(node);
    let (total, used) = match active || storage.disabled {
        true => (storage.total, storage.used(node)),
        false => (0, 0),
    };
    let all = json!({
        "type": storage.kind, "content": storage.content.join(","), "shared": u8::from(storage.shared), "enabled": u8::from(!storage.disabled),
        "active": u8::from(active), "total": total, "used": used, "avail": total - used,
    });
    row.extend(all.as_object().cloned().unwrap_or_default());
}

fn here(call: &mut Call) -> Answer {
    let (state, params) = (&*call.state, &call.params);
    let only = given(params, "storage");
    let (contents, target, enabled) = (
        list(&text(params, "content")),
        given(params, "target"),
        flag(params, "enabled"),
    );
    let mut rows: Vec<Value> = Vec::new();
    for storage in &state.storages {
        let path = format!("/storage/{}", storage.id);
        let fits = state.may(
            &call.who,
            &path,
            &["Datastore.Audit", "Datastore.AllocateSpace"],
        ) && storage.on(&call.node)
            && only.as_ref().is_none_or(|only| *only == storage.id)
            && (contents.is_empty() || contents.iter().any(|content| storage.holds(content)))
            && target.as_ref().is_none_or(|target| {
                *target == call.node || (storage.shared && storage.on(target))
            })
            && (!enabled || !storage.disabled);
        if !fits {
            continue;
        }
        let mut row = Map::from_iter([("storage".to_string(), Value::from(storage.id.clone()))]);
        usage(storage, &call.node, &mut row);
        row.insert(
            "used_fraction".into(),
            (storage.used(&call.node) as f64 / storage.total.max(1) as f64).into(),
        );
        rows.push(row.into());
    }
    Ok(rows.into())
}

fn status(call: &mut Call) -> Answer {
    let id = call.text("storage");
    let Some(storage) = call
        .state
        .storage(&id)
        .filter(|storage| storage.on(&call.node))
    else {
        return Err(Refusal::param("storage", "No such storage."));
    };
    let mut row = Map::new();
    usage(storage, &call.node, &mut row);
    Ok(row.into())
}
