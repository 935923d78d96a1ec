//! Backups of guests: which there are, making one, restoring one.

pub mod archives;
