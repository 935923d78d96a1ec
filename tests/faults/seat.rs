//! The server in this process, and a client of it that survives whatever it does.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proxmox_mcp::config::{self, env_file};
use proxmox_mcp::fleet::Fleet;
use proxmox_mcp::gate::CallOrigin;
use proxmox_mcp::mcp::inbox::Inbox;
use proxmox_mcp::mcp::question::ANSWER_MAX_S;
use proxmox_mcp::mcp::server::{self, CALL_MAX_S};
use proxmox_mcp::tool::call::AppState;
use proxmox_mcp::tools::TOOLSETS;
use serde_json::{Map, Value, json};

use crate::sim::World;

const REVISION: &str = "2025-11-25";
/// What a call may take beyond its limit on a machine that does other things as well.
const SLACK_S: u64 = 15;

pub struct Seat {
    output: BufReader<UnixStream>,
    server: Option<JoinHandle<()>>,
    last_id: u64,
}

/// What a call was answered.
#[derive(Clone, Debug)]
pub enum Answer {
    Success(Map<String, Value>),
    /// `CODE: sentence`, perhaps with a second line.
    Failure(String),
}

impl Seat {
    /// A server of these clusters, each request of which may take so many seconds.
    ///
    /// # Errors
    /// The configuration is refused, or the handshake fails.
    pub fn start(world: &World, timeout_s: u64) -> Result<Seat, String> {
        // What asks is confirmed by code, however many there are.
        let mut text = world.env() + "PROXMOX_CONFIRM=code\nPROXMOX_BULK_LIMIT=1000\n";
        for cluster in &world.clusters {
            text += &format!(
                "PROXMOX_CLUSTER_{}_TIMEOUT={timeout_s}\n",
                cluster.spec.name
            );
        }
        let file = env_file::read(text.as_bytes(), &std::collections::HashMap::new());
        let config = config::read(&[], &file)
            .map_err(|report| format!("the configuration: {:?}", report.problems))?;
        let mut app = AppState::new(Fleet::new(config), TOOLSETS, CallOrigin::Mcp);
        let (ours, theirs) = UnixStream::pair().map_err(|cause| cause.to_string())?;
        let copy = theirs.try_clone().map_err(|cause| cause.to_string())?;
        let inbox = Inbox::new(OwnedFd::from(copy));
        let within = Duration::from_secs(ANSWER_MAX_S);
        let server = thread::spawn(move || server::serve(&mut app, inbox, theirs, within));
        let mut seat = Seat {
            output: BufReader::new(ours),
            server: Some(server),
            last_id: 0,
        };
        let hello = json!({"protocolVersion": REVISION, "capabilities": {},
                           "clientInfo": {"name": "faults", "version": "0"}});
        seat.request("initialize", &hello)?;
        Ok(seat)
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// It crashed, it did not answer in time, or what it said is no answer.
    pub fn call(&mut self, tool: &str, arguments: &Map<String, Value>) -> Result<Answer, String> {
        let result = self.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        if result["isError"] == json!(true) {
            return Ok(Answer::Failure(text.into()));
        }
        match &result["structuredContent"] {
            Value::Object(answer) => Ok(Answer::Success(answer.clone())),
            other => Err(format!("a result without structured content: {other}")),
        }
    }

    /// Calls a tool; where it answers with a plan, again with the code of that.
    ///
    /// # Errors
    /// As [`Seat::call`].
    pub fn confirmed(
        &mut self,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Answer, String> {
        let first = self.call(tool, arguments)?;
        match code_of(&first) {
            Some(code) => self.call(tool, &with_code(arguments, &code)),
            None => Ok(first),
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(self.output.get_mut(), "{message}").map_err(|_| "the server crashed")?;
        let limit = Duration::from_secs(CALL_MAX_S + SLACK_S);
        let until = Instant::now() + limit;
        let mut line = self.line(until)?;
        // The call before had other tools listed.
        if line.contains("notifications/tools/list_changed") && !line.contains("\"id\"") {
            line = self.line(until)?;
        }
        let reply: Value = serde_json::from_str(&line)
            .map_err(|cause| format!("standard output is not clean: {cause}: {line}"))?;
        match reply.get("result") {
            Some(result) if reply["id"] == json!(id) => Ok(result.clone()),
            _ => Err(format!("`{method}` was answered by {line}")),
        }
    }

    fn line(&mut self, until: Instant) -> Result<String, String> {
        let mut line = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("it hangs: no answer within the limit of a call".into());
            }
            let _ = self.output.get_ref().set_read_timeout(Some(left));
            match self.output.read_until(b'\n', &mut line) {
                Ok(_) if line.ends_with(b"\n") => break,
                Ok(_) => return Err("the server crashed".into()),
                Err(cause)
                    if matches!(
                        cause.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(cause) => return Err(format!("the server is gone: {cause}")),
            }
        }
        String::from_utf8(line).map_err(|_| "standard output is no UTF-8".into())
    }

    /// Ends the session.
    ///
    /// # Errors
    /// The server had something left to say, or crashed.
    pub fn end(mut self) -> Result<(), String> {
        let _ = self.output.get_ref().shutdown(std::net::Shutdown::Write);
        let _ = self.output.get_ref().set_read_timeout(None);
        let mut rest = String::new();
        let _ = std::io::Read::read_to_string(&mut self.output, &mut rest);
        let crashed = self
            .server
            .take()
            .is_some_and(|server| server.join().is_err());
        match (crashed, rest.is_empty()) {
            (true, _) => Err("the server crashed at its end".into()),
            (_, false) => Err(format!("standard output is not clean: {rest}")),
            _ => Ok(()),
        }
    }
}

/// The code that an answer asks to be called again with.
pub fn code_of(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Success(answer) if answer.contains_key("plan") => {
            answer.get("confirm")?.as_str().map(str::to_string)
        }
        _ => None,
    }
}

/// The same call with a code.
pub fn with_code(arguments: &Map<String, Value>, code: &str) -> Map<String, Value> {
    let mut arguments = arguments.clone();
    arguments.insert("confirm".into(), code.into());
    arguments
}
