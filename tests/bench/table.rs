//! What was measured as a table for people, and as JSON, so that two runs can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// One line of the table.
pub struct Row {
    what: String,
    found: f64,
    unit: &'static str,
    /// What it is measured by: the limit, and what the limit is made of.
    most: Option<f64>,
    beside: Option<String>,
    /// It is the same on every machine, so that a miss is a fault.
    counted: bool,
}

impl Row {
    pub fn new(what: impl Into<String>, found: f64, unit: &'static str) -> Row {
        Row {
            what: what.into(),
            found,
            unit,
            most: None,
            beside: None,
            counted: false,
        }
    }

    pub fn ms(what: impl Into<String>, found: std::time::Duration) -> Row {
        Row::new(what, found.as_secs_f64() * 1e3, "ms")
    }

    #[allow(clippy::cast_precision_loss)]
    pub fn mb(what: impl Into<String>, bytes: u64) -> Row {
        Row::new(what, bytes as f64 / 1e6, "MB")
    }

    #[allow(clippy::cast_precision_loss)]
    pub fn count(what: impl Into<String>, number: usize, unit: &'static str) -> Row {
        Row::new(what, number as f64, unit).counted()
    }

    pub fn most(mut self, most: f64) -> Row {
        self.most = Some(most);
        self
    }

    /// Says what stands beside it.
    pub fn beside(mut self, beside: impl Into<String>) -> Row {
        self.beside = Some(beside.into());
        self
    }

    pub fn counted(mut self) -> Row {
        self.counted = true;
        self
    }

    fn verdict(&self) -> Option<&'static str> {
        let most = self.most?;
        Some(if self.found <= most { "pass" } else { "miss" })
    }
}

/// All of it.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub fn add(&mut self, row: Row) {
        eprintln!("  {}: {} {}", row.what, short(row.found), row.unit);
        self.rows.push(row);
    }

    /// Whether something that is counted is over its limit.
    pub fn is_faulty(&self) -> bool {
        let missed = |row: &Row| row.counted && row.verdict() == Some("miss");
        self.rows.iter().any(missed)
    }

    /// As a table that can be pasted into a document, with the ratios to an earlier run.
    pub fn show(&self, machine: &str, before: &BTreeMap<String, f64>) {
        let compared = !before.is_empty();
        println!("{machine}\n");
        print!("| what | measured | at most | ratio | |");
        println!("{}", if compared { " to before |" } else { "" });
        print!("|---|---|---|---|---|");
        println!("{}", if compared { "---|" } else { "" });
        for row in &self.rows {
            let most = row.most.map(|most| format!("{} {}", short(most), row.unit));
            let ratio = row.most.map(|most| format!("{:.2}", row.found / most));
            let beside = row.beside.as_ref().map(|beside| format!(" ({beside})"));
            print!(
                "| {}{} | {} {} | {} | {} | {} |",
                row.what,
                beside.unwrap_or_default(),
                short(row.found),
                row.unit,
                most.unwrap_or_default(),
                ratio.unwrap_or_default(),
                row.verdict().unwrap_or_default(),
            );
            let old = before.get(&row.what).filter(|old| **old != 0.0);
            let to_old = old.map(|old| format!(" {:.2} |", row.found / old));
            let none = if compared { " |" } else { "" };
            println!("{}", to_old.unwrap_or_else(|| none.into()));
        }
        let passed = self.rows.iter().filter_map(Row::verdict);
        let (passed, missed): (Vec<_>, Vec<_>) = passed.partition(|verdict| *verdict == "pass");
        println!("\n{} pass, {} miss", passed.len(), missed.len());
    }

    /// Writes it for a later run to compare with.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path, machine: &str, program: &Path) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let rows = self.rows.iter().map(|row| {
            json!({"what": row.what, "found": row.found, "unit": row.unit, "most": row.most,
                   "beside": row.beside, "counted": row.counted, "verdict": row.verdict()})
        });
        let all = json!({
            "machine": machine,
            "program": program.display().to_string(),
            "time_s": now.map_or(0, |now| now.as_secs()),
            "rows": rows.collect::<Vec<Value>>(),
        });
        let text = serde_json::to_string_pretty(&all).map_err(|cause| cause.to_string())?;
        fs::write(path, text + "\n").map_err(|cause| format!("{}: {cause}", path.display()))
    }
}

/// What an earlier run found, by row.
///
/// # Errors
/// It is not there, or not such a file.
pub fn read(path: &Path) -> Result<BTreeMap<String, f64>, String> {
    let named = |cause: String| format!("{}: {cause}", path.display());
    let text = fs::read(path).map_err(|cause| named(cause.to_string()))?;
    let all: Value = serde_json::from_slice(&text).map_err(|cause| named(cause.to_string()))?;
    let rows = all["rows"].as_array().ok_or(named("no rows".into()))?;
    let found = |row: &Value| Some((row["what"].as_str()?.to_string(), row["found"].as_f64()?));
    Ok(rows.iter().filter_map(found).collect())
}

/// Three digits that count.
fn short(number: f64) -> String {
    match number {
        n if n.fract() == 0.0 || n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}
