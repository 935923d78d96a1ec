//! `client`: each snippet is in its client's form, and its command line starts the program.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::binary::PROGRAM;
use crate::cli::commands::bare;
use crate::leaks;
use crate::sim::World;

/// Client, key of its servers, and whether a server says that it is spoken to by stdio.
const FORMS: [(&str, &str, bool); 6] = [
    ("claude-desktop", "mcpServers", false),
    ("claude-code", "mcpServers", true),
    ("cursor", "mcpServers", true),
    ("vscode", "servers", true),
    ("zed", "context_servers", false),
    ("lmstudio", "mcpServers", false),
];

/// A folder that the program is asked in, with a blank and a quote in its name.
struct House {
    folder: TempDir,
}

impl House {
    fn new(env: &str) -> House {
        let folder = tempfile::Builder::new().prefix("it's here ").tempdir();
        let folder = folder.expect("a temporary folder");
        let file = folder.path().join("my.env");
        crate::demo::write_private(&file, env).expect("the configuration is written");
        House { folder }
    }

    fn env_file(&self) -> String {
        let file = self.folder.path().join("my.env");
        file.to_str().expect("a path").to_owned()
    }

    /// Standard output and error of a command that must go well.
    #[track_caller]
    fn asks(&self, words: &[&str]) -> (String, String) {
        let mut command = Command::new(PROGRAM);
        command.args(words).env_clear();
        command.env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        let run = leaks::output(&mut command);
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(run.stdout), text(run.stderr))
    }
}

/// The words of a server's command line, taken from a snippet in the form of its client.
#[track_caller]
fn words((client, servers, typed): (&str, &str, bool), snippet: &str) -> Vec<String> {
    let snippet: Value = serde_json::from_str(snippet).expect("JSON");
    let keys = |value: &Value| -> Vec<String> {
        let map = value.as_object().expect("an object");
        map.keys().cloned().collect()
    };
    assert_eq!(keys(&snippet), [servers], "{client}");
    assert_eq!(keys(&snippet[servers]), ["proxmox"], "{client}");
    let server = &snippet[servers]["proxmox"];
    if typed {
        assert_eq!(server["type"], json!("stdio"), "{client}");
        assert_eq!(keys(server), ["type", "command", "args"], "{client}");
    } else {
        assert_eq!(keys(server), ["command", "args"], "{client}");
    }
    let arguments = server["args"].as_array().expect("arguments");
    let all = std::iter::once(&server["command"]).chain(arguments);
    all.map(|word| word.as_str().expect("a word").to_owned())
        .collect()
}

/// Starts a command line as a client does, and says what `initialize` is answered.
#[track_caller]
fn starts(words: &[String], environment: &[(&str, OsString)]) -> Value {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "it", "version": "0"}}});
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, format!("{hello}\n").as_bytes()).expect("it reads");
    drop(input);
    let said = leaks::clean(child.wait_with_output().expect("it ends"));
    let Output { stdout, stderr, .. } = said;
    assert_eq!(String::from_utf8_lossy(&stderr), "", "{words:?}");
    let reply: Value = serde_json::from_slice(&stdout).expect("one answer");
    reply["result"]["serverInfo"]["name"].clone()
}

#[test]
fn each_snippet_starts_the_program() {
    let world = World::three();
    let house = House::new(&world.env());
    for form in FORMS {
        // A relative file is the one in this folder.
        let (snippet, said) = house.asks(&["client", form.0, "--env-file", "my.env"]);
        let words = words(form, &snippet);
        let env_file = house.env_file();
        assert_eq!(
            words[0],
            fs::canonicalize(PROGRAM)
                .expect("a path")
                .to_str()
                .expect("a path")
        );
        assert_eq!(words[1..], ["--env-file", &env_file]);
        assert!(said.starts_with("# Into "), "{said}");
        assert_eq!(starts(&words, &[]), json!("proxmox-mcp"));
    }
}

/// The `ssh` of the tests runs what stands behind the host as a shell there does.
#[test]
fn each_snippet_over_ssh_starts_the_program() {
    let world = World::three();
    let house = House::new(&world.env());
    let bin = house.folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink(PROGRAM, bin.join("proxmox-mcp")).expect("a link");
    let noted = house.folder.path().join("noted");
    let ssh = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients"));
    let path = std::env::join_paths([ssh, &bin, Path::new("/usr/bin"), Path::new("/bin")]);
    let there = [
        ("PATH", path.expect("a path")),
        ("NOTED", noted.clone().into()),
    ];
    let host = "root@pve1.example.com";
    for form in FORMS {
        let env_file = house.env_file();
        let (snippet, said) =
            house.asks(&["client", form.0, "--ssh", host, "--env-file", &env_file]);
        let words = words(form, &snippet);
        assert_eq!(
            words[..6],
            ["ssh", "-T", "-o", "BatchMode=yes", host, "proxmox-mcp"]
        );
        assert!(said.contains("has to work by a key"), "{said}");
        assert_eq!(starts(&words, &there), json!("proxmox-mcp"));
        let noted = fs::read_to_string(&noted).expect("it was run");
        assert_eq!(noted.lines().collect::<Vec<_>>(), words[1..]);

        let (snippet, _) = house.asks(&["client", form.0, "--ssh", host]);
        let shorter = self::words(form, &snippet);
        assert_eq!(
            shorter,
            words[..6],
            "there it finds its configuration itself"
        );
    }
}

/// Claude Code is told by a command, too; a shell takes it apart here.
#[test]
fn the_command_for_claude_code_says_the_same() {
    let house = House::new("");
    let (snippet, said) = house.asks(&["client", "claude-code", "--env-file", "my.env"]);
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("#   claude "));
    let line = line.expect("the command");
    let run =
        leaks::output(Command::new("/bin/sh").args(["-c", &format!("printf '%s\\n' {line}")]));
    let said = String::from_utf8(run.stdout).expect("text");
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(
        said[..6],
        ["mcp", "add", "--scope", "user", "proxmox", "--"]
    );
    assert_eq!(said[6..], words(FORMS[1], &snippet));
}

#[test]
fn where_the_configuration_will_be_is_said() {
    let house = House::new("");
    let (snippet, said) = house.asks(&["client", "zed"]);
    let expected = house.folder.path().join(".config/proxmox-mcp/.env");
    let expected = expected.to_str().expect("a path").to_owned();
    assert_eq!(words(FORMS[4], &snippet)[2], expected);
    assert!(
        said.contains(&format!("# {expected} is not there yet")),
        "{said}"
    );
}

#[test]
fn what_no_client_or_host_can_be_is_refused() {
    let refused = |words: &[&str], part: &str| {
        let said = bare(words);
        assert_eq!((said.status, said.stdout.as_str()), (Some(2), ""));
        assert!(said.stderr.contains(part), "{}", said.stderr);
    };
    refused(&["client"], "claude-desktop, claude-code, cursor, vscode");
    refused(&["client", "emacs"], "`client` needs one of");
    refused(&["client", "zed", "--ssh=-oProxyCommand=x"], "needs a host");
    refused(&["client", "zed", "--ssh", "a b"], "needs a host");
    refused(&["client", "zed", "--ssh", "$(x)"], "needs a host");
    let relative = ["client", "zed", "--ssh", "pve1", "--env-file", "my.env"];
    refused(&relative, "is a path on the host");
}
