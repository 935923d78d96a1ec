//! The binary with a client at its standard streams and simulated clusters behind it.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::check_finds::with;
use crate::demo::client::{Client, PATIENCE, Way};
use crate::demo::write_private;
use crate::sim::{ClusterSpec, Fault, World};

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
    pub(crate) fn ends(self) {
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

/// That one of a few attempts stays within the limit.
#[track_caller]
pub(crate) fn within(limit: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.last().is_none_or(|took| *took >= limit) {
        assert!(times.len() < ATTEMPTS, "it took {times:?}");
        times.push(attempt());
    }
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

/// Nobody is left to be answered: the log says that it may have taken effect. Of a read there is nothing
/// to say.
#[test]
fn a_write_that_is_withdrawn_under_way_is_said_in_the_log() {
    for (method, says) in [("POST", true), ("GET", false)] {
        let world = World::three();
        let staging = world.cluster("staging");
        let status = "/nodes/stg-pve1/qemu/100/status/";
        staging.fault(Fault::HangAfter.on(method, status));
        let mut server = Server::ready(&world.env(), Way::Pipe);
        let start = json!({"name": "guest_power",
            "arguments": {"guest": "stg-web-01", "action": "start", "wait": 25}});
        let id = server.client.ask("tools/call", &start).expect("it is sent");
        let mut seen = Vec::new();
        until(&format!("{method} hangs"), || {
            seen.extend(staging.seen());
            let mut hanging = seen.iter().filter(|one| one.path.contains(status));
            hanging.any(|one| one.method == method)
        });
        server
            .client
            .notify("notifications/cancelled", &json!({"requestId": id}))
            .expect("it is sent");
        let (_, rest, stderr) = server.client.end().expect("it ends");
        assert!(rest.is_empty(), "{rest:?}");
        let said = stderr.contains("a write was cancelled under way: it may have taken effect");
        assert_eq!(said, says, "{method}: {stderr}");
    }
}

/// Some hosts never read standard error.
#[test]
fn a_stderr_that_nobody_reads_stops_nothing() {
    let world = World::three();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env_file = folder.path().join("test.env");
    // Something is said at the start, and at every request.
    let env = format!("{}PROXMOX_LOG=debug\nPROXMOX_NO_SUCH=1\n", world.env());
    crate::demo::write_private(&env_file, &env).expect("the configuration is written");
    for way in WAYS {
        let (stderr, _kept): (OwnedFd, OwnedFd) = match way {
            Way::Pipe => {
                let (reader, mut writer) = io::pipe().expect("a pipe");
                writer.write_all(&[b'.'; 65_536]).expect("it fits");
                (writer.into(), reader.into())
            }
            Way::Socket => {
                let (reader, mut writer) = UnixStream::pair().expect("a socket pair");
                writer.set_nonblocking(true).expect("it can be");
                while writer.write(&[b'.'; 4096]).is_ok() {}
                writer.set_nonblocking(false).expect("it can be");
                (writer.into(), reader.into())
            }
        };
        let mut command = Command::new(PROGRAM);
        command.arg("--env-file").arg(&env_file).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(stderr).spawn().expect("it starts");
        drop(command);
        let mut input = child.stdin.take().expect("an input");
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                          "params": {"name": "node_list", "arguments": {"cluster": "all"}}});
        writeln!(input, "{call}").expect("it reads");
        drop(input);
        let said = crate::leaks::clean(child.wait_with_output().expect("it ends"));
        let said = String::from_utf8(said.stdout).expect("text");
        assert!(said.contains("\"total\":"), "{way:?}: {said}");
    }
}

/// A client that neither reads nor writes any longer is gone, whatever is still to be said to it.
#[test]
fn the_end_of_input_ends_what_nobody_reads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env_file = folder.path().join("test.env");
    crate::demo::write_private(&env_file, &World::three().env()).expect("it is written");
    for way in WAYS {
        let mut command = Command::new(PROGRAM);
        command.arg("--env-file").arg(&env_file);
        let (mut child, mut input, _output): (_, Box<dyn Write>, _) = match way {
            Way::Pipe => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
                let mut child = command.spawn().expect("it starts");
                let input = child.stdin.take().expect("its input");
                (child, Box::new(input), None)
            }
            Way::Socket => {
                let (ours, theirs) = UnixStream::pair().expect("a pair");
                let again = theirs.try_clone().expect("another");
                command
                    .stdin(OwnedFd::from(theirs))
                    .stdout(OwnedFd::from(again));
                let child = command.spawn().expect("it starts");
                // Ends the input alone.
                let input = Halved(ours.try_clone().expect("another"));
                (child, Box::new(input), Some(ours))
            }
        };
        drop(command);
        for id in 0..40 {
            let list = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"});
            writeln!(input, "{list}").expect("it is taken");
        }
        drop(input);
        until("it ends", || child.try_wait().expect("a child").is_some());
        crate::leaks::clean(child.wait_with_output().expect("it has ended"));
    }
}

/// The sending half of a socket.
struct Halved(UnixStream);

impl Write for Halved {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Halved {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }
}

#[test]
fn a_cancelled_call_leaves_nothing_of_the_program_of_a_secret() {
    let world = World::start(vec![ClusterSpec::sized("lab", 1, 1)]);
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    let script = folder.path().join("secret");
    let text = format!(
        "#!/bin/sh\nsleep 600 &\necho $! > {0}.new\nmv {0}.new {0}\nwait\n",
        number.display()
    );
    std::fs::write(&script, text).expect("a script");
    let env = with(&world.env(), "TOKEN_SECRET", "");
    let command = format!("/bin/sh {}", script.display());
    let mut server = Server::ready(&with(&env, "TOKEN_SECRET_COMMAND", &command), Way::Pipe);
    let call = json!({"name": "node_list", "arguments": {"cluster": "lab"}});
    let id = server.client.ask("tools/call", &call).expect("it is sent");
    until("it runs", || number.exists());
    let number = std::fs::read_to_string(&number).expect("a number");
    let process = Path::new("/proc").join(number.trim());
    assert!(process.exists());
    let cancelled = json!({"requestId": id});
    server
        .client
        .notify("notifications/cancelled", &cancelled)
        .expect("it is sent");
    // One that has ended may be there until it is asked for by whoever adopted it.
    until("its child ends", || {
        let state = std::fs::read_to_string(process.join("stat"));
        state.map_or(true, |state| state.contains(") Z "))
    });
}

/// A client that does not read for a moment, as its input ends, gets every answer when it goes on.
#[test]
fn a_client_that_pauses_at_the_end_gets_all_answers() {
    let world = World::three();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pauses.env");
    write_private(&file, &world.env()).expect("the file");
    let mut command = Command::new(PROGRAM);
    command.arg("--env-file").arg(&file).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = command.spawn().expect("it starts");
    let pings: String = (1..=2500)
        .map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n"))
        .collect();
    let mut input = program.stdin.take().expect("its input");
    input.write_all(pings.as_bytes()).expect("it reads");
    drop(input);
    // More than a pipe holds is to be said meanwhile.
    thread::sleep(Duration::from_millis(300));
    let mut said = String::new();
    let mut output = program.stdout.take().expect("its output");
    output.read_to_string(&mut said).expect("text");
    assert!(program.wait().expect("it ends").success());
    assert_eq!(said.lines().count(), 2500);
}
