//! The binary with a client at its standard streams and simulated clusters behind it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::client::{Client, PATIENCE, Way};
use crate::sim::World;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_proxmox-mcp");

const WAYS: [Way; 2] = [Way::Pipe, Way::Socket];
/// After the end of input a server may take so long, whatever it was doing.
const END_MAX: Duration = Duration::from_millis(1500);
/// A machine may be busy in one attempt; a deaf server is deaf in all.
const ATTEMPTS: usize = 3;

/// The program at work, with its configuration.
pub(crate) struct Server {
    pub(crate) client: Client,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start(env: &str, way: Way) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let env_file = folder.path().join("test.env");
        crate::demo::write_private(&env_file, env).expect("the configuration is written");
        let client = Client::start(Path::new(PROGRAM), &env_file, way).expect("it starts");
        Server {
            client,
            _folder: folder,
        }
    }

    /// After the handshake.
    pub(crate) fn ready(env: &str, way: Way) -> Server {
        let mut server = Server::start(env, way);
        server.client.initialize("2025-11-25").expect("it answers");
        server
    }

    /// Ends it in peace; nothing more is said on either stream.
    #[track_caller]
    fn ends(self) {
        let (status, rest, stderr) = self.client.end().expect("it ends");
        assert!(status.success(), "{status}: {stderr}");
        assert_eq!((rest, stderr.as_str()), (Vec::new(), ""));
    }

    /// The text of a call's answer, which must be an error.
    #[track_caller]
    pub(crate) fn refusal(&mut self, tool: &str, arguments: &Value) -> String {
        let result = self.client.call(tool, arguments).expect("it answers");
        assert_eq!(result["isError"], json!(true), "{result}");
        result["content"][0]["text"]
            .as_str()
            .expect("a text")
            .to_string()
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A server in the middle of a wait for a task that does not end, and the id of the call.
fn waiting(world: &World, way: Way) -> (Server, u64) {
    let mut server = Server::ready(&world.env(), way);
    let staging = world.cluster("staging");
    staging.edit(|state| state.hold = true);
    let start = json!({"name": "guest_power",
        "arguments": {"guest": "stg-web-01", "action": "start", "wait": 25}});
    let id = server.client.ask("tools/call", &start).expect("it is sent");
    // The second look at the task: by then it is waited for.
    let mut looks = 0;
    until("the task is looked at", || {
        let seen = staging.seen();
        looks += seen
            .iter()
            .filter(|one| one.path.contains("/tasks/UPID:"))
            .count();
        looks >= 2
    });
    (server, id)
}

/// Whether one of a few attempts stays within the limit.
#[track_caller]
fn within(limit: Duration, mut attempt: impl FnMut() -> Duration) {
    let times: Vec<Duration> = (0..ATTEMPTS).map(|_| attempt()).collect();
    assert!(times.iter().min() < Some(&limit), "it took {times:?}");
}

#[test]
fn handshake_over_a_pipe_and_over_a_socket() {
    let world = World::three();
    for way in WAYS {
        for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let mut server = Server::start(&world.env(), way);
            let hello = server.client.initialize(revision).expect("it answers");
            assert_eq!(hello["protocolVersion"], json!(revision));
            let tools = server
                .client
                .request("tools/list", &json!({}))
                .expect("tools");
            assert!(
                tools["tools"]
                    .as_array()
                    .is_some_and(|tools| !tools.is_empty())
            );
            server
                .client
                .request("ping", &json!({}))
                .expect("it answers");
            server.ends();
        }
        let mut server = Server::start(&world.env(), way);
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                          "io.modelcontextprotocol/clientCapabilities": {}});
        let found = server
            .client
            .request("server/discover", &json!({"_meta": meta}));
        assert_eq!(found.expect("it answers")["resultType"], json!("complete"));
        server.ends();
    }
    let seen = world.seen();
    assert!(seen.is_empty(), "starting contacts nobody: {seen:?}");
}

#[test]
fn the_end_of_input_ends_a_wait() {
    for way in WAYS {
        within(END_MAX, || {
            let world = World::three();
            let (server, id) = waiting(&world, way);
            let begun = Instant::now();
            let (status, rest, stderr) = server.client.end().expect("it ends");
            let took = begun.elapsed();
            assert!(status.success(), "{status}: {stderr}");
            // The call is still answered: the task runs on.
            let [line] = rest.as_slice() else {
                panic!("one answer, not {rest:?}")
            };
            let reply: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(reply["id"], json!(id));
            assert_eq!(
                reply["result"]["structuredContent"]["state"],
                json!("running"),
                "{line}"
            );
            took
        });
    }
}

#[test]
fn a_ping_is_answered_during_a_wait() {
    for way in WAYS {
        let world = World::three();
        let (mut server, id) = waiting(&world, way);
        within(Duration::from_secs(1), || {
            let begun = Instant::now();
            server
                .client
                .request("ping", &json!({}))
                .expect("it answers");
            begun.elapsed()
        });
        world.cluster("staging").edit(|state| state.hold = false);
        let reply = server.client.receive().expect("the call ends");
        assert_eq!(reply["id"], json!(id));
        assert_eq!(
            reply["result"]["structuredContent"]["state"],
            json!("ok"),
            "{reply}"
        );
        server.ends();
    }
}

#[test]
fn a_cancelled_wait_is_not_answered() {
    for way in WAYS {
        let world = World::three();
        let (mut server, id) = waiting(&world, way);
        let cancelled = json!({"requestId": id, "reason": "the user thought again"});
        server
            .client
            .notify("notifications/cancelled", &cancelled)
            .expect("it is sent");
        // The next line is the next answer; the task is left to itself.
        let listed = server
            .client
            .request("tools/list", &json!({}))
            .expect("it answers");
        assert!(listed["tools"].is_array());
        server.ends();
    }
}

/// The simulator as a process of its own, which can be killed.
struct Process {
    child: std::process::Child,
    stderr: std::io::BufReader<std::process::ChildStderr>,
    env: String,
    _folder: TempDir,
}

impl Process {
    fn start(order: &str) -> Process {
        let examples = Path::new(PROGRAM).with_file_name("examples");
        let program = examples.join("sim");
        assert!(
            program.is_file(),
            "`cargo build --examples` makes {}",
            program.display()
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let env_file = folder.path().join("sim.env");
        let mut child = std::process::Command::new(program)
            .args(["--show", "--until-eof", "--order", order, "--env-file"])
            .arg(&env_file)
            // Its input ends with this process, and so does it.
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let stderr = std::io::BufReader::new(child.stderr.take().expect("standard error"));
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
            let read = std::io::BufRead::read_line(&mut self.stderr, &mut line);
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

#[test]
fn an_answer_that_was_cut_off_is_no_answer() {
    for fault in ["hang-after", "cut-after-execute"] {
        let world = World::three();
        let mut env = world.env();
        env.push_str("PROXMOX_CLUSTER_staging_TIMEOUT=1\n");
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
