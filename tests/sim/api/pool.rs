//! Pools.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, flag, given, list, text};
use super::super::gate::Call;
use super::super::state::Pool;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/pools", pools),
    ("POST", "/pools", add),
    ("PUT", "/pools", change),
    ("DELETE", "/pools", remove),
    ("GET", "/pools/{poolid}", one),
    ("PUT", "/pools/{poolid}", change),
    ("DELETE", "/pools/{poolid}", remove),
];

fn row(call: &Call, id: &str, pool: &Pool, members: bool) -> Value {
    let mut row = json!({"poolid": id});
    if let Some(comment) = &pool.comment {
        row["comment"] = comment.clone().into();
    }
    if members {
        let state = &*call.state;
        let guests = pool
            .vms
            .iter()
            .filter_map(|vmid| state.guests.get(vmid))
            .filter(|guest| state.may(&call.who, &format!("/vms/{}", guest.vmid), &["VM.Audit"]));
        let bare = |mut row: serde_json::Map<String, Value>| {
            row.remove("pool");
            row.remove("tags");
            Value::Object(row)
        };
        let mut all: Vec<Value> = guests.map(|guest| bare(state.guest_row(guest))).collect();
        all.extend(
            pool.storages
                .iter()
                .filter_map(|id| state.storage(id))
                .map(|storage| {
                    let node = state
                        .nodes
                        .keys()
                        .find(|node| storage.on(node))
                        .cloned()
                        .unwrap_or_default();
                    state.storage_row(storage, &node).into()
                }),
        );
        row["members"] = all.into();
    }
    row
}

fn absent(id: &str) -> Refusal {
    Refusal::die(format!("pool '{id}' does not exist"))
}

fn pools(call: &mut Call) -> Answer {
    if let Some(id) = given(&call.params, "poolid") {
        call.state
            .need_any(&call.who, &format!("/pool/{id}"), &["Pool.Audit"])?;
        let pool = call.state.pools.get(&id).ok_or_else(|| absent(&id))?;
        return Ok(json!([row(call, &id, pool, true)]));
    }
    let seen = call.state.pools.iter().filter(|(id, _)| {
        call.state
            .may(&call.who, &format!("/pool/{id}"), &["Pool.Audit"])
    });
    Ok(seen.map(|(id, pool)| row(call, id, pool, false)).collect())
}

fn one(call: &mut Call) -> Answer {
    let id = call.text("poolid");
    let pool = call.state.pools.get(&id).ok_or_else(|| absent(&id))?;
    Ok(row(call, &id, pool, true))
}

fn failed(call: &Call, what: &str) -> Result<(), Refusal> {
    if call.state.has_quorum() {
        Ok(())
    } else {
        Err(Refusal::die(format!(
            "{what} pool failed: cfs-lock 'file-user_cfg' error: no quorum!"
        ))
        .waiting(call.lock_s()))
    }
}

fn add(call: &mut Call) -> Answer {
    failed(call, "create")?;
    let id = call.text("poolid");
    if call.state.pools.contains_key(&id) {
        return Err(Refusal::die(format!(
            "create pool failed: pool '{id}' already exists"
        )));
    }
    if let Some((parent, _)) = id.rsplit_once('/')
        && !call.state.pools.contains_key(parent)
    {
        return Err(Refusal::die(format!(
            "create pool failed: parent '{parent}' of pool '{id}' does not exist"
        )));
    }
    call.state.pools.insert(
        id,
        Pool {
            comment: given(&call.params, "comment"),
            ..Pool::default()
        },
    );
    NULL
}

fn change(call: &mut Call) -> Answer {
    let id = call.text("poolid");
    let (delete, shift) = (
        flag(&call.params, "delete"),
        flag(&call.params, "allow-move"),
    );
    let (vms, storages) = (
        list(&text(&call.params, "vms")),
        list(&text(&call.params, "storage")),
    );
    let comment = given(&call.params, "comment");
    call.state
        .need(&call.who, &format!("/pool/{id}"), &["Pool.Allocate"])?;
    failed(call, "update")?;
    let fail = |text: String| Refusal::die(format!("update pools failed: {text}"));
    if !call.state.pools.contains_key(&id) {
        return Err(fail(format!("pool '{id}' does not exist")));
    }
    let guests = vms
        .iter()
        .map(|vmid| (format!("/vms/{vmid}"), "VM.Allocate"));
    let others = storages
        .iter()
        .map(|id| (format!("/storage/{id}"), "Datastore.Allocate"));
    for (path, allocate) in guests.chain(others) {
        let any = ["Permissions.Modify", allocate];
        if !call.state.may(&call.who, &path, &any) {
            return Err(fail(format!(
                "Permission check failed ({path}, {})",
                any.join("|")
            )));
        }
    }
    for vmid in vms.iter().filter_map(|vmid| vmid.parse::<u32>().ok()) {
        let now = call.state.pool_of(vmid).map(String::from);
        match now {
            Some(other) if !delete && other == id => {
                return Err(fail(format!("VM {vmid} is already a pool member")));
            }
            Some(other) if !delete && !shift => {
                return Err(fail(format!(
                    "VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set"
                )));
            }
            None if delete => return Err(fail(format!("VM {vmid} is not a pool member"))),
            _ => {}
        }
    }
    for vmid in vms.iter().filter_map(|vmid| vmid.parse::<u32>().ok()) {
        for pool in call.state.pools.values_mut() {
            pool.vms.remove(&vmid);
        }
        if !delete && let Some(pool) = call.state.pools.get_mut(&id) {
            pool.vms.insert(vmid);
        }
    }
    if let Some(pool) = call.state.pools.get_mut(&id) {
        for storage in storages {
            if delete {
                pool.storages.remove(&storage)
            } else {
                pool.storages.insert(storage)
            };
        }
        if comment.is_some() {
            pool.comment = comment.filter(|comment| !comment.is_empty());
        }
    }
    NULL
}

fn remove(call: &mut Call) -> Answer {
    failed(call, "delete")?;
    let id = call.text("poolid");
    let fail = |text: String| Refusal::die(format!("delete pool failed: {text}"));
    let Some(pool) = call.state.pools.get(&id) else {
        return Err(fail(format!("pool '{id}' does not exist")));
    };
    if let Some(child) = call
        .state
        .pools
        .keys()
        .find(|other| other.starts_with(&format!("{id}/")))
    {
        return Err(fail(format!(
            "pool '{id}' is not empty (contains pool '{child}')"
        )));
    }
    if let Some(vmid) = pool.vms.first() {
        return Err(fail(format!(
            "pool '{id}' is not empty (contains VM {vmid})"
        )));
    }
    if let Some(storage) = pool.storages.first() {
        return Err(fail(format!(
            "pool '{id}' is not empty (contains storage '{storage}')"
        )));
    }
    call.state.pools.remove(&id);
    NULL
}
