//! The order of the rows of a list, as a caller asks for it.

use std::cmp::{Ordering, Reverse};

use serde_json::Value;

use super::args::Args;
use super::param::{Kind, Param};
use super::rows::Row;

const SORT_MAX_CHARS: usize = 40;

/// The column to sort by.
pub const SORT: Param = Param::new(
    "sort",
    Kind::Text(SORT_MAX_CHARS),
    "a column; `-column` is descending",
)
.optional();

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
        match Place::of(value) {
            None => Rank::Without,
            Some(place) if self.descending => Rank::Down(Reverse(place)),
            Some(place) => Rank::Up(place),
        }
    }
}

/// Where a row stands in an order. Rows without the column come last in both directions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Up(Place),
    Down(Reverse<Place>),
    Without,
}

/// A value as it is compared: numbers before texts.
pub enum Place {
    Number(f64),
    Text(String),
}

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        match (self, other) {
            (Place::Number(one), Place::Number(other)) => one.total_cmp(other),
            (Place::Number(_), Place::Text(_)) => Ordering::Less,
            (Place::Text(_), Place::Number(_)) => Ordering::Greater,
            (Place::Text(one), Place::Text(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

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
}
