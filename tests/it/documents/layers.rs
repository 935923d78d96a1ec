//! The house rules that can be read off the source: floors, who may touch what, no panics.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proxmox_mcp::config::variables;
use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file with its path below `src` and its text without comments.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let source = root().join("src");
    let mut paths = Vec::new();
    walk(&source, &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source file");
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let below = path.strip_prefix(&source).expect("below src");
            let code: Vec<&str> = code.collect();
            (below.display().to_string(), code.join("\n"))
        })
        .collect()
}

/// The floors from top to bottom, as the crate's documentation lists them.
fn floors() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let floors: Vec<Vec<String>> = rows
        .map(|row| {
            let names = row.split('|').next().unwrap_or_default();
            names
                .split(',')
                .map(|name| name.trim_matches([' ', '`']).to_string())
                .collect()
        })
        .collect();
    assert!(floors.len() >= 8, "the table of floors was not found");
    floors
}

fn module_of(path: &str) -> &str {
    path.split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
}

#[test]
fn imports_point_down_only() {
    static IMPORT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"crate::(?:\{([^}]*)\}|([a-z_]+))").expect("a rule"));
    let floors = floors();
    let floor_of = |module: &str| {
        floors
            .iter()
            .position(|floor| floor.iter().any(|name| name == module))
    };
    let mut problems = Vec::new();
    for (path, code) in sources() {
        let module = module_of(&path);
        if module == "main" || module == "lib" {
            continue;
        }
        let own = floor_of(module).unwrap_or_else(|| panic!("{path} stands on no floor of lib.rs"));
        for found in IMPORT.captures_iter(&code) {
            let names = found.get(1).or(found.get(2)).expect("a name").as_str();
            for name in names.split(',') {
                let name = name.trim().split("::").next().unwrap_or_default();
                match floor_of(name) {
                    Some(floor) if floor >= own => {}
                    _ => problems.push(format!("{path} imports crate::{name}")),
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Fails where a pattern occurs in a file that is not among those that may.
fn only_in(pattern: &str, may: &[&str]) {
    let rule = Regex::new(pattern).expect("a rule");
    let mut offenders = Vec::new();
    let sources = sources();
    for prefix in may {
        assert!(
            sources.iter().any(|(path, _)| path.starts_with(prefix)),
            "{pattern} may be in {prefix}, which is not there"
        );
    }
    for (path, code) in sources {
        let is_allowed = may.iter().any(|prefix| path.starts_with(prefix));
        for line in code
            .lines()
            .filter(|line| !is_allowed && rule.is_match(line))
        {
            offenders.push(format!("{path}: {}", line.trim()));
        }
    }
    assert!(
        offenders.is_empty(),
        "{pattern} outside {may:?}: {offenders:#?}"
    );
}

#[test]
fn each_thing_is_touched_in_one_place() {
    only_in(r"TcpStream|ToSocketAddrs|UdpSocket|\bureq::", &["proxmox/"]);
    only_in(
        r"File::open|File::options|OpenOptions|fs::read|fs::write|Command::new",
        &["files.rs", "files/command.rs"],
    );
    only_in(r"env::(var|args|current|home|temp)", &["main.rs"]);
    only_in(
        r"proxmox::client|fleet::Fleet\b",
        &["proxmox/", "fleet/", "gate/", "cli/", "tool/call.rs"],
    );
    only_in(
        r"io::stdout|io::stdin",
        &["mcp/server.rs", "mcp/inbox.rs", "cli/"],
    );
    only_in(r"println!|eprintln!|print!\(|dbg!", &[]);
    only_in(r"\.expose\(\)", &["proxmox/"]);
    only_in(
        r"thread::(scope|Builder|spawn)",
        &["fleet/fan_out.rs", "proxmox/lookup.rs"],
    );
    only_in(r"\basync\b|\.await\b", &[]);
}

#[test]
fn nothing_in_the_source_can_panic_or_is_unsafe() {
    only_in(
        r"\.unwrap\(\)|\.expect\(|panic!\(|todo!\(|unimplemented!\(|unreachable!\(",
        &[],
    );
    only_in(r"\bassert(_eq|_ne)?!\(", &["tools/mod.rs"]);
    only_in(r"\bunsafe\b", &[]);
}

#[test]
fn files_hold_one_noun_and_say_what_they_are_for() {
    let mut problems = Vec::new();
    for (path, _) in sources() {
        let text = fs::read_to_string(root().join("src").join(&path)).expect("a source file");
        if !text.starts_with("//! ") {
            problems.push(format!("{path} does not open with `//!`"));
        }
        let lines = text.lines().count();
        // A file is split where it holds two nouns. So long, it is sure to.
        if lines > 900 {
            problems.push(format!("{path} has {lines} lines"));
        }
        for word in ["helpers", "utils", "common", "misc"] {
            if path.contains(word) {
                problems.push(format!("{path} is named after nothing"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// A doc comment is read alone, in an editor, where nobody sees what is the same.
#[test]
fn doc_comments_stand_alone() {
    let mut problems = Vec::new();
    for (path, _) in sources() {
        let text = fs::read_to_string(root().join("src").join(&path)).expect("a source file");
        let mut before = "";
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let begins = line.starts_with("///") && !before.starts_with("///");
            if begins && line.starts_with("/// The same") {
                problems.push(format!("{path}:{number}: {line}"));
            }
            before = line;
        }
    }
    assert_eq!(problems, [""; 0]);
}

/// Where else tools are named: the table of words says which tool tells what no list does, and a model is told
/// first what to look with.
const NAMING: [&str; 2] = ["meant.rs", "mcp/about.rs"];

/// Outside `tools`, where descriptions point at each other, no tool is named.
#[test]
fn a_tool_is_declared_once_and_named_nowhere_else() {
    let sources = sources();
    let mut problems = Vec::new();
    for tool in proxmox_mcp::tools::all() {
        let literal = format!("name: \"{}\"", tool.name);
        let declared = sources
            .iter()
            .filter(|(_, code)| code.contains(&literal))
            .count();
        if declared != 1 {
            problems.push(format!("{} is declared {declared} times", tool.name));
        }
        let elsewhere = sources
            .iter()
            .filter(|(path, _)| !path.starts_with("tools/") && !NAMING.contains(&path.as_str()));
        for (path, _) in elsewhere.filter(|(_, code)| code.contains(tool.name)) {
            problems.push(format!("{path} names {}", tool.name));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// A sentence that sends somebody to a tool sends to one that there is.
#[test]
fn every_tool_that_a_text_names_is_there() {
    const NOUN: &str =
        "(?:guest|snapshot|backup|task|node|storage|fleet|cluster|volume|template|agent)";
    static TEXT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s)"((?:[^"\\]|\\.)*)""#).expect("a pattern"));
    let in_prose =
        Regex::new(&format!(r"(?:^|\s)({NOUN}_[a-z]+(?:_[a-z]+)*)\b")).expect("a pattern");
    let instead = Regex::new(&format!(
        r#"\(\s*"[a-z0-9-]+",\s*"({NOUN}_[a-z_]+)",?\s*\)"#
    ))
    .expect("a pattern");
    let mut missing = Vec::new();
    let mut named = 0;
    for (path, code) in sources() {
        // The tools of another package have names of their own.
        if path.starts_with("tools/renamed") {
            continue;
        }
        let texts = TEXT.captures_iter(&code).map(|found| found[1].to_string());
        let prose = texts.filter(|text| text.trim().contains(' '));
        let prose: Vec<String> = prose.collect();
        let prose = prose.iter().flat_map(|text| in_prose.captures_iter(text));
        for found in prose.chain(instead.captures_iter(&code)) {
            named += 1;
            if proxmox_mcp::tools::find(&found[1]).is_none() {
                missing.push(format!("{path}: {}", &found[1]));
            }
        }
    }
    assert!(named > 20, "{named}");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A variable's name is written where its row is, so that no list of them can miss one. The words of
/// [`slip`] only look so, other programs' names are none of ours, and what lies below the rows speaks of
/// three fields.
///
/// [`slip`]: proxmox_mcp::config::slip
#[test]
fn a_variable_is_named_by_its_row() {
    const ROWS: &str = "config/variables.rs";
    only_in(
        r#""PROXMOX_\w*""#,
        &[ROWS, "config/foreign.rs", "cli/version.rs"],
    );
    let fields: Vec<&str> = variables::fields().map(|row| row.name).collect();
    only_in(
        &format!(r#""({})""#, fields.join("|")),
        &[
            ROWS,
            "config/foreign.rs",
            "config/slip.rs",
            "proxmox/advice.rs",
        ],
    );
    // Sentences name them too: what they name is there.
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"PROXMOX_[A-Z_]+").expect("a rule"));
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"variable\(settings, "(\w+)"\)"#).expect("a rule"));
    let mut unknown = Vec::new();
    let mut named = 0;
    for (path, code) in sources() {
        if [ROWS, "config/foreign.rs", "cli/version.rs"].contains(&path.as_str()) {
            continue;
        }
        let names = NAME.find_iter(&code).map(|found| found.as_str().to_owned());
        // What others begin with is no name.
        let names = names.filter(|name| !name.ends_with('_'));
        let fields = FIELD
            .captures_iter(&code)
            .map(|found| format!("PROXMOX_{}", &found[1]));
        for name in names.chain(fields) {
            named += 1;
            if !variables::is_known(&name) && variables::of_cluster(&name).next().is_none() {
                unknown.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(named > 10, "{named}");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Types that may share a name with another: the name, and why. Best none.
const SHARED_NAMES: [(&str, &str); 0] = [];

/// One word means one thing: whoever reads a type's name alone knows which type it is.
#[test]
fn no_two_public_types_share_a_name() {
    let declared =
        Regex::new(r"(?m)^\s*pub(?:\([^)]*\))? (?:struct|enum|union|trait|type) ([A-Z]\w*)")
            .expect("a rule");
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, code) in sources() {
        for found in declared.captures_iter(&code) {
            files
                .entry(found[1].to_string())
                .or_default()
                .push(path.clone());
        }
    }
    assert!(files.len() > 100, "{}", files.len());
    let excepted = |name: &str| SHARED_NAMES.iter().any(|(shared, _)| *shared == name);
    let mut problems = Vec::new();
    for (name, paths) in &files {
        if paths.len() > 1 && !excepted(name) {
            problems.push(format!(
                "`{name}` is a type of each of {}",
                paths.join(", ")
            ));
        }
    }
    for (name, _) in SHARED_NAMES {
        if files.get(name).is_none_or(|paths| paths.len() < 2) {
            problems.push(format!("`{name}` needs no exception"));
        }
    }
    assert_eq!(problems, [""; 0]);
}
