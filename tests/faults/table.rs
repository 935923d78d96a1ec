//! The table as it is printed: a row for each call, a column for each fault.

use std::fmt::Write;

use serde_json::Value;

use super::cell::Cell;
use super::column::Column;
use super::row::Row;

/// What a problem is cut to, in characters.
const SHOWN_MAX_CHARS: usize = 600;

/// Prints it, then what has failed; how many have.
pub fn print(rows: &[Row], columns: &[Column], cells: &[Cell], underived: &[String]) -> usize {
    println!("\nthe faults:");
    for (number, column) in columns.iter().enumerate() {
        println!("  {:02} {}", number + 1, column.name);
    }
    let width = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    let mut head = format!("\n{:width$}", "");
    for number in 1..=columns.len() {
        let _ = write!(head, " {number:02}");
    }
    println!("{head}");
    for (number, row) in rows.iter().enumerate() {
        let mut line = format!("{:width$}", row.label);
        for column in 0..columns.len() {
            let here = cells
                .iter()
                .filter(|cell| (cell.row, cell.column) == (number, column));
            let here: Vec<&Cell> = here.collect();
            let failed = here.iter().any(|cell| cell.outcome.problem.is_some());
            let second = here.iter().any(|cell| cell.outcome.is_second());
            let mark = match (here.is_empty(), failed, second) {
                (true, ..) => "",
                (_, true, _) => "F",
                (_, _, true) => "2",
                _ => "ok",
            };
            let _ = write!(line, " {mark:>2}");
        }
        println!("{line}");
    }
    println!();
    for problem in underived {
        println!("FAILED {problem}");
    }
    let mut failed = underived.len();
    for cell in cells {
        let (said, problem) = match (&cell.outcome.problem, &cell.outcome.before) {
            (Some(problem), _) => ("FAILED", problem),
            (None, Some(problem)) => ("passed at the second try:", problem),
            (None, None) => continue,
        };
        failed += usize::from(cell.outcome.problem.is_some());
        let problem: String = problem.chars().take(SHOWN_MAX_CHARS).collect();
        let (row, column) = (&rows[cell.row].label, columns[cell.column].name);
        println!("{said} {row} / {column} / {:?}: {problem}", cell.when);
    }
    failed
}

/// Prints what each call was answered, for who looks at one fault.
pub fn answers(rows: &[Row], columns: &[Column], cells: &[Cell]) {
    for cell in cells {
        let (row, column) = (&rows[cell.row], columns[cell.column].name);
        println!(
            "\n{} {} / {column} / {:?}",
            row.label,
            Value::Object(row.arguments.clone()),
            cell.when
        );
        println!("  {}", cell.outcome.answer);
    }
}
