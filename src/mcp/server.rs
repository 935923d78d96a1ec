//! The loop: one thread, which begins requests, goes on with calls that wait, and answers. Which method means
//! what, in both eras.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::about;
use super::client::McpClient;
use super::inbox::Inbox;
use super::listing;
use super::open_calls::{AskedCall, OpenCalls, OpenState, ToolCall};
use super::progress::Progress;
use super::question;
use super::revision::{META_SERVER, Revision};
use super::rpc::{self, RpcFailure, RpcReply, RpcRequest, ToolAnswer};
use super::wire::{Next, QuestionResponse, Ticket, Wire};
use crate::api::mark::Effect;
use crate::error::Error;
use crate::files;
use crate::gate::Caller;
use crate::gate::confirm::{self, Question, QuestionReply, UserAnswer};
use crate::log;
use crate::proxmox::task::LOOK_MAX_S;
use crate::tool::Tool;
use crate::tool::call::{self, AppState, CallOutcome, CallStep};
use crate::tool::offer::Offered;
use crate::tool::open::OpenCall;
use crate::tool::step::Woken;
use crate::tools;
use crate::wait::{self, ListeningCall, Wake};

/// The longest time that a call may take.
pub const CALL_MAX_S: u64 = 30;
/// How long, in milliseconds, a modern client may keep what it was told: the configuration is read
/// once, so that lists change with a restart only.
const KEEP_MS: u64 = 300_000;

/// How long a look at a task may take where others wait for this thread; and the next one where that did
/// not do, as with a cluster that is slow.
const LOOK_BESIDE_OTHERS: Duration = Duration::from_secs(1);
const SLOW_LOOK_BESIDE_OTHERS: Duration = Duration::from_secs(3);

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

    /// The sets of which nothing is listed.
    fn unlisted(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Begins the call of a tool.
    fn begin(&mut self, tool: &'static Tool, arguments: &Object, caller: Caller) -> CallStep;

    /// Goes on with a call that waits: [`OpenCall::go_on`].
    fn go_on(&mut self, _: Box<OpenCall>, _: Woken, _look_limit: Duration) -> CallStep {
        CallStep::Ended(Err(Error::internal("nothing waits here")))
    }

    /// Ends a call that waits and was withdrawn.
    fn withdraw(&mut self, _: Box<OpenCall>) {}

    /// Looks whether the configuration has changed, as each call does.
    fn look_at_file(&mut self) {}

    /// Whether the plan that a question shows can still be confirmed.
    fn still_asks(&self, _: &Question) -> bool {
        true
    }

    /// Ends a call whose user was asked, without their answer: why.
    fn end_asked(
        &mut self,
        _: &'static Tool,
        _: &Object,
        _: Caller,
        _: &Question,
        why: Error,
    ) -> CallStep {
        CallStep::Ended(Err(why))
    }
}

impl Served for AppState {
    fn find(&self, name: &str) -> Option<&'static Tool> {
        AppState::find(self, name)
    }

    fn offered(&self) -> &[Offered] {
        AppState::offered(self)
    }

    fn unlisted(&self) -> Vec<&'static str> {
        AppState::unlisted(self)
    }

    fn begin(&mut self, tool: &'static Tool, arguments: &Object, caller: Caller) -> CallStep {
        call::begin(self, tool, arguments, caller)
    }

    fn go_on(&mut self, open: Box<OpenCall>, woken: Woken, look_limit: Duration) -> CallStep {
        open.go_on(self, woken, look_limit)
    }

    fn withdraw(&mut self, open: Box<OpenCall>) {
        open.withdraw(self);
    }

    fn look_at_file(&mut self) {
        AppState::look_at_file(self);
    }

    fn still_asks(&self, question: &Question) -> bool {
        self.gate.plans.borrow().waits_for(&question.state)
    }

    fn end_asked(
        &mut self,
        tool: &'static Tool,
        arguments: &Object,
        caller: Caller,
        question: &Question,
        why: Error,
    ) -> CallStep {
        call::end_asked(self, tool, arguments, caller, question, why)
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
    // Shared with whoever waits inside a step, which reaches it through `wait` only.
    let wire = Rc::new(RefCell::new(Wire::new(inbox, output)));
    let listed = app.offered().iter().map(Offered::key).collect();
    let mut server = Server {
        app,
        answered_within,
        wire,
        client: Rc::default(),
        listed,
        has_initialized: false,
        open: OpenCalls::default(),
    };
    loop {
        let due = server.open.due();
        let next = server.wire.borrow_mut().next(due);
        match next {
            Next::Request(ticket, request) => server.begin(ticket, request),
            Next::Withdrawn(ticket) => server.drop_withdrawn(ticket),
            Next::Response(ticket, response) => server.answered(ticket, &response),
            Next::Due => server.go_on(),
            Next::Closing => server.close(),
            Next::End => {
                server.close();
                return;
            }
        }
        server.end_stale_questions();
        server.announce();
    }
}

struct Server<'d> {
    app: &'d mut dyn Served,
    answered_within: Duration,
    wire: Rc<RefCell<Wire>>,
    /// Who sent `initialize`; of legacy requests.
    client: Rc<McpClient>,
    /// The tools as they were last known to the client.
    listed: Vec<(&'static str, Effect)>,
    /// Whether the client is a legacy one, which can be told that they are others.
    has_initialized: bool,
    /// The calls that wait.
    open: OpenCalls,
}

/// What becomes of a request.
enum Handled {
    Reply(RpcReply),
    /// It is a call that waits, and is answered later.
    Later,
    /// It was withdrawn.
    Never,
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

    fn begin(&mut self, ticket: Ticket, request: RpcRequest) {
        match self.answer(ticket, request) {
            Ok(handled) => self.settled(ticket, handled),
            Err(failure) => self.finish(ticket, Some(Err(failure))),
        }
    }

    fn settled(&mut self, ticket: Ticket, handled: Handled) {
        match handled {
            Handled::Reply(reply) => self.finish(ticket, Some(Ok(reply))),
            Handled::Never => self.finish(ticket, None),
            Handled::Later => {}
        }
    }

    fn finish(&mut self, ticket: Ticket, reply: Option<Result<RpcReply, RpcFailure>>) {
        self.wire.borrow_mut().finish(ticket, reply);
    }

    fn answer(&mut self, ticket: Ticket, request: RpcRequest) -> Result<Handled, RpcFailure> {
        let params = &request.params;
        let revision = match request.is_modern {
            true => Revision::of_modern(params)?,
            false => self.wire.borrow().negotiated,
        };
        let reply: RpcReply = match (request.is_modern, request.method.as_str()) {
            (false, "initialize") => self.initialize(params).into(),
            (false, "ping") => RpcReply::default(),
            (true, "server/discover") => discover(&self.app.unlisted()).into(),
            (_, "tools/list") => self.list_tools(params, revision)?.into(),
            (_, "tools/call") => return self.call_tool(ticket, request, revision),
            (_, method) => return Err(RpcFailure::unknown_method(method)),
        };
        Ok(Handled::Reply(in_era(reply, revision)))
    }

    fn initialize(&mut self, params: &Object) -> Object {
        let wish = params.get("protocolVersion").and_then(Value::as_str);
        let revision = Revision::negotiate(wish);
        let mut wire = self.wire.borrow_mut();
        wire.negotiated = revision;
        let mut client = McpClient::introduced(params);
        client.can_be_asked &= revision.has_elicitation() && wire.listens();
        self.client = Rc::new(client);
        self.has_initialized = true;
        object([
            ("protocolVersion", json!(revision.date())),
            ("capabilities", json!({"tools": {"listChanged": true}})),
            ("serverInfo", about::server(revision)),
            (
                "instructions",
                json!(about::instructions(&self.app.unlisted())),
            ),
        ])
    }

    fn list_tools(&self, params: &Object, revision: Revision) -> Result<Object, RpcFailure> {
        // There is one page, so that no cursor was ever given out.
        if params.get("cursor").is_some_and(|cursor| !cursor.is_null()) {
            return Err(RpcFailure::bad_params(
                "this `cursor` was not given out here",
            ));
        }
        // In the modern era no list depends on what was called before.
        let offered = self.app.offered().iter();
        let offered = offered.filter(|tool| !(revision.is_modern() && tool.is_later));
        let entries: Vec<Value> = offered.map(|tool| listing::entry(tool, revision)).collect();
        let mut result = object([("tools", json!(entries))]);
        if revision.is_modern() {
            keep(&mut result);
        }
        Ok(result)
    }

    fn call_tool(
        &mut self,
        ticket: Ticket,
        request: RpcRequest,
        revision: Revision,
    ) -> Result<Handled, RpcFailure> {
        let mut params = request.params;
        let Some(Value::String(name)) = params.remove("name") else {
            return Err(RpcFailure::bad_params("`name` must be a string"));
        };
        let arguments = match params.remove("arguments") {
            Some(Value::Object(arguments)) => arguments,
            None | Some(Value::Null) => Object::new(),
            Some(_) => return Err(RpcFailure::bad_params("`arguments` must be an object")),
        };
        let Some(tool) = self.app.find(&name) else {
            let Some(sentence) = self.app.renamed(&name, &arguments) else {
                let message = format!("there is no tool {}", rpc::quoted(&name));
                return Err(RpcFailure::bad_params(message));
            };
            let failed = failed(&Error::bad(sentence));
            return Ok(Handled::Reply(in_era(failed.into(), revision)));
        };
        let (client, reply) = if request.is_modern {
            let client = McpClient::of_request(&params);
            (Rc::new(client), question::reply_in(&params)?)
        } else {
            (Rc::clone(&self.client), None)
        };
        let meta = params.get("_meta");
        let progress = meta.and_then(|meta| Progress::wanted(meta, revision));
        let call = ToolCall {
            ticket,
            tool,
            arguments,
            client,
            revision,
            progress: progress.map(|one| Rc::new(RefCell::new(one))),
        };
        let step = self.run(&call, reply.as_ref());
        Ok(self.settle(call, step))
    }

    /// Runs the first step of a call, listening to the client meanwhile. Each time has the whole of its
    /// limit, so that a user who thinks takes nothing from the work.
    fn run(&mut self, call: &ToolCall, reply: Option<&QuestionReply>) -> CallStep {
        let open = &self.open;
        let caller = Caller {
            client: (&call.client.name, &call.client.version),
            can_be_asked: call.client.can_be_asked,
            reply,
            asking: &|| open.asking(),
        };
        let limit = Instant::now() + Duration::from_secs(CALL_MAX_S);
        let listening = self.listening(call, Some(limit));
        let (tool, arguments) = (call.tool, &call.arguments);
        let step = wait::during(listening, || self.app.begin(tool, arguments, caller));
        self.wire.borrow_mut().work_on(None);
        step
    }

    /// A further step of a call that waits.
    fn resume(&mut self, call: &ToolCall, open: Box<OpenCall>, woken: Woken) -> CallStep {
        let is_alone = self.open.is_empty() && !self.wire.borrow().has_waiting();
        let look_limit = match (is_alone, open.is_unseen()) {
            (true, _) => Duration::from_secs(LOOK_MAX_S),
            (false, true) => SLOW_LOOK_BESIDE_OTHERS,
            (false, false) => LOOK_BESIDE_OTHERS,
        };
        let listening = self.listening(call, open.deadline).since(open.begun);
        let step = wait::during(listening, || self.app.go_on(open, woken, look_limit));
        self.wire.borrow_mut().work_on(None);
        step
    }

    /// What a step of this call listens to, and whom it tells how far it comes.
    fn listening(&self, call: &ToolCall, deadline: Option<Instant>) -> ListeningCall {
        let closing = self.wire.borrow_mut().work_on(Some(call.ticket));
        let deadline = match (deadline, closing) {
            (Some(deadline), Some(closing)) => Some(deadline.min(closing)),
            (deadline, closing) => deadline.or(closing),
        };
        let wire = Rc::clone(&self.wire);
        let listening = ListeningCall::new(deadline, move |at_most| {
            // Never borrowed while a tool runs; a mistake here must not end the program.
            let wire = wire.try_borrow_mut();
            wire.map_or(Wake::Nothing, |mut wire| wire.listen(at_most))
        });
        let Some(progress) = &call.progress else {
            return listening;
        };
        let (wire, progress) = (Rc::clone(&self.wire), Rc::clone(progress));
        let about = call.ticket;
        listening.telling(move |step| {
            if let Ok(mut wire) = wire.try_borrow_mut()
                && let Ok(mut progress) = progress.try_borrow_mut()
            {
                wire.tell(about, progress.line(step));
            }
        })
    }

    /// What becomes of a call after a step: it is answered, waits, or has its user asked.
    fn settle(&mut self, call: ToolCall, mut step: CallStep) -> Handled {
        let is_over = self.wire.borrow().end().is_some();
        let outcome = loop {
            match step {
                CallStep::Ended(outcome) => break outcome,
                // Too many wait: it is answered as if it had been told not to.
                CallStep::Open(open)
                    if is_over || self.open.are_many() || self.wire.borrow().is_laden() =>
                {
                    step = self.resume(&call, open, Woken::TimeUp);
                }
                CallStep::Open(open) => {
                    self.open.wait(call, open);
                    return Handled::Later;
                }
            }
        };
        let revision = call.revision;
        let reply = match outcome {
            Ok(CallOutcome::Answer(answer) | CallOutcome::Planned(answer)) => {
                success(answer, revision)
            }
            Ok(CallOutcome::Question(question)) if revision.is_modern() => {
                question::input_required(call.tool, &call.arguments, &question, revision).into()
            }
            Ok(CallOutcome::Question(question)) => {
                self.ask(call, question);
                return Handled::Later;
            }
            Err(error) if error.is_cancelled() => return Handled::Never,
            Err(error) => failed(&error).into(),
        };
        Handled::Reply(in_era(reply, revision))
    }

    /// A call that was open has come further.
    fn settle_later(&mut self, call: ToolCall, step: CallStep) {
        let ticket = call.ticket;
        let handled = self.settle(call, step);
        self.settled(ticket, handled);
    }

    /// Does what is due: a look at a task, the end of a pause or of a question's time.
    fn go_on(&mut self) {
        match self.open.take_due() {
            None => {}
            Some((call, OpenState::Waits(open))) => {
                let begun = Instant::now();
                let cluster = open.cluster();
                let step = self.resume(&call, open, Woken::Due);
                let until = match &step {
                    CallStep::Open(open) if open.is_unseen() => Some(open.due()),
                    _ => None,
                };
                self.open.looked(cluster, begun.elapsed(), until);
                self.settle_later(call, step);
            }
            Some((call, OpenState::Asks(asked))) if asked.end <= Instant::now() => {
                self.take_back(&call, "it was not answered in time");
                let said = UserAnswer::Nothing(self.answered_within.as_secs());
                self.replied(call, *asked.question, said);
            }
            Some((call, OpenState::Asks(asked))) => {
                self.tell_asked(&call, &asked);
                self.open.ask(call, asked.told_now());
            }
        }
    }

    /// Has a legacy client ask its user.
    fn ask(&mut self, call: ToolCall, question: Box<Question>) {
        let params = question::params(call.tool, &call.arguments, &question, call.revision);
        let mut wire = self.wire.borrow_mut();
        wire.ask(call.ticket, question::METHOD, &params);
        drop(wire);
        let asked = AskedCall::new(question, self.answered_within);
        self.tell_asked(&call, &asked);
        self.open.ask(call, asked);
    }

    /// Some clients give a call up that is silent for a minute.
    fn tell_asked(&self, call: &ToolCall, asked: &AskedCall) {
        if let Some(progress) = &call.progress {
            let line = progress.borrow_mut().line(&asked.progress());
            self.wire.borrow_mut().tell(call.ticket, line);
        }
    }

    fn take_back(&self, call: &ToolCall, why: &str) {
        self.wire.borrow_mut().withdraw(call.ticket, why);
    }

    /// The client has answered a question.
    fn answered(&mut self, ticket: Ticket, response: &QuestionResponse) {
        let Some((call, OpenState::Asks(asked))) = self.open.take(ticket) else {
            return;
        };
        // What has changed since makes the plan void, and not the answer wrong.
        self.app.look_at_file();
        if !self.app.still_asks(&asked.question) {
            return self.end_changed(call, &asked);
        }
        let said = match response {
            Ok(result) => question::said(&asked.question.wants, result),
            Err(failure) => question::unasked(failure),
        };
        self.replied(call, *asked.question, said);
    }

    /// Makes the call again with what its user said.
    fn replied(&mut self, call: ToolCall, question: Question, said: UserAnswer) {
        let state = question.state;
        let step = match self.run(&call, Some(&QuestionReply { state, said })) {
            CallStep::Ended(Ok(CallOutcome::Question(_))) => {
                CallStep::Ended(Err(confirm::unconfirmed("the answer was not enough")))
            }
            step => step,
        };
        self.settle_later(call, step);
    }

    /// The client has withdrawn a call that waits.
    fn drop_withdrawn(&mut self, ticket: Ticket) {
        match self.open.take(ticket) {
            Some((call, OpenState::Asks(asked))) => {
                self.take_back(&call, "the call was cancelled");
                self.end_asked(&call, &asked, Error::cancelled());
            }
            Some((_, OpenState::Waits(open))) => self.app.withdraw(open),
            None => {}
        }
        self.finish(ticket, None);
    }

    /// Ends the questions whose plans a changed configuration has made void.
    fn end_stale_questions(&mut self) {
        let app = &*self.app;
        let stale = self.open.take_stale(&|question| app.still_asks(question));
        for (call, asked) in stale {
            self.take_back(&call, "the configuration has changed");
            self.end_changed(call, &asked);
        }
    }

    fn end_changed(&mut self, call: ToolCall, asked: &AskedCall) {
        let why = confirm::unconfirmed("the configuration has changed while the user was asked");
        let step = self.end_asked(&call, asked, why);
        self.settle_later(call, step);
    }

    /// Ends a call whose user was asked and has not answered.
    fn end_asked(&mut self, call: &ToolCall, asked: &AskedCall, why: Error) -> CallStep {
        let caller = Caller {
            client: (&call.client.name, &call.client.version),
            can_be_asked: call.client.can_be_asked,
            reply: None,
            asking: &Vec::new,
        };
        let (tool, arguments) = (call.tool, &call.arguments);
        self.app
            .end_asked(tool, arguments, caller, &asked.question, why)
    }

    /// Answers all that waits by what is known: the input has ended.
    fn close(&mut self) {
        while let Some((call, state)) = self.open.take_any() {
            let step = match state {
                OpenState::Waits(open) => self.resume(&call, open, Woken::TimeUp),
                OpenState::Asks(asked) => {
                    let problem = "the client went away before its user answered";
                    self.end_asked(&call, &asked, confirm::unconfirmed(problem))
                }
            };
            self.settle_later(call, step);
        }
    }
}

fn discover(unlisted: &[&str]) -> Object {
    let supported: Vec<&str> = super::revision::ALL.iter().map(|one| one.date()).collect();
    let mut result = object([
        ("supportedVersions", json!(supported)),
        ("capabilities", json!({"tools": {}})),
        ("instructions", json!(about::instructions(unlisted))),
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
fn success(answer: Object, revision: Revision) -> RpcReply {
    RpcReply {
        answer: Some(ToolAnswer {
            value: Value::Object(answer),
            is_structured: revision.is_structured(),
        }),
        ..RpcReply::default()
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
