//! The line to the client: what waits for its turn, what is under way, and the one place that writes.
//!
//! The loop takes from here what it does next. During a step of a call it is asked to listen, and then
//! deals at once with what must not wait: pings, cancellations, malformed lines, the end of input.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::mem;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::inbox::{Inbox, InboxEvent, InputLine, LINE_MAX_BYTES};
use super::revision::{self, Revision};
use super::rpc::{
    self, ID_MAX_BYTES, Id, Incoming, Message, Refusal, RpcFailure, RpcReply, RpcRequest,
};
use crate::log;
use crate::wait::{SLICE_MS, Wake};

/// The longest line that is written.
pub const REPLY_MAX_BYTES: usize = 1024 * 1024;
/// The most lines that wait for their turn. Then nothing is read until one is done.
pub const QUEUE_MAX: usize = 1024;
/// The most memory that requests which wait may take, but for the one line that goes beyond.
pub const QUEUE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What is left of the program's time, in milliseconds, when its input has ended.
pub const CLOSING_MS: u64 = 1400;
/// And so long, in milliseconds, for what is still to be said then.
const LEAVING_MS: u64 = 80;
const NOT_BEGUN: &str =
    "the input has ended, and there was no time left to begin this: nothing was done";
/// What a refusal may take up beside the id.
pub const REFUSAL_MAX_BYTES: usize = 1024;
/// The place of an answer is kept for the next one up to this size.
const PLACE_MAX_BYTES: usize = 65_536;
/// How long a full output is left alone before it is tried again.
const NAP_MS: u64 = 5;
/// How long requests may keep what is due from its turn.
const LATE: Duration = Duration::from_secs(1);

/// One line's requests, and the replies that it has got so far.
struct PendingLine {
    number: u64,
    /// Whether it came as an array, and is answered by one.
    batch: bool,
    bytes: usize,
    requests: VecDeque<RpcRequest>,
    /// Its requests that are under way.
    under_way: usize,
    replies: Vec<Vec<u8>>,
}

/// A request that is under way, whatever its client calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

struct UnderWay {
    ticket: Ticket,
    id: Rc<Id>,
    bytes: usize,
    /// The number of the line that it came in.
    line: u64,
    cancelled: bool,
}

/// A question to the client that is open, the request that it is about, and the response to it.
struct Asked {
    id: Id,
    about: Ticket,
    response: Option<QuestionResponse>,
}

/// What a client says to a question: its user's answer, or that it does not answer such questions, or could
/// not.
pub type QuestionResponse = Result<Value, RpcFailure>;

/// What the loop has to do next.
#[derive(Debug)]
pub enum Next {
    /// A request to be begun.
    Request(Ticket, RpcRequest),
    /// One that is under way was withdrawn: it is to be finished without a reply.
    Withdrawn(Ticket),
    /// The client has answered a question.
    Response(Ticket, QuestionResponse),
    /// The time has come.
    Due,
    /// The input has ended: what is under way is to be answered by what is known.
    Closing,
    /// All is done, or nobody reads any more.
    End,
}

/// Both directions, and what is between them.
pub struct Wire {
    inbox: Inbox,
    output: Box<dyn Write>,
    /// What the client settled on by `initialize`: the revision of requests without one.
    pub negotiated: Revision,
    queue: VecDeque<PendingLine>,
    under_way: Vec<UnderWay>,
    /// Which of them this thread works on.
    current: Option<Ticket>,
    asked: Vec<Asked>,
    /// How many lines have come: each has a number of its own.
    lines: u64,
    /// How many requests were begun.
    begun: u64,
    /// How many questions were asked: each has an id of its own.
    questions: u64,
    closed: Option<Instant>,
    /// Nobody reads any more.
    gone: bool,
    /// Where the next answer is put together. A place made anew grows by many steps, for each of which
    /// the allocator may have to ask the kernel, which takes a tenth of a small call.
    place: Vec<u8>,
}

impl Wire {
    pub fn new(inbox: Inbox, output: impl Write + 'static) -> Wire {
        Wire {
            inbox,
            output: Box::new(output),
            negotiated: revision::OFFERED,
            queue: VecDeque::new(),
            under_way: Vec::new(),
            current: None,
            asked: Vec::new(),
            lines: 0,
            begun: 0,
            questions: 0,
            closed: None,
            gone: false,
            place: Vec::new(),
        }
    }

    /// What is to be done next. Requests go before what is `due`, unless that is late; without `due` the
    /// next line is waited for.
    pub fn next(&mut self, due: Option<Instant>) -> Next {
        loop {
            let now = Instant::now();
            if self.gone {
                return Next::End;
            }
            if self.end().is_some_and(|end| end <= now) {
                self.refuse_rest();
                return Next::End;
            }
            if let Some(withdrawn) = self.under_way.iter().find(|one| one.cancelled) {
                return Next::Withdrawn(withdrawn.ticket);
            }
            if let Some(at) = self.asked.iter().position(|one| one.response.is_some()) {
                let asked = self.asked.remove(at);
                if let Some(response) = asked.response {
                    return Next::Response(asked.about, response);
                }
            }
            if self.closed.is_some() && !self.under_way.is_empty() {
                return Next::Closing;
            }
            if due.is_some_and(|due| due + LATE <= now) {
                return Next::Due;
            }
            if let Some((ticket, request)) = self.begin() {
                return Next::Request(ticket, request);
            }
            if self.closed.is_some() {
                // What had come before the end.
                match self.inbox.poll(Duration::ZERO) {
                    InboxEvent::Line(line) => self.arrive(line),
                    InboxEvent::Nothing | InboxEvent::Closed => return Next::End,
                }
                continue;
            }
            match due {
                None => match self.inbox.next_line() {
                    Some(line) => self.arrive(line),
                    None => self.closed = Some(Instant::now()),
                },
                Some(due) => match self.inbox.poll(due.saturating_duration_since(now)) {
                    InboxEvent::Line(line) => self.arrive(line),
                    InboxEvent::Nothing => return Next::Due,
                    InboxEvent::Closed => self.closed = Some(Instant::now()),
                },
            }
        }
    }

    /// Takes the next request out of the queue.
    fn begin(&mut self) -> Option<(Ticket, RpcRequest)> {
        let mut lines = self.queue.iter_mut();
        let (pending, request) =
            lines.find_map(|line| line.requests.pop_front().map(|request| (line, request)))?;
        pending.under_way += 1;
        pending.bytes -= request.bytes.min(pending.bytes);
        self.begun += 1;
        let ticket = Ticket(self.begun);
        self.under_way.push(UnderWay {
            ticket,
            id: Rc::clone(&request.id),
            bytes: request.bytes,
            line: pending.number,
            cancelled: false,
        });
        Some((ticket, request))
    }

    /// Answers what has not been begun: there is no time left for it.
    fn refuse_rest(&mut self) {
        loop {
            while let Some((ticket, _)) = self.begin() {
                let failure = RpcFailure::internal(NOT_BEGUN);
                self.finish(ticket, Some(Err(failure)));
            }
            match self.inbox.poll(Duration::ZERO) {
                InboxEvent::Line(line) if !self.gone => self.arrive(line),
                _ => return,
            }
        }
    }

    /// Whether requests wait for their turn.
    pub fn has_waiting(&self) -> bool {
        self.queue.iter().any(|line| !line.requests.is_empty())
    }

    /// Whether what is under way takes as much memory as requests may.
    pub fn is_laden(&self) -> bool {
        let bytes: usize = self.under_way.iter().map(|one| one.bytes).sum();
        bytes >= QUEUE_MAX_BYTES
    }

    /// This thread works on this request from now on, or on none: it is whom [`Wire::listen`] is about.
    /// Gives when it must be over, as [`Wire::end`].
    pub fn work_on(&mut self, ticket: Option<Ticket>) -> Option<Instant> {
        self.current = ticket;
        self.end()
    }

    fn of(&self, ticket: Ticket) -> Option<&UnderWay> {
        self.under_way.iter().find(|one| one.ticket == ticket)
    }

    /// Ends a request. Without a reply, or when it was cancelled, nothing is sent for it.
    pub fn finish(&mut self, ticket: Ticket, reply: Option<Result<RpcReply, RpcFailure>>) {
        let Some(at) = self.under_way.iter().position(|one| one.ticket == ticket) else {
            return;
        };
        let ended = self.under_way.remove(at);
        let Some(at) = self.queue.iter().position(|line| line.number == ended.line) else {
            return;
        };
        let Some(pending) = self.queue.get_mut(at) else {
            return;
        };
        pending.under_way -= 1;
        if let Some(reply) = &reply
            && !ended.cancelled
        {
            let refused = |failure: RpcFailure| {
                rpc::error_line(&failure.of(Some((*ended.id).clone()))).into_bytes()
            };
            let line = match reply {
                Ok(reply) => rpc::result_line(mem::take(&mut self.place), &ended.id, reply),
                Err(failure) => refused(failure.clone()),
            };
            let taken: usize = pending.replies.iter().map(|line| line.len() + 1).sum();
            let unanswered = pending.requests.len() + pending.under_way;
            let reserved = unanswered * (ID_MAX_BYTES + REFUSAL_MAX_BYTES);
            if taken + reserved + line.len() + 2 <= REPLY_MAX_BYTES {
                pending.replies.push(line);
            } else {
                pending.replies.push(refused(RpcFailure::internal(format!(
                    "it was carried out, but the answer is longer than {REPLY_MAX_BYTES} bytes"
                ))));
            }
        }
        self.hand_over_done();
        // To let go of an answer takes time too: its client has it by now.
        drop(reply);
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
            let current = self.current.and_then(|ticket| self.of(ticket));
            if current.is_some_and(|one| one.cancelled) {
                return Wake::Cancelled;
            }
            if self.gone || self.closed.is_some() {
                return Wake::Closed;
            }
            let left = end.saturating_duration_since(Instant::now());
            if self.is_full() {
                // Lines stay where they are, but that they have ended is seen.
                if self.inbox.has_ended() {
                    self.closed = Some(Instant::now());
                    return Wake::Closed;
                }
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

    /// Sends a line about a request that is under way; nothing where it was cancelled or has been answered.
    pub fn tell(&mut self, about: Ticket, line: String) {
        if self.of(about).is_some_and(|one| !one.cancelled) {
            self.write(line);
        }
    }

    /// Whether a client's response would be heard during a call.
    pub fn listens(&self) -> bool {
        self.inbox.listens()
    }

    /// Asks the client something about a request that is under way; [`Wire::next`] gives the response.
    pub fn ask(&mut self, about: Ticket, method: &str, params: &Map<String, Value>) {
        self.questions += 1;
        let id = Id::Text(format!("question-{}", self.questions));
        self.write(rpc::request_line(&id, method, params));
        self.asked.push(Asked {
            id,
            about,
            response: None,
        });
    }

    /// Takes back the question about a request, where one is open.
    pub fn withdraw(&mut self, about: Ticket, why: &str) {
        if let Some(at) = self.asked.iter().position(|one| one.about == about) {
            let asked = self.asked.remove(at);
            self.write(rpc::withdrawal_line(&asked.id, why));
        }
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
        self.lines += 1;
        let mut pending = PendingLine {
            number: self.lines,
            batch,
            bytes: 0,
            requests: VecDeque::new(),
            under_way: 0,
            replies: Vec::new(),
        };
        for message in messages {
            match message.and_then(|message| self.sort(message, &mut pending)) {
                Ok(Some(request)) => {
                    pending.bytes += request.bytes;
                    pending.requests.push_back(request);
                }
                Ok(None) => {}
                Err(refusal) => pending.replies.push(rpc::error_line(&refusal).into()),
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
                    pending.requests.retain(|request| *request.id != id);
                    self.cancel(&id);
                }
                return Ok(None);
            }
            Message::Response { id, outcome } => {
                // One that comes late, or to nothing that was asked, is let go.
                let mut asked = self.asked.iter_mut();
                if let Some(asked) = asked.find(|one| id.as_ref() == Some(&one.id)) {
                    asked.response.get_or_insert(outcome);
                }
                return Ok(None);
            }
        };
        let known = |pending: &PendingLine| pending.requests.iter().any(|one| one.id == request.id);
        // What was cancelled no longer bears its id: the client may use it anew.
        let mut under_way = self.under_way.iter().filter(|one| !one.cancelled);
        if under_way.any(|one| one.id == request.id)
            || known(pending)
            || self.queue.iter().any(known)
        {
            let failure = RpcFailure::invalid("a request with this `id` is still in flight");
            return Err(failure.of(Some((*request.id).clone())));
        }
        let modern = request.is_modern;
        if pending.batch && (modern || request.method == "initialize") {
            let failure = RpcFailure::invalid("this cannot be part of a batch");
            return Err(failure.of(Some((*request.id).clone())));
        }
        if request.method == "ping" && !modern && !pending.batch && self.current.is_some() {
            let pong = RpcReply::default();
            self.write(rpc::result_line(Vec::new(), &request.id, &pong));
            return Ok(None);
        }
        Ok(Some(request))
    }

    /// Stops what runs, or forgets what waits. An id that is not known is left alone.
    fn cancel(&mut self, id: &Id) {
        let mut under_way = self.under_way.iter_mut();
        if let Some(one) = under_way.find(|one| !one.cancelled && *one.id == *id) {
            one.cancelled = true;
            return;
        }
        for pending in &mut self.queue {
            pending.requests.retain(|request| *request.id != *id);
        }
        self.hand_over_done();
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.write(rpc::error_line(&refusal));
    }

    /// Takes the lines out of the queue whose requests are all done, and sends the replies that they got.
    fn hand_over_done(&mut self) {
        let is_done = |line: &PendingLine| line.requests.is_empty() && line.under_way == 0;
        while let Some(at) = self.queue.iter().position(is_done) {
            if let Some(pending) = self.queue.remove(at) {
                self.deliver(pending);
            }
        }
    }

    fn deliver(&mut self, mut pending: PendingLine) {
        if pending.batch && !pending.replies.is_empty() {
            self.write([b"[", &*pending.replies.join(&b','), b"]"].concat());
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
        let left = Duration::from_millis(LEAVING_MS);
        self.gone = self.end().is_some_and(|end| end + left <= Instant::now());
    }

    /// Standard output is written here and nowhere else: one line, and at once.
    fn write(&mut self, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        line.push(b'\n');
        let mut rest = line.as_slice();
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
        let capacity = line.capacity();
        if capacity > self.place.capacity() && capacity <= PLACE_MAX_BYTES {
            self.place = line;
        }
    }
}
