//! What `--version` prints: the version, and of which commit for which target it was built. The
//! Makefile hands the two in while it compiles; a bare `cargo build` knows neither.

/// One line.
pub(super) fn line() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let commit = known(option_env!("PROXMOX_MCP_COMMIT"));
    let target = known(option_env!("PROXMOX_MCP_TARGET"));
    format!("proxmox-mcp {version} (commit {commit}, target {target})\n")
}

fn known(handed_in: Option<&'static str>) -> &'static str {
    handed_in
        .filter(|text| !text.is_empty())
        .unwrap_or("unknown")
}
