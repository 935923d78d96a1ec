//! The real program as a child, and a client at the other end of its standard streams.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::sim::clean::{listed, telling_audit};
use crate::sim::spec::holds_a_secret;

/// Longer than any answer takes: who waits in vain ends with an error instead.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What the server's standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Pipe,
    Socket,
}

/// A server that runs until its client is dropped.
pub struct Client {
    child: Child,
    env_file: PathBuf,
    input: Option<Box<dyn Write + Send>>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    last_id: u64,
}

impl Client {
    /// Starts `program` with this configuration and nothing of our own environment.
    pub fn start(program: &Path, env_file: &Path, way: Way) -> Result<Client, String> {
        Client::start_as(Command::new(program), env_file, way)
    }

    /// The same with a command that runs the program, which passes on what stands behind it.
    pub fn start_as(mut command: Command, env_file: &Path, way: Way) -> Result<Client, String> {
        command.arg("--env-file").arg(env_file).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let socket = match way {
            Way::Pipe => {
                command.stdin(Stdio::piped());
                None
            }
            Way::Socket => {
                let (ours, theirs) = UnixStream::pair().map_err(|cause| cause.to_string())?;
                command.stdin(OwnedFd::from(theirs));
                Some(ours)
            }
        };
        let program = command.get_program().display().to_string();
        let started = command.spawn();
        // It holds the server's end of the socket, which would never look closed.
        drop(command);
        let mut child = started.map_err(|cause| format!("{program}: {cause}"))?;
        let input: Option<Box<dyn Write + Send>> = match (socket, child.stdin.take()) {
            (Some(socket), _) => Some(Box::new(socket)),
            (None, Some(pipe)) => Some(Box::new(pipe)),
            (None, None) => None,
        };
        let (sender, lines) = mpsc::channel();
        let stdout = child
            .stdout
            .take()
            .ok_or("the server has no standard output")?;
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut stderr = child
            .stderr
            .take()
            .ok_or("the server has no standard error")?;
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Ok(Client {
            child,
            env_file: env_file.to_owned(),
            input,
            lines,
            stderr: Some(stderr),
            last_id: 0,
        })
    }

    /// The process number of the server.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends one message.
    pub fn send(&mut self, message: &Value) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the input is closed")?;
        let sent = writeln!(input, "{message}").and_then(|()| input.flush());
        sent.map_err(|_| self.last_words())
    }

    /// Sends a line as it is.
    pub fn send_line(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("the input is closed")?;
        let sent = writeln!(input, "{line}").and_then(|()| input.flush());
        sent.map_err(|_| self.last_words())
    }

    /// The next message. Whatever is no JSON value on a line of its own is an error, and so is a
    /// secret, there and in the list of processes.
    pub fn receive(&mut self) -> Result<Value, String> {
        let line = self.lines.recv_timeout(PATIENCE);
        if holds_a_secret(&listed(self.id())) {
            return Err("a secret is in the list of processes".into());
        }
        match line {
            Ok(line) if holds_a_secret(&line) => Err(format!("a secret is told: {line}")),
            Ok(line) => serde_json::from_str(&line)
                .map_err(|cause| format!("standard output is not clean: {cause}: {line}")),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err(self.last_words()),
        }
    }

    /// Sends a request and gives back its id.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<u64, String> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }

    pub fn notify(&mut self, method: &str, params: &Value) -> Result<(), String> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    /// The result of a request; that it is refused by the protocol is an error.
    pub fn request(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        let id = self.ask(method, params)?;
        let mut reply = self.receive()?;
        if reply["id"] != json!(id) || reply.get("result").is_none() {
            return Err(format!("`{method}` was answered by {reply}"));
        }
        Ok(reply["result"].take())
    }

    /// The handshake; the result of `initialize`.
    pub fn initialize(&mut self, revision: &str) -> Result<Value, String> {
        self.introduce(revision, &json!({}))
    }

    /// The same as a client that can do this.
    pub fn introduce(&mut self, revision: &str, capabilities: &Value) -> Result<Value, String> {
        let hello = json!({"protocolVersion": revision, "capabilities": capabilities,
                           "clientInfo": {"name": "demo", "version": "0"}});
        let result = self.request("initialize", &hello)?;
        self.notify("notifications/initialized", &json!({}))?;
        Ok(result)
    }

    /// The result of a tool's call.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, String> {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// The same of a call in which the user is asked: what `form` gives is what they fill in, after
    /// they saw the message.
    pub fn call_asked(
        &mut self,
        tool: &str,
        arguments: &Value,
        form: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Result<Value, String> {
        let id = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let question = self.receive()?;
        let message = question["params"]["message"].as_str();
        let (true, Some(message)) = (question["method"] == "elicitation/create", message) else {
            return Err(format!("`{tool}` asked nothing, but said {question}"));
        };
        let content = form(message)?;
        self.send(&json!({"jsonrpc": "2.0", "id": question["id"],
                          "result": {"action": "accept", "content": content}}))?;
        let mut reply = self.receive()?;
        if reply["id"] != json!(id) || reply.get("result").is_none() {
            return Err(format!("`{tool}` was answered by {reply}"));
        }
        Ok(reply["result"].take())
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Closes the input; how the server ended, what it still answered, what it said on standard
    /// error.
    pub fn end(mut self) -> Result<(ExitStatus, Vec<String>, String), String> {
        self.close_input();
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("the server does not end".into()),
            }
        }
        let status = self.child.wait().map_err(|cause| cause.to_string())?;
        let stderr = self.stderr();
        let said = format!("{}\n{stderr}", rest.join("\n"));
        if holds_a_secret(&said) {
            return Err(format!("a secret is told: {said}"));
        }
        if let Some(audit) = telling_audit(&self.env_file) {
            return Err(format!("a secret is in {}", audit.display()));
        }
        Ok((status, rest, stderr))
    }

    fn stderr(&mut self) -> String {
        let text = self.stderr.take().and_then(|reader| reader.join().ok());
        text.unwrap_or_default()
    }

    /// What is to be said of a server that went away.
    fn last_words(&mut self) -> String {
        let _ = self.child.kill();
        let status = self.child.wait();
        let status = status.map_or_else(|cause| cause.to_string(), |status| status.to_string());
        let said = self.stderr();
        format!(
            "the server ended ({status}){}{}",
            if said.is_empty() { "" } else { ":\n" },
            said
        )
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
