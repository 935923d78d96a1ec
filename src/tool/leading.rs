//! The first rows of a list, whatever the order in which they come: no more of them are held than a
//! page can show, so that memory does not follow the fleet.

use std::cmp::Ordering;

use super::rows::Row;

/// How two rows stand to each other in a list. What it calls equal stays as it came.
pub type Compare<'a> = dyn Fn(&Row, &Row) -> Ordering + Sync + 'a;

/// The rows that come first.
pub struct Leading<'a> {
    keep: usize,
    compare: &'a Compare<'a>,
    rows: Vec<Row>,
}

impl<'a> Leading<'a> {
    /// For at most `keep` rows.
    pub fn new(keep: usize, compare: &'a Compare<'a>) -> Leading<'a> {
        Leading {
            keep,
            compare,
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
        if self.rows.len() >= self.keep.saturating_mul(2) {
            self.shorten();
        }
    }

    pub fn extend(&mut self, rows: Vec<Row>) {
        rows.into_iter().for_each(|row| self.push(row));
    }

    /// The rows that were kept, in their order.
    pub fn into_rows(mut self) -> Vec<Row> {
        self.shorten();
        self.rows
    }

    fn shorten(&mut self) {
        self.rows.sort_by(|one, other| (self.compare)(one, other));
        self.rows.truncate(self.keep);
    }
}
