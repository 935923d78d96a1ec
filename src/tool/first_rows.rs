//! The first rows of a list, whatever the order in which they come: no more of them are held than a
//! page can show, and no other is made, so that neither memory nor work follows the fleet.

use std::collections::BTreeMap;

use super::rows::{ROW_BYTES, Row};
use crate::room;

/// The rows that come first by their keys. Rows of equal keys stay as they came.
pub struct FirstRows<K> {
    keep: usize,
    /// By key and arrival.
    rows: BTreeMap<(K, usize), Row>,
    arrived: usize,
    /// What its rows take is noted.
    noted: usize,
}

impl<K: Ord> FirstRows<K> {
    /// For at most `keep` rows.
    pub fn new(keep: usize) -> FirstRows<K> {
        FirstRows {
            keep,
            rows: BTreeMap::new(),
            arrived: 0,
            noted: 0,
        }
    }

    /// Takes the row of this key, which is made if it is among the first so far.
    pub fn push(&mut self, key: K, make: impl FnOnce() -> Row) {
        if self.rows.len() >= self.keep {
            match self.rows.last_key_value() {
                Some(((last, _), _)) if key < *last => self.rows.pop_last(),
                _ => return,
            };
        } else {
            self.noted += ROW_BYTES;
            room::note(ROW_BYTES);
        }
        self.rows.insert((key, self.arrived), make());
        self.arrived += 1;
    }

    pub fn extend(&mut self, rows: Vec<(K, Row)>) {
        for (key, row) in rows {
            self.push(key, || row);
        }
    }

    /// The rows that were kept, in their order.
    pub fn into_rows(self) -> Vec<(K, Row)> {
        room::let_go(self.noted);
        let rows = self.rows.into_iter();
        rows.map(|((key, _), row)| (key, row)).collect()
    }
}
