//! The first rows of a list, whatever the order in which they come: no more of them are held than a
//! page can show, and no other is made, so that neither memory nor work follows the fleet.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::rows::Row;

/// The rows that come first by their keys. Rows of equal keys stay as they came.
pub struct Leading<K> {
    keep: usize,
    /// The last of them on top.
    rows: BinaryHeap<Placed<K>>,
    arrived: usize,
}

struct Placed<K> {
    key: K,
    arrival: usize,
    row: Row,
}

impl<K: Ord> Leading<K> {
    /// For at most `keep` rows.
    pub fn new(keep: usize) -> Leading<K> {
        Leading {
            keep,
            rows: BinaryHeap::new(),
            arrived: 0,
        }
    }

    /// Takes the row of this key, which is made if it is among the first so far.
    pub fn push(&mut self, key: K, make: impl FnOnce() -> Row) {
        if self.rows.len() >= self.keep {
            match self.rows.peek() {
                Some(last) if key < last.key => self.rows.pop(),
                _ => return,
            };
        }
        self.rows.push(Placed {
            key,
            arrival: self.arrived,
            row: make(),
        });
        self.arrived += 1;
    }

    pub fn extend(&mut self, rows: Vec<(K, Row)>) {
        for (key, row) in rows {
            self.push(key, || row);
        }
    }

    /// The rows that were kept, in their order.
    pub fn into_rows(self) -> Vec<(K, Row)> {
        let placed = self.rows.into_sorted_vec();
        placed.into_iter().map(|one| (one.key, one.row)).collect()
    }
}

impl<K: Ord> Ord for Placed<K> {
    fn cmp(&self, other: &Placed<K>) -> Ordering {
        let by_key = self.key.cmp(&other.key);
        by_key.then(self.arrival.cmp(&other.arrival))
    }
}

impl<K: Ord> PartialOrd for Placed<K> {
    fn partial_cmp(&self, other: &Placed<K>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Placed<K> {
    fn eq(&self, other: &Placed<K>) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord> Eq for Placed<K> {}
