//! One MCP session with the server in this process, over a socket, against simulated clusters.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proxmox_mcp::config::{self, env_file};
use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::confirm::{Question, QuestionReply, RequiredAnswer, UserAnswer};
use proxmox_mcp::gate::{CallOrigin, Caller};
use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::server;
use proxmox_mcp::tool::Tool;
use proxmox_mcp::tool::call::{self, AppState, CallOutcome};
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::demo::client::Way;
use crate::leaks;
use crate::sim::World;
use crate::tools::declared;
use crate::tools::words;

/// The revision that sessions are held in, unless a test says otherwise.
const REVISION: &str = "2025-11-25";

/// How a session is held.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) revision: &'static str,
    /// What the client can do.
    pub(crate) capabilities: Value,
    pub(crate) answered_within: Duration,
}

impl Manner {
    pub(crate) const MODERN: &'static str = "2026-07-28";

    fn plain() -> Manner {
        Manner {
            revision: REVISION,
            capabilities: json!({}),
            answered_within: Duration::from_secs(120),
        }
    }

    /// Of a client that can ask its user.
    pub(crate) fn asking(revision: &'static str) -> Manner {
        Manner {
            revision,
            capabilities: json!({"elicitation": {}}),
            ..Manner::plain()
        }
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.revision == Manner::MODERN
    }
}

/// What the server reads, at our end.
enum Input {
    Pipe(PipeWriter),
    Socket(UnixStream),
}

impl Input {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Input::Pipe(pipe) => pipe,
            Input::Socket(socket) => socket,
        }
    }
}

pub(crate) struct Session {
    manner: Manner,
    /// Nothing once it has ended.
    input: Option<Input>,
    output: BufReader<UnixStream>,
    server: Option<JoinHandle<()>>,
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
/// these sessions cannot be asked, and every call is audited, so that what is written there is looked
/// at, unless those lines say otherwise.
pub(crate) fn configuration(world: &World, more: &str) -> config::Config {
    let audit = world.audit_file();
    let text = format!(
        "{}\nPROXMOX_CONFIRM=code\nPROXMOX_AUDIT_LOG={}\n{more}\n",
        world.env(),
        audit.display()
    );
    let file = env_file::read(text.as_bytes(), &HashMap::new());
    match config::read(&[], &file) {
        Ok(config) => config,
        Err(report) => panic!("the world's configuration: {:?}", report.problems),
    }
}

/// The clusters of a world, with further lines of `.env`.
pub(crate) fn app(world: &World, more: &str) -> AppState {
    let mut fleet = Fleet::new(configuration(world, more));
    // Otherwise a slow machine would ask again where a fast one remembers.
    fleet.index_age = Duration::from_secs(3600);
    fleet.permissions_age = Duration::from_secs(3600);
    fleet.names_age = Duration::from_secs(3600);
    AppState::new(fleet, TOOLSETS, CallOrigin::Mcp)
}

/// A call whose user cannot be asked, so that it has an answer.
pub(crate) fn call(
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let caller = Caller {
        client: ("it", "0"),
        can_be_asked: false,
        reply: None,
        asking: &Vec::new,
    };
    match call::call(app, tool, arguments, caller)? {
        CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => Ok(answer),
        CallOutcome::Question(question) => panic!("nobody can be asked: {question:?}"),
    }
}

/// The same on the command line, whose user agrees to whatever is asked.
pub(crate) fn agreed(
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let mut caller = Caller {
        client: ("it", "0"),
        can_be_asked: true,
        reply: None,
        asking: &Vec::new,
    };
    let question = match call::call(app, tool, arguments, caller)? {
        CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => return Ok(answer),
        CallOutcome::Question(question) => question,
    };
    assert!(question.object.is_some(), "every plan names its object");
    let reply = agreement(&question);
    caller.reply = Some(&reply);
    match call::call(app, tool, arguments, caller)? {
        CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => Ok(answer),
        CallOutcome::Question(again) => panic!("asked twice: {again:?}"),
    }
}

/// The reply that agrees.
pub(crate) fn agreement(question: &Question) -> QuestionReply {
    QuestionReply {
        state: question.state.clone(),
        said: match &question.wants {
            RequiredAnswer::Yes => UserAnswer::Yes,
            RequiredAnswer::Name(name) => UserAnswer::Typed(name.clone()),
            RequiredAnswer::Number(number) => UserAnswer::Typed(number.to_string()),
        },
    }
}

impl Session {
    pub(crate) fn start(world: &World) -> Session {
        Session::with(world, "")
    }

    /// With further lines of `.env`.
    pub(crate) fn with(world: &World, more: &str) -> Session {
        Session::held(app(world, more), Manner::plain())
    }

    /// With a state and a client of the test's own.
    pub(crate) fn held(app: AppState, manner: Manner) -> Session {
        Session::held_by(Way::Socket, app, manner)
    }

    /// With an input of this kind.
    pub(crate) fn start_by(way: Way, world: &World) -> Session {
        Session::held_by(way, app(world, ""), Manner::plain())
    }

    pub(crate) fn held_by(way: Way, mut app: AppState, manner: Manner) -> Session {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        // A test that waits in vain fails instead.
        let patience = Some(Duration::from_secs(120));
        ours.set_read_timeout(patience).expect("a time limit");
        let (input, from): (Input, OwnedFd) = match way {
            Way::Pipe => {
                let (reader, writer) = io::pipe().expect("a pipe");
                (Input::Pipe(writer), reader.into())
            }
            Way::Socket => {
                let [ours, theirs] = [&ours, &theirs].map(|end| end.try_clone().expect("a copy"));
                (Input::Socket(ours), theirs.into())
            }
        };
        let inbox = Inbox::new(from);
        let within = manner.answered_within;
        let server = thread::spawn(move || server::serve(&mut app, inbox, theirs, within));
        let mut session = Session {
            manner,
            input: Some(input),
            output: BufReader::new(ours),
            server: Some(server),
            last_id: 0,
        };
        if !session.manner.is_modern() {
            let hello = json!({"protocolVersion": session.manner.revision,
                               "capabilities": session.manner.capabilities,
                               "clientInfo": {"name": "it", "version": "0"}});
            session.request("initialize", &hello);
            session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
        session
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("the session is open");
        let input = input.writer();
        writeln!(input, "{message}").expect("the server reads");
    }

    /// The result of a request that must not be a protocol error.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.ask(method, params);
        let mut reply = self.receive().expect("the server answers");
        // The call before had other tools listed.
        if reply["method"] == json!("notifications/tools/list_changed") {
            reply = self.receive().expect("the server answers");
        }
        assert_eq!(reply["id"], json!(id), "{reply}");
        assert!(reply.get("error").is_none(), "{method} {params}: {reply}");
        reply["result"].clone()
    }

    /// Sends a request, and gives its id.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let mut params = params.clone();
        if self.manner.is_modern() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.manner.revision,
                "io.modelcontextprotocol/clientCapabilities": self.manner.capabilities,
                "io.modelcontextprotocol/clientInfo": {"name": "it", "version": "0"},
            });
        }
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message of the server; `None` when it has ended.
    pub(crate) fn receive(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).expect("a line");
        leaks::no_secret(&line);
        (count > 0).then(|| serde_json::from_str(&line).expect("one JSON value a line"))
    }

    /// Ends what the client says; what the server says can still be read.
    pub(crate) fn close_input(&mut self) {
        // A pipe has ended once it is dropped.
        if let Some(Input::Socket(socket)) = self.input.take() {
            let ended = socket.shutdown(std::net::Shutdown::Write);
            ended.expect("a shutdown");
        }
    }

    /// Calls a tool, and answers what the user is asked, in the way of the session's revision:
    /// `reply` is given the parameters of the question and gives its result.
    pub(crate) fn call_asked(
        &mut self,
        tool: &str,
        arguments: &Value,
        mut reply: impl FnMut(&Value) -> Value,
    ) -> Answer {
        let mut reply = |question: &Value| {
            words::hold_question(question["message"].as_str().unwrap_or_default());
            reply(question)
        };
        let mut params = json!({"name": tool, "arguments": arguments});
        if self.manner.is_modern() {
            let result = self.request("tools/call", &params);
            if result["resultType"] != json!("input_required") {
                return self.answer(tool, &result);
            }
            let asked = result["inputRequests"].as_object().expect("questions");
            let (key, question) = asked.iter().next().expect("a question");
            assert_eq!(question["method"], json!("elicitation/create"));
            params["inputResponses"] = json!({key: reply(&question["params"])});
            params["requestState"] = result["requestState"].clone();
            let result = self.request("tools/call", &params);
            return self.answer(tool, &result);
        }
        let id = self.ask("tools/call", &params);
        loop {
            let message = self.receive().expect("the server answers");
            if message["method"] == json!("elicitation/create") {
                let result = reply(&message["params"]);
                self.send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
                continue;
            }
            // The call before had other tools listed.
            if message["method"] == json!("notifications/tools/list_changed") {
                continue;
            }
            assert_eq!(message["id"], json!(id), "{message}");
            return self.answer(tool, &message["result"]);
        }
    }

    /// Calls a tool; an answer must fit the tool's output schema, as text and structured alike.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Answer {
        let result = self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        self.answer(tool, &result)
    }

    /// The result of a call, held against the schema of its tool.
    pub(crate) fn answer(&self, tool: &str, result: &Value) -> Answer {
        leaks::nothing_hidden(result);
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
        words::hold_answer(structured);
        let answered = structured.as_object().expect("an object");
        let entry = TOOLSETS.iter().flat_map(|set| set.tools);
        if let Some(entry) = entry.into_iter().find(|entry| entry.name == tool) {
            declared::check(entry, answered);
        }
        Answer::Structured(answered.clone())
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
