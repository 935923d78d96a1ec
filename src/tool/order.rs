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

    pub fn column(&self) -> &'a str {
        self.column
    }

    /// Where a row stands.
    pub fn rank(&self, row: &Row) -> Rank {
        self.rank_of(row.get(self.column))
    }

    /// Where a row stands that has this in the column.
    pub fn rank_of(&self, value: Option<&Value>) -> Rank {
        Rank {
            place: Place::of(value),
            descending: self.descending,
        }
    }
}

/// Where a row stands in an order. Rows without the column come last in both directions.
pub struct Rank {
    place: Option<Place>,
    descending: bool,
}

impl Ord for Rank {
    fn cmp(&self, other: &Rank) -> Ordering {
        match (&self.place, &other.place) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if self.descending => other.compare(one),
            (Some(one), Some(other)) => one.compare(other),
        }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Rank) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Rank) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}

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
