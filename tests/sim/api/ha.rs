//! High availability: resources, rules, status.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, given, list, scalar};
use super::super::digest::sha1;
use super::super::gate::Call;
use super::super::state::State;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/cluster/ha/status/current", status),
    ("GET", "/cluster/ha/status/manager_status", |call| {
        Ok(
            json!({"manager_status": {"node_status": {}}, "quorum": {"node": call.entry, "quorate": u8::from(call.state.has_quorum()).to_string()}}),
        )
    }),
    ("GET", "/cluster/ha/groups", |_| {
        Err(Refusal::die(
            "cannot index groups: ha groups have been migrated to rules",
        ))
    }),
    ("GET", "/cluster/ha/resources", resources),
    ("POST", "/cluster/ha/resources", add),
    ("GET", "/cluster/ha/resources/{sid}", one),
    ("PUT", "/cluster/ha/resources/{sid}", change),
    ("DELETE", "/cluster/ha/resources/{sid}", remove),
    ("GET", "/cluster/ha/rules", rules),
    ("POST", "/cluster/ha/rules", add_rule),
    ("DELETE", "/cluster/ha/rules/{rule}", remove_rule),
];

fn status(call: &mut Call) -> Answer {
    let state = &*call.state;
    let quorate = state.has_quorum();
    let mut rows = vec![
        json!({"id": "quorum", "node": call.entry, "type": "quorum", "status": if quorate { "OK" } else { "No quorum" }, "quorate": u8::from(quorate)}),
        json!({"id": "fencing", "node": call.entry, "type": "fencing", "armed-state": "standby", "status": "standby (CRM watchdog standby)"}),
    ];
    for (sid, service) in &state.ha {
        let vmid: u32 = sid
            .split(':')
            .nth(1)
            .and_then(|id| id.parse().ok())
            .unwrap_or(0);
        let node = state
            .guests
            .get(&vmid)
            .map_or(String::new(), |guest| guest.node.clone());
        let wanted = service.get("state").map(scalar).unwrap_or("started".into());
        rows.push(json!({
            "id": format!("service:{sid}"), "type": "service", "sid": sid, "node": node, "state": wanted, "request_state": wanted, "crm_state": wanted,
            "status": format!("{sid} ({node}, {wanted})"), "max_restart": 1, "max_relocate": 1,
        }));
    }
    Ok(rows.into())
}

impl State {
    fn ha_digest(&self) -> String {
        sha1(format!("{:?}", self.ha).as_bytes())
    }

    /// `200`, `vm:200` to the whole id.
    fn full_sid(&self, sid: &str) -> String {
        match sid
            .parse::<u32>()
            .ok()
            .and_then(|vmid| self.guests.get(&vmid))
        {
            Some(guest) => guest.sid(),
            None => sid.into(),
        }
    }
}

fn shown(state: &State, sid: &str) -> Value {
    let mut all = state.ha.get(sid).cloned().unwrap_or_default();
    for key in ["max_restart", "max_relocate", "failback"] {
        if let Some(number) = all
            .get(key)
            .and_then(|value| scalar(value).parse::<i64>().ok())
        {
            all.insert(key.into(), number.into());
        }
    }
    all.insert("sid".into(), sid.into());
    all.insert("type".into(), sid.split(':').next().unwrap_or("vm").into());
    all.insert("digest".into(), state.ha_digest().into());
    all.into()
}

fn resources(call: &mut Call) -> Answer {
    Ok(call
        .state
        .ha
        .keys()
        .map(|sid| shown(call.state, sid))
        .collect())
}

fn add(call: &mut Call) -> Answer {
    call.quorate()?;
    let sid = call.state.full_sid(&call.text("sid"));
    let vmid: u32 = sid
        .split(':')
        .nth(1)
        .and_then(|id| id.parse().ok())
        .unwrap_or(0);
    if call
        .state
        .guests
        .get(&vmid)
        .is_none_or(|guest| guest.sid() != sid)
    {
        return Err(Refusal::die(format!(
            "resource '{sid}' does not exist in cluster"
        )));
    }
    if call.state.ha.contains_key(&sid) {
        return Err(Refusal::die(format!(
            "create resource failed: resource ID '{sid}' already defined"
        )));
    }
    let mut all = call.params.clone();
    all.remove("sid");
    all.remove("type");
    call.state.ha.insert(sid, all);
    NULL
}

fn one(call: &mut Call) -> Answer {
    let sid = call.state.full_sid(&call.text("sid"));
    if !call.state.ha.contains_key(&sid) {
        return Err(Refusal::die(format!("no such resource '{sid}'")));
    }
    Ok(shown(call.state, &sid))
}

fn change(call: &mut Call) -> Answer {
    let sid = call.state.full_sid(&call.text("sid"));
    let params = call.params.clone();
    let Some(all) = call.state.ha.get_mut(&sid) else {
        return Err(Refusal::die(format!("no such resource '{sid}'")));
    };
    for key in list(&given(&params, "delete").unwrap_or_default()) {
        all.remove(&key);
    }
    all.extend(
        params
            .into_iter()
            .filter(|(key, _)| !matches!(key.as_str(), "sid" | "delete" | "digest")),
    );
    NULL
}

fn remove(call: &mut Call) -> Answer {
    let sid = call.state.full_sid(&call.text("sid"));
    match call.state.ha.remove(&sid) {
        Some(_) => NULL,
        None => Err(Refusal::die(format!(
            "cannot delete service '{sid}', not HA managed!"
        ))),
    }
}

fn rules(call: &mut Call) -> Answer {
    let digest = sha1(format!("{:?}", call.state.ha_rules).as_bytes());
    let rows = call
        .state
        .ha_rules
        .iter()
        .enumerate()
        .map(|(i, (id, rule))| {
            let mut row = rule.clone();
            row.insert("rule".into(), id.clone().into());
            row.insert("order".into(), (i + 1).into());
            row.insert("digest".into(), digest.clone().into());
            Value::Object(row)
        });
    Ok(rows.collect())
}

fn add_rule(call: &mut Call) -> Answer {
    let mut rule = call.params.clone();
    let id = rule
        .remove("rule")
        .map(|id| scalar(&id))
        .unwrap_or_default();
    if call.state.ha_rules.contains_key(&id) {
        return Err(Refusal::die(format!("HA rule '{id}' already defined")));
    }
    call.state.ha_rules.insert(id, rule);
    NULL
}

fn remove_rule(call: &mut Call) -> Answer {
    let id = call.text("rule");
    call.state
        .ha_rules
        .remove(&id)
        .map(|_| Value::Null)
        .ok_or_else(|| Refusal::die(format!("no such ha rule '{id}'")))
}
