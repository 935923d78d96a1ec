//! The binary while clusters die, are silent, or speak as older ones do.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::binary::{PROGRAM, Server, until, within};
use crate::demo::client::Way;
use crate::sim::World;

/// A read of the whole fleet takes no longer, whatever is down.
const REST_MAX: Duration = Duration::from_secs(6);

/// The simulator as a process of its own, which can be killed.
struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
    env: String,
    _folder: TempDir,
}

impl Process {
    fn start(order: &str) -> Process {
        let examples = Path::new(PROGRAM).with_file_name("examples");
        let program = examples.join("dev");
        assert!(
            program.is_file(),
            "`cargo build --examples` makes {}",
            program.display()
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let env_file = folder.path().join("sim.env");
        let mut child = Command::new(program)
            .arg("sim")
            .args(["--show", "--until-eof", "--order", order, "--env-file"])
            .arg(&env_file)
            // Its input ends with this process, and so does it.
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let mut process = Process {
            child,
            stderr,
            env: String::new(),
            _folder: folder,
        };
        process.says("are up");
        process.env = std::fs::read_to_string(&env_file).expect("its configuration");
        process
    }

    /// Waits until it says this.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.stderr.read_line(&mut line);
            assert!(
                read.is_ok_and(|bytes| bytes > 0),
                "it ended before it said `{text}`"
            );
        }
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        let status = self.child.wait().expect("it ended");
        assert_eq!(status.signal(), Some(9));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_cluster_that_dies_in_the_middle_of_a_write_may_have_done_it() {
    let mut clusters = Process::start("fault staging hang-after on POST /nodes");
    let mut server = Server::ready(&clusters.env, Way::Pipe);
    let start =
        json!({"name": "guest_power", "arguments": {"guest": "stg-web-01", "action": "start"}});
    let id = server.client.ask("tools/call", &start).expect("it is sent");
    clusters.says("@ staging POST /nodes/stg-pve1/qemu/100/status/start");
    clusters.kill();
    let reply = server.client.receive().expect("it answers");
    assert_eq!(reply["id"], json!(id));
    let text = reply["result"]["content"][0]["text"]
        .as_str()
        .expect("a text");
    let request = "`POST /nodes/stg-pve1/qemu/100/status/start` was cut off";
    assert!(
        text.starts_with("InterruptedError: staging: ") && text.contains(request),
        "{text}"
    );
    assert!(text.contains("\nhint: it may have taken effect"), "{text}");

    // Now nobody takes a connection, which is another thing.
    let start = json!({"guest": 100, "action": "start", "cluster": "staging"});
    let text = server.refusal("guest_power", &start);
    let expected = "ClusterConnectionError: staging: not reached, nothing was sent: ";
    assert!(
        text.starts_with(expected) && text.contains("refused"),
        "{text}"
    );
    server.ends();
}

/// Each of those that wait for a task is answered by what is known of it; nobody else waits for that.
#[test]
fn clusters_are_killed_while_eight_calls_wait() {
    for way in [Way::Pipe, Way::Socket] {
        let mut clusters = Process::start("hold staging");
        let mut server = Server::ready(&clusters.env, way);
        let client = &mut server.client;
        let make = |vmid: u32| {
            json!({"name": "guest_create_vm", "arguments":
                {"cluster": "staging", "name": format!("new-{vmid}"), "vmid": vmid, "wait": 4}})
        };
        let mut open: Vec<u64> = (901..909)
            .map(|vmid| client.ask("tools/call", &make(vmid)).expect("it is sent"))
            .collect();
        for _ in &open {
            clusters.says("@ staging POST /nodes/stg-pve1/qemu ");
        }
        // Answered when all eight wait: one that was cut off would say so.
        client
            .call("guest_list", &json!({"cluster": "production"}))
            .expect("a list");
        clusters.kill();
        let ping = client.ask("ping", &json!({})).expect("it is sent");
        let mut before_ping = None;
        while !open.is_empty() || before_ping.is_none() {
            let reply = client.receive().expect("an answer");
            if reply["id"] == json!(ping) {
                before_ping = Some(8 - open.len());
                continue;
            }
            open.retain(|id| reply["id"] != json!(id));
            let answer = &reply["result"]["structuredContent"];
            assert_eq!(answer["state"], json!("running"), "{reply}");
            let unseen = answer["unseen"].as_str().unwrap_or_default();
            assert!(unseen.starts_with("staging: "), "{reply}");
            let task = answer["task"].as_str().unwrap_or_default();
            assert!(task.starts_with("staging!UPID:stg-pve1:"), "{reply}");
        }
        assert!(before_ping.is_some_and(|before| before < 8));
        server.ends();
    }
}

#[test]
fn an_answer_that_was_cut_off_is_no_answer() {
    for fault in ["hang-after", "cut-after-execute"] {
        let world = World::three();
        let mut env = world.env();
        env.push_str("PROXMOX_CLUSTER_staging_TIMEOUT=3\n");
        let mut server = Server::ready(&env, Way::Pipe);
        world
            .direct(&format!("fault staging {fault} on POST /nodes"))
            .expect("an order");
        let text = server.refusal(
            "guest_power",
            &json!({"guest": "stg-web-01", "action": "start"}),
        );
        assert!(text.starts_with("InterruptedError: staging: "), "{text}");
        // It was done, and is seen to be.
        world.cluster("staging").heal();
        until("the guest runs", || {
            let result = server
                .client
                .call("guest_get", &json!({"guest": "stg-web-01"}));
            result.expect("it answers")["structuredContent"]["status"] == json!("running")
        });
        server.ends();
    }
}

#[test]
fn old_servers_refuse_in_the_same_words() {
    let mut said = Vec::new();
    for old in [false, true] {
        let world = World::three();
        let mut server = Server::ready(&world.env(), Way::Pipe);
        for cluster in &world.clusters {
            let name = &cluster.spec.name;
            world
                .direct(&format!(
                    "fault {name} token-lacks VM.PowerMgmt,VM.Config.Memory"
                ))
                .expect("an order");
            if old {
                world
                    .direct(&format!("fault {name} old-errors"))
                    .expect("an order");
            }
        }
        let calls = [
            (
                "guest_power",
                json!({"guest": "stg-web-01", "action": "start"}),
            ),
            (
                "guest_get",
                json!({"guest": "vault", "include": ["addresses", "snapshots"]}),
            ),
            (
                "guest_get",
                json!({"guest": "prod-web-01", "include": ["addresses"]}),
            ),
        ];
        said.push(calls.map(|(tool, arguments)| {
            let result = server.client.call(tool, &arguments).expect("it answers");
            result["content"][0]["text"]
                .as_str()
                .expect("a text")
                .to_string()
        }));
        server.ends();
    }
    assert!(
        said[0][0].starts_with("PermissionError: staging: "),
        "{:?}",
        said[0]
    );
    assert_eq!(said[0], said[1]);
}

/// A read of the whole fleet goes on without what is down, and says so. One cluster is down in this
/// way, and of another one node.
fn the_rest_answers(down: &str, code: &str) {
    let calls = [
        ("fleet_search", json!({"query": "type:guest", "limit": 100})),
        ("guest_list", json!({"cluster": "all", "limit": 100})),
        ("fleet_summary", json!({})),
    ];
    let ask = |(tool, arguments): &(&str, Value)| {
        let mut took = Duration::ZERO;
        within(REST_MAX, || {
            let world = World::three();
            world
                .direct(&format!("fault disaster-recovery {down}"))
                .expect("an order");
            world
                .direct("fault staging node-offline stg-pve2")
                .expect("an order");
            let mut server = Server::ready(&world.env(), Way::Pipe);
            let begun = Instant::now();
            let result = server.client.call(tool, arguments).expect("it answers");
            took = begun.elapsed();
            let text = result.to_string();
            let answer = &result["structuredContent"];
            assert_eq!(answer["clusters_asked"], json!(3), "{tool}: {text}");
            let errors = answer["errors"].as_array().expect("errors");
            let [error] = errors.as_slice() else {
                panic!("{tool}: one cluster is down: {text}")
            };
            assert_eq!(
                error["cluster"],
                json!("disaster-recovery"),
                "{tool}: {text}"
            );
            assert_eq!(error["code"], json!(code), "{tool}: {text}");
            for there in ["production", "staging", "stg-pve2"] {
                assert!(text.contains(there), "{tool}: no {there} in {text}");
            }
            server.ends();
            took
        });
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = calls
            .iter()
            .map(|call| scope.spawn(move || ask(call)))
            .collect();
        for one in asking {
            one.join().expect("it answers");
        }
    });
}

#[test]
fn the_rest_answers_while_a_cluster_refuses() {
    the_rest_answers("refuse", "ClusterConnectionError");
}

#[test]
fn the_rest_answers_while_a_cluster_is_silent() {
    the_rest_answers("hang-before", "ReplyError");
}
