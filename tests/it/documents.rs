//! What README says is held against the program: its session is the demo's, its tables are the
//! program's, its commands and links exist, its messages are said. `UPDATE=1` rewrites the first two.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use proxmox_mcp::api::mark::Mark;
use proxmox_mcp::config::variables::{Scope, Stage, VARIABLES, Variable};
use proxmox_mcp::tool::{Marks, Tool};
use proxmox_mcp::tools::TOOLSETS;
use proxmox_mcp::tools::levels::{self, LEVELS, Release};
use regex::Regex;

use crate::binary::PROGRAM;
use crate::demo;
use crate::leaks;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// Holds what stands between `<!-- name -->` and `<!-- /name -->` against what should stand there.
#[track_caller]
fn check(name: &str, expected: &str, same: impl Fn(&str, &str) -> bool) {
    // Several tests may rewrite the file.
    static FILE: Mutex<()> = Mutex::new(());
    let _file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = readme();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open).expect("the part begins");
    let (written, after) = rest.split_once(&close).expect("the part ends");
    if same(written, expected) {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{before}{open}{expected}{close}{after}");
        fs::write(root().join("README.md"), text).expect("README.md is written");
        return;
    }
    let differs = written
        .lines()
        .zip(expected.lines())
        .find(|(one, other)| one != other);
    panic!("README.md: the part `{name}` is out of date (UPDATE=1 rewrites it): {differs:?}");
}

fn same(one: &str, other: &str) -> bool {
    one == other
}

/// The steps of the demo that README leaves out.
const LEFT_OUT: [&str; 2] = ["1. ", "5. "];

#[test]
fn the_session_is_that_of_the_demo() {
    static CODE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b[0-9a-f]{16}\b").expect("a rule"));
    let mut session = Vec::new();
    demo::play(Path::new(PROGRAM), &mut session).expect("the demo goes well");
    let session = String::from_utf8(session).expect("text");
    let too_long: Vec<&str> = session
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert_eq!(too_long, [""; 0]);
    let parts = session.split("\n\n");
    let is_shown = |part: &&str| !LEFT_OUT.iter().any(|step| part.starts_with(step));
    let session = parts.filter(is_shown).collect::<Vec<_>>().join("\n\n");
    // The codes are random.
    let steady = |text: &str| CODE.replace_all(text, "*").into_owned();
    let expected = format!("```text\n{session}```\n");
    check("session", &expected, |one, other| {
        steady(one) == steady(other)
    });
}

#[test]
fn the_tools_are_those_of_the_program() {
    let mut table = String::from("| set | tool | mark | what it does |\n|---|---|---|---|\n");
    for set in TOOLSETS {
        for tool in set.tools {
            let about = tool.sentence().replace('|', "\\|");
            table.push_str(&format!(
                "| {} | `{}` | {} | {about} |\n",
                set.name,
                tool.name,
                marks(tool)
            ));
        }
    }
    check("tools", &table, same);
}

/// Each mark, with the actions that have it where it depends on them.
fn marks(tool: &Tool) -> String {
    let marks: BTreeSet<String> = tool.possible().iter().map(Mark::to_string).collect();
    let Marks::ByAction(actions) = tool.marks else {
        return marks.into_iter().collect::<Vec<_>>().join(" or ");
    };
    let with = |mark: &String| {
        let those = actions.iter().filter(|(_, one)| one.to_string() == *mark);
        let those: Vec<&str> = those.map(|(action, _)| *action).collect();
        format!("{mark}: {}", those.join(", "))
    };
    marks.iter().map(with).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_variables_are_those_of_the_program() {
    let built = |scope| {
        VARIABLES
            .iter()
            .filter(move |one| one.scope == scope && one.stage == Stage::Built)
    };
    let row = |one: &Variable| {
        let default = if one.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", one.default)
        };
        format!(
            "| `{}` | {default} | {} |\n",
            one.name,
            one.about.replace('|', "\\|")
        )
    };
    let head = "| variable | default | what it says |\n|---|---|---|\n";
    let registry: String = built(Scope::Registry).map(row).collect();
    let fields: String = built(Scope::Cluster).map(row).collect();
    let text = format!(
        "For all clusters:\n\n{head}{registry}\n\
         For each cluster, as `PROXMOX_CLUSTER_{{name}}_{{FIELD}}`:\n\n{head}{fields}",
    );
    check("variables", &text, same);
}

/// The lines of the code blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut within = None;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(word) if within.is_none() => within = Some(word.to_string()),
            Some(_) => within = None,
            None if within.as_deref() == Some(language) => lines.push(line.trim().to_string()),
            None => {}
        }
    }
    lines
}

#[test]
fn commands_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile");
    let cargo = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let mut problems = Vec::new();
    let mut checked = 0;
    for line in blocks(&readme(), "sh") {
        let command = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = command
            .split_whitespace()
            .filter(|word| {
                !(word.contains('=') && word.starts_with(|c: char| c.is_ascii_uppercase()))
            })
            .collect();
        let is_good = match words.as_slice() {
            ["make", targets @ ..] => targets.iter().all(|target| {
                let line = format!("{target}:");
                makefile
                    .lines()
                    .any(|rule| rule.starts_with(&line) && rule.contains("## "))
            }),
            ["cargo", "run", "--example", name, ..] => {
                cargo.contains(&format!("name = \"{name}\""))
            }
            ["cargo", "test", ..] | ["cargo", "install", "--path", ".", ..] => true,
            [program, arguments @ ..] if program.ends_with("proxmox-mcp") => is_taken(arguments),
            ["cargo", ..] => false,
            _ => continue,
        };
        checked += 1;
        if !is_good {
            problems.push(line);
        }
    }
    let commands = blocks(&readme(), "sh").join("\n") + "\n";
    for rule in makefile.lines().filter(|rule| rule.contains(" ## ")) {
        let target = rule.split(':').next().unwrap_or_default();
        if !commands.contains(&format!("make {target} ")) {
            problems.push(format!("`make {target}` is not named"));
        }
    }
    assert_eq!(problems, [""; 0]);
    assert!(checked >= 5, "only {checked} commands were found");
}

/// What `client` prints here, with the paths of an ordinary machine.
fn client(words: &[&str]) -> (String, String) {
    let run = leaks::output(
        Command::new(PROGRAM)
            .args(words)
            .args(["--env-file", "/home/you/.config/proxmox-mcp/.env"])
            .env_clear(),
    );
    let program = fs::canonicalize(PROGRAM).expect("a path");
    let program = program.to_str().expect("a path");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let [snippet, said] = [run.stdout, run.stderr]
        .map(|bytes| text(bytes).replace(program, "/usr/local/bin/proxmox-mcp"));
    (snippet, said)
}

#[test]
fn the_snippets_for_clients_are_those_of_the_program() {
    let mut text = String::new();
    for name in [
        "claude-desktop",
        "claude-code",
        "cursor",
        "vscode",
        "zed",
        "lmstudio",
    ] {
        let (snippet, said) = client(&["client", name]);
        let place = said.lines().find_map(|line| line.strip_prefix("# Into "));
        let place = place.expect("where it goes").replace("<", "\\<");
        text.push_str(&format!("`{name}`: into {place}\n\n"));
        if let Some(command) = said.lines().find_map(|line| line.strip_prefix("#   ")) {
            text.push_str(&format!("```sh\n{command}\n```\n\n"));
        }
        text.push_str(&format!("```json\n{snippet}```\n\n"));
    }
    check("clients", &format!("\n{text}"), same);
}

#[test]
fn the_snippet_over_ssh_is_that_of_the_program() {
    let host = "root@pve1.example.com";
    let run = leaks::output(
        Command::new(PROGRAM)
            .args(["client", "claude-desktop", "--ssh", host])
            .env_clear(),
    );
    let snippet = String::from_utf8(run.stdout).expect("text");
    check("ssh", &format!("```json\n{snippet}```\n"), same);
}

#[test]
fn the_levels_are_those_of_the_program() {
    let mut text =
        String::from("| level | privileges, beside those of the levels above |\n|---|---|\n");
    let mut before = BTreeSet::new();
    for (name, level) in LEVELS {
        let of_8 = levels::privileges(*level, Release::Pve8);
        let all = levels::privileges(*level, Release::Pve9);
        let more = all.iter().filter(|one| !before.contains(*one));
        let more = more.map(|one| match of_8.contains(one) {
            true => format!("`{one}`"),
            false => format!("`{one}` (9 only)"),
        });
        let more: Vec<String> = more.collect();
        text.push_str(&format!("| {name} | {} |\n", more.join(", ")));
        before = all;
    }
    check("levels", &text, same);
}

/// Whether the program takes these arguments, told by running it.
fn is_taken(arguments: &[&str]) -> bool {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--help").env_clear();
    leaks::output(&mut command).status.success()
}

#[test]
fn links_lead_somewhere() {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)]+)\)").expect("a rule"));
    let mut problems = Vec::new();
    for document in ["README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        for link in LINK.captures_iter(&text) {
            let link = link[1].to_string();
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target: PathBuf = root().join(if path.is_empty() { document } else { path });
            let there = fs::read_to_string(&target).unwrap_or_default();
            let headed = there
                .lines()
                .any(|line| line.starts_with('#') && slug(line) == anchor);
            if !target.exists() || !(anchor.is_empty() || headed) {
                problems.push(format!("{document}: {link}"));
            }
        }
    }
    assert_eq!(problems, [""; 0]);
}

/// A heading's name in links.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Every message under "Trouble and cure" is one that the program says: the first column of the
/// table holds it in backticks, with `…` for what differs from case to case.
#[test]
fn messages_are_those_of_the_program() {
    let text = readme();
    let (_, rest) = text
        .split_once("\n## Trouble and cure\n")
        .expect("the part");
    let part = rest.split("\n## ").next().unwrap_or_default();
    let source = source();
    let mut problems = Vec::new();
    let mut checked = 0;
    for row in part.lines().filter(|line| line.starts_with("| `")) {
        let message = row.split('`').nth(1).unwrap_or_default();
        checked += 1;
        let pieces = message
            .split('…')
            .map(|piece| piece.trim_matches([' ', ':', ';']))
            .filter(|piece| piece.len() > 3);
        let unsaid = pieces.filter(|piece| !source.contains(piece));
        problems.extend(unsaid.map(|piece| format!("{message}: `{piece}`")));
    }
    assert_eq!(problems, [""; 0]);
    assert!(checked >= 8, "only {checked} messages were found");
}

/// Every code that an answer can have is explained under "Safety".
#[test]
fn codes_of_errors_are_explained() {
    static CODE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"=> "(\w+Error)""#).expect("a rule"));
    let errors = fs::read_to_string(root().join("src/error.rs")).expect("error.rs");
    let text = readme();
    let codes: Vec<String> = CODE
        .captures_iter(&errors)
        .map(|code| code[1].to_string())
        .collect();
    // A cancelled call is not answered.
    let unexplained: Vec<&String> = codes
        .iter()
        .filter(|code| *code != "CancelledError" && !text.contains(&format!("`{code}`")))
        .collect();
    assert_eq!(unexplained, [""; 0]);
    assert!(codes.len() >= 10, "only {codes:?} were found");
}

/// All source, with the texts that are broken over several lines in one.
fn source() -> String {
    static BREAK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\\n\s*").expect("a rule"));
    fn walk(folder: &Path, into: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push_str(&fs::read_to_string(&path).expect("a source file"));
            }
        }
    }
    let mut text = String::new();
    walk(&root().join("src"), &mut text);
    BREAK.replace_all(&text, "").into_owned()
}
