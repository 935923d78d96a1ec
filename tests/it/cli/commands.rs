//! The commands `tools` and `call`: what the shell is told is what a client is told, and what asks is
//! confirmed by the object's name.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use proxmox_mcp::tools;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::binary::{PROGRAM, Server};
use crate::demo::client::Way;
use crate::leaks;
use crate::session::Session;
use crate::sim::World;
use crate::sim::guest::Status;

/// The program in a shell: its configuration, and no terminal.
pub(crate) struct Shell {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn new(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Standard output of a command that went well and had nothing else to say.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    /// It ended with this status, said nothing on standard output, and all of this beside it.
    #[track_caller]
    pub(crate) fn refused(&self, status: i32, parts: &[&str]) {
        assert_eq!(
            (self.status, self.stdout.as_str()),
            (Some(status), ""),
            "{self:?}"
        );
        for part in parts {
            assert!(self.stderr.contains(part), "no {part} in\n{}", self.stderr);
        }
    }
}

impl Shell {
    pub(crate) fn new(env: &str) -> Shell {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("test.env");
        crate::demo::write_private(&file, env).expect("the configuration is written");
        Shell { folder }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("--env-file");
        command.arg(self.folder.path().join("test.env"));
        command.env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Said {
        Said::new(leaks::output(&mut self.command(words)))
    }

    /// With something on standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Said {
        let mut command = self.command(words);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(input.as_bytes()).expect("it reads");
        drop(pipe);
        Said::new(leaks::clean(child.wait_with_output().expect("it ends")))
    }
}

/// Without a configuration, from a place where none is found.
pub(crate) fn bare(words: &[&str]) -> Said {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(PROGRAM);
    command.args(words).env_clear().env("HOME", home.path());
    Said::new(leaks::output(command.stdin(Stdio::null())))
}

#[test]
fn the_tools_are_listed_as_clients_are_told() {
    let world = World::three();
    let mut session = Session::with(&world, "PROXMOX_TOOLSETS=all\n");
    let listed = session.request("tools/list", &json!({}));
    let said = bare(&["tools", "--json"]).well();
    let mut said: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    // Where all are listed, there is nothing to be listed besides.
    said.retain(|tool| tool["name"] != json!("toolset_enable"));
    assert_eq!(json!(said).to_string(), listed["tools"].to_string());

    let table = bare(&["tools"]).well();
    for tool in tools::all() {
        assert!(table.lines().any(|line| line.starts_with(tool.name)));
    }
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{table}");
    bare(&["tools", "x"]).refused(2, &["`x` is one argument too many"]);
}

/// Reads of all kinds. How fast a cluster answers differs from call to call, so that `check` is not
/// among them.
const READS: &[(&str, &str)] = &[
    ("cluster_list", "{}"),
    (
        "fleet_search",
        r#"{"query":"type:guest tag:web status:running"}"#,
    ),
    ("fleet_search", r#"{"query":"type:storage"}"#),
    ("fleet_summary", "{}"),
    ("guest_list", "{}"),
    ("guest_list", r#"{"cluster":"all"}"#),
    ("guest_list", r#"{"cluster":"staging"}"#),
    ("guest_get", r#"{"guest":"stg-web-01"}"#),
    (
        "guest_get",
        r#"{"guest":"100","cluster":"production","include":["config","snapshots","disks","network"]}"#,
    ),
    ("snapshot_list", r#"{"guest":"prod-web-01"}"#),
    ("backup_list", "{}"),
    ("backup_list", r#"{"cluster":"all"}"#),
    ("task_list", r#"{"cluster":"all"}"#),
    ("node_list", r#"{"cluster":"all"}"#),
    ("node_get", r#"{"node":"stg-pve1"}"#),
    ("storage_list", r#"{"cluster":"all"}"#),
    (
        "storage_content",
        r#"{"storage":"local","cluster":"staging"}"#,
    ),
    // And what fails: before anything is sent, by the fleet, by the cluster.
    ("guest_get", "{}"),
    ("guest_get", r#"{"guest":"100"}"#),
    ("guest_get", r#"{"guest":"stg-nobody"}"#),
    ("node_get", r#"{"node":"stg-pve1","cluster":"nowhere"}"#),
    (
        "storage_content",
        r#"{"storage":"nowhere","cluster":"staging"}"#,
    ),
];

#[test]
fn a_call_is_answered_as_over_mcp() {
    let world = World::three();
    let shell = Shell::new(&world.env());
    for (tool, arguments) in READS {
        let mut server = Server::ready(&world.env(), Way::Pipe);
        let given: Value = serde_json::from_str(arguments).expect("JSON");
        let over_mcp = server.client.call(tool, &given).expect("it answers");
        let over_mcp_text = over_mcp["content"][0]["text"].as_str().expect("a text");
        server.ends();

        let said = shell.run(&["call", tool, arguments, "--json"]);
        if over_mcp["isError"] == json!(true) {
            let lines: Vec<String> = over_mcp_text
                .lines()
                .map(|line| format!("proxmox-mcp: error: {line}\n"))
                .collect();
            assert_eq!(said.stderr, lines.concat(), "{tool} {arguments}");
            said.refused(1, &[]);
        } else {
            let said = said.well();
            assert_eq!(said, format!("{over_mcp_text}\n"), "{tool} {arguments}");
        }
        // For people nothing is wider than a terminal, save what cannot be broken.
        let read = shell.run(&["call", tool, arguments]);
        for line in read.stdout.lines() {
            let words = line.split_whitespace().count();
            assert!(line.chars().count() <= 80 || words <= 2, "{tool}: {line}");
        }
    }
}

#[test]
fn arguments_come_from_standard_input_too() {
    let world = World::three();
    let shell = Shell::new(&world.env());
    let said = shell.run_with(
        &["call", "guest_list", "-", "--json"],
        r#"{"cluster":"staging"}"#,
    );
    let other = shell.run(&["call", "guest_list", r#"{"cluster":"staging"}"#, "--json"]);
    assert_eq!(said.well(), other.well());
}

#[test]
fn what_cannot_be_called_is_said_with_status_2() {
    bare(&["call"]).refused(2, &["needs the name of a tool"]);
    bare(&["call", "guest_lust"]).refused(2, &["there is no tool `guest_lust`"]);
    bare(&["call", "proxmox-list-vms"]).refused(2, &["is `guest_list` here"]);
    bare(&["call", "guest_list", "{"]).refused(2, &["the arguments are no JSON"]);
    bare(&["call", "guest_list", "[]"]).refused(2, &["must be a JSON object"]);
    bare(&["call", "guest_list", "{}", "{}"]).refused(2, &["one argument too many"]);
    bare(&["call", "guest_list", "--confirm", "x"]).refused(2, &["asks nothing"]);
    // The configuration is looked at last.
    bare(&["call", "guest_list"]).refused(2, &["there is no configuration file"]);
}

const STOP: &str = r#"{"guest":110,"cluster":"production","action":"stop"}"#;

fn with_billing_running() -> (World, Shell) {
    let world = World::three();
    world.cluster("production").edit(|state| {
        state.guests.get_mut(&110).expect("billing").status = Status::Running;
    });
    let shell = Shell::new(&world.env());
    (world, shell)
}

fn writes(world: &World) -> Vec<String> {
    let seen = world.seen().into_iter();
    let writes = seen.filter(|seen| seen.method != "GET");
    writes
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

#[test]
fn what_asks_is_not_done_without_the_objects_name() {
    let (world, shell) = with_billing_running();
    let hint = "repeat the call with `--confirm NAME`";
    let plan = ["name: billing", "vmid: 110", "NotAllowedError: "];
    let said = shell.run(&["call", "guest_power", STOP]);
    said.refused(1, &[&plan[..], &["nobody at a terminal", hint]].concat());
    // What is piped in is not typed.
    let said = shell.run_with(&["call", "guest_power", STOP], "billing\n");
    said.refused(1, &["nobody at a terminal"]);
    for wrong in ["billin", "billing ", "110", "Billing", "yes"] {
        let said = shell.run(&["call", "guest_power", STOP, "--confirm", wrong]);
        said.refused(1, &[&plan[..], &["is not the object's", hint]].concat());
    }
    let coded = STOP.replace('}', r#","confirm":"0123456789abcdef"}"#);
    let said = shell.run(&["call", "guest_power", &coded, "--confirm", "billing"]);
    said.refused(1, &["`confirm` takes a code, and there are none here"]);
    assert_eq!(writes(&world), [""; 0]);
}

#[test]
fn the_objects_name_confirms() {
    let (world, shell) = with_billing_running();
    let words = [
        "call",
        "guest_power",
        STOP,
        "--confirm",
        "billing",
        "--json",
    ];
    let answer: Value = serde_json::from_str(&shell.run(&words).well()).expect("JSON");
    assert_eq!(answer["status"], json!("stopped"));
    assert_eq!(answer["cluster"], json!("production"));
    assert!(answer.get("confirm").is_none() && answer.get("plan").is_none());
    assert_eq!(
        writes(&world),
        ["POST /nodes/prod-pve3/qemu/110/status/stop"]
    );
}

#[test]
fn options_may_stand_before_the_command() {
    let world = World::three();
    let shell = Shell::new(&world.env());
    let usual = shell.run(&["tools", "--json"]).well();
    let file = shell.command(&[]);
    let file = file.get_args().nth(1).expect("--env-file and its file");
    let file = file.to_str().expect("text");
    for words in [
        ["--env-file", file, "tools", "--json"].as_slice(),
        &["--json", "tools", "--env-file", file],
        &["--json", "--env-file", file, "tools"],
        &["tools", "--json", "--env-file", file],
    ] {
        assert_eq!(bare(words).well(), usual, "{words:?}");
    }
    let checked = bare(&["--env-file", file, "check"]).well();
    assert!(checked.contains("staging"), "{checked}");
    // A value is none, even if it is named like one.
    bare(&["--env-file", "check"]).refused(2, &["ClusterConfigurationError: check: "]);
    bare(&["--access", "read", "token", "--help"]).well();
}
