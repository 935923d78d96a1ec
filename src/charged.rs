//! Something that a cluster said, with the memory that it takes: that is given back when it is dropped.

use std::ops::{Deref, DerefMut};

use crate::room::{CacheCharge, Charge, NoRoom};

/// A value and its charge.
#[derive(Debug, Default)]
pub struct Charged<T> {
    value: T,
    charge: Charge,
}

impl<T> Charged<T> {
    pub fn new(value: T, charge: Charge) -> Charged<T> {
        Charged { value, charge }
    }

    /// What is made of it, of which all that is large was in it.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Charged<U> {
        Charged {
            value: make(self.value),
            charge: self.charge,
        }
    }

    /// What is made of it, or why nothing is.
    ///
    /// # Errors
    /// As `make` says.
    pub fn try_map<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Charged<U>, E> {
        Ok(Charged {
            value: make(self.value)?,
            charge: self.charge,
        })
    }

    /// The value, to be kept beyond the reading of it, by the measure that holds for that.
    ///
    /// # Errors
    /// As [`CacheCharge::new`].
    pub fn keep(self) -> Result<(T, CacheCharge), NoRoom> {
        let kept = CacheCharge::new(self.charge.bytes())?;
        Ok((self.value, kept))
    }

    /// The memory that is counted for it.
    pub fn bytes(&self) -> usize {
        self.charge.bytes()
    }

    /// The value alone, which is not counted any longer: for what is small, or kept by another measure.
    pub fn let_go(self) -> T {
        self.value
    }
}

impl<T> Deref for Charged<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Charged<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Charged<T> {
    fn eq(&self, other: &Charged<T>) -> bool {
        self.value == other.value
    }
}

/// The rows of a list, one after another.
pub struct ChargedRows<T> {
    rows: std::vec::IntoIter<T>,
    _charge: Charge,
}

impl<T> Iterator for ChargedRows<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rows.next()
    }
}

impl<T> IntoIterator for Charged<Vec<T>> {
    type Item = T;
    type IntoIter = ChargedRows<T>;

    fn into_iter(self) -> ChargedRows<T> {
        ChargedRows {
            rows: self.value.into_iter(),
            _charge: self.charge,
        }
    }
}

impl<'a, T> IntoIterator for &'a Charged<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> std::slice::Iter<'a, T> {
        self.value.iter()
    }
}
