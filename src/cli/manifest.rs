//! `manifest`: what an MCP bundle and a registry say of this program, out of the table of tools and
//! the table of variables, so that it cannot go stale. It asks for no configuration.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::options::CommandOptions;
use super::{Command, EarlyExit, Start};
use crate::config::variables::{self, Scope, Stage, VARIABLES, Variable};
use crate::text::repeated;
use crate::tool::Tool;
use crate::tools;

pub(super) const MANIFEST: Command = Command {
    name: "manifest",
    usage: "mcpb|registry [--name NAME] [--url URL] [--repository URL] [BUNDLE=SHA256...]",
    about: "Prints the manifest.json of an MCP bundle, or the server.json that tells a registry of the bundles below URL",
    flags: &[],
    valued: &["--name", "--repository", "--url"],
    run,
};

/// The manifest's form. Claude Desktop knows it; what 0.4 adds is for Python only.
const MANIFEST_VERSION: &str = "0.3";
/// The form of `server.json`, which names itself by this address.
const REGISTRY_SCHEMA: &str =
    "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
const TITLE: &str = "Proxmox VE clusters";
/// As in LICENSE.
const AUTHOR: &str = "The proxmox-mcp authors";
const DESCRIPTION: &str = env!("CARGO_PKG_DESCRIPTION");
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where nobody has said under which name it is published: nobody owns `localhost`, so a registry that
/// asks for a proof refuses it.
const NAME: &str = "localhost/proxmox-mcp";
/// The longest name of a server in a registry.
const NAME_MAX: usize = 200;
/// Hexadecimal digits of a SHA-256.
const SUM_DIGITS: usize = 64;
/// Where the program is in the bundle.
const ENTRY_POINT: &str = "server/proxmox-mcp";
const ENV_FILE: &str = "${HOME}/.config/proxmox-mcp/.env";

const WHERE_IT_RUNS: &str = "The program in this bundle is for Linux, and so the bundle is for hosts \
that run on Linux. On macOS and Windows do without the bundle: put the program on a Linux machine, \
such as a node of the cluster, and give the host the command `ssh HOST proxmox-mcp`, as \
`proxmox-mcp client` with `--ssh HOST` prints it for each host.";

/// A bundle as it was named on the command line.
struct Bundle<'a> {
    file: &'a str,
    sum: &'a str,
}

fn run(start: &Start) -> Result<ExitCode, EarlyExit> {
    let options = &start.options;
    let mut words = options.rest.iter().map(String::as_str);
    let document = match words.next() {
        Some("mcpb") => mcpb(options, words.next()),
        Some("registry") => registry(options, words),
        Some(word) => Err(format!(
            "there is no manifest `{}`: say `mcpb` or `registry`",
            repeated(word)
        )),
        None => Err("say which manifest: `mcpb` or `registry`".to_owned()),
    };
    let document = document.map_err(EarlyExit::Usage)?;
    start.print(&format!("{document:#}\n"))
}

/// The `manifest.json` of a bundle.
fn mcpb(options: &CommandOptions, superfluous: Option<&str>) -> Result<Value, String> {
    if let Some(word) = superfluous {
        return Err(format!("`{}` is one too many", repeated(word)));
    }
    for option in ["--name", "--url"] {
        if options.value(option).is_some() {
            return Err(format!("`{option}` is for `manifest registry` only"));
        }
    }
    let tools: Vec<Value> = tools::all()
        .map(|tool| json!({"name": tool.name, "description": sentence(tool)}))
        .collect();
    let mut manifest = json!({
        "manifest_version": MANIFEST_VERSION,
        "name": env!("CARGO_PKG_NAME"),
        "display_name": TITLE,
        "version": VERSION,
        "description": DESCRIPTION,
        "long_description": long_description(),
        "author": {"name": AUTHOR},
        "license": env!("CARGO_PKG_LICENSE"),
        "keywords": ["proxmox", "virtualization", "cluster", "backup"],
        "server": {
            "type": "binary",
            "entry_point": ENTRY_POINT,
            "mcp_config": {
                "command": format!("${{__dirname}}/{ENTRY_POINT}"),
                "args": ["--env-file", "${user_config.env_file}"],
            },
        },
        // No secrets here: hosts hand on what is left blank as an empty variable, and the environment
        // holds before the file.
        "user_config": {
            "env_file": {
                "type": "file",
                "title": "Configuration file (.env)",
                "description": "The clusters and their tokens. The file must belong to you and be writable by nobody else",
                "required": true,
                "default": ENV_FILE,
            },
        },
        "tools": tools,
        "tools_generated": false,
        "compatibility": {"platforms": ["linux"]},
    });
    if let (Some(address), Some(manifest)) = (repository(options)?, manifest.as_object_mut()) {
        let repository = json!({"type": "git", "url": address});
        manifest.insert("repository".to_owned(), repository);
    }
    Ok(manifest)
}

/// What a registry is told in `server.json`.
fn registry<'a>(
    options: &CommandOptions,
    words: impl Iterator<Item = &'a str>,
) -> Result<Value, String> {
    let name = options.value("--name").unwrap_or(NAME);
    if !is_name(name) {
        return Err(format!(
            "`--name {}`: must be NAMESPACE/NAME with the namespace in reverse-DNS form, at most {NAME_MAX} characters",
            repeated(name)
        ));
    }
    let folder = options.value("--url").map(|text| address("--url", text));
    let folder = folder.transpose()?;
    let bundles: Vec<Bundle> = words.map(bundle).collect::<Result<_, _>>()?;
    if folder.is_some() && bundles.is_empty() {
        return Err("`--url` is where the bundles are: name them as BUNDLE=SHA256".to_owned());
    }
    let mut server = Map::new();
    let mut put = |key: &str, value: Value| server.insert(key.to_owned(), value);
    put("$schema", json!(REGISTRY_SCHEMA));
    put("name", json!(name));
    put("title", json!(TITLE));
    put("description", json!(DESCRIPTION));
    put("version", json!(VERSION));
    if let Some(address) = repository(options)? {
        put(
            "repository",
            json!({"url": address, "source": source(address)}),
        );
    }
    if !bundles.is_empty() {
        let packages: Vec<Value> = bundles.iter().map(|one| package(one, folder)).collect();
        put("packages", json!(packages));
    }
    Ok(Value::Object(server))
}

fn package(bundle: &Bundle, folder: Option<&str>) -> Value {
    let identifier = folder.map_or_else(
        || bundle.file.to_owned(),
        |folder| format!("{}/{}", folder.trim_end_matches('/'), bundle.file),
    );
    let variables: Vec<Value> = built().map(environment_variable).collect();
    json!({
        "registryType": "mcpb",
        "identifier": identifier,
        "version": VERSION,
        "fileSha256": bundle.sum,
        "transport": {"type": "stdio"},
        "environmentVariables": variables,
    })
}

/// Without `default`: what a host prefills would hold before the file.
fn environment_variable(variable: &Variable) -> Value {
    let mut about = said(variable);
    let mut name = variable.name.to_owned();
    if variable.scope == Scope::Cluster {
        about = format!("with one cluster only: {about}");
        name.insert_str(0, variables::PREFIX);
    }
    let mut input = json!({"name": name, "description": about, "format": format(variable)});
    if let (true, Some(input)) = (is_secret(variable), input.as_object_mut()) {
        input.insert("isSecret".to_owned(), json!(true));
    }
    input
}

fn built() -> impl Iterator<Item = &'static Variable> {
    VARIABLES
        .iter()
        .filter(|variable| variable.stage == Stage::Built)
}

fn is_secret(variable: &Variable) -> bool {
    variable.name.ends_with("SECRET")
}

/// The kind of input, as its name and its default tell.
fn format(variable: &Variable) -> &'static str {
    if variable.name.ends_with("_FILE") {
        "filepath"
    } else if variable.default.parse::<bool>().is_ok() {
        "boolean"
    } else if variable.default.parse::<u64>().is_ok() {
        "number"
    } else {
        "string"
    }
}

fn said(variable: &Variable) -> String {
    match variable.default {
        "" => variable.about.to_owned(),
        default => format!("{} (default {default})", variable.about),
    }
}

/// In Markdown: what it does, where it runs, and what stands in the file that it asks for.
fn long_description() -> String {
    let mut text = format!("{DESCRIPTION}.\n\n{WHERE_IT_RUNS}\n");
    for (scope, title) in [
        (
            Scope::Registry,
            "In the configuration file, for all clusters:",
        ),
        (
            Scope::Cluster,
            "For each cluster, as `PROXMOX_CLUSTER_{name}_{FIELD}`, or with one cluster only as `PROXMOX_{FIELD}`:",
        ),
    ] {
        text.push_str(&format!("\n{title}\n\n"));
        for variable in built().filter(|variable| variable.scope == scope) {
            text.push_str(&format!("- `{}`: {}\n", variable.name, said(variable)));
        }
    }
    text
}

/// The first sentence, which says it all.
fn sentence(tool: &Tool) -> String {
    match tool.about.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => tool.about.to_owned(),
    }
}

/// `FILE.mcpb=SHA256`.
fn bundle(word: &str) -> Result<Bundle<'_>, String> {
    let digits = |sum: &str| {
        sum.len() == SUM_DIGITS && sum.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    };
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
    match word.split_once('=') {
        Some((file, sum)) if file.ends_with(".mcpb") && file.chars().all(letter) && digits(sum) => {
            Ok(Bundle { file, sum })
        }
        _ => Err(format!(
            "`{}` is not BUNDLE=SHA256: the name of an .mcpb file without its folder, and the {SUM_DIGITS} lower-case digits that sha256sum prints",
            repeated(word)
        )),
    }
}

fn is_name(name: &str) -> bool {
    let good = |part: &str, more: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !part.is_empty() && part.chars().all(fits)
    };
    name.len() <= NAME_MAX
        && name
            .split_once('/')
            .is_some_and(|(space, name)| good(space, ".-") && good(name, "._-"))
}

fn repository(options: &CommandOptions) -> Result<Option<&str>, String> {
    let given = options.value("--repository");
    given.map(|text| address("--repository", text)).transpose()
}

/// An address as registries take it.
fn address<'a>(option: &str, text: &'a str) -> Result<&'a str, String> {
    let fits = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}?#".contains(c);
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(fits) => {
            Ok(text)
        }
        _ => Err(format!(
            "`{option} {}`: must be an address that begins with https://",
            repeated(text)
        )),
    }
}

/// Who keeps the repository, in the registry's words where it has one.
fn source(address: &str) -> &str {
    let host = address.trim_start_matches("https://");
    let host = host.split('/').next().unwrap_or(host);
    match host {
        "github.com" => "github",
        "gitlab.com" => "gitlab",
        other => other,
    }
}
