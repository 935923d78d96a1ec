//! What no test may ever see, whatever it is about: a token's secret, and a character that hides.
//! Every line of a session, every output of the program and every audit file is looked at.

use std::path::Path;
use std::process::{Command, Output};

use proxmox_mcp::text::is_hidden;
use serde_json::Value;

use crate::sim::clean::{Clean, telling_audit};
use crate::sim::spec::{SECRET_MARKS, holds_a_secret};

#[track_caller]
pub(crate) fn no_secret(line: &str) {
    assert!(!holds_a_secret(line), "a secret is told: {line}");
}

/// That an answer of a tool hides nothing.
#[track_caller]
pub(crate) fn nothing_hidden(result: &Value) {
    assert_eq!(hidden_in(result), None, "it hides something");
}

/// A text of `value` that hides something.
fn hidden_in(value: &Value) -> Option<&str> {
    let hides = |text: &str| text.replacen("\nhint: ", "", 1).chars().any(is_hidden);
    match value {
        Value::String(text) => hides(text).then_some(text.as_str()),
        Value::Array(entries) => entries.iter().find_map(hidden_in),
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let in_key = hides(key).then_some(key.as_str());
            in_key.or_else(|| hidden_in(value))
        }),
        _ => None,
    }
}

/// What a command says until it ends.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    let output = clean(command.output().expect("it runs"));
    let words: Vec<_> = command.get_args().collect();
    for pair in words.windows(2).filter(|pair| pair[0] == "--env-file") {
        assert_eq!(telling_audit(Path::new(pair[1])), None, "a secret is told");
    }
    output
}

/// The same output, when there is no secret in it.
#[track_caller]
pub(crate) fn clean(output: Output) -> Output {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(bytes);
        no_secret(&text);
        let hides = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
        assert!(!text.chars().any(hides), "it hides something: {text:?}");
    }
    output
}

/// Nothing runs a program past this.
#[test]
fn every_output_is_looked_at() {
    let mut problems = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                &mut folders
            } else {
                &mut files
            }
            .push(path);
        }
    }
    assert!(files.len() > 80, "{}", files.len());
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_owned();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        // `outage` starts the simulator and not the program.
        let may_start = name == "outage.rs" || text.contains("leaks::clean(");
        for (number, line) in (1..).zip(text.lines()) {
            let runs = line.contains(".output()");
            let waits = line.contains("wait_with_output()") && !line.contains("leaks::clean(");
            let starts = line.contains(".spawn()") && !may_start;
            if (runs || waits || starts) && name != "leaks.rs" {
                problems.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert_eq!(problems, [""; 0], "go through `leaks::output`");
}

/// What looks at the audit files does find a secret in one.
#[test]
fn a_secret_in_an_audit_file_is_found() {
    let folder = Clean::new().expect("a temporary folder");
    let audit = folder.path().join("audit.jsonl");
    let env_file = folder.path().join("test.env");
    let line = format!("PROXMOX_AUDIT_LOG={}\n", audit.display());
    std::fs::write(&env_file, line).expect("it is written");
    let told = format!("{{}}\n{{\"arguments\":\"{}0\"}}\n", SECRET_MARKS[0]);
    for (text, found) in [("{}\n", vec![]), (told.as_str(), vec![audit.clone()])] {
        std::fs::write(&audit, text).expect("it is written");
        assert_eq!(folder.telling(), found);
        assert_eq!(telling_audit(&env_file), found.first().cloned());
    }
    std::fs::remove_file(audit).expect("it is there");
}
