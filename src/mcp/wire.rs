//! The line to the client: what waits for its turn, what runs, and the one place that writes.
//!
//! The loop takes requests from here one by one. During a call it is asked to listen, and then
//! deals at once with what must not wait: pings, cancellations, malformed lines, the end of input.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::inbox::{Inbox, InboxEvent, InputLine, LINE_MAX_BYTES};
use super::progress::Progress;
use super::revision::{self, Revision};
use super::rpc::{self, ID_MAX_BYTES, Id, Incoming, Message, Refusal, RpcFailure, RpcRequest};
use crate::log;
use crate::wait::{ProgressUpdate, SLICE_MS, Wake};

/// The longest line that is written.
pub const REPLY_MAX_BYTES: usize = 1024 * 1024;
/// The most lines that wait for their turn. Then nothing is read until one is done.
pub const QUEUE_MAX: usize = 1024;
/// The most memory that requests which wait may take, but for the one line that goes beyond.
pub const QUEUE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What is left of the program's time, in milliseconds, when its input has ended.
pub const CLOSING_MS: u64 = 1400;
/// What a refusal may take up beside the id.
const REFUSAL_MAX_BYTES: usize = 1024;
/// How long a full output is left alone before it is tried again.
const NAP_MS: u64 = 5;
/// How often a client with a progress token is told that its user is still being asked.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// One line's requests, and the replies that it has got so far.
struct PendingLine {
    /// Whether it came as an array, and is answered by one.
    batch: bool,
    bytes: usize,
    requests: VecDeque<RpcRequest>,
    replies: Vec<String>,
}

struct Running {
    id: Id,
    cancelled: bool,
}

impl Running {
    /// Whether it bears this id. What was cancelled no longer does: the client may use it anew.
    fn is(&self, id: &Id) -> bool {
        !self.cancelled && self.id == *id
    }
}

/// A question to the client that is open, and the response to it.
struct Asked {
    id: Id,
    response: Option<Result<Value, RpcFailure>>,
}

/// What is told while a question is open: some clients give a call up that is silent for a minute.
fn waiting(left: Duration) -> ProgressUpdate {
    ProgressUpdate {
        percent: None,
        message: format!("the user is asked; {} s are left to answer", left.as_secs()),
    }
}

/// What came of a question to the client.
#[derive(Debug, PartialEq)]
pub enum QuestionOutcome {
    Result(Value),
    /// The client does not answer such questions, or could not.
    Error(RpcFailure),
    /// No response came in time.
    Nothing,
    /// The call that led to the question was withdrawn.
    Cancelled,
    /// The input has ended, or nobody reads any more.
    Closed,
}

/// Both directions, and what is between them.
pub struct Wire {
    inbox: Inbox,
    output: Box<dyn Write>,
    /// What the client settled on by `initialize`: the revision of requests without one.
    pub negotiated: Revision,
    queue: VecDeque<PendingLine>,
    running: Option<Running>,
    asked: Option<Asked>,
    /// How many questions were asked: each has an id of its own.
    questions: u64,
    closed: Option<Instant>,
    /// Nobody reads any more.
    gone: bool,
}

impl Wire {
    pub fn new(inbox: Inbox, output: impl Write + 'static) -> Wire {
        Wire {
            inbox,
            output: Box::new(output),
            negotiated: revision::OFFERED,
            queue: VecDeque::new(),
            running: None,
            asked: None,
            questions: 0,
            closed: None,
            gone: false,
        }
    }

    /// The next request, which then runs until [`Wire::finish`]; `None` when all is done.
    pub fn next_request(&mut self) -> Option<RpcRequest> {
        loop {
            if self.gone || self.end().is_some_and(|end| end <= Instant::now()) {
                return None;
            }
            if let Some(pending) = self.queue.front_mut() {
                if let Some(request) = pending.requests.pop_front() {
                    self.running = Some(Running {
                        id: request.id.clone(),
                        cancelled: false,
                    });
                    return Some(request);
                }
                self.hand_over();
                continue;
            }
            let Some(line) = self.inbox.next_line() else {
                self.closed.get_or_insert_with(Instant::now);
                return None;
            };
            self.arrive(line);
        }
    }

    /// Ends the running request. Without a reply, or when it was cancelled, nothing is sent for it.
    pub fn finish(&mut self, reply: Option<String>) {
        let Some(running) = self.running.take() else {
            return;
        };
        let Some(pending) = self.queue.front_mut() else {
            return;
        };
        if let Some(reply) = reply
            && !running.cancelled
        {
            let taken: usize = pending.replies.iter().map(|reply| reply.len() + 1).sum();
            let reserved = pending.requests.len() * (ID_MAX_BYTES + REFUSAL_MAX_BYTES);
            if taken + reserved + reply.len() + 2 <= REPLY_MAX_BYTES {
                pending.replies.push(reply);
            } else {
                let failure = RpcFailure::internal(format!(
                    "it was carried out, but the answer is longer than {REPLY_MAX_BYTES} bytes"
                ));
                pending
                    .replies
                    .push(rpc::error_line(&failure.of(Some(running.id))));
            }
        }
        if pending.requests.is_empty() {
            self.hand_over();
        }
    }

    /// Says something that is no answer.
    pub fn notify(&mut self, method: &str) {
        self.write(rpc::notification_line(method));
    }

    /// What a call does while it waits: says early what concerns it.
    pub fn listen(&mut self, at_most: Duration) -> Wake {
        let end = Instant::now() + at_most;
        // A client that never pauses must not keep the call from its work.
        let patience = end + Duration::from_millis(SLICE_MS);
        loop {
            if self.running.as_ref().is_some_and(|run| run.cancelled) {
                return Wake::Cancelled;
            }
            if self
                .asked
                .as_ref()
                .is_some_and(|ask| ask.response.is_some())
            {
                return Wake::Nothing;
            }
            if self.gone || self.closed.is_some() {
                return Wake::Closed;
            }
            let left = end.saturating_duration_since(Instant::now());
            if self.is_full() {
                thread::sleep(left);
                return Wake::Nothing;
            }
            match self.inbox.poll(left) {
                InboxEvent::Line(line) => self.arrive(line),
                InboxEvent::Nothing => return Wake::Nothing,
                InboxEvent::Closed => self.closed = Some(Instant::now()),
            }
            if Instant::now() > patience {
                return Wake::Nothing;
            }
        }
    }

    /// Sends a line about the request that runs; nothing where it was cancelled or has been answered.
    pub fn tell(&mut self, line: String) {
        if self.running.as_ref().is_some_and(|run| !run.cancelled) {
            self.write(line);
        }
    }

    /// Whether a client's response would be heard during a call.
    pub fn listens(&self) -> bool {
        self.inbox.listens()
    }

    /// Asks the client something in the middle of a call, and reads on until it responds. Meanwhile
    /// everything else goes as in [`Wire::listen`]. A question without a response is withdrawn.
    pub fn ask(
        &mut self,
        method: &str,
        params: &Map<String, Value>,
        within: Duration,
        progress: Option<&RefCell<Progress>>,
    ) -> QuestionOutcome {
        self.questions += 1;
        let id = Id::Text(format!("question-{}", self.questions));
        let end = Instant::now() + within;
        self.asked = Some(Asked {
            id: id.clone(),
            response: None,
        });
        self.write(rpc::request_line(&id, method, params));
        let mut told = Instant::now();
        if let Some(progress) = progress {
            self.tell(progress.borrow_mut().line(&waiting(within)));
        }
        let outcome = loop {
            let left = end.saturating_duration_since(Instant::now());
            if let Some(progress) = progress
                && told.elapsed() >= TOLD_EVERY
            {
                told = Instant::now();
                self.tell(progress.borrow_mut().line(&waiting(left)));
            }
            let woken = self.listen(left.min(Duration::from_millis(SLICE_MS)));
            let response = self.asked.as_mut().and_then(|asked| asked.response.take());
            match (woken, response) {
                (Wake::Cancelled, _) => break QuestionOutcome::Cancelled,
                (_, Some(Ok(result))) => break QuestionOutcome::Result(result),
                (_, Some(Err(failure))) => break QuestionOutcome::Error(failure),
                (Wake::Closed, None) => break QuestionOutcome::Closed,
                (Wake::Nothing, None) if left.is_zero() => break QuestionOutcome::Nothing,
                (Wake::Nothing, None) => {}
            }
        };
        self.asked = None;
        match outcome {
            QuestionOutcome::Nothing => {
                self.write(rpc::withdrawal_line(&id, "it was not answered in time"))
            }
            QuestionOutcome::Cancelled => {
                self.write(rpc::withdrawal_line(&id, "the call was cancelled"))
            }
            _ => {}
        }
        outcome
    }

    /// When everything must be over; `None` as long as there is input.
    pub fn end(&self) -> Option<Instant> {
        self.closed
            .map(|closed| closed + Duration::from_millis(CLOSING_MS))
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.queue.iter().map(|pending| pending.bytes).sum();
        self.queue.len() >= QUEUE_MAX || bytes >= QUEUE_MAX_BYTES
    }

    /// Sorts what a line holds: into the queue, or answered at once, or nothing to do.
    fn arrive(&mut self, line: InputLine) {
        let text = match line {
            InputLine::Text(text) => text,
            InputLine::NotUtf8 => {
                return self.refuse(RpcFailure::unreadable("not UTF-8").of(None));
            }
            InputLine::TooLong => {
                let message = format!("a line is longer than {LINE_MAX_BYTES} bytes");
                return self.refuse(RpcFailure::invalid(message).of(None));
            }
        };
        let (batch, messages) = match rpc::read(&text) {
            Err(refusal) => return self.refuse(refusal),
            Ok(Incoming::One(message)) => (false, vec![Ok(message)]),
            Ok(Incoming::Batch(messages)) if self.negotiated.takes_batches() => (true, messages),
            Ok(Incoming::Batch(_)) => {
                let message = "batches are taken in revision 2025-03-26 only";
                return self.refuse(RpcFailure::invalid(message).of(None));
            }
        };
        let mut pending = PendingLine {
            batch,
            bytes: 0,
            requests: VecDeque::new(),
            replies: Vec::new(),
        };
        for message in messages {
            match message.and_then(|message| self.sort(message, &mut pending)) {
                Ok(Some(request)) => {
                    pending.bytes += request.bytes;
                    pending.requests.push_back(request);
                }
                Ok(None) => {}
                Err(refusal) => pending.replies.push(rpc::error_line(&refusal)),
            }
        }
        if pending.requests.is_empty() {
            self.deliver(pending);
        } else {
            self.queue.push_back(pending);
        }
    }

    /// A request that is to wait for its turn, if the message is one. `pending` is the line that it came
    /// in.
    fn sort(
        &mut self,
        message: Message,
        pending: &mut PendingLine,
    ) -> Result<Option<RpcRequest>, Refusal> {
        let request = match message {
            Message::Request(request) => request,
            Message::Notification { method, about } => {
                if method == "notifications/cancelled"
                    && let Some(id) = about
                {
                    pending.requests.retain(|request| request.id != id);
                    self.cancel(&id);
                }
                return Ok(None);
            }
            Message::Response { id, outcome } => {
                // One that comes late, or to nothing that was asked, is let go.
                let asked = self
                    .asked
                    .as_mut()
                    .filter(|one| id.as_ref() == Some(&one.id));
                if let Some(asked) = asked {
                    asked.response.get_or_insert(outcome);
                }
                return Ok(None);
            }
        };
        let known = |pending: &PendingLine| pending.requests.iter().any(|one| one.id == request.id);
        let running = self.running.as_ref();
        if running.is_some_and(|running| running.is(&request.id))
            || known(pending)
            || self.queue.iter().any(known)
        {
            let failure = RpcFailure::invalid("a request with this `id` is still in flight");
            return Err(failure.of(Some(request.id)));
        }
        let modern = revision::is_modern(&request.method, &request.params);
        if pending.batch && (modern || request.method == "initialize") {
            let failure = RpcFailure::invalid("this cannot be part of a batch");
            return Err(failure.of(Some(request.id)));
        }
        if request.method == "ping" && !modern && !pending.batch && running.is_some() {
            self.write(rpc::result_line(&request.id, &rpc::RpcReply::default()));
            return Ok(None);
        }
        Ok(Some(request))
    }

    /// Stops what runs, or forgets what waits. An id that is not known is left alone.
    fn cancel(&mut self, id: &Id) {
        if let Some(running) = self.running.as_mut().filter(|running| running.is(id)) {
            running.cancelled = true;
            return;
        }
        for pending in &mut self.queue {
            pending.requests.retain(|request| request.id != *id);
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.write(rpc::error_line(&refusal));
    }

    /// Takes the first line out of the queue and sends the replies that it got.
    fn hand_over(&mut self) {
        if let Some(pending) = self.queue.pop_front() {
            self.deliver(pending);
        }
    }

    fn deliver(&mut self, mut pending: PendingLine) {
        if pending.batch && !pending.replies.is_empty() {
            self.write(format!("[{}]", pending.replies.join(",")));
        } else if let Some(reply) = pending.replies.pop() {
            self.write(reply);
        }
    }

    /// Nobody reads just now. Whoever has ended the input as well does not come back.
    fn wait_for_reader(&mut self) {
        thread::sleep(Duration::from_millis(NAP_MS));
        if self.closed.is_none() && self.inbox.has_ended() {
            self.closed = Some(Instant::now());
        }
        self.gone = self.end().is_some_and(|end| end <= Instant::now());
    }

    /// Standard output is written here and nowhere else: one line, and at once.
    fn write(&mut self, mut line: String) {
        line.push('\n');
        let mut rest = line.as_bytes();
        while !rest.is_empty() && !self.gone {
            match self.output.write(rest) {
                Ok(0) => self.gone = true,
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => self.wait_for_reader(),
                Err(cause) => {
                    log::debug(|| format!("standard output is closed: {cause}"));
                    self.gone = true;
                }
            }
        }
        self.gone = self.gone || self.output.flush().is_err();
    }
}
