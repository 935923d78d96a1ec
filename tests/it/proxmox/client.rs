//! The client: what is sent and when, tokens, validation, endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::secret::SecretSource;
use proxmox_mcp::wait::{self, ListeningCall, Wake};
use serde_json::json;

use crate::proxmox::authority;
use crate::proxmox::node::{self};
use crate::proxmox::node::{Act, Node, SECRET, TOKEN, closed_port, get, mute, ok, post, refuse};

/// A connection has little room at first, and more where a header wants it.
#[test]
fn long_headers_go_and_come_whole() {
    let node = Node::start(|hit| {
        let bytes: usize = hit.target.rsplit('/').next().unwrap().parse().unwrap_or(0);
        // Beside a body that comes at once with it.
        let lines = format!("X-Long: {}\r\n", "x".repeat(1000)).repeat(bytes / 1000);
        let body = format!("{{\"data\":\"{}\"}}", "y".repeat(20_000));
        Act::Send(
            format!(
                "HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    });
    let client = node.client();
    for bytes in [0, 3_000, 9_000, 20_000, 30_000, 0, 30_000, 1_000] {
        let reply = client.send(&get(&format!("/{bytes}"))).unwrap();
        assert_eq!(reply.data.as_str().map(str::len), Some(20_000), "{bytes}");
    }
    for bytes in [0, 1_500, 3_000, 5_000, 8_000, 0] {
        let long = "z".repeat(bytes);
        let reply = client.send(&get("/of/0").with("long", long.as_str()));
        assert!(reply.is_ok(), "{bytes}: {:?}", reply.err());
        let last = node.lines().pop().unwrap();
        assert!(last.ends_with(&long) && last.len() >= bytes, "{bytes}");
    }
    let error = client.send(&get("/40000")).expect_err("it is too long");
    assert!(error.to_string().contains("too large"), "{error}");
}

const VERSION: &str = r#"{"data":{"version":"9.2.11","release":"9.2"}}"#;

#[test]
fn sends_what_proxmox_takes() {
    let node = Node::start(|_| ok(r#"{"data":null}"#));
    let client = node.client();
    let config = ["pve1", "100"];
    let template = "/nodes/{node}/qemu/{vmid}/config";
    let requests = [
        Request::new(Verb::Get, template, &config)
            .unwrap()
            .with("current", true)
            .with("pending", json!(null))
            .with("snapshot", "a b&c"),
        Request::new(Verb::Put, template, &config)
            .unwrap()
            .with("cores", 2)
            .with("onboot", false)
            .with("tags", json!(null)),
        post("/nodes/pve1/qemu/100/status/start"),
        Request::new(
            Verb::Delete,
            "/nodes/{node}/storage/{storage}/content/{volume}",
            &["pve1", "local", "local:iso/tiny ä.iso"],
        )
        .unwrap()
        .with("delay", 5)
        .with("list", json!(["a", "b"])),
    ];
    for request in &requests {
        client.send(request).unwrap();
    }
    assert_eq!(
        node.lines(),
        [
            "GET /nodes/pve1/qemu/100/config?current=1&snapshot=a%20b%26c",
            "PUT /nodes/pve1/qemu/100/config",
            "POST /nodes/pve1/qemu/100/status/start",
            "DELETE /nodes/pve1/storage/local/content/local%3Aiso%2Ftiny%20%C3%A4.iso?delay=5&list=a&list=b",
        ]
    );
    let hits = node.hits();
    let authorization = format!("PVEAPIToken={TOKEN}={SECRET}");
    for hit in &hits {
        assert_eq!(hit.header("authorization"), Some(authorization.as_str()));
        assert_eq!(hit.header("accept-encoding"), None, "gzip is not asked for");
        assert_eq!(hit.header("transfer-encoding"), None);
        assert_eq!(hit.header("expect"), None);
    }
    assert_eq!(hits[1].body, br#"{"cores":2,"onboot":false}"#);
    assert_eq!(hits[1].header("content-length"), Some("26"));
    assert_eq!(hits[1].header("content-type"), Some("application/json"));
    assert_eq!(hits[2].body, b"{}");
    assert_eq!(hits[0].header("content-length"), None);
    assert_eq!(hits[3].header("content-length"), None);
    assert_eq!(node.connections(), 1);
}

#[test]
fn too_large_a_request_is_not_sent() {
    let node = Node::start(|_| ok(VERSION));
    let request = post("/x").with("description", "x".repeat(600_000));
    let error = node.client().send(&request).unwrap_err();
    assert_eq!(error.code.as_str(), "BadArgumentsError");
    let long = get("/x").with("filter", "ä".repeat(2000));
    let error = node.client().send(&long).unwrap_err();
    assert_eq!(error.code.as_str(), "BadArgumentsError");
    assert_eq!(node.connections(), 0);
}

#[test]
fn a_refused_token_is_remembered() {
    let node = Node::start(|_| refuse(401, "Authentication failed!", ""));
    let client = node.client();
    let first = client.send(&get("/x")).unwrap_err();
    assert_eq!(first.code.as_str(), "PermissionError");
    assert!(
        first.to_string().contains("Authentication failed!"),
        "{first}"
    );
    assert!(first.hint.clone().unwrap().contains("mcp@pve!mcp"));
    let again = client.send(&post("/y")).unwrap_err();
    let expected = format!("{first} (remembered for 10 s, in which it is not asked again)");
    assert_eq!(again.to_string(), expected);
    assert_eq!(again.hint.clone(), first.hint.clone());
    assert_eq!(client.version().unwrap_err(), again);
    assert_eq!(node.hits().len(), 1);
}

#[test]
fn a_401_of_the_api_itself_is_not_remembered() {
    let node = Node::start(|_| refuse(401, "authentication failure", r#"{"data":null}"#));
    let client = node.client();
    for _ in 0..2 {
        assert_eq!(
            client.send(&get("/x")).unwrap_err().code.as_str(),
            "PermissionError"
        );
    }
    assert_eq!(node.hits().len(), 2);
}

#[test]
fn a_401_makes_the_secret_be_read_again() {
    let good = format!("PVEAPIToken={TOKEN}=new");
    let node = Node::start(move |hit| match hit.header("authorization") {
        Some(sent) if sent == good => ok(r#"{"data":1}"#),
        _ => refuse(401, "Authentication failed!", ""),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "old\n").unwrap();
    restrict(&path);
    let mut settings = node.settings();
    settings.secret = SecretSource::File(path.clone());
    let client = ClusterClient::new(settings);
    // Changed between the agent's making and the request would be a race; so it is made first.
    let unchanged = client.send(&post("/x")).unwrap_err();
    assert_eq!(unchanged.code.as_str(), "PermissionError");
    assert_eq!(node.hits().len(), 1, "the same secret is not tried again");

    // A program's is asked for again just so.
    let read = path.display().to_string();
    for secret in [
        SecretSource::File(path.clone()),
        SecretSource::Command(vec!["/bin/cat".into(), read]),
    ] {
        std::fs::write(&path, "old\n").unwrap();
        let good = format!("PVEAPIToken={TOKEN}=new");
        let rewrite = path.clone();
        let node = Node::start(move |hit| match hit.header("authorization") {
            Some(sent) if sent == good => ok(r#"{"data":1}"#),
            _ => {
                std::fs::write(&rewrite, "new\n").unwrap();
                refuse(401, "Authentication failed!", "")
            }
        });
        let mut settings = node.settings();
        settings.secret = secret;
        let client = ClusterClient::new(settings);
        assert_eq!(client.send(&post("/x")).unwrap().data.let_go(), json!(1));
        assert_eq!(client.send(&post("/y")).unwrap().data.let_go(), json!(1));
        assert_eq!(node.lines(), ["POST /x", "POST /x", "POST /y"]);
    }
}

fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_unreadable_secret_is_named_and_nothing_is_sent() {
    let node = Node::start(|_| ok(VERSION));
    let mut settings = node.settings();
    settings.secret = SecretSource::File("/nonexistent/secret".into());
    let error = ClusterClient::new(settings).send(&get("/x")).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError");
    assert!(error.to_string().contains("/nonexistent/secret"), "{error}");
    assert_eq!(node.connections(), 0);
}

#[test]
fn validation_comes_once_and_before_what_changes_something() {
    let node = Node::start(|hit| match hit.target.as_str() {
        "/api2/json/version" => ok(VERSION),
        _ => ok(r#"{"data":1}"#),
    });
    let mut settings = node.settings();
    settings.validate = true;
    let client = ClusterClient::new(settings);
    // A read is validated by its own answer.
    client.send(&get("/w")).unwrap();
    assert!(client.status().accepted);
    client.send(&post("/x")).unwrap();
    client.send(&get("/y")).unwrap();
    client.send(&post("/z")).unwrap();
    assert_eq!(client.version().unwrap(), "9.2.11");
    assert_eq!(
        node.lines(),
        ["GET /w", "GET /version", "POST /x", "GET /y", "POST /z"]
    );
}

#[test]
fn a_bad_verdict_is_not_kept() {
    let count = Arc::new(AtomicUsize::new(0));
    let node = Node::start(move |hit| match hit.target.as_str() {
        "/api2/json/version" if count.fetch_add(1, Ordering::SeqCst) == 0 => {
            ok(r#"{"data":"login first"}"#)
        }
        "/api2/json/version" => ok(VERSION),
        _ => ok(r#"{"data":1}"#),
    });
    let mut settings = node.settings();
    settings.validate = true;
    let client = ClusterClient::new(settings);
    let error = client.send(&post("/x")).unwrap_err();
    assert_eq!(error.code.as_str(), "ReplyError");
    assert_eq!(error.hint.clone(), None, "nothing of the write was sent");
    client.send(&post("/x")).unwrap();
    assert_eq!(node.lines(), ["GET /version", "GET /version", "POST /x"]);
}

fn call(deadline: Option<Duration>, work: impl FnOnce()) {
    let deadline = deadline.map(|time| Instant::now() + time);
    let listen = |time| {
        std::thread::sleep(time);
        Wake::Nothing
    };
    wait::during(ListeningCall::new(deadline, listen), work);
}

#[test]
fn a_session_is_made_anew_by_its_age_once_a_call() {
    let node = Node::start(|hit| match hit.target.as_str() {
        "/api2/json/version" => ok(VERSION),
        _ => ok(r#"{"data":1}"#),
    });
    let mut settings = node.settings();
    settings.validate = true;
    settings.renew_after = Duration::ZERO;
    let client = ClusterClient::new(settings);
    for _ in 0..2 {
        call(None, || {
            client.send(&get("/x")).unwrap();
            client.send(&post("/y")).unwrap();
            client.send(&post("/z")).unwrap();
        });
    }
    // Made anew: the next write asks again, and the one after it does not.
    let once = ["GET /x", "GET /version", "POST /y", "POST /z"];
    assert_eq!(node.lines(), [once, once].concat());
}

#[test]
fn no_write_begins_late() {
    let node = Node::start(|_| ok(r#"{"data":1}"#));
    let client = node.client();
    call(Some(Duration::from_secs(9)), || {
        let error = client.send(&post("/x")).unwrap_err();
        assert_eq!(error.code.as_str(), "ClusterConnectionError");
        assert!(error.to_string().contains("no write is begun"), "{error}");
        client.send(&get("/x")).unwrap();
    });
    call(Some(Duration::from_secs(20)), || {
        client.send(&post("/x")).unwrap();
    });
    assert_eq!(node.lines(), ["GET /x", "POST /x"]);
}

/// A path in `API_URL` stands before every request: of a call, of a validation, of a static file.
#[test]
fn a_reverse_proxys_prefix_stands_before_every_request() {
    let node = Node::start(|hit| match hit.target.ends_with("/version") {
        true => ok(VERSION),
        false => ok(r#"{"data":1}"#),
    });
    let mut endpoint = node.endpoint();
    endpoint.prefix = "/gate/pve".into();
    let mut settings = node::settings(vec![endpoint]);
    settings.validate = true;
    let client = ClusterClient::new(settings);
    client.send(&get("/nodes")).unwrap();
    client.send(&post("/nodes/pve1/qemu")).unwrap();
    client
        .read_static("/pve-docs/api-viewer/apidoc.js", None, &mut |_| Ok(()))
        .unwrap();
    let targets: Vec<String> = node.hits().into_iter().map(|hit| hit.target).collect();
    assert_eq!(
        targets,
        [
            "/gate/pve/api2/json/nodes",
            "/gate/pve/api2/json/version",
            "/gate/pve/api2/json/nodes/pve1/qemu",
            "/gate/pve/pve-docs/api-viewer/apidoc.js",
        ]
    );
}

#[test]
fn the_next_endpoint_is_asked_when_none_was_reached() {
    let node = Node::start(|_| ok(r#"{"data":1}"#));
    let (_listener, mute) = mute();
    let stranger = authority::Authority::new().issue(&["127.0.0.1"]);
    let untrusted = Node::start_with(&stranger, "127.0.0.1:0".parse().unwrap(), |_| ok("{}"));
    let unknown = proxmox_mcp::proxmox::settings::Endpoint::new("does-not-exist.invalid", 8006);
    let time = Duration::from_secs(6);
    for first in [closed_port(), unknown, untrusted.endpoint(), mute] {
        let client = ClusterClient::new(node::settings(vec![first.clone(), node.endpoint()]));
        let before = node.hits().len();
        let started = Instant::now();
        client
            .send_within(&post("/x"), time)
            .unwrap_or_else(|e| panic!("{first}: {e}"));
        assert!(started.elapsed() < time, "{first}");
        // From now on the one that is down comes last.
        let started = Instant::now();
        client.send(&post("/x")).unwrap();
        assert!(started.elapsed() < Duration::from_secs(3), "{first}");
        assert_eq!(node.hits().len(), before + 2);
    }
    assert_eq!(untrusted.hits().len(), 0);
}

#[test]
fn the_next_endpoint_is_not_asked_after_a_refusal_or_a_cut() {
    let second = Node::start(|_| ok(r#"{"data":1}"#));
    for act in [|| refuse(500, "no", ""), || Act::SendClose(Vec::new())] {
        let first = Node::start(move |_| act());
        let settings = node::settings(vec![first.endpoint(), second.endpoint()]);
        ClusterClient::new(settings).send(&post("/x")).unwrap_err();
        assert_eq!(first.hits().len(), 1);
    }
    assert_eq!(second.hits().len(), 0);
}

#[test]
fn all_endpoints_are_named_when_none_is_reached() {
    let (one, two) = (closed_port(), closed_port());
    let client = ClusterClient::new(node::settings(vec![one.clone(), two.clone()]));
    let error = client.send(&post("/x")).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError");
    let text = error.to_string();
    assert!(
        text.starts_with("prod: not reached, nothing was sent: "),
        "{text}"
    );
    for endpoint in [one, two] {
        assert_eq!(text.matches(&endpoint.to_string()).count(), 1, "{text}");
    }
}

#[test]
fn no_secret_is_ever_told() {
    let node = Node::start(|_| refuse(500, "no", ""));
    let client = node.client();
    for error in [
        client.send(&get("/x")).unwrap_err(),
        ClusterClient::new(node::settings(vec![closed_port()]))
            .send(&get("/x"))
            .unwrap_err(),
    ] {
        assert!(!format!("{error:?} {error} {:?}", error.hint.clone()).contains(SECRET));
    }
}
