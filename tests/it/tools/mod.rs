//! What can be done, and in which words: the table of tools, their arguments, lists and pages.

pub(crate) mod arguments;
pub(crate) mod backups;
pub(crate) mod declared;
pub(crate) mod first_rows;
pub(crate) mod given_back;
pub(crate) mod guests;
pub(crate) mod offers;
pub(crate) mod paging;
pub(crate) mod renamed;
pub(crate) mod slow_storage;
pub(crate) mod storages;
pub(crate) mod table;
pub(crate) mod times;
pub(crate) mod words;
