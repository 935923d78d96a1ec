//! How it is set up: reading, checking and taking over a configuration.

pub(crate) mod dotenv_table;
pub(crate) mod example_file;
pub(crate) mod pairs;
pub(crate) mod reload;
pub(crate) mod secrets;
