//! A configuration that changes while the server runs: what tightens holds at once, what loosens
//! waits for a restart, and a broken file changes nothing.

mod attacks;
mod variables;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use proxmox_mcp::api::mark::Effect;
use proxmox_mcp::config::env_file;
use proxmox_mcp::config::reload::{self, Reload, ReloadContext, SwitchedTools};
use proxmox_mcp::config::safety::ConfirmMode;
use proxmox_mcp::config::{self, Config};
use serde_json::{Value, json};

use crate::cli::binary::until;
use crate::demo::client::{Client, Way as Connected};
use crate::demo::write_private;
use crate::sim::{Fault, World};

fn read(text: &str) -> Config {
    let file = env_file::read(text.as_bytes(), &std::collections::HashMap::new());
    match config::read(&[], &file) {
        Ok(config) => config,
        Err(report) => panic!("{:?}", report.problems),
    }
}

fn clusters(names: &[&str], more: &str) -> String {
    let fields = names.iter().map(|name| {
        format!(
            "PROXMOX_CLUSTER_{name}_API_URL=https://{name}.example.com\n\
             PROXMOX_CLUSTER_{name}_TOKEN_ID=mcp@pve!{name}\n\
             PROXMOX_CLUSTER_{name}_TOKEN_SECRET=secret-of-{name}\n"
        )
    });
    let fields: String = fields.collect();
    format!("PROXMOX_CLUSTERS={}\n{fields}{more}\n", names.join(","))
}

/// What names stand for here. `slow` and whatever else is not listed does not resolve.
fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    let plain = host.trim_end_matches('.').to_ascii_lowercase();
    let text = match plain.as_str() {
        "a.example.com" | "alias.example.com" | "mapped.example.com" => "192.0.2.1",
        "b.example.com" => "192.0.2.2",
        "c.example.com" => "192.0.2.3",
        "localhost" => "127.0.0.1",
        "two.example.com" => return Some(vec![[192, 0, 2, 9].into(), [192, 0, 2, 2].into()]),
        other => other,
    };
    let address: IpAddr = text.parse().ok()?;
    Some(vec![address.to_canonical()])
}

fn reload(old: &Config, new: Config) -> Reload {
    let around = ReloadContext {
        addresses: &addresses,
        is_own: &|address| address.is_loopback(),
        has_secret: &|_, _| false,
        switched: &|_| SwitchedTools::default(),
    };
    reload::reload(old, new, &around)
}

fn merge(old: &str, new: &str) -> Reload {
    let of = |more: &str| read(&clusters(&["a", "b"], more));
    reload(&of(old), of(new))
}

/// What a change of one line comes to: taken over, and waiting.
#[track_caller]
fn check(old: &str, new: &str, taken: &[&str], waiting: &[&str]) -> Config {
    let found = merge(old, new);
    assert_eq!(found.taken, taken, "taken over of {old} -> {new}");
    assert_eq!(found.waiting, waiting, "waits of {old} -> {new}");
    found.config
}

#[test]
fn what_tightens_is_taken_and_what_loosens_waits() {
    let config = check("", "PROXMOX_CLUSTER_a_ACCESS=read", &["ACCESS of a"], &[]);
    assert_eq!(config.clusters[0].access, Effect::Read);
    assert_eq!(
        config.clusters[0].access_variable,
        "PROXMOX_CLUSTER_a_ACCESS"
    );
    let config = check("PROXMOX_CLUSTER_a_ACCESS=read", "", &[], &["ACCESS of a"]);
    assert_eq!(config.clusters[0].access, Effect::Read);
    check(
        "PROXMOX_ACCESS=change",
        "PROXMOX_ACCESS=operate",
        &["ACCESS of a", "ACCESS of b"],
        &[],
    );
    let config = check("", "PROXMOX_CONFIRM=ask", &["PROXMOX_CONFIRM"], &[]);
    assert_eq!(config.safety.confirm.way, ConfirmMode::Ask);
    check("PROXMOX_CONFIRM=ask", "", &[], &["PROXMOX_CONFIRM"]);
    check("", "PROXMOX_CONFIRM=code", &[], &["PROXMOX_CONFIRM"]);
    let config = check("", "PROXMOX_CONFIRM=off:b", &[], &["PROXMOX_CONFIRM"]);
    assert!(config.safety.confirm.off.is_empty());
    let config = check(
        "PROXMOX_CONFIRM=off:a,b",
        "PROXMOX_CONFIRM=off:b",
        &["PROXMOX_CONFIRM (fewer clusters go unconfirmed)"],
        &[],
    );
    assert_eq!(config.safety.confirm.off, [1]);
    check("", "PROXMOX_BULK_LIMIT=3", &["PROXMOX_BULK_LIMIT"], &[]);
    let config = check("", "PROXMOX_BULK_LIMIT=30", &[], &["PROXMOX_BULK_LIMIT"]);
    assert_eq!(config.safety.bulk_limit, 10);
    check("", "PROXMOX_AUDIT_LOG=/x", &["PROXMOX_AUDIT_LOG"], &[]);
    check("PROXMOX_AUDIT_LOG=/x", "", &[], &["PROXMOX_AUDIT_LOG"]);
    check(
        "PROXMOX_AUDIT_LOG=/x",
        "PROXMOX_AUDIT_LOG=/y",
        &[],
        &["PROXMOX_AUDIT_LOG"],
    );
}

#[test]
fn protection_only_grows() {
    let config = check(
        "PROXMOX_CLUSTER_a_PROTECT=100",
        "PROXMOX_CLUSTER_a_PROTECT=200",
        &["PROTECT of a"],
        &["PROTECT of a (rules that were taken out still hold)"],
    );
    let rules = config.clusters[0].protect.iter();
    let rules: Vec<&str> = rules.map(|rule| rule.text.as_str()).collect();
    assert_eq!(rules, ["100", "200"]);
    let config = merge("", "PROXMOX_PROTECT=tag:prod").config;
    assert!(config.clusters.iter().all(|one| one.protect.len() == 1));
}

#[test]
fn everything_else_waits() {
    for (line, waits) in [
        ("PROXMOX_FANOUT=3", "PROXMOX_FANOUT"),
        ("PROXMOX_LOG=debug", "PROXMOX_LOG"),
        ("PROXMOX_DEFAULT_CLUSTER=b", "PROXMOX_DEFAULT_CLUSTER"),
        ("PROXMOX_CLUSTER_PATTERNS=x-:b", "PROXMOX_CLUSTER_PATTERNS"),
        (
            "PROXMOX_CLUSTER_a_VERIFY=false",
            "what else was changed of a",
        ),
        (
            "PROXMOX_CLUSTER_a_PROXY=http://p:1",
            "what else was changed of a",
        ),
        ("PROXMOX_CLUSTER_a_TIMEOUT=3", "what else was changed of a"),
    ] {
        let found = merge("", line);
        assert_eq!(found.taken, [""; 0], "{line}");
        assert_eq!(found.waiting, [waits], "{line}");
        assert!(found.config.clusters == merge("", "").config.clusters);
    }
    let config = read(&clusters(&["a", "b"], ""));
    let moved = clusters(&["a", "b"], "").replace("a.example.com", "evil.example.com");
    let found = reload(&config, read(&moved));
    assert_eq!(found.waiting, ["what else was changed of a"]);
    assert!(found.config.clusters == config.clusters);
    let found = reload(&config, read(&clusters(&["a"], "")));
    assert_eq!(found.waiting, ["the removal of cluster b"]);
    assert_eq!(found.config.clusters.len(), 2);
}

#[test]
fn tokens_and_new_clusters_are_taken() {
    let config = read(&clusters(&["a", "b"], ""));
    let fresh = clusters(&["a", "b"], "").replace("secret-of-b", "another");
    let found = reload(&config, read(&fresh));
    assert_eq!(found.taken, ["the token of b"]);
    assert_eq!(found.tokens, [1]);
    // In another place of the list, the old ones keep theirs.
    let old = read(&clusters(
        &["a", "b"],
        "PROXMOX_ACCESS=operate\nPROXMOX_PROTECT=100",
    ));
    let found = reload(&old, read(&clusters(&["c", "a", "b"], "")));
    let names: Vec<&str> = found
        .config
        .clusters
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    let came = "cluster c, for reads that name it in `cluster`".to_owned();
    assert!(found.taken.contains(&came), "{:?}", found.taken);
    let waits = "everything else of c".to_owned();
    assert!(found.waiting.contains(&waits), "{:?}", found.waiting);
    // What held all clusters back holds for the new one too, and it is only read.
    let new = &found.config.clusters[2];
    assert!(new.joined);
    assert_eq!(new.access, Effect::Read);
    assert_eq!(new.protect.len(), 1);
    // A file that then lets it be read is of one mind with that.
    let same = clusters(&["c", "a", "b"], "PROXMOX_CLUSTER_c_ACCESS=read");
    let found = reload(&found.config, read(&same));
    assert!(!found.waiting.contains(&waits), "{:?}", found.waiting);
    // A program that was not named at the start is not run.
    let program = |text: &str| {
        text.replace(
            "PROXMOX_CLUSTER_c_TOKEN_SECRET=secret-of-c",
            "PROXMOX_CLUSTER_c_TOKEN_SECRET_COMMAND=/bin/id",
        )
        .replace(
            "PROXMOX_CLUSTER_b_TOKEN_SECRET=secret-of-b",
            "PROXMOX_CLUSTER_b_TOKEN_SECRET_COMMAND=/bin/id",
        )
    };
    let found = reload(&config, read(&program(&clusters(&["a", "b", "c"], ""))));
    assert_eq!(
        found.waiting,
        [
            "the token of b, which has to stand literally in the file and be no other's",
            "cluster c: its secret does not stand in the file itself"
        ]
    );
    assert!(found.config.clusters == config.clusters);
}

/// A running program and its file.
struct Served {
    client: Client,
    file: PathBuf,
    world: World,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(more: &str) -> Served {
        Served::start_with(|world| format!("{}\nPROXMOX_CONFIRM=code\n{more}\n", world.env()))
    }

    /// With the file that this makes.
    fn start_with(text: impl Fn(&World) -> String) -> Served {
        let world = World::three();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("reload.env");
        write_private(&file, &text(&world)).expect("the file");
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_proxmox-mcp"));
        let mut client = Client::start(program, &file, Connected::Pipe).expect("a server");
        let hello = client.initialize("2025-11-25").expect("a handshake");
        assert_eq!(hello["capabilities"]["tools"]["listChanged"], json!(true));
        Served {
            client,
            file,
            world,
            _folder: folder,
        }
    }

    fn rewrite(&self, more: &str) {
        let text = format!("{}\nPROXMOX_CONFIRM=code\n{more}\n", self.world.env());
        fs::write(&self.file, text).expect("it can be written");
    }

    /// The structured answer, or the error's text.
    fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, String> {
        let mut result = self.client.call(tool, arguments).expect("a result");
        if result["isError"] == json!(true) {
            return Err(result["content"][0]["text"]
                .as_str()
                .unwrap_or_default()
                .into());
        }
        Ok(result["structuredContent"].take())
    }

    fn writes(&self) -> usize {
        let seen = self.world.seen();
        seen.iter().filter(|one| one.method != "GET").count()
    }
}

#[test]
fn a_running_server_tightens_at_once_and_says_what_waits() {
    let mut served = Served::start("PROXMOX_BULK_LIMIT=5");
    let start = json!({"guest": "stg-web-01", "action": "start"});
    let first = served.call("guest_power", &start).expect("it starts");
    assert!(first.get("configuration").is_none());
    served.rewrite("PROXMOX_BULK_LIMIT=50\nPROXMOX_ACCESS=read");
    let looked = served
        .call("guest_get", &json!({"guest": "stg-web-01"}))
        .expect("reads go on");
    assert_eq!(
        looked["configuration"],
        json!({
            "taken_over": ["ACCESS of production", "ACCESS of staging", "ACCESS of disaster-recovery"],
            "waits_for_restart": ["PROXMOX_BULK_LIMIT"],
        })
    );
    let changed = served.client.receive().expect("a notification");
    assert_eq!(changed["method"], json!("notifications/tools/list_changed"));
    let tools = served
        .client
        .request("tools/list", &json!({}))
        .expect("tools");
    let tools = tools["tools"].as_array().expect("tools");
    assert!(
        tools
            .iter()
            .all(|tool| tool["annotations"]["readOnlyHint"] == json!(true))
    );
    served.world.seen();
    let refused = served.call("guest_power", &start).expect_err("no longer");
    assert!(refused.starts_with("NotAllowedError"), "{refused}");
    // Loosening it again waits.
    served.rewrite("PROXMOX_BULK_LIMIT=5");
    served
        .call("guest_power", &start)
        .expect_err("not before a restart");
    let looked = served.call("guest_get", &json!({"guest": "stg-web-01"}));
    let looked = looked.expect("reads go on");
    let waits = &looked["configuration"]["waits_for_restart"];
    assert_eq!(
        waits,
        &json!([
            "ACCESS of production",
            "ACCESS of staging",
            "ACCESS of disaster-recovery"
        ])
    );
    assert_eq!(served.writes(), 0);
}

/// Whoever says which sets there are bounds those that the session has listed, at once.
#[test]
fn sets_that_are_said_bound_those_that_were_enabled() {
    let mut served = Served::start("");
    let enabled = served.call("toolset_enable", &json!({"toolset": "pool"}));
    enabled.expect("nobody said which sets there are");
    let changed = served.client.receive().expect("a notification");
    assert_eq!(changed["method"], json!("notifications/tools/list_changed"));
    served
        .call("pool_list", &json!({}))
        .expect("it can be called");
    served.rewrite("PROXMOX_TOOLSETS=default");
    let refused = served.call("pool_list", &json!({}));
    let refused = refused.expect_err("it is bound");
    assert!(
        refused.contains("`pool_list` was switched off while this server ran"),
        "{refused}"
    );
}

/// What is listed grows by a restart alone, and shrinks at once.
#[test]
fn what_is_switched_on_waits() {
    let first = "PROXMOX_TOOLSETS=fleet,guest\nPROXMOX_TOOLS_DENY=guest_delete";
    let mut served = Served::start(first);
    let waits = |served: &mut Served, lines: &str| {
        served.rewrite(lines);
        let looked = served.call("guest_get", &json!({"guest": "stg-web-01"}));
        looked.expect("reads go on")["configuration"].clone()
    };
    assert_eq!(
        waits(&mut served, "PROXMOX_TOOLSETS=fleet,guest"),
        json!({"waits_for_restart": ["switched on: guest_delete"]})
    );
    assert_eq!(
        waits(
            &mut served,
            "PROXMOX_TOOLSETS=fleet,guest,node\nPROXMOX_TOOLS_DENY=guest_delete"
        ),
        json!({"waits_for_restart": ["switched on: node_list, node_get"]})
    );
    assert_eq!(
        waits(
            &mut served,
            "PROXMOX_TOOLSETS=fleet,guest\nPROXMOX_TOOLS_DENY=guest_delete,guest_power"
        ),
        json!({"taken_over": ["switched off: guest_power"]})
    );
    let changed = served.client.receive().expect("a notification");
    assert_eq!(changed["method"], json!("notifications/tools/list_changed"));
    assert_eq!(
        waits(&mut served, first),
        json!({"waits_for_restart": ["switched on: guest_power"]})
    );
    let start = json!({"guest": "stg-web-01", "action": "start"});
    let refused = served.call("guest_power", &start).expect_err("not listed");
    assert!(refused.contains("guest_power"), "{refused}");
    served
        .call("node_list", &json!({}))
        .expect_err("not listed");
    assert_eq!(served.writes(), 0);
}

/// What a token began is looked at with it, as long as the cluster accepts it: the new one may not see it.
#[test]
fn a_task_is_looked_at_with_the_token_that_began_it() {
    for is_revoked in [false, true] {
        let mut served = Served::start("");
        let staging = served.world.cluster("staging");
        staging.fault(Fault::TokenLacks(vec!["Sys.Audit".into()]));
        staging.edit(|state| state.hold = true);
        let order = json!({"name": "guest_power",
            "arguments": {"guest": "stg-web-01", "action": "start", "wait": 25}});
        let waits = served.client.ask("tools/call", &order).expect("it is sent");
        let is_begun = |served: &Served| {
            let seen = served.world.cluster("staging").seen();
            seen.iter()
                .any(|one| one.path.ends_with("/status") && one.path.contains("/tasks/"))
        };
        until("it is looked at", || is_begun(&served));
        fs::write(&served.file, with_the_auditor(&served.world)).expect("it can be written");
        let list = json!({"name": "guest_list", "arguments": {"cluster": "staging"}});
        let list = served.client.ask("tools/call", &list).expect("it is sent");
        let reply = served.client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(list), "{reply}");
        let taken = &reply["result"]["structuredContent"]["configuration"]["taken_over"];
        assert_eq!(taken, &json!(["the token of staging"]), "{reply}");
        served.world.cluster("staging").edit(|state| {
            if is_revoked {
                let user = state.access.users.get_mut("mcp@pve").expect("the user");
                user.tokens.clear();
            }
        });
        let staging = served.world.cluster("staging");
        if !is_revoked {
            // A look that fails otherwise is no reason to look with the new one, which may not.
            staging.fault(Fault::BadJson.on("GET", "/nodes/stg-pve1/tasks/").times(1));
        }
        staging.edit(|state| state.hold = false);
        let reply = served.client.receive().expect("an answer");
        assert_eq!(reply["id"], json!(waits), "{reply}");
        let result = &reply["result"];
        if is_revoked {
            let said = result["content"][0]["text"].as_str().expect("a text");
            assert!(said.starts_with("PermissionError: "), "{said}");
            assert!(
                said.contains("hint: the token was changed after the task had begun"),
                "{said}"
            );
            assert!(said.contains("its task is `staging!UPID:"), "{said}");
        } else {
            assert_eq!(result["structuredContent"]["state"], json!("ok"), "{reply}");
        }
    }
}

/// The file in which staging has the token of an auditor.
fn with_the_auditor(world: &World) -> String {
    let lines = world.env();
    let renewed = lines.lines().map(|line| {
        let line = line.replace(
            "staging_TOKEN_ID=mcp@pve!mcp",
            "staging_TOKEN_ID=aud@pve!ro",
        );
        line.replace("staging_TOKEN_SECRET=", "staging_TOKEN_SECRET=aud-") + "\n"
    });
    renewed.collect::<String>() + "PROXMOX_CONFIRM=code\n"
}

/// The next call is made with it, and what the one before might do is forgotten.
#[test]
fn a_changed_token_is_the_one_that_asks() {
    let mut served = Served::start("");
    let order = |action: &str| json!({"guest": "stg-web-01", "action": action});
    let first = served.call("guest_power", &order("start"));
    first.expect("the token may do that");
    fs::write(&served.file, with_the_auditor(&served.world)).expect("it can be written");
    let looked = served
        .call("guest_get", &json!({"guest": "stg-web-01"}))
        .expect("it may read");
    assert_eq!(
        looked["configuration"]["taken_over"],
        json!(["the token of staging"])
    );
    served.world.seen();
    let refused = served
        .call("guest_power", &order("reboot"))
        .expect_err("an auditor may not");
    assert!(refused.contains("VM.PowerMgmt"), "{refused}");
    assert_eq!(served.writes(), 0);
}

/// A secret that stands in no file of ours is nobody else's all the same, once it was read.
#[test]
fn a_secret_that_was_read_elsewhere_stays_its_clusters() {
    let secrets = tempfile::tempdir().expect("a folder");
    let of_staging = secrets.path().join("staging");
    let with_file = |env: String| -> String {
        let line = |line: &str| match line.strip_prefix("PROXMOX_CLUSTER_staging_TOKEN_SECRET=") {
            Some(_) => format!(
                "PROXMOX_CLUSTER_staging_TOKEN_SECRET_FILE={}\n",
                of_staging.display()
            ),
            None => format!("{line}\n"),
        };
        env.lines().map(line).collect()
    };
    let secret = std::cell::RefCell::new(String::new());
    let mut served = Served::start_with(|world| {
        let own = world.cluster("staging").spec.token_secret.clone();
        write_private(&of_staging, &own).expect("the secret");
        secret.replace(own);
        with_file(world.env())
    });
    served
        .call("guest_get", &json!({"guest": "stg-web-01"}))
        .expect("it is read");
    let env = with_file(served.world.env());
    let new = |secret: &str| {
        let listed = "production,staging,disaster-recovery";
        let env = env.replace(listed, &format!("{listed},new"));
        format!(
            "{env}PROXMOX_CLUSTER_new_API_URL=https://192.0.2.77:8006\n\
             PROXMOX_CLUSTER_new_TOKEN_ID=new@pve!new\nPROXMOX_CLUSTER_new_TOKEN_SECRET={secret}\n"
        )
    };
    for (secret, waits) in [
        (
            secret.take().as_str(),
            "cluster new: its secret is that of another cluster",
        ),
        ("its-own", "everything else of new"),
    ] {
        fs::write(&served.file, new(secret)).expect("it can be written");
        let told = served.call("cluster_list", &json!({})).expect("a list");
        let told = &told["configuration"]["waits_for_restart"];
        assert_eq!(told, &json!([waits]));
    }
}

#[test]
fn codes_die_with_a_reload() {
    let mut served = Served::start("");
    let delete = json!({"guest": "stg-web-01", "action": "start"});
    served.call("guest_power", &delete).expect("it runs");
    let mut stop = json!({"guest": "stg-web-01", "action": "stop"});
    let planned = served.call("guest_power", &stop).expect("a plan");
    served.rewrite("PROXMOX_BULK_LIMIT=5");
    served.world.seen();
    stop["confirm"] = planned["confirm"].clone();
    let again = served.call("guest_power", &stop).expect("a new plan");
    assert!(again.get("plan").is_some(), "{again}");
    assert_eq!(served.writes(), 0);
    // A file that says the same leaves them alone.
    served.rewrite("PROXMOX_BULK_LIMIT=5\n# a remark");
    stop["confirm"] = again["confirm"].clone();
    let done = served.call("guest_power", &stop).expect("it stops");
    assert!(done.get("plan").is_none(), "{done}");
}

#[test]
fn a_broken_file_changes_nothing() {
    let mut served = Served::start("");
    served.rewrite("PROXMOX_ACCESS=nothing\nPROXMOX_TOOLS_DENY=guest_delet");
    let looked = served.call("guest_get", &json!({"guest": "stg-web-01"}));
    let notice = looked.expect("an answer")["configuration"].take();
    assert_eq!(
        notice,
        json!({
            "not_taken_over": [
                "PROXMOX_TOOLS_DENY: there is no tool `guest_delet`, the nearest is `guest_delete`",
                "PROXMOX_ACCESS: is none of read, operate, change, full",
            ],
            "problems": 2,
        })
    );
    let start = json!({"guest": "stg-web-01", "action": "start"});
    served
        .call("guest_power", &start)
        .expect("the old one holds");
    served.rewrite("PROXMOX_TOOLS_DENY=guest_power");
    let refused = served.call("guest_power", &start).expect_err("it is off");
    assert!(
        refused.contains("`guest_power` was switched off while this server ran"),
        "{refused}"
    );
    // The answer that failed could not say what had changed: the next one does.
    let changed = served.client.receive().expect("a notification");
    assert_eq!(changed["method"], json!("notifications/tools/list_changed"));
    let looked = served.call("guest_get", &json!({"guest": "stg-web-01"}));
    assert_eq!(
        looked.expect("an answer")["configuration"],
        json!({"taken_over": ["switched off: guest_power"]})
    );
}
