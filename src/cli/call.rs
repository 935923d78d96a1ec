//! `proxmox-mcp call`: one call of a tool, through the same table and the same gate as over MCP.

use std::io::{self, Read};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::person::Person;
use super::readable;
use super::terminal::Terminal;
use super::{Command, EXIT_WRONG, EarlyExit, Start};
use crate::error::Error;
use crate::fleet::Fleet;
use crate::gate::{CallOrigin, Caller};
use crate::log;
use crate::text::repeated;
use crate::tool::Tool;
use crate::tool::call::{self, AppState, CallOutcome};
use crate::tools;
use crate::wait::{self, ListeningCall, Wake};

pub(super) const CALL: Command = Command {
    name: "call",
    usage: "TOOL ['JSON'|-] [--json] [--confirm NAME]",
    about: "Calls a tool with the arguments given, - for those on standard input; what asks is confirmed by the object's name",
    flags: &["--json"],
    valued: &["--confirm"],
    run,
};

/// The longest arguments that are read from standard input: as long as a message may be.
const INPUT_MAX_BYTES: u64 = 4 << 20;
/// What takes no longer is not worth a line.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);

pub(super) fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let (tool, arguments) = asked(start)?;
    let config = start.configuration()?;
    let mut app = AppState::new(Fleet::new(config), tools::TOOLSETS, CallOrigin::CommandLine);
    let person = Person {
        terminal: start.terminal,
        given: start.options.value("--confirm"),
    };
    // There is no deadline: whoever waits can end it.
    let listening = ListeningCall::new(None, listen(start.terminal, tool.name));
    let result = wait::during(listening, || asking(&person, &mut app, tool, &arguments));
    start.terminal.progress("");
    match result {
        Ok(answer) if start.options.has("--json") => {
            start.print(&format!("{}\n", Value::Object(answer)))
        }
        Ok(answer) => start.print(&readable::text(start.terminal, &answer)),
        Err(error) => {
            say(&error);
            Err(EarlyExit::Said(ExitCode::from(EXIT_WRONG)))
        }
    }
}

/// The answer of the call, after the person's reply where the gate wants one.
fn asking(
    person: &Person,
    app: &mut AppState,
    tool: &'static Tool,
    arguments: &Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let mut caller = Caller {
        client: (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        can_be_asked: true,
        reply: None,
        asking: &Vec::new,
    };
    let question = match call::call(app, tool, arguments, caller)? {
        CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => return Ok(answer),
        CallOutcome::Question(question) => question,
    };
    let reply = person.reply(&question)?;
    caller.reply = Some(&reply);
    match call::call(app, tool, arguments, caller)? {
        CallOutcome::Answer(answer) | CallOutcome::Planned(answer) => Ok(answer),
        CallOutcome::Question(_) => Err(Error::not_allowed("", "the answer was not enough")),
    }
}

/// The tool and its arguments.
fn asked(start: &Start) -> Result<(&'static Tool, Map<String, Value>), EarlyExit> {
    start.takes(2)?;
    let mut words = start.options.rest.iter();
    let Some(name) = words.next() else {
        return Err(EarlyExit::Usage("`call` needs the name of a tool".into()));
    };
    let arguments = match words.next().map(String::as_str) {
        None => Map::new(),
        Some("-") => object(&input()?)?,
        Some(text) => object(text)?,
    };
    let Some(tool) = tools::find(name) else {
        let renamed = tools::renamed::sentence(name, &arguments);
        let unknown = || format!("there is no tool `{}`", repeated(name));
        return Err(EarlyExit::Usage(renamed.unwrap_or_else(unknown)));
    };
    if start.options.value("--confirm").is_some() && !tool.takes_confirm() {
        let problem = format!("`{}` asks nothing that `--confirm` could answer", tool.name);
        return Err(EarlyExit::Usage(problem));
    }
    Ok((tool, arguments))
}

fn object(text: &str) -> Result<Map<String, Value>, EarlyExit> {
    let problem = match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => return Ok(arguments),
        Ok(_) => "must be a JSON object, as '{\"guest\":100}'".to_owned(),
        Err(cause) => format!("are no JSON: {cause}"),
    };
    Err(EarlyExit::Usage(format!("the arguments {problem}")))
}

fn input() -> Result<String, EarlyExit> {
    let mut text = String::new();
    match io::stdin()
        .lock()
        .take(INPUT_MAX_BYTES)
        .read_to_string(&mut text)
    {
        Ok(_) => Ok(text),
        Err(cause) => Err(EarlyExit::Usage(format!(
            "the arguments cannot be read from standard input: {cause}"
        ))),
    }
}

/// Nobody speaks meanwhile; a line says for how long it has been waited.
fn listen(terminal: Terminal, tool: &'static str) -> impl FnMut(Duration) -> Wake + 'static {
    let began = Instant::now();
    let mut said_s = None;
    move |at_most| {
        thread::sleep(at_most);
        let waited = began.elapsed();
        if waited >= PROGRESS_AFTER && said_s != Some(waited.as_secs()) {
            said_s = Some(waited.as_secs());
            terminal.progress(&format!(
                "{tool}: waiting for {} s, Ctrl-C ends it",
                waited.as_secs()
            ));
        }
        Wake::Nothing
    }
}

fn say(error: &Error) {
    log::error(&format!("{}: {error}", error.code.as_str()));
    if let Some(hint) = &error.hint {
        log::error(&format!("hint: {hint}"));
    }
}
