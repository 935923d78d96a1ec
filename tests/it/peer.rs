//! A client at the other end of a server that runs in this process, with tools that need no cluster.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proxmox_mcp::api::mark::Mark;
use proxmox_mcp::api::methods::sending::{self, Sending};
use proxmox_mcp::error::Error;
use proxmox_mcp::gate::Caller;
use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::server::{self, Served};
use proxmox_mcp::mcp::wire::REPLY_MAX_BYTES;
use proxmox_mcp::tool::call::{CallOutcome, CallStep};
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tool::param::{Param, ParamKind, Word};
use proxmox_mcp::tool::{Action, Actions, RunFn, Subject, Tool};
use proxmox_mcp::tools::Toolset;
use proxmox_mcp::wait::{self, Wake};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Nothing here takes as long; a test that does not end fails instead.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the server is connected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Pipe,
    Socket,
}

pub(crate) const WAYS: [Way; 2] = [Way::Pipe, Way::Socket];

const fn tool(name: &'static str, subject: Subject, actions: Actions) -> Tool {
    Tool {
        name,
        title: "For the tests",
        about: "Does what its name says.",
        actions,
        subject,
        params: &[],
        answer: &[("items", "array")],
        task: false,
        plan: None,
        run: RunFn::AtOnce(|_, _| Err(Error::bad("never run"))),
    }
}

/// Nothing is sent here: it stands for what a tool weighs.
const WRITE: Sending = sending::post("/nodes/{node}/{kind}");
const READS: Actions = Actions::one(&[]);
const OPERATES: Actions = Actions::one(&[&[WRITE.weighing(Mark::OPERATE)]]);
const CUTS_OFF: Actions = Actions::one(&[&[WRITE.weighing(Mark::OPERATE.interrupts())]]);
const DOES_ALL: Actions = Actions::one(&[&[WRITE.weighing(Mark::FULL)]]);

static TOOLS: [Tool; 7] = [
    tool("echo", Subject::List, READS),
    tool("sleeper", Subject::Fleet, READS),
    tool("stubborn", Subject::List, READS),
    tool("refuser", Subject::Node, OPERATES),
    tool("quitter", Subject::Task, CUTS_OFF),
    tool("flood", Subject::Guest, DOES_ALL),
    Tool {
        params: &[
            Param::new("guest", ParamKind::Guest, ""),
            Param::new("node", ParamKind::Word(Word::Node), "where it goes"),
            Param::ACTION,
            Param::new("include", ParamKind::SomeOf(&["a", "b"]), "").optional(),
            Param::new("tags", ParamKind::Texts(5), "").optional(),
            Param::new("limit", ParamKind::Int(1, 500), "").optional(),
            Param::new("size", ParamKind::Int(i64::MIN, i64::MAX), "").optional(),
            Param::new("text", ParamKind::Text(9), "").optional(),
            Param::new("force", ParamKind::Bool, "").optional(),
            Param::new("settings", ParamKind::Settings, "").optional(),
        ],
        task: true,
        answer: &[("task", "string"), ("state", "string")],
        ..tool(
            "everything",
            Subject::Guest,
            Actions::ByWord(&[
                Action::new("look", &[]),
                Action::new("take", &[&[WRITE.weighing(Mark::CHANGE.asks())]]),
            ]),
        )
    },
];

pub(crate) static TOOLSETS: &[Toolset] = &[Toolset {
    name: "test",
    about: "tools that do nothing",
    tools: &TOOLS,
    is_default: true,
}];

pub(crate) fn named(name: &str) -> &'static Tool {
    let tool = TOOLS.iter().find(|tool| tool.name == name);
    tool.unwrap_or_else(|| panic!("no test tool {name}"))
}

/// How a test and a call that is under way tell each other.
struct TestState {
    began: Sender<()>,
    release: Receiver<()>,
    offered: Vec<Offered>,
}

impl Served for TestState {
    fn find(&self, name: &str) -> Option<&'static Tool> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    fn renamed(&self, name: &str, _: &Map<String, Value>) -> Option<String> {
        (name == "old-name").then(|| "`old-name` is `echo` here".to_owned())
    }

    fn offered(&self) -> &[Offered] {
        &self.offered
    }

    fn begin(
        &mut self,
        tool: &'static Tool,
        arguments: &Map<String, Value>,
        _: Caller,
    ) -> CallStep {
        CallStep::Ended(act(self, tool, arguments).map(CallOutcome::Answer))
    }
}

fn act(
    app: &mut TestState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    match tool.name {
        "echo" => Ok(arguments.clone()),
        "sleeper" => {
            app.began.send(()).expect("the test listens");
            let start = Instant::now();
            let woken = loop {
                assert!(start.elapsed() < PATIENCE, "nobody woke the sleeper");
                let woken = wait::sleep(Duration::from_millis(60));
                if woken != Wake::Nothing || app.release.try_recv().is_ok() {
                    break woken;
                }
            };
            // What a tool answers after a cancellation is not sent.
            let said = json!({"woken": format!("{woken:?}")});
            Ok(said.as_object().expect("an object").clone())
        }
        "stubborn" => {
            let left = wait::remaining().expect("a deadline");
            thread::sleep(Duration::from_millis(200));
            let said = json!({"left_ms": left.as_millis() as u64});
            Ok(said.as_object().expect("an object").clone())
        }
        "refuser" => Err(Error::not_allowed("", "not today").hint("ask tomorrow")),
        "quitter" => Err(Error::cancelled()),
        "flood" => Ok(Map::from_iter([(
            "text".to_owned(),
            json!("x".repeat(REPLY_MAX_BYTES)),
        )])),
        other => panic!("no call of {other} is expected"),
    }
}

type Input = Box<dyn Write>;

pub(crate) struct Peer {
    input: Option<Input>,
    output: BufReader<UnixStream>,
    server: JoinHandle<()>,
    began: Receiver<()>,
    release: Sender<()>,
}

impl Peer {
    pub(crate) fn start(way: Way) -> Peer {
        let (theirs, input): (OwnedFd, Input) = match way {
            Way::Pipe => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                (reader.into(), Box::new(writer))
            }
            Way::Socket => {
                let (reader, writer) = UnixStream::pair().expect("a socket pair");
                (reader.into(), Box::new(writer))
            }
        };
        let (output, theirs_out) = UnixStream::pair().expect("a socket pair");
        output
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let (they_began, began) = mpsc::channel();
        let (release, their_release) = mpsc::channel();
        let mut app = TestState {
            offered: TOOLS.iter().map(Offered::whole).collect(),
            began: they_began,
            release: their_release,
        };
        let server = thread::spawn(move || {
            server::serve(&mut app, Inbox::new(theirs), theirs_out, PATIENCE);
        });
        Peer {
            input: Some(input),
            output: BufReader::new(output),
            server,
            began,
            release,
        }
    }

    /// The same, after a handshake.
    pub(crate) fn negotiated(way: Way, version: &str) -> Peer {
        let mut peer = Peer::start(way);
        peer.send(&legacy(
            "0",
            "initialize",
            json!({"protocolVersion": version}),
        ));
        assert!(peer.receive().is_some(), "an answer to initialize");
        peer
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("open input");
        input.write_all(bytes).expect("the server reads");
    }

    /// Waits until a `sleeper` sleeps.
    pub(crate) fn sleeps(&self) {
        self.began.recv_timeout(PATIENCE).expect("a call begins");
    }

    /// Lets the `sleeper` end by itself.
    pub(crate) fn release(&self) {
        self.release.send(()).expect("a server");
    }

    /// The next line, `None` when the server has ended.
    pub(crate) fn receive(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).expect("an answer in time");
        (count > 0).then(|| {
            assert_eq!(line.pop(), Some('\n'), "a whole line");
            line
        })
    }

    /// Ends the input; all that is still said.
    pub(crate) fn close(&mut self) -> Vec<String> {
        self.input = None;
        std::iter::from_fn(|| self.receive()).collect()
    }

    /// Stops reading answers.
    pub(crate) fn deafen(&self) {
        let both = std::net::Shutdown::Both;
        self.output.get_ref().shutdown(both).expect("a shutdown");
    }

    /// Waits for the server to end; until then the input stays as it is.
    pub(crate) fn join(self) {
        self.server.join().expect("the server ends well");
    }

    /// The replies to this line and to nothing else, summed up.
    pub(crate) fn replies(&mut self, bytes: &[u8]) -> Vec<String> {
        self.send_bytes(bytes);
        self.send_bytes(b"\n");
        self.send(&legacy(r#""the end""#, "ping", Value::Null));
        let line = || self.receive().expect("an answer");
        std::iter::repeat_with(line)
            .map(|line| summary(&line))
            .take_while(|said| said != r#"result "the end""#)
            .collect()
    }
}

pub(crate) fn legacy(id: &str, method: &str, params: Value) -> String {
    let params = if params.is_null() {
        String::new()
    } else {
        format!(r#","params":{params}"#)
    };
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{params}}}"#)
}

/// A request of 2026-07-28 with all that it needs.
pub(crate) fn modern(id: &str, method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    legacy(id, method, params)
}

pub(crate) fn call(id: &str, tool: &str) -> String {
    legacy(id, "tools/call", json!({"name": tool}))
}

pub(crate) fn cancel(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    )
}

/// A reply in few words: `result ID`, `isError ID TEXT`, or the code of the error, the id and the
/// data. The id as it stands in the line.
pub(crate) fn summary(line: &str) -> String {
    if line.starts_with('[') {
        let parts: Vec<&RawValue> = serde_json::from_str(line).expect("an array");
        let parts: Vec<String> = parts.iter().map(|part| summary(part.get())).collect();
        return format!("[{}]", parts.join(", "));
    }
    let reply: BTreeMap<&str, &RawValue> = serde_json::from_str(line).expect("an object");
    assert_eq!(reply["jsonrpc"].get(), r#""2.0""#, "in {line}");
    assert_eq!(reply.len(), 3, "in {line}");
    let id = reply["id"].get();
    if let Some(error) = reply.get("error") {
        let error: Value = serde_json::from_str(error.get()).expect("an error");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|said| !said.is_empty())
        );
        let data = error
            .get("data")
            .map_or(String::new(), |data| format!(" {data}"));
        return format!("{} {id}{data}", error["code"]);
    }
    let result: Value = serde_json::from_str(reply["result"].get()).expect("a result");
    if result["isError"] == json!(true) {
        return format!("isError {id} {}", result["content"][0]["text"]);
    }
    format!("result {id}")
}

pub(crate) const OLDEST: &str = "2024-11-05";
pub(crate) const BATCHED: &str = "2025-03-26";
pub(crate) const STRUCTURED: &str = "2025-06-18";
pub(crate) const NEWEST: &str = "2025-11-25";
pub(crate) const LEGACY: [&str; 4] = [OLDEST, BATCHED, STRUCTURED, NEWEST];

/// Sends each line to a server of its own and compares all that it answers.
pub(crate) fn check(version: &str, rows: &[(&str, &[&str])]) {
    for (line, expected) in rows {
        check_bytes(version, line.as_bytes(), expected);
    }
}

pub(crate) fn check_bytes(version: &str, line: &[u8], expected: &[&str]) {
    let mut peer = Peer::negotiated(Way::Pipe, version);
    let said = peer.replies(line);
    let shown = String::from_utf8_lossy(line.get(..line.len().min(300)).unwrap_or(line));
    assert_eq!(said, expected, "after {version}, to {shown}");
    assert!(peer.close().is_empty(), "more was said to {shown}");
    peer.join();
}
