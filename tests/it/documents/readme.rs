//! README and the topics of `proxmox-mcp help` are held against the program: the session is the demo's,
//! the tables are the program's, commands and links exist, messages are said. `UPDATE=1` rewrites what
//! is generated in README.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use proxmox_mcp::api::mark::{Effect, Mark};
use proxmox_mcp::cli::{EXIT_NOT_STARTED, EXIT_WRONG};
use proxmox_mcp::config::variables::{Scope, Stage, VARIABLES};
use proxmox_mcp::config::{self, env_file};
use proxmox_mcp::fleet::query::grammar;
use proxmox_mcp::tools::TOOLSETS;
use proxmox_mcp::tools::levels::{self, LEVELS, PveRelease};
use regex::Regex;
use serde_json::Value;

use crate::cli::binary::PROGRAM;
use crate::cli::commands::{Shell, bare};
use crate::demo;
use crate::leaks;
use crate::sim::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// What `proxmox-mcp help` prints of a topic, or without one.
#[track_caller]
fn help(words: &[&str]) -> String {
    bare(&[&["help"], words].concat()).well()
}

/// The lines of `help` that tell the topics.
fn listed() -> String {
    let text = help(&[]);
    let (_, topics) = text.split_once("\nTopics").expect("the topics");
    let (_, lines) = topics.split_once('\n').expect("lines");
    lines.to_string()
}

/// Every topic by its name, as it is printed.
fn topics() -> Vec<(String, String)> {
    let listed = listed();
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let topics: Vec<_> = names
        .map(|name| (name.to_string(), help(&[name])))
        .collect();
    assert!(topics.len() >= 10, "{listed}");
    topics
}

/// README and all topics.
fn documents() -> Vec<(String, String)> {
    let readme = ("README.md".to_string(), readme());
    std::iter::once(readme).chain(topics()).collect()
}

/// What stands below a heading of a topic.
fn part(topic: &str, heading: &str) -> String {
    let text = help(&[topic]);
    let (_, rest) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect("the part");
    rest.split("\n## ").next().unwrap_or_default().to_string()
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

/// The steps of the demo that README shows, and the lines of a plan that it leaves out.
const SHOWN: [&str; 2] = ["7. ", "8. "];
/// It is to be seen at a glance, with the lines of its fence.
const SESSION_MAX_LINES: usize = 20;
const LEFT_OUT: [&str; 9] = [
    "<   cluster:",
    "<   vmid:",
    "<   action:",
    "<   type:",
    "<   node:",
    "<   status:",
    "<   disks:",
    "<   snapshots:",
    "<   last_backup:",
];

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
    let (_, steps) = session.split_once("\n\n").expect("a head");
    let is_shown = |step: &&str| SHOWN.iter().any(|number| step.starts_with(number));
    let steps: Vec<&str> = steps.split("\n\n").filter(is_shown).collect();
    assert_eq!(steps.len(), SHOWN.len());
    let is_shown = |line: &&str| !LEFT_OUT.iter().any(|key| line.starts_with(key));
    let lines = steps.join("\n\n");
    let lines: Vec<&str> = lines.lines().filter(is_shown).collect();
    let session = format!("{}\n", lines.join("\n"));
    // The codes are random.
    let steady = |text: &str| CODE.replace_all(text, "*").into_owned();
    let expected = format!("```text\n{session}```\n");
    let count = expected.lines().count();
    assert!(count <= SESSION_MAX_LINES, "the session has {count} lines");
    check("session", &expected, |one, other| {
        steady(one) == steady(other)
    });
}

#[test]
fn readme_is_short() {
    let bytes = readme().len();
    assert!(bytes <= 12_000, "README.md has {bytes} bytes");
}

#[test]
fn readmes_topics_and_toolsets_are_those_of_the_program() {
    let rows = |text: &str| -> String {
        let lines = text.lines().skip_while(|line| !line.starts_with('|'));
        let rows = lines.take_while(|line| line.starts_with('|'));
        rows.map(|row| format!("{row}\n")).collect()
    };
    check("toolsets", &rows(&part("tools", "Sets")), same);
    let row = |line: &str| {
        let (name, about) = line.trim().split_once(' ').expect("a topic and its line");
        format!("| `{name}` | {} |\n", about.trim())
    };
    let topics: String = listed().lines().map(row).collect();
    let table = format!("| topic | what it says |\n|---|---|\n{topics}");
    check("topics", &table, same);
}

/// A topic is listed in one line, and its tables are filled in.
#[test]
fn topics_are_whole() {
    let too_wide: Vec<String> = listed()
        .lines()
        .filter(|line| line.chars().count() > 80)
        .map(str::to_string)
        .collect();
    assert_eq!(too_wide, [""; 0]);
    for (name, text) in topics() {
        assert!(text.starts_with(&format!("# {name}: ")), "{text}");
        assert!(!text.contains("<!--"), "a table is missing in {name}");
        assert!(text.len() > 1000, "{name} says nothing: {text}");
    }
}

#[test]
fn the_tools_are_those_of_the_program() {
    let text = part("tools", "All tools");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    let mut tools = TOOLSETS
        .iter()
        .flat_map(|set| set.tools.iter().map(move |tool| (set, tool)));
    // Below the heading they stand in the order of the program.
    for row in &rows[1..] {
        let (set, tool) = tools.next().expect("a tool for each row");
        let marks = row.strip_prefix(&format!("| {} | `{}` | ", set.name, tool.name));
        let about = format!(" | {} |", tool.sentence().replace('|', "\\|"));
        let marks = marks.and_then(|rest| rest.strip_suffix(&about));
        let marks = marks.unwrap_or_else(|| panic!("{row} is not of {}", tool.name));
        let marks: Vec<&str> = marks.split("; ").collect();
        match tool.by_word() {
            Some(actions) => {
                let told = marks.iter().flat_map(|part| {
                    let (mark, words) = part.split_once(": ").expect("a mark and its actions");
                    words.split(", ").map(move |word| (word, mark.to_string()))
                });
                let told: BTreeSet<(&str, String)> = told.collect();
                let known = actions.iter().map(|one| (one.word, one.mark.to_string()));
                assert_eq!(told, known.collect(), "{row}");
            }
            None => {
                let told: BTreeSet<String> = marks[0].split(" or ").map(str::to_string).collect();
                let known = tool.possible().map(|mark| mark.to_string()).collect();
                assert_eq!(told, known, "{row}");
            }
        }
    }
    assert!(tools.next().is_none(), "a tool has no row");
}

#[test]
fn the_variables_are_those_of_the_program() {
    let text = part("configuration", "Several clusters, or one");
    let (registry, fields) = text.split_once("For each cluster").expect("two tables");
    for one in VARIABLES {
        let table = match one.scope {
            Scope::Registry => registry,
            Scope::Cluster => fields,
        };
        let default = match one.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let about = one.about.replace('|', "\\|");
        let row = format!("\n| `{}` | {default} | {about} |\n", one.name);
        let is_told = one.stage == Stage::Built;
        assert_eq!(table.matches(&row).count(), usize::from(is_told), "{row}");
        let rows = text.matches(&format!("\n| `{}` |", one.name)).count();
        let namesakes = VARIABLES.iter().filter(|other| other.name == one.name);
        let told = namesakes.filter(|other| other.stage == Stage::Built);
        assert_eq!(rows, told.count(), "{}", one.name);
    }
}

/// The configurations that README shows are read without a problem or a warning.
#[test]
fn the_files_in_readme_are_good() {
    let files = blocks_apart(&readme(), "ini");
    assert_eq!(files.len(), 2, "{files:?}");
    for (file, clusters) in files.iter().zip([1, 2]) {
        let read = env_file::read(file.as_bytes(), &HashMap::new());
        assert!(read.broken.is_empty(), "{file}");
        let Ok(config) = config::read(&[], &read.pairs.into()) else {
            panic!("not read: {file}");
        };
        assert_eq!(config.clusters.len(), clusters);
        assert_eq!(config.warnings, [""; 0]);
    }
}

/// The code blocks of this language.
fn blocks_apart(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut within = None;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(word) if within.is_none() => {
                within = Some(word.to_string());
                if word == language {
                    blocks.push(String::new());
                }
            }
            Some(_) => within = None,
            None if within.as_deref() == Some(language) => {
                let block = blocks.last_mut().expect("it has begun");
                block.push_str(&format!("{}\n", line.trim()));
            }
            None => {}
        }
    }
    blocks
}

/// The lines of the code blocks of this language, in README and all topics.
fn blocks(language: &str) -> Vec<String> {
    let documents = documents();
    let blocks = documents
        .iter()
        .flat_map(|(_, text)| blocks_apart(text, language));
    let text: String = blocks.collect();
    text.lines().map(str::to_string).collect()
}

/// What the shell lines begin with that is no command of ours: others' programs, which nobody runs here.
const OF_OTHERS: [&str; 7] = ["apt", "chmod", "claude", "cp", "mkdir", "scp", "sudo"];
/// What is run for real, beside being asked for its help: what needs three clusters and changes no files.
const RUN: [&str; 4] = ["call", "check", "help", "tools"];

/// Whether this line, run for real with three clusters behind it, gets as far as its work: the status for
/// wrong arguments and a broken configuration says that it does not. Whether the work goes well is
/// another matter, as of a guest that only the manual has.
fn is_begun(shell: &Shell, arguments: &[&str], input: &str) -> bool {
    let is_run = arguments.first().is_some_and(|name| RUN.contains(name));
    let status = is_run.then(|| shell.run_with(arguments, input).status);
    status.is_none_or(|status| status.is_some_and(|status| status != i32::from(EXIT_NOT_STARTED)))
}

#[test]
fn commands_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile");
    let dev = fs::read_to_string(root().join("tests/dev/main.rs")).expect("its commands");
    let world = World::three();
    let shell = Shell::new(&world.env());
    let mut problems = Vec::new();
    let mut checked = 0;
    for line in blocks("sh") {
        let command = line.split('#').next().unwrap_or_default().trim();
        let words = words_of(command);
        let words: Vec<&str> = words
            .iter()
            .map(String::as_str)
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
            ["cargo", "run", "--example", "dev", "--", name, ..] => {
                dev.contains(&format!("(\"{name}\", "))
            }
            ["cargo", "test", ..] | ["cargo", "install", "--path", ".", ..] => true,
            [program, arguments @ ..] if program.ends_with("proxmox-mcp") => {
                is_taken(arguments) && is_begun(&shell, arguments, "")
            }
            ["echo", input, "|", "proxmox-mcp", arguments @ ..] => {
                is_taken(arguments) && is_begun(&shell, arguments, input)
            }
            [program, ..] if OF_OTHERS.contains(program) => continue,
            _ => false,
        };
        checked += 1;
        if !is_good {
            problems.push(line);
        }
    }
    let commands = blocks_apart(&readme(), "sh").concat();
    for rule in makefile.lines().filter(|rule| rule.contains(" ## ")) {
        let target = rule.split(':').next().unwrap_or_default();
        if !commands.contains(&format!("make {target} ")) {
            problems.push(format!("`make {target}` is not named"));
        }
    }
    assert_eq!(problems, [""; 0]);
    assert!(checked >= 40, "only {checked} commands were found");
}

/// Every command of this program that is named within a sentence, there and in the source, is taken; a
/// topic that is named is there, and holds the words behind it.
#[test]
fn commands_in_sentences_exist() {
    static SAID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("`proxmox-mcp ([^`\n{]+)`").expect("a rule"));
    let mut texts = documents();
    texts.push(("src".to_string(), source("")));
    for file in ["CHANGELOG.md", "Makefile", ".env.example.multi"] {
        let text = fs::read_to_string(root().join(file)).expect("a file");
        texts.push((file.to_string(), text));
    }
    let (mut problems, mut topics) = (BTreeSet::new(), 0);
    for (name, text) in &texts {
        for said in SAID.captures_iter(text) {
            let words = words_of(&said[1]);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let is_good = match words.as_slice() {
                ["help", "TOPIC"] => true,
                ["help", words @ ..] => {
                    topics += 1;
                    bare(&[&["help"], words].concat()).status == Some(0)
                }
                words => is_taken(words),
            };
            if !is_good {
                problems.insert(format!("{name}: {}", &said[0]));
            }
        }
    }
    assert_eq!(problems, BTreeSet::new());
    assert!(topics >= 10, "only {topics} topics are named");
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
    let topic = part("clients", "The clients");
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
        let place = place.expect("where it goes");
        text.push_str(&format!("\n`{name}`: into {place}\n\n"));
        if let Some(command) = said.lines().find_map(|line| line.strip_prefix("#   ")) {
            text.push_str(&format!("```sh\n{command}\n```\n\n"));
        }
        text.push_str(&format!("```json\n{snippet}```\n"));
    }
    assert_eq!(topic, text);
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
    let topic = part("clients", "On another machine, by ssh");
    assert!(
        topic.contains(&format!("\n```json\n{snippet}```\n")),
        "{topic}"
    );
}

#[test]
fn the_levels_are_those_of_the_program() {
    let text = part("safety", "Levels");
    let (_, table) = text.split_once("| level | privileges").expect("the table");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), LEVELS.len());
    let mut above = BTreeSet::new();
    for ((name, level), row) in LEVELS.iter().zip(rows) {
        let of_8 = levels::privileges(*level, PveRelease::Pve8);
        let all = levels::privileges(*level, PveRelease::Pve9);
        let more = all.difference(&above).map(|one| match of_8.contains(one) {
            true => format!("`{one}`"),
            false => format!("`{one}` (9 only)"),
        });
        let more: Vec<String> = more.collect();
        assert_eq!(row, format!("| `{name}` | {} |", more.join(", ")));
        above = all;
    }
}

/// An example of what a level allows, and the tool that does it, by its action where it has several.
const EXAMPLES: [(&str, &str, &str); 18] = [
    ("lists", "guest_list", ""),
    ("states", "guest_get", ""),
    ("logs", "task_get", ""),
    ("backups that exist", "backup_list", ""),
    ("start", "guest_power", "start"),
    ("shut down", "guest_power", "shutdown"),
    ("snapshot", "snapshot_create", ""),
    ("back up", "backup_create", "snapshot"),
    ("migrate", "guest_migrate", "live"),
    ("create", "guest_create_vm", ""),
    ("clone", "guest_clone", ""),
    ("resize", "guest_disk", "resize"),
    ("network cards", "guest_network", "set"),
    ("settings", "guest_configure", ""),
    ("delete", "guest_delete", ""),
    ("roll back", "snapshot_rollback", ""),
    ("restore over a guest", "backup_restore", "over"),
    ("destroy a disk", "guest_disk", "remove"),
];

/// The rows of a table, a cell each.
fn cells(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    // Below the heading.
    let rows = rows.skip(1).map(|row| row.trim_matches('|').split(" | "));
    rows.map(|row| row.map(str::trim).collect()).collect()
}

#[test]
fn what_a_level_allows_is_what_the_program_does() {
    let text = part("safety", "Levels");
    let (table, _) = text.split_once("| level | privileges").expect("the table");
    let rows = cells(table);
    let names: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let levels = Effect::ALL.map(Effect::name);
    assert_eq!(names, levels);
    let mut used = BTreeSet::new();
    for (row, level) in rows.iter().zip(Effect::ALL) {
        let mark = Mark {
            effect: level,
            ..Mark::READ
        };
        assert!(row[1].contains(&format!("**{mark}**: ")), "{row:?}");
        for example in row[2].split(", ") {
            let known = EXAMPLES.iter().find(|(words, ..)| *words == example);
            let (_, tool, word) = known.unwrap_or_else(|| panic!("who does `{example}`?"));
            let tool = proxmox_mcp::tools::find(tool).expect("a tool");
            let mut actions = tool.actions().iter();
            let action = actions.find(|action| action.word == *word);
            let action = action.unwrap_or_else(|| panic!("{} has no `{word}`", tool.name));
            assert_eq!(action.mark.effect, level, "{example}");
            used.insert(example);
        }
    }
    assert_eq!(used.len(), EXAMPLES.len());
}

/// Each status that the commands end with is told, and for the one that says that something was not
/// found, which commands do.
#[test]
fn exit_statuses_are_those_of_the_program() {
    static STATUS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"ExitCode::from\((\w+)\)").expect("a rule"));
    let text = part("tools", "In a shell");
    let (_, table) = text.split_once("| exit status ").expect("the table");
    let table = format!("| exit status {table}");
    let rows = cells(&table);
    let told: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let known = [0, EXIT_WRONG, EXIT_NOT_STARTED].map(|status| status.to_string());
    assert_eq!(told, known);
    let source = source(".rs");
    let given: BTreeSet<&str> = STATUS
        .captures_iter(&source)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    assert_eq!(given, BTreeSet::from(["EXIT_NOT_STARTED", "EXIT_WRONG"]));
    let commands = root().join("src/cli");
    let wrong = |name: &str| {
        let places = [
            format!("{name}.rs"),
            format!("{name}/mod.rs"),
            format!("{name}/verify.rs"),
        ];
        places.iter().any(|place| {
            let text = fs::read_to_string(commands.join(place)).unwrap_or_default();
            text.contains("from(EXIT_WRONG)")
        })
    };
    let names = proxmox_mcp::cli::COMMANDS
        .iter()
        .map(|command| command.name);
    for name in names.filter(|name| *name != "call") {
        let is_told = rows[1][1].contains(&format!("`{name}`"));
        assert_eq!(is_told, wrong(name), "{name}: {}", rows[1][1]);
    }
}

/// The words of a command, as a shell takes quotes off.
fn words_of(command: &str) -> Vec<String> {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"'([^']*)'|"([^"]*)"|(\S+)"#).expect("a rule"));
    let word = |found: regex::Captures| {
        found
            .iter()
            .skip(1)
            .flatten()
            .map(|one| one.as_str())
            .collect()
    };
    WORD.captures_iter(command).map(word).collect()
}

/// Whether the program takes these arguments, told by running it; a call's are those of its tool.
fn is_taken(arguments: &[&str]) -> bool {
    if let ["call", tool, text, ..] = arguments
        && !is_a_call(tool, text)
    {
        return false;
    }
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--help").env_clear();
    leaks::output(&mut command).status.success()
}

/// Whether a tool of this name takes these parameters; what is looked for is understood.
fn is_a_call(tool: &str, text: &str) -> bool {
    let Some(tool) = proxmox_mcp::tools::find(tool) else {
        return false;
    };
    if text == "-" {
        return true;
    }
    let Ok(Value::Object(given)) = serde_json::from_str(text) else {
        return false;
    };
    let known = |name: &String| name == "cluster" || tool.params.iter().any(|one| one.name == name);
    let query = given.get("query").and_then(Value::as_str);
    given.keys().all(known) && query.is_none_or(|query| grammar::parse(query).is_ok())
}

#[test]
fn links_lead_somewhere() {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)]+)\)").expect("a rule"));
    let mut problems = Vec::new();
    let changes = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let mut documents = documents();
    documents.push(("CHANGELOG.md".to_string(), changes));
    for (document, text) in &documents {
        for link in LINK.captures_iter(text) {
            let link = link[1].to_string();
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if path.is_empty() { document } else { path };
            // A topic has none of the files beside it.
            let is_file = document.ends_with(".md");
            let target: PathBuf = root().join(path);
            let there = fs::read_to_string(&target).unwrap_or_default();
            let headed = there
                .lines()
                .any(|line| line.starts_with('#') && slug(line) == anchor);
            if !is_file || !target.exists() || !(anchor.is_empty() || headed) {
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

/// Every message in the topic `errors` is one that the program says: the first column of the table
/// holds it in backticks, with `…` for what differs from case to case.
#[test]
fn messages_are_those_of_the_program() {
    let part = part("errors", "Messages");
    let source = source(".rs");
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
    assert!(checked >= 30, "only {checked} messages were found");
}

/// Every code that an answer can have is explained in the topic `errors`, and none that it cannot.
#[test]
fn codes_of_errors_are_explained() {
    static CODE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"=> "(\w+Error)""#).expect("a rule"));
    static TOLD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`(\w+Error)`").expect("a rule"));
    let errors = fs::read_to_string(root().join("src/error.rs")).expect("error.rs");
    let codes = CODE.captures_iter(&errors).map(|code| code[1].to_string());
    // A cancelled call is not answered; a broken configuration never comes to one.
    let mut codes: BTreeSet<String> = codes.filter(|code| code != "CancelledError").collect();
    assert!(codes.len() >= 10, "only {codes:?} were found");
    codes.insert(proxmox_mcp::cli::CONFIGURATION_ERROR.to_string());
    let part = part("errors", "Codes");
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    let told = rows.flat_map(|row| TOLD.captures_iter(row).map(|code| code[1].to_string()));
    assert_eq!(told.collect::<BTreeSet<String>>(), codes);
}

/// All files of the source whose names end so, with the texts that are broken over several lines in one.
fn source(end: &str) -> String {
    static BREAK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\\n\s*").expect("a rule"));
    fn walk(folder: &Path, end: &str, into: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, end, into);
            } else if path.to_str().is_some_and(|path| path.ends_with(end)) {
                into.push_str(&fs::read_to_string(&path).expect("a source file"));
            }
        }
    }
    let mut text = String::new();
    walk(&root().join("src"), end, &mut text);
    BREAK.replace_all(&text, "").into_owned()
}
