//! `token`: the commands that it prints make a token that can do what the tools of its level do, and
//! little more. They are run here as `pveum` would run them, against a simulated cluster.

use std::process::Command;
use std::thread;

use proxmox_mcp::api::mark::Effect;
use proxmox_mcp::error::{Code, Error};
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::CallOrigin;
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::levels::{self, LEVELS, PveRelease};
use proxmox_mcp::tools::{self, TOOLSETS};
use serde_json::{Map, Value, json};

use crate::cli::commands::{Shell, bare};
use crate::leaks;
use crate::session::{agreed, configuration};
use crate::sim::client::Connection;
use crate::sim::roles::PRIVILEGES;
use crate::sim::spec;
use crate::sim::{SimCluster, World};

pub(crate) fn call(
    app: &mut AppState,
    tool: &str,
    arguments: &str,
) -> Result<Map<String, Value>, Error> {
    let tool = tools::find(tool).unwrap_or_else(|| panic!("no tool {tool}"));
    let arguments: Value = serde_json::from_str(arguments).expect("JSON");
    let arguments = arguments.as_object().expect("an object");
    agreed(app, tool, arguments)
}

/// The words of each line that a shell would run.
pub(crate) fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let script = format!("printf '%s\\n' {line}");
            let run = leaks::output(Command::new("/bin/sh").args(["-c", &script]));
            let words = String::from_utf8(run.stdout).expect("text");
            words.lines().map(str::to_owned).collect()
        })
        .collect()
}

/// One command of `pveum`, as the API call that it makes, by root.
#[track_caller]
pub(crate) fn pveum(cluster: &SimCluster, words: &[String]) -> Value {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (method, path, mut body, options) = match words.as_slice() {
        ["pveum", "role", "add", role, rest @ ..] => (
            "POST",
            "/access/roles".to_owned(),
            json!({"roleid": role}),
            rest,
        ),
        ["pveum", "user", "add", user, rest @ ..] => (
            "POST",
            "/access/users".to_owned(),
            json!({"userid": user}),
            rest,
        ),
        ["pveum", "user", "token", "add", user, token, rest @ ..] => {
            let path = format!("/access/users/{user}/token/{token}");
            ("POST", path, json!({}), rest)
        }
        ["pveum", "acl", "modify", path, rest @ ..] => {
            ("PUT", "/access/acl".to_owned(), json!({"path": path}), rest)
        }
        other => panic!("pveum has no {other:?}"),
    };
    for option in options.chunks(2) {
        let name = option[0].strip_prefix("--").expect("an option");
        body[name] = option[1].into();
    }
    let root = format!("root@pam!full=root-{}", cluster.spec.token_secret);
    let node = &cluster.spec.nodes[0].name;
    let mut connection = Connection::open(cluster, node).expect("it answers");
    let reply = connection.send(method, &path, &root, &body);
    assert_eq!(
        reply.status,
        200,
        "{words:?}: {} {}",
        reply.reason,
        reply.json()
    );
    reply.data()
}

/// The staging cluster alone.
fn staging() -> World {
    let specs = spec::three().into_iter();
    World::start(specs.filter(|spec| spec.name == "staging").collect())
}

/// What is printed for another token of the staging cluster, whose secret nobody knows yet.
pub(crate) fn printed(level: &str) -> Vec<Vec<String>> {
    let env = staging().env().replace("=mcp@pve!mcp", TOKEN);
    let begun = env.lines().filter(|line| !line.contains("TOKEN_SECRET"));
    let begun: Vec<&str> = begun.collect();
    let shell = Shell::new(&begun.join("\n"));
    commands(&shell.run(&["token", "staging", "--access", level]).well())
}

const TOKEN: &str = "=helper@pve!assistant";

/// A staging cluster on which these commands were run, and the configuration with the new token.
pub(crate) fn with_token(commands: &[Vec<String>]) -> (World, String) {
    let world = staging();
    let cluster = world.cluster("staging");
    let answers: Vec<Value> = commands.iter().map(|words| pveum(cluster, words)).collect();
    let secret = answers.iter().find_map(|data| data.get("value")?.as_str());
    let secret = secret.expect("`token add` prints the secret");
    let env = world.env().replace("=mcp@pve!mcp", TOKEN);
    let env = env.replace(&cluster.spec.token_secret, secret);
    (world, env)
}

/// A call, the least level whose token can make it, and what has to be there before.
struct Row(
    Effect,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const SNAPSHOT: (&str, &str) = ("snapshot_create", r#"{"guest":100,"snapname":"s1"}"#);
const DETACHED: [(&str, &str); 2] = [
    (
        "guest_disk",
        r#"{"guest":100,"action":"add","size":"1G","disk":"scsi5"}"#,
    ),
    (
        "guest_disk",
        r#"{"guest":100,"action":"detach","disk":"scsi5"}"#,
    ),
];

use Effect::{Change, Operate, Read};

const ROWS: &[Row] = &[
    Row(Read, "cluster_list", r#"{"check":true}"#, &[]),
    Row(Read, "fleet_search", r#"{"query":"type:guest"}"#, &[]),
    Row(Read, "fleet_summary", "{}", &[]),
    Row(Read, "guest_list", "{}", &[]),
    Row(Read, "guest_get", r#"{"guest":103}"#, &[]),
    Row(Read, "guest_get", r#"{"guest":101}"#, &[]),
    Row(Read, "snapshot_list", r#"{"guest":103}"#, &[]),
    Row(Read, "backup_list", "{}", &[]),
    Row(Read, "task_list", "{}", &[]),
    Row(Read, "node_list", "{}", &[]),
    Row(
        Read,
        "node_get",
        r#"{"node":"stg-pve1","include":["guests","storages","bridges","tasks"]}"#,
        &[],
    ),
    Row(Read, "storage_list", "{}", &[]),
    Row(Read, "storage_content", r#"{"storage":"local"}"#, &[]),
    Row(
        Operate,
        "guest_power",
        r#"{"guest":100,"action":"start"}"#,
        &[],
    ),
    Row(
        Operate,
        "guest_power",
        r#"{"guest":103,"action":"shutdown"}"#,
        &[],
    ),
    Row(
        Operate,
        "guest_power",
        r#"{"guest":103,"action":"stop"}"#,
        &[],
    ),
    Row(
        Operate,
        "guest_power",
        r#"{"guest":101,"action":"reboot"}"#,
        &[],
    ),
    Row(
        Operate,
        "guest_migrate",
        r#"{"guest":100,"target":"stg-pve2","with_local_disks":true}"#,
        &[],
    ),
    Row(
        Operate,
        "snapshot_create",
        r#"{"guest":100,"snapname":"s1"}"#,
        &[],
    ),
    Row(
        Operate,
        "backup_create",
        r#"{"guest":100,"storage":"nas"}"#,
        &[],
    ),
    // Proxmox has nothing finer than what the lighter level needs, and the remarks say so.
    Row(
        Operate,
        "snapshot_delete",
        r#"{"guest":100,"snapname":"s1"}"#,
        &[SNAPSHOT],
    ),
    Row(
        Operate,
        "snapshot_rollback",
        r#"{"guest":100,"snapname":"s1"}"#,
        &[SNAPSHOT],
    ),
    // The remarks say that these are missing below.
    Row(
        Change,
        "guest_power",
        r#"{"guest":103,"action":"hibernate"}"#,
        &[],
    ),
    Row(
        Change,
        "guest_create_vm",
        r#"{"name":"stg-new","disk_gib":4}"#,
        &[],
    ),
    Row(
        Change,
        "guest_clone",
        r#"{"guest":100,"name":"stg-copy"}"#,
        &[],
    ),
    Row(
        Change,
        "guest_configure",
        r#"{"guest":100,"cores":4,"memory":4096,"onboot":true}"#,
        &[],
    ),
    Row(
        Change,
        "guest_configure",
        r#"{"guest":100,"settings":{"ciuser":"x","cpu":"host"}}"#,
        &[],
    ),
    Row(
        Change,
        "guest_disk",
        r#"{"guest":100,"action":"add","size":"1G"}"#,
        &[],
    ),
    Row(
        Change,
        "guest_disk",
        r#"{"guest":100,"action":"resize","disk":"scsi0","size":"+1G"}"#,
        &[],
    ),
    Row(
        Change,
        "guest_disk",
        r#"{"guest":100,"action":"detach","disk":"scsi0"}"#,
        &[],
    ),
    Row(
        Change,
        "guest_disk",
        r#"{"guest":100,"action":"remove","disk":"unused0"}"#,
        &DETACHED,
    ),
    Row(
        Change,
        "guest_network",
        r#"{"guest":100,"action":"set","net":"net0","tag":40}"#,
        &[],
    ),
    Row(
        Change,
        "guest_network",
        r#"{"guest":100,"action":"set","bridge":"vmbr0"}"#,
        &[],
    ),
    Row(Change, "guest_delete", r#"{"guest":100}"#, &[]),
    Row(
        Change,
        "backup_restore",
        r#"{"archive":"$archive","vmid":600}"#,
        &[],
    ),
];

/// The newest backup of 101, as the cluster's own token sees it.
fn archive(app: &mut AppState) -> String {
    let listed = call(app, "backup_list", r#"{"guest":101}"#).expect("backups");
    let row = &listed["items"][0];
    let volume = row.get("volume").or_else(|| row.get(0));
    volume.and_then(Value::as_str).expect("a volume").to_owned()
}

#[test]
fn a_token_can_do_what_its_level_says_and_no_more() {
    // Most of the time tasks are waited for.
    let problems: Vec<String> = thread::scope(|scope| {
        let levels = LEVELS.iter();
        let levels = levels.map(|(name, level)| scope.spawn(|| problems_of(name, *level)));
        let levels: Vec<_> = levels.collect();
        let problems = levels
            .into_iter()
            .map(|level| level.join().expect("no panic"));
        problems.flatten().collect()
    });
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Every row that a token of this level answers otherwise than it says.
fn problems_of(name: &str, level: Effect) -> Vec<String> {
    let mut problems = Vec::new();
    let commands = printed(name);
    let mut fresh = None;
    for Row(least, tool, arguments, before) in ROWS {
        let (world, env) = fresh.take().unwrap_or_else(|| with_token(&commands));
        let mut own = AppState::new(
            Fleet::new(configuration(&world, "")),
            TOOLSETS,
            CallOrigin::CommandLine,
        );
        for (tool, arguments) in *before {
            call(&mut own, tool, arguments).expect("what has to be there");
        }
        let arguments = arguments.replace("$archive", &archive(&mut own));
        let mut app = AppState::new(
            Fleet::new(configuration_of(&env)),
            TOOLSETS,
            CallOrigin::CommandLine,
        );
        let result = call(&mut app, tool, &arguments);
        let as_expected = match &result {
            Ok(answer) => level >= *least && is_whole(answer),
            Err(error) => {
                let lacks = error.problems.concat().contains("or the token lacks");
                let is_denied = match error.code {
                    Code::Permission => true,
                    Code::BadArguments => lacks,
                    _ => false,
                };
                level < *least && is_denied
            }
        };
        if !as_expected {
            problems.push(format!("{name}: {tool} {arguments}: {result:?}"));
        }
        // Where nothing was written, the cluster is still as it was.
        if before.is_empty() && (*least == Read || result.is_err()) {
            fresh = Some((world, env));
        }
    }
    problems
}

/// No cluster failed behind an answer.
fn is_whole(answer: &Map<String, Value>) -> bool {
    answer
        .get("errors")
        .is_none_or(|errors| errors.as_array().is_some_and(Vec::is_empty))
}

pub(crate) fn configuration_of(env: &str) -> proxmox_mcp::config::Config {
    let file = proxmox_mcp::config::env_file::read(env.as_bytes(), &Default::default());
    match proxmox_mcp::config::read(&[], &file) {
        Ok(config) => config,
        Err(report) => panic!("{:?}", report.problems),
    }
}

/// What a token that may change things reads has no gaps, and nothing is said to be missing.
#[test]
fn a_token_that_may_change_things_sees_all() {
    let (world, env) = with_token(&printed("full"));
    let mut own = AppState::new(
        Fleet::new(configuration(&world, "")),
        TOOLSETS,
        CallOrigin::CommandLine,
    );
    let mut app = AppState::new(
        Fleet::new(configuration_of(&env)),
        TOOLSETS,
        CallOrigin::CommandLine,
    );
    for (tool, arguments) in [
        ("fleet_search", r#"{"query":"type:storage"}"#),
        ("guest_get", r#"{"guest":103}"#),
        ("backup_list", "{}"),
        ("node_get", r#"{"node":"stg-pve1","include":["bridges"]}"#),
        ("storage_content", r#"{"storage":"local-lvm"}"#),
        ("storage_content", r#"{"storage":"nas"}"#),
    ] {
        let all = call(&mut own, tool, arguments).expect("an answer");
        let seen = call(&mut app, tool, arguments).expect("an answer");
        assert_eq!(json!(seen), json!(all), "{tool} {arguments}");
    }
    let checked = call(&mut app, "cluster_list", r#"{"check":true}"#).expect("an answer");
    assert!(
        !json!(checked).to_string().contains("missing_privileges"),
        "{checked:?}"
    );
}

#[test]
fn privileges_are_those_of_their_release() {
    for (name, level) in LEVELS {
        let of_9 = levels::privileges(*level, PveRelease::Pve9);
        for one in &of_9 {
            assert!(PRIVILEGES.contains(one), "{name}: 9 has no {one}");
        }
        let of_8 = levels::privileges(*level, PveRelease::Pve8);
        let only_9 = ["VM.GuestAgent.", "VM.Replicate", "Sys.AccessNetwork"];
        for one in &of_8 {
            assert!(of_9.contains(one));
            assert!(!only_9.iter().any(|start| one.starts_with(start)), "{one}");
        }
        // Without these, answers leave something out.
        for (light, is_of_8) in [("SDN.Audit", true), ("VM.GuestAgent.Audit", false)] {
            assert!(of_9.contains(light), "{name}: {light}");
            assert_eq!(of_8.contains(light), is_of_8, "{name}: {light}");
        }
        // What runs commands in guests, decides who may what, or configures nodes is for nobody.
        for heavy in [
            "VM.Monitor",
            "VM.GuestAgent.Unrestricted",
            "VM.GuestAgent.FileWrite",
            "VM.Console",
            "Permissions.Modify",
            "Sys.Modify",
            "Sys.Console",
            "Sys.PowerMgmt",
            "Datastore.Allocate",
        ] {
            assert!(!of_9.contains(heavy) && !of_8.contains(heavy), "{heavy}");
        }
    }
    let sizes = LEVELS
        .iter()
        .map(|(_, level)| levels::privileges(*level, PveRelease::Pve9).len());
    assert!(sizes.is_sorted_by(|one, next| one < next));
}

#[test]
fn without_a_configuration_the_usual_token_is_taken() {
    let said = bare(&["token", "anything"]);
    assert_eq!(said.status, Some(0));
    assert!(
        said.stderr.contains("`mcp@pve!main` is taken"),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout
            .contains("--tokens 'mcp@pve!main' --roles mcp-read")
    );
    assert_eq!(commands(&said.stdout).len(), 4);
}

#[test]
fn the_cluster_is_one_that_is_configured() {
    let shell = Shell::new("PROXMOX_CLUSTERS=a,b\nPROXMOX_CLUSTER_a_TOKEN_ID=root@pam!x\n");
    let said = shell.run(&["token", "c"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(1), ""));
    assert!(
        said.stderr
            .contains("no cluster is named `c`; configured are: a, b")
    );
    // root is there, and has no role of its own.
    let said = shell.run(&["token", "a", "--access", "full"]).well();
    assert!(
        !said.contains("user add") && !said.contains("--users"),
        "{said}"
    );
    let said = shell.run(&["token", "b"]);
    assert!(
        said.stderr.contains("sets no TOKEN_ID for `b`"),
        "{}",
        said.stderr
    );

    let single = Shell::new("PROXMOX_TOKEN_ID=mcp@pam!x\nPROXMOX_API_URL=https://pve1\n");
    let said = single.run(&["token", "default"]).well();
    assert!(said.contains("PROXMOX_TOKEN_ID=mcp@pam!x"), "{said}");
    for (words, part) in [
        (vec!["token"], "needs the name of a cluster"),
        (
            vec!["token", "a", "--access", "root"],
            "must be one of read, operate",
        ),
    ] {
        let said = bare(&words);
        assert_eq!(said.status, Some(2));
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
}
