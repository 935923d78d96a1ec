//! A cell of the table: one call under one fault, in clusters and with a server of its own.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::clusters::{self, ONE};
use super::column::{Column, When};
use super::judge::{self, Case};
use super::row::{self, Row, Writes};
use super::seat::{self, Answer, Seat};
use crate::sim::state::State;
use crate::sim::{Limited, World};

/// So long may the server go by what it remembers of a cluster, where it says so.
const MEMORY_MAX: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(200);
/// The third request and what follows it.
const SPARED: u32 = 2;

pub struct Cell {
    pub row: usize,
    pub column: usize,
    pub when: When,
    pub outcome: Outcome,
}

impl Outcome {
    /// Whether it failed at first and passed when it was played once more.
    pub fn is_second(&self) -> bool {
        self.problem.is_none() && self.before.is_some()
    }
}

#[derive(Default)]
pub struct Outcome {
    /// What is wrong; nothing where the cell has passed.
    pub problem: Option<String>,
    /// What the call was answered.
    pub answer: String,
    /// What was wrong at the first try, where this is the second.
    pub before: Option<String>,
}

/// The cells of these rows and columns; whatever waits longest comes first.
pub fn all(rows: &[Row], columns: &[Column]) -> Vec<Cell> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|column| columns[*column].timeout_s);
    let mut cells = Vec::new();
    for column in order {
        for (row, one) in rows.iter().enumerate() {
            for when in columns[column].whens(one) {
                cells.push(Cell {
                    row,
                    column,
                    when,
                    outcome: Outcome::default(),
                });
            }
        }
    }
    cells
}

impl Cell {
    /// Plays it.
    pub fn play(&self, rows: &[Row], columns: &[Column]) -> Outcome {
        let mut answer = String::new();
        let played = self.played(&rows[self.row], &columns[self.column], &mut answer);
        Outcome {
            problem: played.err(),
            answer,
            before: self.outcome.problem.clone(),
        }
    }

    fn played(&self, row: &Row, column: &Column, said: &mut String) -> Result<(), String> {
        let world = clusters::start();
        let mut seat = Seat::start(&world, column.timeout_s)?;
        let mut arguments = row.arguments_in(&world);
        let named = row.guest().and_then(|guest| clusters::vmid(&world, guest));
        let fault = (column.fault)(named.unwrap_or_default());
        match self.when {
            When::First | When::Middle => {}
            _ => {
                arguments = warmed(&mut seat, row, arguments)?;
                world.seen();
            }
        }
        world.cluster(ONE).fault(limited(fault, self.when));
        let answer = seat.confirmed(row.tool.name, &arguments)?;
        *said = match &answer {
            Answer::Success(answer) => json!(answer).to_string(),
            Answer::Failure(text) => text.clone(),
        };
        let seen = world.seen();
        // A digest may also be held against the configuration in the task.
        let done = match self.when {
            When::Write => Writes::new(),
            _ => row::executed(&seen),
        };
        let harm = named.and_then(|vmid| clusters::harm(&world, vmid, &done));
        let case = Case {
            row,
            expect: column.expect,
            answer: &answer,
            seen: &seen,
        };
        judge::call(&case)?;
        if let Some(harm) = harm {
            return Err(harm);
        }
        world.cluster(ONE).heal();
        clusters::settle(&world);
        healed(&mut seat, &world)?;
        judge::once(row, &seen, &world.seen())?;
        seat.end()
    }
}

/// What is known and open before the fault: where the guest is, and the plan where the call asks.
fn warmed(
    seat: &mut Seat,
    row: &Row,
    arguments: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let (tool, look) = match row.guest() {
        Some(guest) => ("guest_get", json!({"guest": guest})),
        None => ("fleet_search", json!({})),
    };
    let look = look.as_object().cloned().unwrap_or_default();
    if let Answer::Failure(text) = seat.call(tool, &look)? {
        return Err(format!("before the fault: {text}"));
    }
    if !row.asks {
        return Ok(arguments);
    }
    match seat.call(row.tool.name, &arguments)? {
        Answer::Failure(text) => Err(format!("before the fault: {text}")),
        plan => Ok(match seat::code_of(&plan) {
            Some(code) => seat::with_code(&arguments, &code),
            None => arguments,
        }),
    }
}

fn limited(fault: Limited, when: When) -> Limited {
    match when {
        When::First | When::Warm => fault,
        When::Middle => fault.sparing(SPARED),
        When::Found => fault.on("", "/nodes"),
        When::Write => fault.on_writes(),
        When::After => fault.after_write(),
    }
}

/// After the fault the same server says what is there, or until when it does not ask.
fn healed(seat: &mut Seat, world: &World) -> Result<(), String> {
    let look = json!({"query": "type:guest", "limit": 100, "fields": ["cluster", "vmid", "name"]});
    let look = look.as_object().cloned().unwrap_or_default();
    // Lists tell names once the statistics have gone round.
    for cluster in &world.clusters {
        cluster.just_now(State::round);
    }
    let until = Instant::now() + MEMORY_MAX;
    loop {
        let answer = seat.call("fleet_search", &look)?;
        match judge::whole(&answer, world) {
            Ok(()) => return Ok(()),
            Err(_) if judge::is_remembered(&answer) && Instant::now() < until => {
                thread::sleep(AGAIN);
            }
            Err(problem) => return Err(format!("after the fault: {problem}")),
        }
    }
}
