//! `proxmox-mcp manifest`: of the published forms, complete, and nothing made up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proxmox_mcp::config::variables::{Scope, Stage, VARIABLES};
use proxmox_mcp::tools;
use regex::Regex;
use serde_json::{Value, json};

use crate::cli::binary::PROGRAM;
use crate::leaks;

/// As it came in the package `@anthropic-ai/mcpb` 2.1.2; its licence lies beside it.
const SCHEMA: &str = include_str!("../../dist/mcpb-manifest-0.3.schema.json");
const SUM: &str = "fe333e598595000ae021bd27117db32ec69af6987f507ba7a63c90638ff633ce";

fn run(arguments: &[&str]) -> Output {
    leaks::output(Command::new(PROGRAM).args(arguments).env_clear())
}

#[track_caller]
fn printed(arguments: &[&str]) -> Value {
    let run = run(arguments);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{arguments:?}: {said}");
    assert_eq!(said, "");
    assert!(run.stdout.ends_with(b"}\n"));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {value}"))
}

#[test]
fn a_bundle_is_of_the_published_form() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let form = jsonschema::validator_for(&schema).expect("a schema");
    for arguments in [
        &["manifest", "mcpb"][..],
        &["manifest", "mcpb", "--repository", "https://host.invalid/x"],
    ] {
        let manifest = printed(arguments);
        let problems: Vec<String> = form
            .iter_errors(&manifest)
            .map(|problem| format!("{}: {problem}", problem.instance_path))
            .collect();
        assert_eq!(problems, [""; 0]);
        // The schema leaves it open.
        assert_eq!(manifest["manifest_version"], json!("0.3"));
        // That this check finds something.
        for (key, wrong) in [("author", json!({})), ("url", json!("x"))] {
            let mut broken = manifest.clone();
            broken[key] = wrong;
            assert!(!form.is_valid(&broken), "{key}");
        }
    }
}

#[test]
fn a_bundle_lists_every_tool_and_every_variable() {
    let manifest = printed(&["manifest", "mcpb"]);
    let listed = manifest["tools"].as_array().expect("tools");
    let names: Vec<&str> = listed.iter().map(|tool| text(tool, "/name")).collect();
    let expected: Vec<&str> = tools::all().map(|tool| tool.name).collect();
    assert_eq!(names, expected);
    for (entry, tool) in listed.iter().zip(tools::all()) {
        let about = text(entry, "/description");
        assert!(
            tool.about.starts_with(about) && about.ends_with('.'),
            "{about}"
        );
    }
    assert_eq!(manifest["tools_generated"], json!(false));
    assert_eq!(text(&manifest, "/version"), env!("CARGO_PKG_VERSION"));

    let description = text(&manifest, "/long_description");
    for variable in VARIABLES {
        let line = format!("\n- `{}`: ", variable.name);
        let is_built = variable.stage == Stage::Built;
        assert_eq!(description.contains(&line), is_built, "{}", variable.name);
    }
}

#[test]
fn a_bundle_is_for_linux_and_says_what_others_do() {
    let manifest = printed(&["manifest", "mcpb"]);
    assert_eq!(manifest["compatibility"]["platforms"], json!(["linux"]));
    let description = text(&manifest, "/long_description");
    for word in ["for Linux", "macOS and Windows", "`ssh HOST proxmox-mcp`"] {
        assert!(description.contains(word), "{word}: {description}");
    }
}

/// A host puts its own values in and starts what comes out.
#[test]
fn a_bundle_is_started_as_it_says() {
    let manifest = printed(&["manifest", "mcpb"]);
    let server = &manifest["server"];
    assert_eq!(text(server, "/type"), "binary");
    let command = text(server, "/mcp_config/command");
    assert_eq!(
        command,
        format!("${{__dirname}}/{}", text(server, "/entry_point"))
    );

    let field = &manifest["user_config"]["env_file"];
    assert_eq!(
        (text(field, "/type"), &field["required"]),
        ("file", &json!(true))
    );
    assert_eq!(
        manifest["user_config"].as_object().map(|all| all.len()),
        Some(1)
    );

    let folder = tempfile::tempdir().expect("a folder");
    let env_file = folder.path().join("clusters.env");
    let content = "PROXMOX_API_URL=https://pve.example.com:8006\nPROXMOX_TOKEN_ID=mcp@pve!main\n\
                   PROXMOX_TOKEN_SECRET=11111111-2222-3333-4444-5ec2e75ec2e7\n";
    fs::write(&env_file, content).expect("it is written");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&env_file, private).expect("its mode");
    let arguments: Vec<String> = server["mcp_config"]["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .map(|word| {
            text(word, "").replace("${user_config.env_file}", &env_file.display().to_string())
        })
        .collect();
    let rest = arguments.iter().find(|word| word.contains("${"));
    assert_eq!(rest, None);
    let mut command = Command::new(PROGRAM);
    command.args(&arguments).env_clear().stdin(Stdio::null());
    let run = leaks::output(&mut command);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && said.is_empty(),
        "{arguments:?}: {said}"
    );
    assert!(!Path::new(&arguments[1]).starts_with("${HOME}"));
}

/// What the documentation of `server.json` (2025-12-11) says of each field, and that no other is there.
#[test]
fn a_registry_is_told_what_its_documentation_asks_for() {
    let bundle = format!("proxmox-mcp-1.2.3-x86_64-linux.mcpb={SUM}");
    let server = printed(&[
        "manifest",
        "registry",
        "--name=io.github.you/proxmox-mcp",
        "--url=https://host.invalid/releases/",
        "--repository=https://github.com/you/proxmox-mcp",
        &bundle,
    ]);
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(
        keys(&server),
        [
            "$schema",
            "name",
            "title",
            "description",
            "version",
            "repository",
            "packages"
        ]
    );
    let schema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
    assert_eq!(text(&server, "/$schema"), schema);
    let name = Regex::new("^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$").expect("a rule");
    assert!(name.is_match(text(&server, "/name")));
    assert_eq!(text(&server, "/name"), "io.github.you/proxmox-mcp");
    for limited in ["/title", "/description"] {
        assert!(
            (1..=100).contains(&text(&server, limited).chars().count()),
            "{limited}"
        );
    }
    let version = Regex::new(r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$").expect("a rule");
    assert!(version.is_match(text(&server, "/version")));
    assert_eq!(
        server["repository"],
        json!({"url": "https://github.com/you/proxmox-mcp", "source": "github"})
    );

    let [package] = server["packages"].as_array().expect("packages").as_slice() else {
        panic!("one package: {server}")
    };
    // The whole address is the identifier; a `registryBaseUrl` is refused beside it.
    assert_eq!(
        keys(package),
        [
            "registryType",
            "identifier",
            "version",
            "fileSha256",
            "transport",
            "environmentVariables"
        ]
    );
    assert_eq!(text(package, "/registryType"), "mcpb");
    let identifier = "https://host.invalid/releases/proxmox-mcp-1.2.3-x86_64-linux.mcpb";
    assert_eq!(text(package, "/identifier"), identifier);
    assert_eq!(text(package, "/fileSha256"), SUM);
    assert_eq!(package["transport"], json!({"type": "stdio"}));
    assert_eq!(package["version"], server["version"]);
    inputs(&package["environmentVariables"]);
}

fn inputs(variables: &Value) {
    let inputs = variables.as_array().expect("variables");
    let built: Vec<String> = VARIABLES
        .iter()
        .filter(|one| one.stage == Stage::Built)
        .map(|one| match one.scope {
            Scope::Registry => one.name.to_owned(),
            Scope::Cluster => format!("PROXMOX_{}", one.name),
        })
        .collect();
    let names: Vec<&str> = inputs.iter().map(|input| text(input, "/name")).collect();
    assert_eq!(names, built);
    let mut secrets = Vec::new();
    for input in inputs {
        assert!(!text(input, "/description").is_empty());
        let format = text(input, "/format");
        assert!(["string", "number", "boolean", "filepath"].contains(&format));
        for key in input.as_object().expect("an object").keys() {
            // No `default`: it would hold before the file.
            assert!(
                ["name", "description", "format", "isSecret"].contains(&key.as_str()),
                "{key}"
            );
        }
        if input["isSecret"] == json!(true) {
            secrets.push(text(input, "/name"));
        }
    }
    assert_eq!(secrets, ["PROXMOX_TOKEN_SECRET"]);
    let format = |name: &str| {
        let input = inputs.iter().find(|input| input["name"] == json!(name));
        text(input.expect(name), "/format")
    };
    assert_eq!(format("PROXMOX_CA_FILE"), "filepath");
    assert_eq!(format("PROXMOX_VERIFY"), "boolean");
    assert_eq!(format("PROXMOX_TIMEOUT"), "number");
    assert_eq!(format("PROXMOX_API_URL"), "string");
}

#[test]
fn no_name_and_no_address_is_made_up() {
    let bare = printed(&["manifest", "registry"]);
    assert_eq!(text(&bare, "/name"), "localhost/proxmox-mcp");
    assert_eq!((bare.get("packages"), bare.get("repository")), (None, None));
    let bundles = [format!("a.mcpb={SUM}"), format!("b.mcpb={SUM}")];
    let named = printed(&["manifest", "registry", &bundles[0], &bundles[1]]);
    assert_eq!(text(&named, "/packages/0/identifier"), "a.mcpb");
    assert_eq!(text(&named, "/packages/1/identifier"), "b.mcpb");
    // The only addresses are those of the form's own and of the variables' examples.
    let address = Regex::new(r"https?://[^\s`\x22]+").expect("a rule");
    for document in [named, printed(&["manifest", "mcpb"])] {
        let document = document.to_string();
        let mut found: Vec<&str> = address
            .find_iter(&document)
            .map(|one| one.as_str())
            .collect();
        found.retain(|one| !one.contains("host") && !one.contains("/server.schema.json"));
        assert_eq!(found, [""; 0]);
    }
    let mut source = printed(&[
        "manifest",
        "registry",
        "--repository=https://gitlab.com/you/it",
    ]);
    assert_eq!(source["repository"]["source"].take(), json!("gitlab"));
}

#[test]
fn what_is_no_manifest_is_refused() {
    let short = format!("a.mcpb={}", &SUM[1..]);
    let upper = format!("a.mcpb={}", SUM.to_uppercase());
    let folder = format!("dist/a.mcpb={SUM}");
    let other = format!("a.zip={SUM}");
    let long = format!("--name={}/x", "a".repeat(199));
    for (arguments, said) in [
        (&[][..], "say which manifest: `mcpb` or `registry`"),
        (&["npm"], "there is no manifest `npm`"),
        (&["mcpb", "more"], "`more` is one too many"),
        (
            &["mcpb", "--name", "a/b"],
            "`--name` is for `manifest registry` only",
        ),
        (
            &["mcpb", "--url", "https://h"],
            "`--url` is for `manifest registry` only",
        ),
        (
            &["mcpb", "--repository", "http://h/x"],
            "must be an address that begins with https://",
        ),
        (
            &["mcpb", "--repository", "https:///x"],
            "must be an address",
        ),
        (&["registry", "--url", "https://h x"], "must be an address"),
        (
            &["registry", "--url", "https://h"],
            "name them as BUNDLE=SHA256",
        ),
        (
            &["registry", "--name", "proxmox-mcp"],
            "must be NAMESPACE/NAME",
        ),
        (&["registry", "--name", "a/b/c"], "must be NAMESPACE/NAME"),
        (&["registry", "--name", "/b"], "must be NAMESPACE/NAME"),
        (&["registry", &long], "at most 200 characters"),
        (&["registry", "a.mcpb"], "is not BUNDLE=SHA256"),
        (&["registry", &short], "is not BUNDLE=SHA256"),
        (&["registry", &upper], "is not BUNDLE=SHA256"),
        (&["registry", &folder], "without its folder"),
        (&["registry", &other], "the name of an .mcpb file"),
    ] {
        let mut words = vec!["manifest"];
        words.extend(arguments);
        let run = run(&words);
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{words:?}: {stderr}");
        assert!(stderr.contains(said), "{words:?}: {stderr}");
        assert!(
            stderr.contains("see `proxmox-mcp manifest --help`"),
            "{stderr}"
        );
        assert!(run.stdout.is_empty());
    }
}

/// Neither a configuration nor a broken one is looked at.
#[test]
fn a_manifest_needs_no_configuration() {
    let mut command = Command::new(PROGRAM);
    command.args(["manifest", "mcpb"]).env_clear();
    let run = leaks::output(command.env("PROXMOX_API_URL", "nonsense"));
    assert!(run.status.success());
    assert_eq!(run.stdout, self::run(&["manifest", "mcpb"]).stdout);
}
