//! Every variable is changed in the file, and the reload does what its row says: a variable that no row
//! here changes, or whose change is passed over in silence, is an error.

use proxmox_mcp::config::reload::{self, Reload, ReloadContext, SwitchedTools};
use proxmox_mcp::config::safety::Switches;
use proxmox_mcp::config::variables::{OnReload, Scope, Stage, VARIABLES, Variable};
use proxmox_mcp::tool::offer;
use proxmox_mcp::tools::{self, TOOLSETS};

use super::{addresses, clusters, read};

/// A variable, what it says before and after, and what must stand beside it. Where it tightens, the second
/// is the tighter. What says nothing is not there.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("PROXMOX_CLUSTERS", "a,b", "a,b,c", ""),
    ("PROXMOX_CLUSTER_PATTERNS", "", "x-:b", ""),
    ("PROXMOX_CLUSTER_VALIDATION", "", "false", ""),
    ("PROXMOX_CLUSTER_CACHE_TTL", "", "60", ""),
    ("PROXMOX_DEFAULT_CLUSTER", "", "b", ""),
    ("PROXMOX_ACCESS", "", "read", ""),
    ("PROXMOX_CONFIRM", "", "ask", ""),
    ("PROXMOX_PROTECT", "", "100", ""),
    ("PROXMOX_BULK_LIMIT", "", "3", ""),
    ("PROXMOX_TOOLSETS", "all", "fleet", ""),
    (
        "PROXMOX_TOOLS_ALLOW",
        "guest_delete",
        "",
        "PROXMOX_TOOLSETS=fleet",
    ),
    ("PROXMOX_TOOLS_DENY", "", "guest_list", ""),
    ("PROXMOX_AUDIT_LOG", "", "/var/log/audit", ""),
    ("PROXMOX_FANOUT", "", "3", ""),
    ("PROXMOX_LOG", "", "debug", ""),
    ("API_URL", "", "https://elsewhere.example.com", ""),
    ("TOKEN_ID", "", "mcp@pve!new", ""),
    ("TOKEN_SECRET", "", "fresh", ""),
    (
        "TOKEN_SECRET_FILE",
        "/s",
        "/t",
        "PROXMOX_CLUSTER_a_TOKEN_SECRET=",
    ),
    (
        "TOKEN_SECRET_COMMAND",
        "/bin/true",
        "/bin/id",
        "PROXMOX_CLUSTER_a_TOKEN_SECRET=",
    ),
    ("VERIFY", "", "false", ""),
    ("CA_FILE", "", "/ca.pem", ""),
    (
        "FINGERPRINT",
        "",
        "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
        "",
    ),
    ("PROXY", "", "http://proxy:3128", ""),
    ("DEFAULT_NODE", "", "pve", ""),
    ("DEFAULT_STORAGE", "", "local", ""),
    ("DEFAULT_BRIDGE", "", "vmbr0", ""),
    ("REGION", "", "north", ""),
    ("TIER", "", "gold", ""),
    ("ACCESS", "", "read", ""),
    ("PROTECT", "", "100", ""),
    ("TIMEOUT", "", "3", ""),
];

/// What becomes of a file in which `row` says `before`, once it says `after`, and whether what holds from
/// then on is another.
fn change(row: &Variable, (before, after): (&str, &str), beside: &str) -> (Reload, bool) {
    let config = |text: &str| {
        let name = match row.scope {
            Scope::Registry => row.name.to_owned(),
            Scope::Cluster => format!("PROXMOX_CLUSTER_a_{}", row.name),
        };
        let line = match text {
            "" => String::new(),
            text => format!("{name}={text}"),
        };
        let of_c = "PROXMOX_CLUSTER_c_API_URL=https://c.example.com\n\
                    PROXMOX_CLUSTER_c_TOKEN_ID=mcp@pve!c\nPROXMOX_CLUSTER_c_TOKEN_SECRET=secret-of-c";
        read(&clusters(&["a", "b"], &format!("{of_c}\n{beside}\n{line}")))
    };
    let old = config(before);
    let held = old.safety.switches.clone();
    let is_on = |switches: &Switches, name: &str| {
        let tool = tools::find(name).expect("a tool");
        !offer::is_switched_off(switches, TOOLSETS, tool)
    };
    let changed = |new: &Switches, (before, now): (bool, bool)| -> Vec<&'static str> {
        let names = tools::all().map(|tool| tool.name);
        let names = names.filter(|name| (is_on(&held, name), is_on(new, name)) == (before, now));
        names.collect()
    };
    let around = ReloadContext {
        addresses: &addresses,
        is_own: &|address| address.is_loopback(),
        has_secret: &|_, _| false,
        switched: &|new| SwitchedTools {
            off: changed(new, (true, false)),
            on: changed(new, (false, true)),
        },
    };
    let found = reload::reload(&old, config(after), &around);
    let is_another = found.config != old || !found.switched_off.is_empty();
    (found, is_another)
}

/// What a reload does otherwise than the row says; nothing where it does it.
fn offence(row: &Variable) -> Option<String> {
    let name = row.name;
    let case = CASES.iter().find(|(known, ..)| *known == name);
    let Some(&(_, before, after, beside)) = case else {
        return Some(format!("{name}: no case changes it"));
    };
    let (there, is_another) = change(row, (before, after), beside);
    let (back, is_another_back) = change(row, (after, before), beside);
    let is_told = |one: &Reload| !one.taken.is_empty() || !one.waiting.is_empty();
    let is_taken = !there.taken.is_empty();
    let nothing_comes_back = back.taken.is_empty() && !is_another_back;
    let keeps = match row.reload {
        OnReload::Taken => is_taken,
        OnReload::Tightens => is_taken && there.waiting.is_empty() && nothing_comes_back,
        OnReload::Waits => !is_taken && nothing_comes_back,
    };
    let told = format!(
        "taken {:?}, waiting {:?}; back: taken {:?}, waiting {:?}",
        there.taken, there.waiting, back.taken, back.waiting
    );
    if !is_told(&there) || !is_told(&back) {
        Some(format!("{name}: passed over in silence: {told}"))
    } else if !keeps || is_another != is_taken {
        Some(format!("{name}: not {:?}: {told}", row.reload))
    } else {
        None
    }
}

#[test]
fn a_reload_does_with_each_variable_what_its_row_says() {
    let built = || VARIABLES.iter().filter(|row| row.stage == Stage::Built);
    for (name, ..) in CASES {
        assert!(built().any(|row| row.name == *name), "{name} is not built");
    }
    let offences: Vec<String> = built().filter_map(offence).collect();
    assert!(offences.is_empty(), "{offences:#?}");
}
