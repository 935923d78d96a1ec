//! The order of the rows of a list, as a caller asks for it.

use std::cmp::Ordering;

use serde_json::Value;

use super::args::Args;
use super::param::{Kind, Param};
use super::rows::Row;

const SORT_MAX_CHARS: usize = 40;

/// The column to sort by.
pub const SORT: Param = Param::new("sort", Kind::Text(SORT_MAX_CHARS), "or -column").optional();

/// A column and a direction.
pub struct Order<'a> {
    column: &'a str,
    descending: bool,
}

impl<'a> Order<'a> {
    /// What `sort` asks for, which was checked with the columns; `None` where it was not given.
    pub fn of(args: &'a Args) -> Option<Order<'a>> {
        let text = args.text("sort")?;
        let column = text.strip_prefix('-');
        Some(Order {
            column: column.unwrap_or(text),
            descending: column.is_some(),
        })
    }

    /// How two rows stand to each other. Rows without the column come last in both directions.
    pub fn compare(&self, one: &Row, other: &Row) -> Ordering {
        let value = |row: &Row| Place::of(row.get(self.column));
        match (value(one), value(other)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if self.descending => other.compare(&one),
            (Some(one), Some(other)) => one.compare(&other),
        }
    }
}

/// A value as it is compared: numbers before texts.
enum Place {
    Number(f64),
    Text(String),
}

impl Place {
    fn of(value: Option<&Value>) -> Option<Place> {
        match value? {
            Value::Null => None,
            Value::Bool(yes) => Some(Place::Number(f64::from(u8::from(*yes)))),
            Value::Number(number) => number.as_f64().map(Place::Number),
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Place::Text(text.to_lowercase())),
            other => Some(Place::Text(other.to_string())),
        }
    }

    fn compare(&self, other: &Place) -> Ordering {
        match (self, other) {
            (Place::Number(one), Place::Number(other)) => one.total_cmp(other),
            (Place::Text(one), Place::Text(other)) => one.cmp(other),
            (Place::Number(_), Place::Text(_)) => Ordering::Less,
            (Place::Text(_), Place::Number(_)) => Ordering::Greater,
        }
    }
}
