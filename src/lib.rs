//! proxmox-mcp: an MCP server for one to a hundred and more Proxmox VE clusters.

pub mod error;
pub mod files;
pub mod log;
pub mod text;
pub mod wait;

pub mod gate;
pub mod proxmox;
pub mod tool;
pub mod tools;
