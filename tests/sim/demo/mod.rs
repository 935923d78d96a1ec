//! The demo: a real session of the real program with three simulated clusters, held against what is
//! expected of it and printed for people.
#![allow(dead_code, unreachable_pub)]

pub mod client;
mod page;
mod story;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::sim::{Seen, World};
use client::{Client, Way};
use page::{line, listed, put};
use story::{Ends, STEPS, Step};

const REVISION: &str = "2025-11-25";

/// Plays the session with `program` and prints it. The clusters, the server and every file are gone
/// when it returns.
///
/// # Errors
/// The first thing that was not as expected.
pub fn play(program: &Path, out: &mut dyn Write) -> Result<(), String> {
    let world = World::three();
    let folder = tempfile::tempdir().map_err(|cause| cause.to_string())?;
    let env_file = folder.path().join("demo.env");
    write_private(&env_file, &world.env()).map_err(|cause| cause.to_string())?;
    let mut client = Client::start(program, &env_file, Way::Pipe)?;
    let hello = client.initialize(REVISION)?;
    let mut asking = Client::start(program, &env_file, Way::Pipe)?;
    asking.introduce(REVISION, &json!({"elicitation": {"form": {}}}))?;
    let tools = client.request("tools/list", &json!({}))?;
    let offered = |name: &str| {
        tools["tools"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == name))
    };
    if let Some(step) = STEPS.iter().find(|step| !offered(step.tool)) {
        return Err(format!("the server offers no `{}`", step.tool));
    }
    let server = &hello["serverInfo"];
    let (name, version) = (line(&server["name"]), line(&server["version"]));
    let clusters: Vec<&str> = world
        .clusters
        .iter()
        .map(|one| one.spec.name.as_str())
        .collect();
    put(
        out,
        &format!("{name} {version} with {}", clusters.join(", ")),
    )?;
    put(
        out,
        "> is what the assistant calls, @ what reached which cluster, < the answer,\n\
         ? what the user is asked, ! what they type",
    )?;
    let mut confirm = String::new();
    for (number, step) in (1..).zip(STEPS) {
        put(out, &format!("\n{number}. {}", step.why))?;
        let arguments = step.arguments.replace("$confirm", &confirm);
        put(out, &format!("> {} {arguments}", step.tool))?;
        let arguments: Value =
            serde_json::from_str(&arguments).map_err(|cause| cause.to_string())?;
        let result = match step.typed {
            None => client.call(step.tool, &arguments)?,
            Some(name) => asking.call_asked(step.tool, &arguments, |message| {
                for line in page::reached(&world.seen()) {
                    put(out, &line)?;
                }
                for line in message.lines() {
                    put(out, &format!("? {line}"))?;
                }
                put(out, &format!("! {name}"))?;
                Ok(json!({ "name": name }))
            })?,
        };
        let seen = world.seen();
        for line in page::reached(&seen) {
            put(out, &line)?;
        }
        for line in page::answer(step, &result) {
            put(out, &line)?;
        }
        check(step, &result, &seen).map_err(|problem| format!("step {number}: {problem}"))?;
        if let Some(code) = result["structuredContent"]["confirm"].as_str() {
            confirm = code.to_string();
        }
    }
    for client in [client, asking] {
        let (status, rest, stderr) = client.end()?;
        if !status.success() || !rest.is_empty() || !stderr.is_empty() {
            return Err(format!(
                "the server ended with {status}, after {rest:?}, and said: {stderr}"
            ));
        }
    }
    put(
        out,
        "\nBoth servers have ended; every answer was as expected.",
    )
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

/// Holds what came against what the story expects.
fn check(step: &Step, result: &Value, seen: &[Seen]) -> Result<(), String> {
    let writes = listed(seen, |one| one.method != "GET");
    if writes != step.writes {
        return Err(format!(
            "expected to be sent: {:?}, but was: {writes:?}",
            step.writes
        ));
    }
    let text = line(&result["content"][0]["text"]);
    let failed = result["isError"] == json!(true);
    match step.ends {
        Ends::Error(parts) => {
            let missing: Vec<&&str> = parts.iter().filter(|part| !text.contains(**part)).collect();
            if !failed || !missing.is_empty() {
                return Err(format!("expected an error with {parts:?}, but was: {text}"));
            }
        }
        Ends::Answer(expected) => {
            if failed {
                return Err(format!("expected an answer, but was: {text}"));
            }
            let answer = &result["structuredContent"];
            for (pointer, value) in expected {
                let found = answer.pointer(pointer).map(line);
                if found.as_deref() != Some(*value) {
                    return Err(format!(
                        "expected {pointer} to be {value}, but was: {found:?} in {text}"
                    ));
                }
            }
        }
    }
    Ok(())
}
