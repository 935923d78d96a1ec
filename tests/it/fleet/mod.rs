//! Where it is done: which cluster is meant, what is where, several clusters at a time.

pub(crate) mod asked;
pub(crate) mod dead;
pub(crate) mod degraded;
pub(crate) mod hurry;
pub(crate) mod index;
pub(crate) mod names;
pub(crate) mod reused;
pub(crate) mod search;
pub(crate) mod selection;
pub(crate) mod selection_names;
pub(crate) mod visibility;
