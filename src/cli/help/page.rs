//! A topic as people read it: the parts that hold what they look for, and its layout at a terminal.

use crate::cli::terminal::{Terminal, Tone, WIDTH, wrapped};

/// Before code, and before the last cell of a table's row.
const INDENT: &str = "    ";
/// A shorter piece of a message says nothing.
const PIECE_MIN_BYTES: usize = 4;

/// The paragraphs, items and rows of `text` that hold all `words`, each below its heading. A heading's
/// own words count for all that stands below it.
pub(super) fn holding(text: &str, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let mut found = String::new();
    let (mut heading, mut said) = (String::new(), String::new());
    for block in blocks(text) {
        if block.starts_with('#') {
            heading = block;
            continue;
        }
        let part = part(&heading, &block, &words);
        if part.is_empty() {
            continue;
        }
        if heading != said {
            found.push_str(&format!("{heading}\n\n"));
            said.clone_from(&heading);
        }
        found.push_str(&format!("{part}\n\n"));
    }
    found.truncate(found.trim_end().len());
    if !found.is_empty() {
        found.push('\n');
    }
    found
}

/// What stands between blank lines. Code belongs to what introduces it.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let (mut goes_on, mut is_code) = (false, false);
    for line in text.lines() {
        if line.is_empty() && !is_code {
            goes_on = false;
            continue;
        }
        let is_fence = line.starts_with("```");
        match blocks.last_mut() {
            Some(block) if goes_on => block.push_str(&format!("\n{line}")),
            Some(block) if is_fence && !block.starts_with('#') => {
                block.push_str(&format!("\n\n{line}"));
            }
            _ => blocks.push(line.to_owned()),
        }
        goes_on = true;
        is_code ^= is_fence;
    }
    blocks
}

/// What of a block holds the words: the rows of a table with its head, the items of a list, or all.
fn part(heading: &str, block: &str, words: &[String]) -> String {
    let holds = |text: &str| {
        let text = format!("{heading}\n{text}").to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let lines: Vec<&str> = block.lines().collect();
    if let [head, rule, rows @ ..] = lines.as_slice()
        && head.starts_with('|')
    {
        let sought = words.join(" ");
        let rows = rows.iter().copied();
        let rows = rows.filter(|row| holds(&format!("{head}\n{row}")) || is_said(row, &sought));
        let rows: Vec<&str> = rows.collect();
        return match rows.is_empty() {
            true => String::new(),
            false => format!("{head}\n{rule}\n{}", rows.join("\n")),
        };
    }
    if marker(block) > 0 {
        let items = lines.into_iter().filter(|item| holds(item));
        return items.collect::<Vec<_>>().join("\n");
    }
    match holds(block) {
        true => block.to_owned(),
        false => String::new(),
    }
}

/// Whether a row begins with a message, with `…` for what differs from case to case, that is said in
/// `sought`.
fn is_said(row: &str, sought: &str) -> bool {
    let message = match row.strip_prefix("| `") {
        Some(rest) => rest.split('`').next().unwrap_or_default(),
        None => "",
    };
    let pieces = message
        .split('…')
        .map(|piece| piece.trim_matches([' ', ':', ';']));
    let mut pieces = pieces
        .filter(|piece| piece.len() >= PIECE_MIN_BYTES)
        .peekable();
    // A word alone, such as a variable's name, is no message.
    message.contains(' ')
        && pieces.peek().is_some()
        && pieces.all(|piece| sought.contains(&piece.to_lowercase()))
}

/// How many bytes the mark of an item has at the beginning of this line, with the blank behind it.
fn marker(line: &str) -> usize {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.split_at_checked(digits) {
        Some(("", rest)) if rest.starts_with("- ") => 2,
        Some((number, rest)) if !number.is_empty() && rest.starts_with(". ") => digits + 2,
        _ => 0,
    }
}

/// Markdown in lines that fit a terminal; the last cell of a table's row stands below the others.
pub(super) fn laid_out(text: &str, terminal: Terminal) -> String {
    let mut page = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            page.push_str(&format!("{INDENT}{line}\n"));
        } else if line.starts_with('#') {
            let title = line.trim_start_matches(['#', ' ']);
            page.push_str(&format!("{}\n", terminal.toned(title, Tone::Strong)));
        } else if line.starts_with('|') {
            row(line, terminal, &mut page);
        } else {
            let (mark, rest) = line.split_at_checked(marker(line)).unwrap_or(("", line));
            let lines = wrapped(rest, WIDTH.saturating_sub(mark.len()));
            let below = format!("\n{}", " ".repeat(mark.len()));
            page.push_str(&format!("{mark}{}\n", lines.join(&below)));
        }
    }
    page
}

fn row(line: &str, terminal: Terminal, page: &mut String) {
    if line.starts_with("|---") {
        return;
    }
    let line = line.trim_matches(['|', ' ']).replace("\\|", "|");
    let (first, last) = line.rsplit_once(" | ").unwrap_or((&line, ""));
    let first = first.split(" | ").map(str::trim);
    let first: Vec<&str> = first.filter(|cell| !cell.is_empty()).collect();
    for part in wrapped(&first.join("  "), WIDTH) {
        page.push_str(&format!("{}\n", terminal.toned(&part, Tone::Strong)));
    }
    for part in wrapped(last, WIDTH - INDENT.len()) {
        page.push_str(&format!("{INDENT}{part}\n"));
    }
}
