//! What is between the lines and the loop: which requests are where, how large replies may be together, and
//! what is not read meanwhile.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::revision::Revision;
use proxmox_mcp::mcp::rpc::{ID_MAX_BYTES, RpcFailure, RpcReply, RpcRequest, VALUES_MAX_BYTES};
use proxmox_mcp::mcp::wire::{
    Next, QUEUE_MAX, QUEUE_MAX_BYTES, REFUSAL_MAX_BYTES, REPLY_MAX_BYTES, Ticket, Wire,
};
use proxmox_mcp::wait::Wake;
use serde_json::{Map, Value};

/// What was written; the first write is interrupted, and as many as are said are not taken.
#[derive(Clone, Default)]
struct Output {
    lines: Rc<RefCell<Vec<u8>>>,
    interrupted: Rc<RefCell<bool>>,
    full: Rc<RefCell<u32>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.interrupted.replace(true) {
            return Err(ErrorKind::Interrupted.into());
        }
        let full = self.full.take();
        if full > 0 {
            self.full.replace(full - 1);
            return Err(ErrorKind::WouldBlock.into());
        }
        self.lines.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// What was written since it was last asked.
    fn take(&self) -> String {
        String::from_utf8(self.lines.take()).expect("text")
    }
}

struct Ends {
    wire: Wire,
    input: UnixStream,
    output: Output,
}

fn ends(revision: Revision) -> Ends {
    let (input, theirs) = UnixStream::pair().expect("a socket pair");
    let output = Output::default();
    let mut wire = Wire::new(Inbox::new(OwnedFd::from(theirs)), output.clone());
    wire.negotiated = revision;
    Ends {
        wire,
        input,
        output,
    }
}

impl Ends {
    fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).expect("it is read");
    }

    fn begun(&mut self) -> (Ticket, RpcRequest) {
        // A test that waits in vain fails instead.
        let late = Instant::now() + Duration::from_secs(20);
        match self.wire.next(Some(late)) {
            Next::Request(ticket, request) => (ticket, request),
            other => panic!("a request, not {other:?}"),
        }
    }

    /// Reads what is there, as far as it is read at all.
    fn listens(&mut self) -> Wake {
        (0..20).fold(Wake::Nothing, |_, _| {
            self.wire.listen(Duration::from_millis(10))
        })
    }
}

fn request(id: u32, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

fn batch(parts: &[String]) -> String {
    format!("[{}]", parts.join(","))
}

/// A result that says this.
fn reply(said: &str) -> Option<Result<RpcReply, RpcFailure>> {
    let fields = Map::from_iter([("said".to_owned(), Value::from(said))]);
    Some(Ok(fields.into()))
}

/// That result, as it answers the request of this id.
fn answer(id: usize, said: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"said":"{said}"}}}}"#)
}

/// The replies of a batch are one line of limited length, in which each that is still to come has room for
/// a refusal.
#[test]
fn the_replies_of_a_batch_have_room_together() {
    for before in 0..3 {
        for (begun, more) in [(0, false), (1, false), (0, true), (1, true)] {
            let mut ends = ends(Revision::Annotations);
            let all: Vec<String> = (1..=5).map(|id| request(id, "tools/list")).collect();
            ends.send(&batch(&all));
            let mut tickets: Vec<Ticket> = (0..=before + begun).map(|_| ends.begun().0).collect();
            let small = "x".repeat(100);
            for ticket in tickets.drain(..before) {
                ends.wire.finish(ticket, reply(&small));
            }
            let reserved = (5 - before - 1) * (ID_MAX_BYTES + REFUSAL_MAX_BYTES);
            let taken = before * (answer(1, &small).len() + 1);
            let room = REPLY_MAX_BYTES - taken - reserved - 2 - answer(1, "").len();
            let large = "y".repeat(room + usize::from(more));
            ends.wire.finish(tickets.remove(0), reply(&large));
            for ticket in tickets {
                ends.wire.finish(ticket, reply("z"));
            }
            for _ in before + begun + 1..5 {
                let ticket = ends.begun().0;
                ends.wire.finish(ticket, reply("z"));
            }
            let said = ends.output.take();
            let is_refused = said.contains("but the answer is longer than");
            assert_eq!(is_refused, more, "{before} {begun} {more}");
            assert!(said.len() <= REPLY_MAX_BYTES + 1, "{}", said.len());
        }
    }
}

/// Each reply goes into the line of its own request, whichever is done first.
#[test]
fn each_line_has_its_own_replies() {
    let mut ends = ends(Revision::Annotations);
    let three: Vec<String> = (1..=3).map(|id| request(id, "tools/list")).collect();
    let two: Vec<String> = (4..=5).map(|id| request(id, "tools/list")).collect();
    ends.send(&batch(&three));
    let mut tickets: Vec<Ticket> = (0..3).map(|_| ends.begun().0).collect();
    ends.send(&batch(&two));
    tickets.extend((0..2).map(|_| ends.begun().0));
    for place in [3, 4, 2, 1, 0] {
        ends.wire
            .finish(tickets[place], reply(&format!("r{}", place + 1)));
    }
    let line = |ids: &[usize]| {
        let all: Vec<String> = ids
            .iter()
            .map(|id| answer(*id, &format!("r{id}")))
            .collect();
        format!("{}\n", batch(&all))
    };
    assert_eq!(ends.output.take(), line(&[4, 5]) + &line(&[3, 2, 1]));
}

/// What may not be part of a batch is refused, each by itself, and what is withdrawn in it is not begun.
#[test]
fn a_batch_is_sorted() {
    let mut ends = ends(Revision::Annotations);
    let modern = r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    ends.send(&batch(&[
        request(1, "tools/list"),
        request(2, "initialize"),
        modern.into(),
        cancel.into(),
        request(4, "tools/list"),
    ]));
    let (ticket, begun) = ends.begun();
    assert_eq!(format!("{:?}", begun.id), "Integer(\"4\")");
    assert!(!ends.wire.has_waiting());
    ends.wire.finish(ticket, reply("r4"));
    let said = ends.output.take();
    assert_eq!(
        said.matches("this cannot be part of a batch").count(),
        2,
        "{said}"
    );
    let end = format!(",{}]\n", answer(4, "r4"));
    assert!(said.ends_with(&end), "{said}");
    // In other revisions there are none.
    let mut ends = self::ends(Revision::Icons);
    ends.send(&batch(&[request(1, "ping")]));
    assert_eq!(ends.listens(), Wake::Nothing);
    assert!(ends.output.take().contains("batches are taken in revision"));
}

/// What waits takes no more memory than it may; then nothing more is read, and what is under way counts no
/// longer among it.
#[test]
fn what_waits_is_limited_by_its_memory() {
    // In memory an empty object takes many times its text.
    let many = vec!["{}"; 12_000].join(",");
    let large = |id: u32| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"a":[{many}]}}}}"#)
    };
    let mut ends = ends(Revision::Annotations);
    ends.send(&large(1));
    let (first, begun) = ends.begun();
    assert!(begun.bytes < VALUES_MAX_BYTES && begun.bytes > VALUES_MAX_BYTES / 4);
    assert!(!ends.wire.is_laden());
    // What is under way does not keep others from being read.
    ends.wire.work_on(Some(first));
    ends.send(&request(90, "ping"));
    ends.listens();
    assert_eq!(
        ends.output.take(),
        "{\"jsonrpc\":\"2.0\",\"id\":90,\"result\":{}}\n"
    );
    let fits = VALUES_MAX_BYTES / begun.bytes + 1;
    for id in 2..=u32::try_from(fits).expect("few") + 1 {
        assert_eq!(ends.wire.has_waiting(), id > 2);
        ends.send(&large(id));
        ends.listens();
    }
    // Full: not even this is seen before its turn.
    ends.send(&request(91, "ping"));
    ends.listens();
    assert_eq!(ends.output.take(), "");
    let mut tickets = vec![first];
    while !ends.wire.is_laden() {
        tickets.push(ends.begun().0);
    }
    assert!(
        tickets.len() == fits || tickets.len() == fits + 1,
        "{}",
        tickets.len()
    );
    ends.listens();
    assert!(ends.output.take().contains("\"id\":91"));
    for ticket in tickets {
        ends.wire.finish(ticket, None);
    }
    assert!(!ends.wire.is_laden());
}

/// Also the rest of a line whose first requests are under way.
#[test]
fn what_waits_of_a_line_counts_on() {
    let some = vec!["{}"; 6_000].join(",");
    let large = |id: u32| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"a":[{some}]}}}}"#)
    };
    let mut ends = ends(Revision::Annotations);
    ends.send(&batch(&[large(1), large(2)]));
    let (first, begun) = ends.begun();
    ends.wire.work_on(Some(first));
    // So many more that the rest of the first line is what fills the queue.
    let more = (QUEUE_MAX_BYTES - 1) / begun.bytes;
    for id in 3..more + 3 {
        ends.send(&large(u32::try_from(id).expect("few")));
        ends.listens();
    }
    ends.send(&request(90, "ping"));
    ends.listens();
    assert_eq!(ends.output.take(), "", "{more}");
    let (rest, _) = ends.begun();
    ends.listens();
    assert!(ends.output.take().contains("\"id\":90"));
    for ticket in [first, rest] {
        ends.wire.finish(ticket, None);
    }
}

/// When there is no time left, also what was not read before is answered.
#[test]
fn what_is_not_begun_in_time_is_refused() {
    let mut ends = ends(Revision::Annotations);
    ends.send(&request(0, "tools/list"));
    let (first, _) = ends.begun();
    let more = u32::try_from(QUEUE_MAX).expect("few") + 50;
    let all: Vec<String> = (1..=more).map(|id| request(id, "tools/list")).collect();
    ends.send(&all.join("\n"));
    ends.input.shutdown(Shutdown::Write).expect("it is open");
    while ends.wire.end().is_none() {
        ends.listens();
    }
    let left = ends.wire.end().expect("the input has ended");
    thread::sleep(left.saturating_duration_since(Instant::now()));
    assert!(matches!(ends.wire.next(None), Next::End));
    let said = ends.output.take();
    let refused = said.matches("there was no time left to begin this: nothing was done");
    assert_eq!(refused.count(), more as usize);
    ends.wire.finish(first, None);
}

/// What is said at the end waits a little for a reader that is slow.
#[test]
fn a_slow_reader_is_waited_for_at_the_end() {
    // Where this thread is kept from its work for too long, it is done again.
    for _ in 0..20 {
        let mut ends = ends(Revision::Annotations);
        ends.send(&request(1, "tools/list"));
        let (ticket, _) = ends.begun();
        ends.input.shutdown(Shutdown::Write).expect("it is open");
        ends.listens();
        let end = ends.wire.end().expect("the input has ended");
        let soon = end.checked_sub(Duration::from_millis(40)).expect("later");
        thread::sleep(soon.saturating_duration_since(Instant::now()));
        ends.output.full.replace(2);
        ends.wire.finish(ticket, reply("r1"));
        if Instant::now() < end {
            assert_eq!(ends.output.take(), answer(1, "r1") + "\n");
            return;
        }
    }
    panic!("this machine is too slow to tell");
}

/// A file is read to its end, but nothing is heard from it during a call.
#[test]
fn a_file_is_not_listened_to() {
    let file = tempfile::tempfile().expect("a file");
    let wire = Wire::new(Inbox::new(OwnedFd::from(file)), Output::default());
    assert!(!wire.listens());
    assert!(ends(Revision::Icons).wire.listens());
}
