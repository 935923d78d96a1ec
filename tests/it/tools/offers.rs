//! What is offered: by access level, and by the switches.

use std::collections::BTreeMap;

use proxmox_mcp::api::mark::Effect;
use proxmox_mcp::config::safety::Switches;
use proxmox_mcp::tool::{Subject, offer};
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Value, json};

use crate::session::Session;
use crate::sim::World;

/// The tools that are listed, each with the words of its `action`.
fn listed(session: &mut Session) -> BTreeMap<String, Vec<String>> {
    let listing = session.request("tools/list", &json!({}));
    let tools = listing["tools"].as_array().expect("tools").iter();
    tools
        .map(|tool| {
            let words = &tool["inputSchema"]["properties"]["action"]["enum"];
            let words = words.as_array().cloned().unwrap_or_default();
            let words = words.iter().filter_map(Value::as_str).map(str::to_owned);
            let name = tool["name"].as_str().expect("a name").to_owned();
            (name, words.collect())
        })
        .collect()
}

#[test]
fn each_level_lists_what_some_cluster_allows() {
    let world = World::three();
    for level in Effect::ALL {
        // One cluster alone allows more than reading.
        let more = format!(
            "PROXMOX_TOOLSETS=all\nPROXMOX_CLUSTER_production_ACCESS=read\n\
             PROXMOX_CLUSTER_staging_ACCESS={}\n\
             PROXMOX_CLUSTER_disaster-recovery_ACCESS=read\n",
            level.name()
        );
        let listed = listed(&mut Session::with(&world, &more));
        for tool in tools::all() {
            let is_listed = listed.contains_key(tool.name);
            let possible = tool.possible().any(|mark| mark.effect <= level);
            // Where somebody said which sets there are, none is switched on besides.
            let possible = possible && tool.subject != Subject::Session;
            assert_eq!(is_listed, possible, "{} at {level:?}", tool.name);
            if let (Some(actions), true) = (tool.by_word(), is_listed) {
                let allowed = actions.iter().filter(|one| one.mark.effect <= level);
                let allowed: Vec<&str> = allowed.map(|one| one.word).collect();
                assert_eq!(listed[tool.name], allowed, "{} at {level:?}", tool.name);
            }
        }
    }
}

#[test]
fn annotations_are_those_of_what_is_allowed() {
    let world = World::three();
    let mut session = Session::with(&world, "PROXMOX_ACCESS=change\n");
    let listing = session.request("tools/list", &json!({}));
    let tools = listing["tools"].as_array().expect("tools");
    let disk = tools.iter().find(|tool| tool["name"] == "guest_disk");
    let disk = disk.expect("it is listed");
    assert_eq!(disk["annotations"]["destructiveHint"], json!(false));
    assert!(disk["inputSchema"]["properties"].get("confirm").is_none());
}

/// What no cluster allows is refused before its arguments are looked at, and nothing is asked.
#[test]
fn what_no_cluster_allows_is_refused_first() {
    let world = World::three();
    let mut session = Session::with(&world, "PROXMOX_ACCESS=read\nPROXMOX_TOOLSETS=all\n");
    let mut refused = 0;
    for tool in tools::all() {
        let actions: Vec<(Option<&str>, Effect)> = match tool.by_word() {
            Some(actions) => {
                let actions = actions.iter();
                actions
                    .map(|one| (Some(one.word), one.mark.effect))
                    .collect()
            }
            None => {
                let least = tool.possible().map(|mark| mark.effect).min();
                vec![(None, least.expect("a mark"))]
            }
        };
        for (action, effect) in actions {
            if effect == Effect::Read {
                continue;
            }
            let arguments = match action {
                Some(action) => json!({"action": action, "nonsense": 1}),
                None => json!({"nonsense": 1}),
            };
            let error = session.call(tool.name, &arguments).error();
            assert!(
                error.starts_with(&format!(
                    "NotAllowedError: `{}` needs the access level `{}` for this, and no cluster \
                     allows more than `read`; nothing was sent\nhint: ",
                    tool.name,
                    effect.name()
                )) && error.contains("PROXMOX_ACCESS"),
                "{error}"
            );
            refused += 1;
        }
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(world.seen().len(), 0, "something was asked");
}

/// Where the arguments decide how heavy a call is, it is refused as soon as they are read.
#[test]
fn what_no_cluster_allows_with_these_arguments_is_not_looked_for() {
    let world = World::three();
    let mut session = Session::with(&world, "PROXMOX_ACCESS=change\n");
    let archive = "nas:backup/vzdump-lxc-101-2026_11_24-10_00_00.tar.zst";
    let over = json!({"archive": archive, "guest": "stg-db-01"});
    let error = session.call("backup_restore", &over).error();
    assert!(
        error.starts_with("NotAllowedError: `backup_restore` needs the access level `full`"),
        "{error}"
    );
    assert_eq!(world.seen().len(), 0, "something was asked");
}

/// What only this call's cluster forbids is refused once it is known which cluster that is.
#[test]
fn what_one_cluster_forbids_is_refused_after_routing() {
    let world = World::three();
    let more = "PROXMOX_CLUSTER_production_ACCESS=read\n";
    let mut session = Session::with(&world, more);
    let start = |guest: &str| json!({"guest": guest, "action": "start"});
    let error = session.call("guest_power", &start("prod-web-01")).error();
    assert_eq!(
        error,
        "NotAllowedError: production: `guest_power` needs the access level `operate`, and \
         PROXMOX_CLUSTER_production_ACCESS allows `read` at most; nothing was sent"
    );
    assert!(world.seen().iter().all(|seen| seen.method == "GET"));
    session.call("guest_power", &start("stg-web-01")).ok();
}

#[test]
fn switches() {
    let world = World::three();
    let all: Vec<&str> = tools::all().map(|tool| tool.name).collect();
    let is_bound = |more: &str| more.contains("PROXMOX_TOOLSETS=");
    let check = |more: &str, expected: Vec<&str>| {
        let mut session = Session::with(&world, more);
        let mut expected: Vec<&str> = expected;
        expected.retain(|name| *name != "toolset_enable" || !is_bound(more));
        expected.sort_unstable();
        let listed: Vec<String> = listed(&mut session).into_keys().collect();
        assert_eq!(listed, expected, "{more}");
    };
    let of = |names: &[&str]| -> Vec<&str> {
        let sets = TOOLSETS.iter().filter(|set| names.contains(&set.name));
        sets.flat_map(|set| set.tools)
            .map(|tool| tool.name)
            .collect()
    };
    let defaults = TOOLSETS.iter().filter(|set| set.is_default);
    let defaults: Vec<&str> = defaults.map(|set| set.name).collect();
    assert!(defaults.len() < TOOLSETS.len(), "every set is a default");
    check("", of(&defaults));
    check("PROXMOX_TOOLSETS=all\n", all);
    check("PROXMOX_TOOLSETS=fleet,node\n", of(&["fleet", "node"]));
    let mut with_one = of(&["fleet"]);
    with_one.push("guest_get");
    check(
        "PROXMOX_TOOLSETS=fleet\nPROXMOX_TOOLS_ALLOW=guest_get\n",
        with_one,
    );
    let mut without = of(&defaults);
    without.retain(|name| *name != "guest_delete");
    // A denial wins.
    check(
        "PROXMOX_TOOLS_ALLOW=guest_delete\nPROXMOX_TOOLS_DENY=guest_delete\n",
        without,
    );
}

#[test]
fn a_call_of_what_is_switched_off_says_what_switches_it_on() {
    let world = World::three();
    let more = "PROXMOX_TOOLSETS=fleet\nPROXMOX_TOOLS_DENY=fleet_summary\n";
    let mut session = Session::with(&world, more);
    let off = session
        .call("guest_delete", &json!({"nonsense": 1}))
        .error();
    assert!(
        off.contains("`guest_delete` is of the toolset `guest`, which is not switched on")
            && off.contains("PROXMOX_TOOLSETS=fleet,guest or PROXMOX_TOOLS_ALLOW=guest_delete"),
        "{off}"
    );
    let denied = session.call("fleet_summary", &json!({})).error();
    assert!(
        denied.contains("`fleet_summary` is switched off by PROXMOX_TOOLS_DENY"),
        "{denied}"
    );
    assert_eq!(world.seen().len(), 0);
}

#[test]
fn unknown_names_are_problems_with_the_nearest_known() {
    let names = |text: &str| text.split(',').map(str::to_owned).collect();
    let switches = Switches {
        sets: names("gest,default,quantum-computing"),
        is_bound: true,
        allow: names("guest_get,guest_delet"),
        deny: names("snapshots_list"),
    };
    assert_eq!(
        offer::problems(&switches, TOOLSETS),
        [
            "PROXMOX_TOOLSETS: there is no toolset `gest`, the nearest is `guest`",
            "PROXMOX_TOOLSETS: there is no toolset `quantum-computing`",
            "PROXMOX_TOOLS_ALLOW: there is no tool `guest_delet`, the nearest is `guest_delete`",
            "PROXMOX_TOOLS_DENY: there is no tool `snapshots_list`, the nearest is `snapshot_list`",
        ]
    );
}
