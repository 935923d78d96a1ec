//! One MCP session with the server in this process, over a socket, against simulated clusters.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::{Fleet, config, env_file};
use proxmox_mcp::gate::confirm::{Question, Reply, Said, Wants};
use proxmox_mcp::gate::{Caller, Origin};
use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::server::{self, OURS};
use proxmox_mcp::tool::Tool;
use proxmox_mcp::tool::call::{self, Desk, Outcome};
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::sim::World;

/// The revision that sessions are held in, unless a test says otherwise.
const REVISION: &str = "2025-11-25";

pub(crate) struct Session {
    input: Option<UnixStream>,
    output: BufReader<UnixStream>,
    server: Option<JoinHandle<()>>,
    schemas: BTreeMap<String, Value>,
    last_id: u64,
}

/// What a call was answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Structured(Map<String, Value>),
    /// `CODE: sentence`, perhaps with a second line.
    Error(String),
}

impl Answer {
    /// The answer of a call that must succeed.
    pub(crate) fn ok(self) -> Map<String, Value> {
        match self {
            Answer::Structured(answer) => answer,
            Answer::Error(text) => panic!("expected an answer, got: {text}"),
        }
    }

    /// The error of a call that must fail.
    pub(crate) fn error(self) -> String {
        match self {
            Answer::Error(text) => text,
            Answer::Structured(answer) => panic!("expected an error, got: {}", json!(answer)),
        }
    }
}

/// The configuration of a world, with further lines of `.env`. What asks is confirmed by code, since
/// these sessions cannot be asked, unless those lines say otherwise.
pub(crate) fn configuration(world: &World, more: &str) -> config::Config {
    let text = format!("{}\nPROXMOX_CONFIRM=code\n{more}\n", world.env());
    let file = env_file::read(text.as_bytes(), &HashMap::new());
    match config::read(&[], &file.pairs) {
        Ok(config) => config,
        Err(report) => panic!("the world's configuration: {:?}", report.problems),
    }
}

/// A call whose user cannot be asked, so that it has an answer.
pub(crate) fn call(
    desk: &mut Desk,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let caller = Caller {
        from: Origin::Mcp,
        client: ("it", "0"),
        can_be_asked: false,
        reply: None,
    };
    match call::call(desk, tool, arguments, caller)? {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Question(question) => panic!("nobody can be asked: {question:?}"),
    }
}

/// The same on the command line, whose user agrees to whatever is asked.
pub(crate) fn agreed(
    desk: &mut Desk,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let mut caller = Caller {
        from: Origin::CommandLine,
        client: ("it", "0"),
        can_be_asked: true,
        reply: None,
    };
    let question = match call::call(desk, tool, arguments, caller)? {
        Outcome::Answer(answer) => return Ok(answer),
        Outcome::Question(question) => question,
    };
    assert!(question.object.is_some(), "every plan names its object");
    let reply = agreement(&question);
    caller.reply = Some(&reply);
    match call::call(desk, tool, arguments, caller)? {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Question(again) => panic!("asked twice: {again:?}"),
    }
}

/// The reply that agrees.
pub(crate) fn agreement(question: &Question) -> Reply {
    Reply {
        state: question.state.clone(),
        said: match &question.wants {
            Wants::Yes => Said::Yes,
            Wants::Name(name) => Said::Typed(name.clone()),
            Wants::Number(number) => Said::Typed(number.to_string()),
        },
    }
}

impl Session {
    pub(crate) fn start(world: &World) -> Session {
        Session::with(world, "")
    }

    /// With further lines of `.env`.
    pub(crate) fn with(world: &World, more: &str) -> Session {
        let mut fleet = Fleet::new(configuration(world, more));
        // Otherwise a slow machine would ask again where a fast one remembers.
        fleet.sighting_age = Duration::from_secs(3600);
        fleet.rights_age = Duration::from_secs(3600);
        let desk = Desk::new(fleet, TOOLSETS);
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let inbox = Inbox::new(OwnedFd::from(theirs.try_clone().expect("a copy")));
        let server = thread::spawn(move || server::serve(&OURS, desk, inbox, theirs));
        let mut session = Session {
            input: Some(ours.try_clone().expect("a copy")),
            output: BufReader::new(ours),
            server: Some(server),
            schemas: BTreeMap::new(),
            last_id: 0,
        };
        let hello = json!({"protocolVersion": REVISION, "capabilities": {},
                           "clientInfo": {"name": "it", "version": "0"}});
        session.request("initialize", &hello);
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let listed = session.request("tools/list", &json!({}));
        let tools = listed["tools"].as_array().expect("tools");
        session.schemas = tools
            .iter()
            .map(|tool| {
                (
                    tool["name"].as_str().expect("name").into(),
                    tool["outputSchema"].clone(),
                )
            })
            .collect();
        session
    }

    fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("the session is open");
        writeln!(input, "{message}").expect("the server reads");
    }

    /// The result of a request that must not be a protocol error.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the server answers");
        let reply: Value = serde_json::from_str(&line).expect("one JSON value a line");
        assert_eq!(reply["id"], json!(id), "{line}");
        assert!(reply.get("error").is_none(), "{method} {params}: {line}");
        reply["result"].clone()
    }

    /// Calls a tool; an answer must fit the tool's output schema, as text and structured alike.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Answer {
        let result = self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        let text = result["content"][0]["text"]
            .as_str()
            .expect("text")
            .to_string();
        if result["isError"] == json!(true) {
            assert!(result.get("structuredContent").is_none(), "{text}");
            return Answer::Error(text);
        }
        let structured = &result["structuredContent"];
        let as_text: Value = serde_json::from_str(&text).expect("the text is JSON");
        assert_eq!(&as_text, structured, "text and structure differ");
        if let Some(schema) = self.schemas.get(tool) {
            let validator = jsonschema::validator_for(schema).expect("a schema");
            let problems: Vec<String> = validator
                .iter_errors(structured)
                .map(|problem| problem.to_string())
                .collect();
            assert!(problems.is_empty(), "{tool}: {problems:?} in {structured}");
        }
        Answer::Structured(structured.as_object().expect("an object").clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.output.get_ref().shutdown(std::net::Shutdown::Both);
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(thread::panicking() || ended.is_ok(), "the server panicked");
        }
    }
}
