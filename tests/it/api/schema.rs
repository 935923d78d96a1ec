//! The cluster's own API description: read as it streams, found by path, checked against.

use std::fmt::Write;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};

use proxmox_mcp::api::request::Verb;
use proxmox_mcp::api::schema::{self, Schema};
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::schemas::{SCHEMA_PATH, Schemas};
use serde_json::{Map, Value, json};

use crate::proxmox::node::{Act, Hit, Node, answer, ok, refuse};

const API: &str = include_str!("../../sim/api.json");

/// `apidoc.js` in the layout of the real one, made of `api.json`: a tree of paths, the numbers now
/// and then texts, descriptions that make it as large, and the viewer's code behind it.
fn apidoc() -> &'static str {
    static ONE: OnceLock<String> = OnceLock::new();
    ONE.get_or_init(|| {
        let api: Value = serde_json::from_str(API).unwrap();
        let mut root = json!({"children": []});
        for endpoint in api["endpoints"].as_array().unwrap() {
            let path = endpoint["path"].as_str().unwrap();
            let mut node = &mut root;
            let mut so_far = String::new();
            for part in path.split('/').skip(1) {
                let _ = write!(so_far, "/{part}");
                let children = node["children"].as_array_mut().unwrap();
                let at = children.iter().position(|child| child["path"] == so_far);
                let at = at.unwrap_or_else(|| {
                    children.push(json!({
                        "path": so_far, "text": part, "info": {}, "children": []}));
                    children.len() - 1
                });
                node = &mut children[at];
            }
            node["info"][endpoint["method"].as_str().unwrap()] = method(endpoint);
        }
        format!(
            "const apiSchema = {}\n;\n\nlet viewer = function() {{ return [1, 2]; }};\n{}",
            serde_json::to_string_pretty(&root["children"]).unwrap(),
            "// code\n".repeat(50_000)
        )
    })
}

fn method(endpoint: &Value) -> Value {
    let mut properties = Map::new();
    for (number, (name, param)) in endpoint["params"].as_object().unwrap().iter().enumerate() {
        let mut param = param.clone();
        param["description"] = json!("What this is for, said at length. ".repeat(16));
        param["typetext"] = json!("<string>");
        if number % 2 == 0 {
            for field in ["minimum", "maximum", "maxLength", "optional"] {
                if let Some(value) = param.get_mut(field) {
                    *value = json!(value.to_string());
                }
            }
        }
        properties.insert(name.clone(), param);
    }
    let allowed = endpoint["allowtoken"].as_u64().unwrap_or(1);
    let mut described = json!({
        "allowtoken": allowed,
        "description": "Does things. ".repeat(30),
        "method": endpoint["method"],
        "parameters": {
            "additionalProperties": endpoint["extra"].as_u64().unwrap_or(0),
            "properties": properties,
        },
        "returns": {"type": "object", "properties": {"x": {"description": "y".repeat(1000)}}},
    });
    if endpoint["perms"].is_object() {
        described["permissions"] = endpoint["perms"].clone();
        described["permissions"]["description"] = json!("And more in prose. ".repeat(80));
    }
    described
}

fn schema() -> &'static Schema {
    static ONE: OnceLock<Schema> = OnceLock::new();
    ONE.get_or_init(|| schema::read(&mut apidoc().as_bytes()).unwrap())
}

#[test]
fn every_method_is_read_and_little_is_kept() {
    assert!(apidoc().len() > 4_000_000, "{}", apidoc().len());
    let api: Value = serde_json::from_str(API).unwrap();
    let endpoints = api["endpoints"].as_array().unwrap();
    assert_eq!(schema().methods().len(), endpoints.len());
    for endpoint in endpoints {
        let path = endpoint["path"].as_str().unwrap();
        let name = endpoint["method"].as_str().unwrap();
        let verbs = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete];
        let verb = verbs.into_iter().find(|verb| verb.name() == name).unwrap();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let method = schema().find(verb, &parts).unwrap();
        assert_eq!(&*method.template, path);
        assert_eq!(
            method.params.len(),
            endpoint["params"].as_object().unwrap().len()
        );
        assert_eq!(method.extra, endpoint["extra"] == 1, "{path}");
        assert_eq!(method.token_allowed, endpoint["allowtoken"] != 0, "{path}");
        let permissions = method.permissions.as_deref();
        let permissions: Value =
            permissions.map_or(Value::Null, |p| serde_json::from_str(p).unwrap());
        assert_eq!(permissions, endpoint["perms"], "{path}");
        for param in &method.params {
            let wanted = &endpoint["params"][&*param.name];
            assert_eq!(
                param.optional,
                wanted["optional"] == 1,
                "{path} {}",
                param.name
            );
            let limits = param.limits.as_deref().copied().unwrap_or_default();
            assert_eq!(limits.minimum, wanted["minimum"].as_f64());
            assert_eq!(
                limits.max_length.map(u64::from),
                wanted["maxLength"].as_u64()
            );
        }
    }
    let bytes = schema().heap_bytes();
    println!("{bytes} bytes on the heap");
    assert!(bytes < 1024 * 1024, "{bytes}");
}

#[test]
fn a_path_is_found_by_its_template() {
    let template = |verb, path: &str| {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        schema()
            .find(verb, &parts)
            .map(|method| method.template.to_string())
    };
    let cases = [
        (
            "/nodes/pve1/qemu/100/config",
            Some("/nodes/{node}/qemu/{vmid}/config"),
        ),
        ("/cluster/nextid", Some("/cluster/nextid")),
        ("/nodes/pve1/qemu/100/nonsense", None),
        ("/nodes/pve1/qemu/100/config/x", None),
        ("/nodes", Some("/nodes")),
    ];
    for (path, wanted) in cases {
        assert_eq!(template(Verb::Get, path).as_deref(), wanted, "{path}");
    }
    assert_eq!(template(Verb::Delete, "/cluster/nextid"), None);
}

fn problems(verb: Verb, path: &str, arguments: Value) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let method = schema().find(verb, &parts).unwrap();
    method.check(arguments.as_object().unwrap())
}

#[test]
fn arguments_are_checked() {
    let config = "/nodes/pve1/qemu/100/config";
    for (arguments, wanted) in [
        (json!({}), vec![]),
        (
            json!({"cores": 2, "memory": "2048", "net0": "virtio,bridge=vmbr0", "net31": "x"}),
            vec![],
        ),
        (
            json!({"cores": "2", "onboot": true, "acpi": 0, "description": null, "_dc": 1}),
            vec![],
        ),
        (
            json!({"cores": 1.5}),
            vec!["`cores` must be a whole number, not 1.5"],
        ),
        (
            json!({"cores": "many"}),
            vec!["`cores` must be a whole number, not \"many\""],
        ),
        (
            json!({"cores": 0}),
            vec!["`cores` must be at least 1, not 0"],
        ),
        (
            json!({"core": 2}),
            vec!["`core` is not known here; did you mean `cores`?"],
        ),
        // A word that stands for another, or that is near to nothing.
        (
            json!({"ip": "10.0.0.5/24"}),
            vec!["`ip` is not known here; `ipconfig0` is meant by it here"],
        ),
        (
            json!({"cpus": 4}),
            vec!["`cpus` is not known here; `cores` is meant by it here"],
        ),
        (json!({"xyz": 4}), vec!["`xyz` is not known here"]),
        (json!({"cp": 4}), vec!["`cp` is not known here"]),
        (
            json!({"descripton": "x"}),
            vec!["`descripton` is not known here; did you mean `description`?"],
        ),
        (
            json!({"frobnicate": 2}),
            vec!["`frobnicate` is not known here"],
        ),
        (
            json!({"onboot": "maybe"}),
            vec!["`onboot` must be true or false, not \"maybe\""],
        ),
        (
            json!({"onboot": 2}),
            vec!["`onboot` must be true or false, not 2"],
        ),
        (
            json!({"net0": {"bridge": "vmbr0"}}),
            vec!["`net0` must be a text, not {\"bridge\":\"vmbr0\"}"],
        ),
        (json!({"net": "x"}), vec!["`net` is not known here"]),
        (
            json!({"bios": "grub", "cores": -1}),
            vec![
                "`bios` must be one of seabios, ovmf, not `grub`",
                "`cores` must be at least 1, not -1",
            ],
        ),
    ] {
        assert_eq!(
            problems(Verb::Put, config, arguments.clone()),
            wanted,
            "{arguments}"
        );
    }
    let long = json!({"description": "x".repeat(9000)});
    assert_eq!(
        problems(Verb::Put, config, long),
        ["`description` must have at most 8192 characters, not 9000"]
    );
    assert_eq!(
        problems(Verb::Post, "/nodes/pve1/qemu", json!({"name": "x"})),
        ["`vmid` is required"]
    );
}

#[test]
fn what_is_none_is_refused() {
    for text in [
        "",
        "var x = 1;",
        "<html></html>",
        "const apiSchema = []",
        "const apiSchema = [1]",
        "const apiSchema = [{\"path\": 1}]",
        "const apiSchema = [{\"path\": \"/x\", \"info\": {\"GET\": {}}}",
    ] {
        assert!(schema::read(&mut text.as_bytes()).is_err(), "{text}");
    }
    let nested = format!("[{}", "{\"children\":[".repeat(100_000));
    assert!(schema::read(&mut nested.as_bytes()).is_err());
    let endless = std::io::repeat(b' ');
    assert!(schema::read(&mut endless.take(10_000_000)).is_err());
    // An older name of the variable, and no end.
    let text = "var pveapi = [{\"path\": \"/x\", \"info\": {\"GET\": {\"parameters\": \
                {\"properties\": {\"a\": {}}}}}}];";
    let schema = schema::read(&mut text.as_bytes()).unwrap();
    assert!(schema.find(Verb::Get, &["x"]).is_some());
}

const MODIFIED: &str = "Sun, 04 Oct 2026 14:51:52 GMT";

fn serve(hit: &Hit, file: &[u8]) -> Act {
    match hit.target.as_str() {
        "/api2/json/version" => ok(r#"{"data":{"version":"9.2.11"}}"#),
        SCHEMA_PATH if hit.header("if-modified-since") == Some(MODIFIED) => Act::Send(
            b"HTTP/1.1 304 NOT MODIFIED\r\nLast-Modified: Sun, 04 Oct 2026 14:51:52 GMT\r\n\r\n"
                .to_vec(),
        ),
        SCHEMA_PATH => {
            let mut bytes = format!(
                "HTTP/1.1 200 OK\r\nLast-Modified: {MODIFIED}\r\nContent-Length: {}\r\n\r\n",
                file.len()
            )
            .into_bytes();
            bytes.extend_from_slice(file);
            Act::Send(bytes)
        }
        _ => ok(r#"{"data":1}"#),
    }
}

#[test]
fn one_copy_serves_all_clusters_of_a_version() {
    let one = Node::start(|hit| serve(hit, apidoc().as_bytes()));
    let two = Node::start(|hit| serve(hit, apidoc().as_bytes()));
    let (first, second) = (one.client(), two.client());
    let schemas = Schemas::new();
    let schema = schemas.of(&first).unwrap().unwrap();
    assert!(Arc::ptr_eq(&schema, &schemas.of(&second).unwrap().unwrap()));
    assert!(Arc::ptr_eq(&schema, &schemas.of(&first).unwrap().unwrap()));
    assert_eq!(two.lines(), ["GET /version"]);
    let asked = format!("GET {SCHEMA_PATH}");
    assert_eq!(one.lines(), ["GET /version", &asked]);
    assert_eq!(
        one.hits()[1].header("authorization"),
        None,
        "a static file takes no token"
    );
    // Unchanged: what is known stays.
    assert!(Arc::ptr_eq(
        &schema,
        &schemas.refreshed(&first).unwrap().unwrap()
    ));
    assert_eq!(one.hits()[3].header("if-modified-since"), Some(MODIFIED));
}

#[test]
fn a_changed_description_is_read_anew() {
    let small = "const apiSchema = [{\"path\": \"/x\", \"info\": {\"GET\": {}}}];";
    let served = Arc::new(Mutex::new(small.to_string()));
    let node = Node::start({
        let served = Arc::clone(&served);
        move |hit| match hit.target.as_str() {
            SCHEMA_PATH => {
                let text = served.lock().unwrap().clone();
                Act::Send(answer(200, "OK", &text))
            }
            _ => serve(hit, b""),
        }
    });
    let client = node.client();
    let schemas = Schemas::new();
    let before = schemas.of(&client).unwrap().unwrap();
    *served.lock().unwrap() = small.replace("/x", "/y");
    let after = schemas.refreshed(&client).unwrap().unwrap();
    assert!(before.find(Verb::Get, &["x"]).is_some());
    assert!(after.find(Verb::Get, &["y"]).is_some());
    assert!(Arc::ptr_eq(&after, &schemas.of(&client).unwrap().unwrap()));
}

#[test]
fn where_it_is_not_served_there_is_none() {
    let node = Node::start(|hit| match hit.target.as_str() {
        SCHEMA_PATH => refuse(500, "unable to open file", "unable to open file"),
        _ => serve(hit, b""),
    });
    let client = node.client();
    let schemas = Schemas::new();
    for _ in 0..2 {
        assert!(schemas.of(&client).unwrap().is_none());
    }
    assert_eq!(node.hits().len(), 2, "asked for once");
    // Garbage, and half of it.
    for file in [&b"<html>login</html>"[..], &apidoc().as_bytes()[..100_000]] {
        let node = Node::start(move |hit| serve(hit, file));
        assert!(Schemas::new().of(&node.client()).unwrap().is_none());
    }
}

#[test]
fn a_cluster_that_is_not_reached_is_an_error() {
    let client = ClusterClient::new(crate::proxmox::node::settings(vec![
        crate::proxmox::node::closed_port(),
    ]));
    let error = Schemas::new().of(&client).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError");
}
