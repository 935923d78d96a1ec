//! What a client sends: lines, messages, the arguments of calls.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use proxmox_mcp::error::{Code, Error};
use proxmox_mcp::gate::Caller;
use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::rpc::{DEPTH_MAX, ID_MAX_BYTES};
use proxmox_mcp::mcp::server::{self, Served};
use proxmox_mcp::tool::call::{CallOutcome, CallStep};
use proxmox_mcp::tool::offer::Offered;
use proxmox_mcp::tool::{Tool, args};
use proxmox_mcp::tools;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::assert_shown;

/// What fits into a socket's buffer before anybody reads it.
const INPUT_MAX_BYTES: usize = 32 << 10;

/// The real tools, of which every call ends with its arguments checked.
struct Checked;

impl Served for Checked {
    fn offered(&self) -> &[Offered] {
        &OFFERED
    }

    fn begin(&mut self, tool: &'static Tool, given: &Map<String, Value>, _: Caller) -> CallStep {
        CallStep::Ended(checked(tool, given).map(CallOutcome::Answer))
    }
}

static OFFERED: LazyLock<Vec<Offered>> =
    LazyLock::new(|| tools::all().map(Offered::whole).collect());

fn checked(tool: &Tool, given: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    args::check(tool, given).map(|(args, _)| {
        let pairs = args.iter();
        pairs
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    })
}

/// What the server says, kept.
#[derive(Clone, Default)]
struct Said(Rc<RefCell<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole loop. One JSON value a line comes out; a request with a legal id is answered with that
/// id, and no other id is.
pub fn server(bytes: &[u8]) {
    let bytes = bytes.get(..INPUT_MAX_BYTES).unwrap_or(bytes);
    let (mut ours, theirs) = UnixStream::pair().expect("a socket pair");
    ours.write_all(bytes).expect("it fits the socket's buffer");
    drop(ours);
    let said = Said::default();
    let inbox = Inbox::new(OwnedFd::from(theirs));
    server::serve(&mut Checked, inbox, said.clone(), Duration::ZERO);

    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    let said = said.0.borrow();
    for line in said
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let line = std::str::from_utf8(line).expect("UTF-8");
        assert!(!line.contains('\r'), "{line}");
        let value: Value = serde_json::from_str(line).expect("one JSON value a line");
        let replies = match value {
            Value::Array(replies) => replies,
            reply => vec![reply],
        };
        for reply in replies {
            assert_eq!(reply["jsonrpc"], "2.0", "{line}");
            assert!(
                reply.get("result").is_some() != reply.get("error").is_some(),
                "{line}"
            );
            *answered.entry(reply["id"].to_string()).or_default() += 1;
        }
    }
    let text = String::from_utf8_lossy(bytes);
    for (id, count) in requested(bytes) {
        let got = answered.get(&id).copied().unwrap_or_default();
        assert!(
            got >= count,
            "id {id} came {count} times and was answered {got} times: {text}"
        );
    }
}

/// The ids of the requests that stand on lines of their own, read in another way than the server
/// does, and how often each came.
fn requested(bytes: &[u8]) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Map<String, Value>>(line) else {
            continue;
        };
        let Ok(raw) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else {
            continue;
        };
        let is_deep = depth(&Value::Object(message.clone())) > DEPTH_MAX;
        let is_request = message.get("jsonrpc") == Some(&json!("2.0"))
            && message.get("method").is_some_and(Value::is_string);
        let id = raw.get("id").map_or("", |id| id.get());
        let is_text = id.starts_with('"');
        let is_whole = id.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
        let is_legal = !id.is_empty() && id.len() <= ID_MAX_BYTES && (is_text || is_whole);
        if is_request && is_legal && !is_deep {
            *ids.entry(message["id"].to_string()).or_default() += 1;
        }
    }
    ids
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(entries) => 1 + entries.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A tool by the first byte, and its arguments. What was taken is taken again, and stays the same.
pub fn arguments(bytes: &[u8]) {
    let Some((first, json)) = bytes.split_first() else {
        return;
    };
    let count = tools::all().count();
    let tool = tools::all()
        .nth(usize::from(*first) % count)
        .expect("a tool");
    let Ok(given) = serde_json::from_slice::<Map<String, Value>>(json) else {
        return;
    };
    match args::check(tool, &given) {
        Ok((args, _)) => {
            let kept: Map<String, Value> = args
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let (again, _) = args::check(tool, &kept).expect("what was taken");
            assert_eq!(args, again, "{}", tool.name);
            assert_eq!(args.canonical(None), again.canonical(None));
            for param in tool.params.iter().filter(|param| param.required) {
                assert!(args.has(param.name), "{} without {}", tool.name, param.name);
            }
        }
        Err(error) if error.code == Code::BadArguments => {
            assert!(!error.problems.is_empty());
            error
                .problems
                .iter()
                .for_each(|problem| assert_shown(problem));
        }
        Err(error) => panic!("not a matter of arguments: {error}"),
    }
}
