//! The tests.

mod binary_config;
mod config;
mod dotenv_table;
mod example_file;
mod secrets;
