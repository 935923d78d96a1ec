//! What people see: text on standard output, tables of at most 80 columns, colour and progress only
//! on a terminal.

use std::io::{self, IsTerminal, Write};

use crate::secrets;

/// The widest line of a table, in characters.
pub(super) const WIDTH: usize = 80;
/// Between two columns.
const GAP: usize = 2;

/// How output looks here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// Standard output is a terminal and `NO_COLOR` is not set.
    pub(super) colour: bool,
    /// Standard error is a terminal: a progress line may stand there.
    pub(super) progress: bool,
}

/// What a word says by its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// A heading, or what a row is about.
    Strong,
    Good,
    Bad,
}

impl Terminal {
    /// `no_color`: whether the variable `NO_COLOR` holds something.
    pub(super) fn new(no_color: bool) -> Terminal {
        Terminal {
            colour: io::stdout().is_terminal() && !no_color,
            progress: io::stderr().is_terminal(),
        }
    }

    /// Shows `line` on standard error until the next one, or none when it is empty.
    pub(super) fn progress(self, line: &str) {
        if self.progress {
            let line: String = line.chars().take(WIDTH - 1).collect();
            let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
        }
    }

    /// Writes to standard error what is no part of the answer.
    pub(super) fn say(self, text: &str) {
        // Nobody may read it: that is no reason to fail.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a question to standard error, and leaves the cursor behind it.
    pub(super) fn ask(self, question: &str) {
        self.say(question);
        let _ = io::stderr().lock().flush();
    }

    /// `text` in its colour, where there are colours.
    pub(super) fn toned(self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Strong if self.colour => format!("\x1b[1m{text}\x1b[0m"),
            Tone::Good if self.colour => format!("\x1b[32m{text}\x1b[0m"),
            Tone::Bad if self.colour => format!("\x1b[31m{text}\x1b[0m"),
            _ => text.to_string(),
        }
    }

    /// A table with a heading. Each cell is a text and its tone; the last column takes what is left of
    /// the line and goes on below itself.
    pub(super) fn table(self, heading: &[&str], rows: &[Vec<(String, Tone)>]) -> String {
        let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
        for row in rows {
            for (width, (cell, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
        let last = WIDTH.saturating_sub(before).max(GAP * 10);
        let heading: Vec<(String, Tone)> = heading
            .iter()
            .map(|cell| ((*cell).to_string(), Tone::Plain))
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(rows) {
            self.row(row, &widths, before, last, &mut text);
        }
        text
    }

    fn row(
        self,
        row: &[(String, Tone)],
        widths: &[usize],
        before: usize,
        last: usize,
        text: &mut String,
    ) {
        let Some(((rest, tone), cells)) = row.split_last() else {
            return;
        };
        let mut line = String::new();
        for ((cell, tone), width) in cells.iter().zip(widths) {
            let blanks = (width + GAP).saturating_sub(cell.chars().count());
            line.push_str(&self.toned(cell, *tone));
            line.push_str(&" ".repeat(blanks));
        }
        for (number, part) in wrapped(rest, last).iter().enumerate() {
            if number > 0 {
                line = " ".repeat(before);
            }
            line.push_str(&self.toned(part, *tone));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

/// The words of `text` in lines of at most `width` characters; a longer word has a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else {
            break;
        };
        let blank = usize::from(!line.is_empty());
        if !line.is_empty() && line.chars().count() + blank + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            line.push_str(if blank == 1 { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}

/// Writes to standard output; a pipe that nobody reads is no reason to say anything.
///
/// # Errors
/// It cannot be written.
pub(super) fn print(text: &str) -> io::Result<()> {
    let text = secrets::without_known(text);
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
