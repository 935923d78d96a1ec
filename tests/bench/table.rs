//! What was measured as a table for people: of one program, or of two beside each other.

use std::path::Path;

/// What was measured once.
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

    fn value(&self) -> String {
        format!("{} {}", short(self.found), self.unit)
    }
}

/// Whose turn it is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    New,
    /// The one that the new one is compared with.
    Old,
}

/// One line of the table: what each program's turns have found, in their order.
struct Line {
    what: String,
    new: Vec<Row>,
    old: Vec<Row>,
}

impl Line {
    /// What stands in the middle: one turn that was disturbed does not count.
    fn middle(rows: &[Row]) -> Option<&Row> {
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by(|one, other| one.found.total_cmp(&other.found));
        rows.get(rows.len() / 2).copied()
    }

    /// The new to the old: of the ratios of all turns, each of two that were measured right after each
    /// other, the one in the middle. It is not that of the two middles, which may lie far apart in time.
    fn ratio(&self) -> Option<f64> {
        let turns = self.new.iter().zip(&self.old);
        let turns = turns.filter(|(_, old)| old.found != 0.0);
        let mut ratios: Vec<f64> = turns.map(|(new, old)| new.found / old.found).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }
}

/// All of it.
pub struct Table {
    side: Side,
    lines: Vec<Line>,
    /// What the old program was asked and could not do.
    refused: Vec<String>,
}

impl Table {
    pub fn new() -> Table {
        Table {
            side: Side::New,
            lines: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// From now on rows are of this program.
    pub fn turn(&mut self, side: Side) {
        self.side = side;
    }

    pub fn add(&mut self, row: Row) {
        let whose = if self.side == Side::Old { "old: " } else { "" };
        eprintln!("  {whose}{}: {}", row.what, row.value());
        let place = self.lines.iter().position(|line| line.what == row.what);
        let place = place.unwrap_or_else(|| {
            self.lines.push(Line {
                what: row.what.clone(),
                new: Vec::new(),
                old: Vec::new(),
            });
            self.lines.len() - 1
        });
        let line = &mut self.lines[place];
        let rows = match self.side {
            Side::New => &mut line.new,
            Side::Old => &mut line.old,
        };
        rows.push(row);
    }

    /// What was found by now of the program whose turn it is.
    pub fn found(&self, what: &str) -> Option<f64> {
        let line = self.lines.iter().find(|line| line.what == what)?;
        let rows = match self.side {
            Side::New => &line.new,
            Side::Old => &line.old,
        };
        Line::middle(rows).map(|row| row.found)
    }

    /// The old program could not do what was measured now: its rows stay empty.
    pub fn refused(&mut self, problem: String) {
        eprintln!("  old: not measured: {problem}");
        if !self.refused.contains(&problem) {
            self.refused.push(problem);
        }
    }

    fn new_rows(&self) -> impl Iterator<Item = &Row> {
        self.lines.iter().filter_map(|line| Line::middle(&line.new))
    }

    /// Whether something that is counted is over its limit.
    pub fn is_faulty(&self) -> bool {
        self.new_rows()
            .any(|row| row.counted && row.verdict() == Some("miss"))
    }

    /// As a table that can be pasted into a document; with an old program beside the new one, what was
    /// found of it and the ratio of the two.
    pub fn show(&self, machine: &str, new: &Path, old: Option<&Path>) {
        println!("{machine}\n");
        if let Some(old) = old {
            println!("new: {}\nold: {}\n", new.display(), old.display());
            println!("| what | new | old | new to old | at most | ratio | |");
            println!("|---|---|---|---|---|---|---|");
        } else {
            println!("| what | measured | at most | ratio | |");
            println!("|---|---|---|---|---|");
        }
        for line in &self.lines {
            let Some(row) = Line::middle(&line.new) else {
                continue;
            };
            let beside = row.beside.as_ref().map(|beside| format!(" ({beside})"));
            print!(
                "| {}{} | {} |",
                row.what,
                beside.unwrap_or_default(),
                row.value()
            );
            if old.is_some() {
                let value = Line::middle(&line.old).map(Row::value);
                let ratio = line.ratio().map(|ratio| format!("{ratio:.2}"));
                print!(
                    " {} | {} |",
                    value.unwrap_or_else(|| "cannot".into()),
                    ratio.unwrap_or_default()
                );
            }
            let most = row.most.map(|most| format!("{} {}", short(most), row.unit));
            let ratio = row.most.map(|most| format!("{:.2}", row.found / most));
            println!(
                " {} | {} | {} |",
                most.unwrap_or_default(),
                ratio.unwrap_or_default(),
                row.verdict().unwrap_or_default(),
            );
        }
        let verdicts = self.new_rows().filter_map(Row::verdict);
        let (passed, missed): (Vec<_>, Vec<_>) = verdicts.partition(|verdict| *verdict == "pass");
        println!("\n{} pass, {} miss", passed.len(), missed.len());
        for problem in &self.refused {
            println!("\nold: cannot: {problem}");
        }
    }
}

/// Three digits that count.
fn short(number: f64) -> String {
    match number {
        n if n.fract() == 0.0 || n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}
