//! How it is started: the commands, and the binary as a host or a person runs it.

pub(crate) mod at_terminal;
pub(crate) mod audit_commands;
pub(crate) mod binary;
pub(crate) mod binary_config;
pub(crate) mod check_finds;
pub(crate) mod check_shows;
pub(crate) mod check_trust;
pub(crate) mod clients;
pub(crate) mod commands;
pub(crate) mod help;
pub(crate) mod manifest;
pub(crate) mod talkative;
pub(crate) mod tokens;
