//! The order of the rows of a list, as a caller asks for it.

use std::cmp::{Ordering, Reverse};

use serde_json::Value;

use super::args::Args;
use super::param::{Param, ParamKind};
use super::rows::Row;

const SORT_MAX_CHARS: usize = 40;

/// The column to sort by.
pub const SORT: Param = Param::new(
    "sort",
    ParamKind::Text(SORT_MAX_CHARS),
    "a column; `-column` is descending",
)
.optional();

/// A column and a direction.
pub struct SortOrder<'a> {
    column: &'a str,
    descending: bool,
}

impl<'a> SortOrder<'a> {
    /// What `sort` asks for, which was checked with the columns; `None` where it was not given.
    pub fn of(args: &'a Args) -> Option<SortOrder<'a>> {
        let text = args.text("sort")?;
        let column = text.strip_prefix('-');
        Some(SortOrder {
            column: column.unwrap_or(text),
            descending: column.is_some(),
        })
    }

    pub fn column(&self) -> &'a str {
        self.column
    }

    /// Where a row stands.
    pub fn rank(&self, row: &Row) -> SortKey {
        self.rank_of(row.get(self.column))
    }

    /// Where a row stands that has this in the column.
    pub fn rank_of(&self, value: Option<&Value>) -> SortKey {
        match SortValue::of(value) {
            None => SortKey::Without,
            Some(place) if self.descending => SortKey::Down(Reverse(place)),
            Some(place) => SortKey::Up(place),
        }
    }
}

/// Where a row stands in an order. Rows without the column come last in both directions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    Up(SortValue),
    Down(Reverse<SortValue>),
    Without,
}

/// A value as it is compared: numbers before texts.
pub enum SortValue {
    Number(f64),
    Text(String),
}

impl Ord for SortValue {
    fn cmp(&self, other: &SortValue) -> Ordering {
        match (self, other) {
            (SortValue::Number(one), SortValue::Number(other)) => one.total_cmp(other),
            (SortValue::Number(_), SortValue::Text(_)) => Ordering::Less,
            (SortValue::Text(_), SortValue::Number(_)) => Ordering::Greater,
            (SortValue::Text(one), SortValue::Text(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for SortValue {
    fn partial_cmp(&self, other: &SortValue) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortValue {
    fn eq(&self, other: &SortValue) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SortValue {}

impl SortValue {
    fn of(value: Option<&Value>) -> Option<SortValue> {
        match value? {
            Value::Null => None,
            Value::Bool(yes) => Some(SortValue::Number(f64::from(u8::from(*yes)))),
            Value::Number(number) => number.as_f64().map(SortValue::Number),
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(SortValue::Text(text.to_lowercase())),
            other => Some(SortValue::Text(other.to_string())),
        }
    }
}
