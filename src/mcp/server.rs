//! The loop: one request, one answer, one thread. Which method means what, in both eras.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use super::about;
use super::client::McpClient;
use super::inbox::Inbox;
use super::listing;
use super::progress::Progress;
use super::question;
use super::revision::{META_SERVER, Revision};
use super::rpc::{self, RpcFailure, RpcReply, RpcRequest};
use super::wire::{QuestionOutcome, Wire};
use crate::api::mark::Effect;
use crate::error::Error;
use crate::files;
use crate::gate::Caller;
use crate::gate::confirm::{self, Question, UserAnswer};
use crate::log;
use crate::tool::Tool;
use crate::tool::call::{self, AppState, CallOutcome};
use crate::tool::offer::Offered;
use crate::tools;
use crate::wait::{self, ListeningCall, Wake};

/// The longest time that a call may take.
pub const CALL_MAX_S: u64 = 30;
/// How long, in milliseconds, a modern client may keep what it was told: the configuration is read
/// once, so that lists change with a restart only.
const KEEP_MS: u64 = 300_000;

type Object = Map<String, Value>;

/// Tools, and who runs them. The program's own are run by a [`AppState`]; a test brings others.
pub trait Served {
    /// The tool of this name, whether it is offered or not.
    fn find(&self, name: &str) -> Option<&'static Tool> {
        tools::find(name)
    }

    /// What to say to a call by a name that a tool has elsewhere.
    fn renamed(&self, name: &str, arguments: &Object) -> Option<String> {
        tools::renamed::sentence(name, arguments)
    }

    fn offered(&self) -> &[Offered];

    /// Calls a tool.
    ///
    /// # Errors
    /// Why it failed, by what the caller can do next.
    fn call(
        &mut self,
        tool: &'static Tool,
        arguments: &Object,
        caller: Caller,
    ) -> Result<CallOutcome, Error>;
}

impl Served for AppState {
    fn offered(&self) -> &[Offered] {
        AppState::offered(self)
    }

    fn call(
        &mut self,
        tool: &'static Tool,
        arguments: &Object,
        caller: Caller,
    ) -> Result<CallOutcome, Error> {
        call::call(self, tool, arguments, caller)
    }
}

/// Serves standard input to standard output until the input ends.
pub fn stdio(mut app: AppState) -> ExitCode {
    files::group_children();
    let streams = Inbox::stdin().and_then(|inbox| {
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Ok((inbox, files::unblocked_output(output)?))
    });
    match streams {
        Ok((inbox, output)) => {
            let answered_within = Duration::from_secs(question::ANSWER_MAX_S);
            serve(&mut app, inbox, output, answered_within);
            ExitCode::SUCCESS
        }
        Err(cause) => {
            log::error(&format!(
                "standard input and output cannot be used: {cause}"
            ));
            ExitCode::FAILURE
        }
    }
}

/// Serves one client until its input ends or nobody reads the output. A legacy client's user has
/// `answered_within` to answer a question.
pub fn serve(
    app: &mut dyn Served,
    inbox: Inbox,
    output: impl Write + 'static,
    answered_within: Duration,
) {
    // Shared with whoever waits inside a call, which reaches it through `wait` only.
    let wire = Rc::new(RefCell::new(Wire::new(inbox, output)));
    let listed = app.offered().iter().map(Offered::key).collect();
    let mut server = Server {
        app,
        answered_within,
        wire,
        client: McpClient::default(),
        listed,
        has_initialized: false,
    };
    loop {
        let next = server.wire.borrow_mut().next_request();
        let Some(request) = next else {
            return;
        };
        let reply = server.reply(&request);
        server.wire.borrow_mut().finish(reply);
        server.announce();
    }
}

struct Server<'d> {
    app: &'d mut dyn Served,
    answered_within: Duration,
    wire: Rc<RefCell<Wire>>,
    /// Who sent `initialize`; of legacy requests.
    client: McpClient,
    /// The tools as they were last known to the client.
    listed: Vec<(&'static str, Effect)>,
    /// Whether the client is a legacy one, which can be told that they are others.
    has_initialized: bool,
}

/// A call of a tool, as often as it has to be made.
struct ToolCall<'e> {
    tool: &'static Tool,
    arguments: &'e Object,
    client: &'e McpClient,
    /// Where the client wants to know how far it comes.
    progress: Option<Rc<RefCell<Progress>>>,
}

impl Server<'_> {
    /// Tells a legacy client when other tools are offered than before.
    fn announce(&mut self) {
        let offered = self.app.offered().iter().map(Offered::key);
        if !offered.clone().eq(self.listed.iter().copied()) {
            self.listed = offered.collect();
            if self.has_initialized {
                let mut wire = self.wire.borrow_mut();
                wire.notify("notifications/tools/list_changed");
            }
        }
    }

    /// The line that answers; `None` where none is to be sent.
    fn reply(&mut self, request: &RpcRequest) -> Option<String> {
        match self.answer(request) {
            Ok(Some(reply)) => Some(rpc::result_line(&request.id, &reply)),
            Ok(None) => None,
            Err(failure) => Some(rpc::error_line(&failure.of(Some(request.id.clone())))),
        }
    }

    fn answer(&mut self, request: &RpcRequest) -> Result<Option<RpcReply>, RpcFailure> {
        let RpcRequest { method, params, .. } = request;
        let negotiated = self.wire.borrow().negotiated;
        let revision = Revision::of_request(method, params, negotiated)?;
        let reply = match (revision.is_modern(), method.as_str()) {
            (false, "initialize") => Some(self.initialize(params).into()),
            (false, "ping") => Some(RpcReply::default()),
            (true, "server/discover") => Some(discover().into()),
            (_, "tools/list") => Some(self.list_tools(params, revision)?.into()),
            (_, "tools/call") => self.call_tool(params, revision)?,
            _ => return Err(RpcFailure::unknown_method(method)),
        };
        Ok(reply.map(|reply| in_era(reply, revision)))
    }

    fn initialize(&mut self, params: &Object) -> Object {
        let wish = params.get("protocolVersion").and_then(Value::as_str);
        let revision = Revision::negotiate(wish);
        let mut wire = self.wire.borrow_mut();
        wire.negotiated = revision;
        self.client = McpClient::introduced(params);
        self.client.can_be_asked &= revision.has_elicitation() && wire.listens();
        self.has_initialized = true;
        object([
            ("protocolVersion", json!(revision.date())),
            ("capabilities", json!({"tools": {"listChanged": true}})),
            ("serverInfo", about::server(revision)),
            ("instructions", json!(about::INSTRUCTIONS)),
        ])
    }

    fn list_tools(&self, params: &Object, revision: Revision) -> Result<Object, RpcFailure> {
        // There is one page, so that no cursor was ever given out.
        if params.get("cursor").is_some_and(|cursor| !cursor.is_null()) {
            return Err(RpcFailure::bad_params(
                "this `cursor` was not given out here",
            ));
        }
        let offered = self.app.offered();
        let entries: Vec<Value> = offered
            .iter()
            .map(|tool| listing::entry(tool, revision))
            .collect();
        let mut result = object([("tools", json!(entries))]);
        if revision.is_modern() {
            keep(&mut result);
        }
        Ok(result)
    }

    /// `None` where the call was cancelled.
    fn call_tool(
        &mut self,
        params: &Object,
        revision: Revision,
    ) -> Result<Option<RpcReply>, RpcFailure> {
        let Some(Value::String(name)) = params.get("name") else {
            return Err(RpcFailure::bad_params("`name` must be a string"));
        };
        let none = Object::new();
        let arguments = match params.get("arguments") {
            Some(Value::Object(arguments)) => arguments,
            None | Some(Value::Null) => &none,
            Some(_) => return Err(RpcFailure::bad_params("`arguments` must be an object")),
        };
        let Some(tool) = self.app.find(name) else {
            let Some(sentence) = self.app.renamed(name, arguments) else {
                let message = format!("there is no tool {}", rpc::quoted(name));
                return Err(RpcFailure::bad_params(message));
            };
            return Ok(Some(failed(&Error::bad(sentence)).into()));
        };
        let (client, reply) = if revision.is_modern() {
            (McpClient::of_request(params), question::reply_in(params)?)
        } else {
            (self.client.clone(), None)
        };
        let tool_call = ToolCall {
            tool,
            arguments,
            client: &client,
            progress: Progress::wanted(params, revision).map(|one| Rc::new(RefCell::new(one))),
        };
        let outcome = match self.run(&tool_call, reply.as_ref()) {
            Ok(CallOutcome::Question(question)) if !revision.is_modern() => {
                self.ask(&tool_call, *question, revision)
            }
            outcome => outcome,
        };
        Ok(match outcome {
            Ok(CallOutcome::Answer(answer) | CallOutcome::Planned(answer)) => {
                Some(success(&answer, revision))
            }
            Ok(CallOutcome::Question(question)) => {
                let asked = question::input_required(tool, arguments, &question, revision);
                Some(asked.into())
            }
            Err(error) if error.is_cancelled() => None,
            Err(error) => Some(failed(&error).into()),
        })
    }

    /// Has a legacy client ask its user, and makes the call again with what they said.
    fn ask(
        &mut self,
        tool_call: &ToolCall,
        question: Question,
        revision: Revision,
    ) -> Result<CallOutcome, Error> {
        let within = self.answered_within;
        let params = question::params(tool_call.tool, tool_call.arguments, &question, revision);
        let outcome = self.wire.borrow_mut().ask(
            question::METHOD,
            &params,
            within,
            tool_call.progress.as_deref(),
        );
        let said = match outcome {
            QuestionOutcome::Result(result) => question::said(&question.wants, &result),
            QuestionOutcome::Error(failure) => question::unasked(&failure),
            QuestionOutcome::Nothing => UserAnswer::Nothing(within.as_secs()),
            QuestionOutcome::Cancelled => return Err(Error::cancelled()),
            QuestionOutcome::Closed => {
                let problem = "the client went away before its user answered";
                return Err(confirm::unconfirmed(problem));
            }
        };
        let state = question.state;
        match self.run(tool_call, Some(&confirm::QuestionReply { state, said }))? {
            CallOutcome::Question(_) => Err(confirm::unconfirmed("the answer was not enough")),
            outcome => Ok(outcome),
        }
    }

    /// Runs the tool, listening to the client while it waits. Each time has the whole of its limit,
    /// so that a user who thinks takes nothing from the work.
    fn run(
        &mut self,
        tool_call: &ToolCall,
        reply: Option<&confirm::QuestionReply>,
    ) -> Result<CallOutcome, Error> {
        let caller = Caller {
            client: (&tool_call.client.name, &tool_call.client.version),
            can_be_asked: tool_call.client.can_be_asked,
            reply,
        };
        let limit = Instant::now() + Duration::from_secs(CALL_MAX_S);
        let closing = self.wire.borrow().end();
        let deadline = closing.map_or(limit, |end| end.min(limit));
        let wire = Rc::clone(&self.wire);
        let listen = move |at_most| {
            // Never borrowed while a tool runs; a mistake here must not end the program.
            let wire = wire.try_borrow_mut();
            wire.map_or(Wake::Nothing, |mut wire| wire.listen(at_most))
        };
        let mut call = ListeningCall::new(Some(deadline), listen);
        if let Some(progress) = &tool_call.progress {
            let (wire, progress) = (Rc::clone(&self.wire), Rc::clone(progress));
            call = call.telling(move |step| {
                if let Ok(mut wire) = wire.try_borrow_mut()
                    && let Ok(mut progress) = progress.try_borrow_mut()
                {
                    wire.tell(progress.line(step));
                }
            });
        }
        wait::during(call, || {
            self.app.call(tool_call.tool, tool_call.arguments, caller)
        })
    }
}

fn discover() -> Object {
    let supported: Vec<&str> = super::revision::ALL.iter().map(|one| one.date()).collect();
    let mut result = object([
        ("supportedVersions", json!(supported)),
        ("capabilities", json!({"tools": {}})),
        ("instructions", json!(about::INSTRUCTIONS)),
        ("_meta", meta(about::server(Revision::Stateless))),
    ]);
    keep(&mut result);
    result
}

/// What a modern client is told about keeping a result: its tools depend on the configuration.
fn keep(result: &mut Object) {
    result.insert("ttlMs".to_owned(), json!(KEEP_MS));
    result.insert("cacheScope".to_owned(), json!("private"));
}

/// The answer of a tool: structured where the client knows that, and the same as text.
fn success(answer: &Object, revision: Revision) -> RpcReply {
    #[derive(Serialize)]
    struct TextContent<'t> {
        r#type: &'static str,
        text: &'t str,
    }
    let said = to_raw_value(answer).unwrap_or_default();
    let content = [TextContent {
        r#type: "text",
        text: said.get(),
    }];
    let mut written = vec![("content", to_raw_value(&content).unwrap_or_default())];
    if revision.is_structured() {
        written.push(("structuredContent", said));
    }
    RpcReply {
        fields: Object::new(),
        written,
    }
}

/// The error of a tool: text alone, since on errors some hosts show the model nothing else.
fn failed(error: &Error) -> Object {
    let mut said = format!("{}: {error}", error.code.as_str());
    if let Some(hint) = &error.hint {
        said.push_str("\nhint: ");
        said.push_str(hint);
    }
    object([("content", text(&said)), ("isError", json!(true))])
}

fn text(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

/// What every modern result bears beside what it says.
fn in_era(mut reply: RpcReply, revision: Revision) -> RpcReply {
    if revision.is_modern() {
        let result = &mut reply.fields;
        result
            .entry("resultType")
            .or_insert_with(|| json!("complete"));
        result
            .entry("_meta")
            .or_insert_with(|| meta(about::server(revision)));
    }
    reply
}

fn meta(server: Value) -> Value {
    json!({META_SERVER: server})
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
