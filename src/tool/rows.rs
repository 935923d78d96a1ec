//! Lists as answers: a page of rows with the total and the way on, in few bytes.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::args::Args;
use super::param::{Param, ParamKind};
use crate::error::Error;
use crate::meant;
use crate::text::repeated;

/// Rows of a page where `limit` does not say.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: i64 = 500;
/// An answer is cut at a row beyond this.
pub const ANSWER_MAX_BYTES: usize = 20_000;
/// What a page has beside its rows: the decision, the total, errors of clusters.
const FRAME_BYTES: usize = 1_000;
/// How much longer than its escape in JSON a control character is at most where it was made visible.
const CONTROL_MORE_BYTES: usize = 2;
/// No page begins later: all rows before it are held.
const START_MAX: usize = 10_000;
/// What a row takes in memory, about.
pub const ROW_BYTES: usize = 1_536;
/// What a name that is kept takes in memory, about.
pub const NAME_BYTES: usize = 160;
const CURSOR_MAX_CHARS: usize = 20;
const FIELDS_MAX: usize = 40;

/// The most rows of a page.
pub const LIMIT: Param = Param::new(
    "limit",
    ParamKind::Int(1, LIMIT_MAX),
    "rows; else 50, at most 500",
)
.optional();
/// Where the page before ended.
pub const CURSOR: Param = Param::new(
    "cursor",
    ParamKind::Text(CURSOR_MAX_CHARS),
    "`next` of the page before",
)
.optional();
/// Leaves out what is older.
pub const SINCE: Param = Param::new(
    "since",
    ParamKind::Moment,
    "`2h`, `7d`, `2026-02-03`, with a time: `T04:05Z`",
)
.optional();
/// The columns.
pub const FIELDS: Param = Param::new(
    "fields",
    ParamKind::Texts(FIELDS_MAX),
    "columns, if not the usual",
)
.optional();

/// One row: columns and what stands in them. There are few of them and many rows, so that they are
/// looked for one after another, and become an object only where a row is shown.
#[derive(Clone, Debug, Default)]
pub struct Row(Vec<(&'static str, Value)>);

impl Row {
    pub fn new() -> Row {
        Row::default()
    }

    pub fn get(&self, column: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(one, _)| *one == column);
        found.map(|(_, value)| value)
    }

    /// The text of a column; empty where there is none.
    pub fn text(&self, column: &str) -> &str {
        let text = self.get(column).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    pub fn insert(&mut self, column: &'static str, value: Value) {
        match self.0.iter_mut().find(|(one, _)| *one == column) {
            Some((_, old)) => *old = value,
            None => self.0.push((column, value)),
        }
    }

    pub fn remove(&mut self, column: &str) {
        self.0.retain(|(one, _)| *one != column);
    }

    /// The columns that say something, as an object.
    pub fn into_object(self) -> Map<String, Value> {
        let telling = self
            .0
            .into_iter()
            .filter(|(_, value)| says_something(value));
        telling
            .map(|(column, value)| (column.to_owned(), value))
            .collect()
    }

    /// The row with these columns alone, in their order.
    fn into_shown(mut self, columns: &[&str]) -> Map<String, Value> {
        let mut shown = Map::with_capacity(columns.len());
        for column in columns {
            if let Some((_, value)) = self.0.iter_mut().find(|(one, _)| one == column)
                && says_something(value)
            {
                shown.insert((*column).to_owned(), value.take());
            }
        }
        shown
    }
}

impl<const N: usize> From<[(&'static str, Value); N]> for Row {
    fn from(columns: [(&'static str, Value); N]) -> Row {
        Row(Vec::from(columns))
    }
}

impl Extend<(&'static str, Value)> for Row {
    fn extend<C: IntoIterator<Item = (&'static str, Value)>>(&mut self, columns: C) {
        for (column, value) in columns {
            self.insert(column, value);
        }
    }
}

/// Checks what a list was asked for before anybody is asked: columns to show and to sort by, and the
/// place to begin at.
///
/// # Errors
/// All of it that there is not.
pub fn check(args: &Args, columns: &[&str]) -> Result<(), Error> {
    let mut problems = Vec::new();
    let is_none_of = |name: &str, wrong: &[&str]| {
        let hint = |word: &&str| {
            let hint = meant::hint(word, columns)?;
            Some(match wrong.len() {
                1 => format!("; {hint}"),
                _ => format!("; `{}`: {hint}", repeated(word)),
            })
        };
        let meant: String = wrong.iter().filter_map(hint).collect();
        format!(
            "`{name}` has {}, which is none of: {}{meant}",
            repeated(&wrong.join(", ")),
            columns.join(", ")
        )
    };
    let unknown = |column: &&str| !columns.contains(column);
    let fields: Vec<&str> = args.texts("fields").into_iter().filter(unknown).collect();
    if !fields.is_empty() {
        problems.push(is_none_of("fields", &fields));
    }
    let sort = args.text("sort");
    let sort = sort.map(|column| column.strip_prefix('-').unwrap_or(column));
    if let Some(column) = sort.filter(unknown) {
        problems.push(is_none_of("sort", &[column]));
    }
    if window(args).is_err() {
        problems.push("`cursor` is no `next` of an answer".into());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::bad_arguments(problems))
    }
}

/// Makes `items`, `total` and `next` of all rows. `columns` are all that a row can have;
/// `usual` those that are shown where `fields` does not choose. Zero, null and empty values are left
/// out.
///
/// # Errors
/// A field or a cursor that there is not.
pub fn page(
    rows: Vec<Row>,
    columns: &[&str],
    usual: &[&str],
    args: &Args,
) -> Result<Map<String, Value>, Error> {
    let total = rows.len();
    page_of(rows, total, columns, usual, args)
}

/// Makes a page where `rows` are only the first ones of `total`, down to the end of that page.
///
/// # Errors
/// As [`page`].
pub fn page_of(
    rows: Vec<Row>,
    total: usize,
    columns: &[&str],
    usual: &[&str],
    args: &Args,
) -> Result<Map<String, Value>, Error> {
    check(args, columns)?;
    let chosen = args.texts("fields");
    let shown: &[&str] = if chosen.is_empty() { usual } else { &chosen };
    let (start, limit) = window(args)?;
    let rows = rows.into_iter().skip(start).take(limit);
    let rows = rows.map(|row| Value::Object(row.into_shown(shown)));
    Ok(filled(rows, start, total))
}

/// A page that begins at `start`, with as many of these rows as an answer takes.
pub fn filled(rows: impl Iterator<Item = Value>, start: usize, total: usize) -> Map<String, Value> {
    let mut items = Vec::new();
    let mut bytes = FRAME_BYTES;
    let mut cut = false;
    for row in rows {
        bytes += bytes_of(&row) + 1;
        if bytes > ANSWER_MAX_BYTES && !items.is_empty() {
            cut = true;
            break;
        }
        items.push(row);
    }
    let end = start.saturating_add(items.len());
    let mut answer = Map::new();
    answer.insert("items".into(), Value::Array(items));
    answer.insert("total".into(), total.into());
    if end < total {
        answer.insert("next".into(), end.to_string().into());
    }
    if cut {
        answer.insert(
            "cut".into(),
            "the page would be too long: go on with `next`, or narrow by `fields` or `limit`"
                .into(),
        );
    }
    answer
}

/// Makes a page of entries that are no rows of ours, each as `made` gives it.
///
/// # Errors
/// A cursor that there is not.
pub fn raw_page(
    entries: &[Value],
    args: &Args,
    made: impl Fn(&Value) -> Value,
) -> Result<Map<String, Value>, Error> {
    let (start, limit) = window(args)?;
    let entries_here = entries.iter().skip(start).take(limit);
    Ok(filled(entries_here.map(made), start, entries.len()))
}

/// How many rows stand before the page, and how many it has at most.
///
/// # Errors
/// A cursor that there is not.
pub fn window(args: &Args) -> Result<(usize, usize), Error> {
    let start = match args.text("cursor") {
        None => 0,
        Some(cursor) => cursor
            .parse::<usize>()
            .map_err(|_| Error::bad("`cursor` is no `next` of an answer"))?,
    };
    let limit = args
        .int("limit")
        .and_then(|limit| usize::try_from(limit).ok());
    if start > START_MAX {
        return Err(Error::bad(format!(
            "no page begins after {START_MAX} rows: narrow the list"
        )));
    }
    Ok((start, limit.unwrap_or(LIMIT_DEFAULT)))
}

/// How long a value is as JSON.
pub fn bytes_of(value: &Value) -> usize {
    let mut counted = WrittenBytes(0);
    // It cannot fail: nothing is written.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

/// Counts what is written. A control character is made visible before an answer leaves, and is longer then.
struct WrittenBytes(usize);

impl Write for WrittenBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = if bytes.starts_with(b"\\u") {
            CONTROL_MORE_BYTES
        } else {
            0
        };
        self.0 += bytes.len() + more;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Not null, zero, false or empty.
pub fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(entries) => !entries.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Bytes as whole MiB.
pub fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// Bytes as GiB with one digit behind the point.
#[allow(clippy::cast_precision_loss)] // One digit is all that is kept.
pub fn gib(bytes: u64) -> f64 {
    let tenths = (bytes as f64 / f64::from(1 << 30) * 10.0).round();
    tenths / 10.0
}
