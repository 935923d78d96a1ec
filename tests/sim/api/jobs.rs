//! Backup jobs.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Params, Refusal, given, list, scalar};
use super::super::calendar;
use super::super::format;
use super::super::gate::Call;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("GET", "/cluster/backup", jobs),
    ("POST", "/cluster/backup", add),
    ("GET", "/cluster/backup/{id}", job),
    ("PUT", "/cluster/backup/{id}", change),
    ("DELETE", "/cluster/backup/{id}", remove),
    ("GET", "/cluster/backup-info/not-backed-up", not_backed_up),
];

/// What a template of notes may name.
const VARIABLES: [&str; 4] = ["cluster", "guestname", "node", "vmid"];

fn no_such(id: &str) -> Refusal {
    Refusal::param("id", format!("No such job '{id}'"))
}

/// What the checks behind the schema say: the parameter stands in the message only.
fn unfit(text: impl Into<String>) -> Refusal {
    Refusal::die(format!(
        "400 Parameter verification failed.\n{}",
        text.into()
    ))
}

fn quorate(call: &Call) -> Result<(), Refusal> {
    if call.state.has_quorum() {
        return Ok(());
    }
    Err(Refusal::die("cfs-lock 'file-jobs_cfg' error: no quorum!").waiting(call.lock_s()))
}

/// A job as answers have it: numbers where the schema has them, property strings as objects.
fn shown(call: &Call, job: &Map<String, Value>) -> Value {
    let schema = &call.method.returns;
    let schema = schema.get("items").unwrap_or(schema);
    let all = job.iter().map(|(key, value)| {
        let text = scalar(value);
        let value = match schema["properties"][key]["type"].as_str() {
            Some("boolean" | "integer") => text.parse::<i64>().map_or(value.clone(), Value::from),
            Some("object") => {
                let parts = format::parse(&Value::Null, &text).unwrap_or_default();
                let flags = ["enabled", "keep-all"];
                let parts = parts.into_iter().map(|(key, value)| {
                    let flag = value.parse::<i64>().ok();
                    let flag = flag.filter(|_| flags.contains(&key.as_str()));
                    (key, flag.map_or(value.into(), Value::from))
                });
                parts.collect::<Map<_, _>>().into()
            }
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    all.collect::<Map<_, _>>().into()
}

fn jobs(call: &mut Call) -> Answer {
    let now = call.state.now();
    let rows = call.state.backup_jobs.values().map(|job| {
        let mut row = shown(call, job);
        let event = given(job, "schedule").and_then(|text| calendar::parse(&text).ok());
        if let Some(next) = event.and_then(|event| event.after(now)) {
            row["next-run"] = next.into();
        }
        row
    });
    Ok(rows.collect())
}

/// The checks that a job goes through whole, with what it is made of.
fn checked(mut job: Params) -> Result<Params, Refusal> {
    if job.contains_key("exclude") {
        job.insert("all".into(), "1".into());
    }
    if job.contains_key("pool") && job.contains_key("vmid") {
        return Err(unfit("pool: option conflicts with option 'vmid'"));
    }
    let picks = |key: &str| job.get(key).map(scalar).is_some_and(|text| text != "0");
    if !["all", "pool", "vmid"].into_iter().any(picks) {
        return Err(unfit("vmid: property is missing"));
    }
    if let Some(text) = given(&job, "notes-template") {
        notes(&text)?;
    }
    if let Some(text) = given(&job, "prune-backups") {
        let keeps = format::parse(&Value::Null, &text).unwrap_or_default();
        if keeps.iter().all(|(_, value)| value == "0") {
            job.insert("prune-backups".into(), "keep-all=1".into());
        }
    }
    if let Some(time) = job.remove("starttime").as_ref().map(scalar) {
        let days = job.remove("dow").as_ref().map(scalar);
        let days = days.map_or(String::new(), |days| days + " ");
        job.insert("schedule".into(), (days + &time).into());
    }
    Ok(job)
}

fn notes(text: &str) -> Result<(), Refusal> {
    if text.contains('\n') {
        return Err(unfit("notes-template: contains a line feed\n"));
    }
    let named = text.match_indices("{{").filter_map(|(at, _)| {
        let name = text[at + 2..].split_once("}}")?.0;
        (!VARIABLES.contains(&name)).then_some((at, name))
    });
    match named.last() {
        None => Ok(()),
        Some((at, name)) => Err(unfit(format!(
            "notes-template: found unknown: variable '{name}' at char {}\n",
            at + 4
        ))),
    }
}

fn pool(call: &Call) -> Result<(), Refusal> {
    match given(&call.params, "pool") {
        Some(pool) if !call.state.pools.contains_key(&pool) => {
            Err(Refusal::forbidden(&format!("pool '{pool}' does not exist")))
        }
        _ => Ok(()),
    }
}

fn add(call: &mut Call) -> Answer {
    pool(call)?;
    let params = &call.params;
    if !params.contains_key("schedule") && !params.contains_key("starttime") {
        let text = "neither 'starttime' nor 'schedule' were set";
        return Err(Refusal::param("schedule", text));
    }
    quorate(call)?;
    let mut job = checked(call.params.clone())?;
    let id = given(&job, "id").unwrap_or_else(|| call.state.uuid());
    if call.state.backup_jobs.contains_key(&id) {
        return Err(Refusal::die(format!("Job '{id}' already exists")));
    }
    job.insert("id".into(), id.clone().into());
    job.insert("type".into(), "vzdump".into());
    job.entry("enabled").or_insert("1".into());
    call.state.backup_jobs.insert(id, job);
    NULL
}

fn job(call: &mut Call) -> Answer {
    let id = call.text("id");
    let job = call.state.backup_jobs.get(&id);
    job.map(|job| shown(call, job)).ok_or_else(|| no_such(&id))
}

fn change(call: &mut Call) -> Answer {
    pool(call)?;
    quorate(call)?;
    let id = call.text("id");
    let mut params = call.params.clone();
    let delete = list(
        &params
            .remove("delete")
            .map(|value| scalar(&value))
            .unwrap_or_default(),
    );
    let known = call.state.backup_jobs.get_mut(&id);
    let known = known.ok_or_else(|| no_such(&id))?;
    let mut job = known.clone();
    // A new way to pick guests takes the place of the old one.
    const PICKS: [&str; 3] = ["all", "pool", "vmid"];
    if PICKS.iter().any(|key| params.contains_key(*key)) {
        PICKS.iter().for_each(|key| drop(job.remove(*key)));
    }
    job.retain(|key, _| !delete.contains(key));
    job.extend(params);
    *known = checked(job)?;
    NULL
}

fn remove(call: &mut Call) -> Answer {
    quorate(call)?;
    let id = call.text("id");
    let gone = call.state.backup_jobs.remove(&id);
    gone.map(|_| Value::Null).ok_or_else(|| no_such(&id))
}

fn not_backed_up(call: &mut Call) -> Answer {
    let (state, who) = (&*call.state, &call.who);
    let covered = |vmid: u32| {
        state.backup_jobs.values().any(|job| {
            let all = job.get("all").is_some_and(|all| scalar(all) == "1");
            let pool = job.get("pool").map(scalar);
            all || list(&job.get("vmid").map(scalar).unwrap_or_default())
                .contains(&vmid.to_string())
                || pool.is_some_and(|pool| state.pool_of(vmid) == Some(pool.as_str()))
        })
    };
    let rows = state.guests.values().filter(|guest| {
        !covered(guest.vmid) && state.may(who, &format!("/vms/{}", guest.vmid), &["VM.Audit"])
    });
    Ok(rows
        .map(|guest| json!({"vmid": guest.vmid, "type": guest.kind.word(), "name": guest.name()}))
        .collect())
}
