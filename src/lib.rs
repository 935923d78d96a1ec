//! proxmox-mcp: an MCP server for one to a hundred and more Proxmox VE clusters.

pub mod cli;

pub mod mcp;
pub mod tools;

pub mod tool;

pub mod gate;

pub mod fleet;

pub mod proxmox;

pub mod error;
pub mod files;
pub mod log;
pub mod text;
pub mod wait;
