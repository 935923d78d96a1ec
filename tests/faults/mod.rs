//! `dev faults [TOOL [FAULT]]`: every tool, and every action of it, under every fault
//! of the simulator. Prints the table of results; ends with status 1 where a cell has failed.
//! With `FAULTS_SAMPLE=N` in the environment one cell of N is played, picked by `SEED`, which is printed.

mod cell;
mod clusters;
mod column;
mod derive;
mod judge;
mod row;
mod sample;
mod seat;
mod table;
mod value;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use cell::Cell;
use column::Column;
use row::Row;

/// Most cells wait for something.
const AT_A_TIME: usize = 24;
const AGAIN_AT_A_TIME: usize = 4;

pub fn run(words: Vec<String>) -> ExitCode {
    proxmox_mcp::log::set(proxmox_mcp::log::Level::Error);
    let mut words = words.into_iter();
    let (tool, fault) = (words.next(), words.next());
    let begun = Instant::now();
    let (rows, underived) = derive::rows(tool.as_deref().unwrap_or_default());
    let columns = column::all();
    let wanted = |column: &Column| column.name.contains(fault.as_deref().unwrap_or_default());
    let columns: Vec<Column> = columns.into_iter().filter(wanted).collect();
    println!(
        "{} calls of {} tools derived from the table of tools in {} s",
        rows.len(),
        row::tools(&rows),
        begun.elapsed().as_secs()
    );
    let results = play(&rows, &columns);
    if fault.is_some() {
        table::answers(&rows, &columns, &results);
    }
    let failed = table::print(&rows, &columns, &results, &underived);
    println!(
        "{} faults took {} s",
        columns.len(),
        begun.elapsed().as_secs()
    );
    let second = results.iter().filter(|cell| cell.outcome.is_second());
    println!(
        "{} passed ({} of them at the second try only: `2` in the table), {failed} failed",
        results.len() + underived.len() - failed,
        second.count()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Plays all cells, several at a time. What failed is played once more, a few at a time: a machine that
/// was too busy is no failure.
fn play(rows: &[Row], columns: &[Column]) -> Vec<Cell> {
    let mut cells = cell::all(rows, columns);
    if let Some(sample) = sample::Sample::asked() {
        let whole = cells.len();
        sample.pick(&mut cells);
        println!("{} of {whole} cells, by SEED={}", cells.len(), sample.seed);
    }
    let every: Vec<usize> = (0..cells.len()).collect();
    play_these(&mut cells, &every, AT_A_TIME, rows, columns);
    let failed = |number: &usize| cells[*number].outcome.problem.is_some();
    let failed: Vec<usize> = every.into_iter().filter(failed).collect();
    play_these(&mut cells, &failed, AGAIN_AT_A_TIME, rows, columns);
    cells
}

fn play_these(
    cells: &mut [Cell],
    these: &[usize],
    at_a_time: usize,
    rows: &[Row],
    columns: &[Column],
) {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<(usize, cell::Outcome)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(number) = these.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = cells[*number].play(rows, columns);
                    let mut outcomes = outcomes.lock().expect("no thread panics with it");
                    outcomes.push((*number, outcome));
                }
            });
        }
    });
    for (number, outcome) in outcomes.into_inner().expect("no thread panics with it") {
        cells[number].outcome = outcome;
    }
}
