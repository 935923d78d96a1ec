//! Calls out of the table of tools: for each action and each mark of a tool the first arguments with
//! which a healthy cluster takes it, tried in the order of the parameters.

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::api::request::Verb;
use proxmox_mcp::tool::param::{Param, ParamKind};
use proxmox_mcp::tool::{Subject, Tool, args};
use proxmox_mcp::tools;
use serde_json::{Map, Value, json};

use super::clusters::{self, ONE};
use super::row::{self, Row};
use super::seat::{Answer, Seat};
use super::value;
use crate::sim::World;

/// So many optional parameters are tried together.
const TOGETHER_MAX: usize = 2;
/// What means something with another one only, and that one.
const COMPANIONS: &[(&str, &str)] = &[("digest", "pos")];
/// Optional parameters that choose from what is there; nothing depends on them.
const LEFT_OUT: &[&str] = &["cursor", "fields", "limit", "sort"];
/// For requests that are well, also on a busy machine.
const TIMEOUT_S: u64 = 20;
/// How long a call waits for its task.
const WAIT_S: u64 = 5;

type Object = Map<String, Value>;

/// What a row is to be.
struct Aim {
    label: String,
    /// `action`, or a parameter that makes it another call.
    given: Object,
    mark: Mark,
}

/// The rows of all tools whose name has this in it, and what could not be derived.
pub fn rows(part: &str) -> (Vec<Row>, Vec<String>) {
    let tools: Vec<&'static Tool> = tools::all()
        .filter(|tool| tool.name.contains(part))
        .collect();
    let derived = std::thread::scope(|scope| {
        let each = tools.iter().map(|tool| scope.spawn(|| of_tool(tool)));
        let each: Vec<_> = each.collect();
        let joined = each.into_iter().map(|one| one.join().expect("it derives"));
        joined.collect::<Vec<_>>()
    });
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (found, missing) in derived {
        rows.extend(found);
        problems.extend(missing);
    }
    (rows, problems)
}

fn of_tool(tool: &'static Tool) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for aim in aims(tool) {
        match derived(tool, &aim) {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(format!("{}: no arguments found: {problem}", aim.label)),
        }
    }
    (rows, problems)
}

/// Each action; where there is none, each mark; of a read, each switch that it has.
fn aims(tool: &Tool) -> Vec<Aim> {
    let aim = |word: &str, given: Object, mark: Mark| Aim {
        label: format!("{} {word}", tool.name).trim_end().into(),
        given,
        mark,
    };
    let given = |name: &str, value: Value| Object::from_iter([(name.to_string(), value)]);
    if let Some(actions) = tool.by_word() {
        let each = actions.iter();
        return each
            .map(|one| aim(one.word, given("action", json!(one.word)), one.mark))
            .collect();
    }
    let marks: Vec<Mark> = tool.possible().collect();
    let mut aims: Vec<Aim> = marks
        .iter()
        .map(|mark| {
            let word = if marks.len() > 1 {
                mark.to_string()
            } else {
                String::new()
            };
            aim(&word, Object::new(), *mark)
        })
        .collect();
    if tool.heaviest() == Mark::READ {
        let switches = tool.params.iter();
        let switches =
            switches.filter(|param| !param.required && matches!(param.kind, ParamKind::Bool));
        aims.extend(
            switches.map(|param| aim(param.name, given(param.name, json!(true)), Mark::READ)),
        );
        if tool.subject == Subject::List {
            aims.push(aim("all", given("cluster", json!("all")), Mark::READ));
        }
    }
    aims
}

/// The row of an aim: the first arguments that do it.
fn derived(tool: &'static Tool, aim: &Aim) -> Result<Row, String> {
    let mut last = "none was allowed by the parameters".to_string();
    let mut healthy: Option<(World, Seat)> = None;
    for arguments in attempts(tool, aim) {
        let (world, mut seat) = match healthy.take() {
            Some(healthy) => healthy,
            None => {
                let world = clusters::start();
                let seat = Seat::start(&world, TIMEOUT_S)?;
                (world, seat)
            }
        };
        let given = row::filled(&arguments, &world);
        let meant = args::check(tool, &given).map(|(checked, _)| tool.mark(&checked));
        if meant != Ok(aim.mark) {
            healthy = Some((world, seat));
            continue;
        }
        world.seen();
        let shown = Value::Object(arguments.clone());
        let answer = seat.confirmed(tool.name, &given)?;
        let writes = row::executed(&world.seen());
        match answer {
            Answer::Success(_)
                if writes.is_empty() && aim.mark.effect != Effect::Read && writes_by(tool) =>
            {
                last = format!("{shown} writes nothing");
            }
            Answer::Success(answer) => {
                let mut answers = vec![answer];
                seat.call("fleet_search", &Object::new())?;
                if !aim.mark.asks
                    && writes.is_empty()
                    && let Answer::Success(again) = seat.call(tool.name, &given)?
                {
                    answers.push(again);
                }
                return Ok(Row {
                    tool,
                    label: aim.label.clone(),
                    arguments,
                    asks: aim.mark.asks,
                    answers,
                    writes,
                });
            }
            Answer::Failure(text) => last = format!("{shown}: {text}"),
        }
        if writes.is_empty() {
            healthy = Some((world, seat));
        }
    }
    Err(last)
}

/// Whether it writes: a read may be more than a look.
fn writes_by(tool: &Tool) -> bool {
    let mut sends = tool.actions().iter().flat_map(|action| action.sends.iter());
    let reads_only = sends.all(|sends| sends.iter().all(|one| one.verb == Verb::Get));
    !reads_only
}

/// All arguments to try, the fewest first.
fn attempts(tool: &Tool, aim: &Aim) -> Vec<Object> {
    let given = start(tool, aim);
    let free = |param: &&Param| !given.contains_key(param.name);
    let required = tool
        .params
        .iter()
        .filter(|param| param.required)
        .filter(free);
    let required: Vec<&Param> = required.collect();
    let optional = tool
        .params
        .iter()
        .filter(|param| !param.required)
        .filter(free);
    let optional = optional.filter(|param| !LEFT_OUT.contains(&param.name));
    let optional: Vec<&Param> = optional.collect();
    let mut sets: Vec<Vec<&Param>> = vec![Vec::new()];
    if aim.mark == Mark::READ {
        // Of a read, everything that it can include.
        let inclusions = optional
            .iter()
            .filter(|param| matches!(param.kind, ParamKind::SomeOf(_)));
        sets.insert(0, inclusions.copied().collect());
    }
    let mut grown: Vec<Vec<&Param>> = vec![Vec::new()];
    for _ in 0..TOGETHER_MAX {
        let mut next = Vec::new();
        for set in &grown {
            let after = set.last().map_or(0, |last| {
                optional
                    .iter()
                    .position(|param| param.name == last.name)
                    .unwrap_or(0)
                    + 1
            });
            for param in optional.iter().skip(after) {
                let mut more = set.clone();
                more.push(param);
                next.push(more);
            }
        }
        sets.extend(next.clone());
        grown = next;
    }
    let mut all = Vec::new();
    for set in sets {
        let mut these = vec![given.clone()];
        let with = COMPANIONS
            .iter()
            .filter(|(name, _)| set.iter().any(|one| one.name == *name));
        let with: Vec<&&Param> = with
            .filter_map(|(_, other)| optional.iter().find(|param| param.name == *other))
            .collect();
        for param in required.iter().chain(&set).chain(with) {
            let values = value::candidates(param);
            let with = |arguments: &Object| {
                let each = values.iter().map(|value| {
                    let mut arguments = arguments.clone();
                    arguments.insert(param.name.into(), value.clone());
                    arguments
                });
                each.collect::<Vec<_>>()
            };
            these = these.iter().flat_map(with).collect();
        }
        all.extend(these);
    }
    all
}

fn start(tool: &Tool, aim: &Aim) -> Object {
    let mut arguments = aim.given.clone();
    if matches!(
        tool.subject,
        Subject::New(_)
            | Subject::ApiPath
            | Subject::Cluster
            | Subject::Thing(..)
            | Subject::Storage(_)
            | Subject::GuestOrStorage { .. }
    ) {
        arguments.insert("cluster".into(), ONE.into());
    }
    if tool.subject == Subject::GuestNodeOrCluster {
        arguments.insert("guest".into(), "web".into());
    }
    if tool.task && tool.heaviest() != Mark::READ {
        arguments.insert("wait".into(), WAIT_S.into());
    }
    arguments
}
