//! Answers: how they are read, what a refusal becomes, and what is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::error::Error;
use proxmox_mcp::proxmox::advice;
use proxmox_mcp::proxmox::answer::Answer;
use serde_json::json;

use crate::proxmox::node::{self};
use crate::proxmox::node::{Act, Node, answer, get, ok, post, refuse};

#[test]
fn reads_data_and_total() {
    let node = Node::start(|hit| match hit.target.as_str() {
        "/api2/json/a" => ok(r#"{"data":[1,2],"total":7}"#),
        "/api2/json/b" => ok(r#"{"total":"8","data":null}"#),
        _ => ok(r#"{"data":"x"}"#),
    });
    let client = node.client();
    let reply = client.send(&get("/a")).unwrap();
    assert_eq!((reply.data.let_go(), reply.total), (json!([1, 2]), Some(7)));
    let reply = client.send(&get("/b")).unwrap();
    assert_eq!((reply.data.let_go(), reply.total), (json!(null), Some(8)));
    assert_eq!(*client.send_raw(&get("/c")).unwrap(), *br#"{"data":"x"}"#);
}

/// What waits, as the network of a node says it; nothing where that is empty, or no text.
#[test]
fn reads_what_waits_beside_the_data() {
    let node = Node::start(|hit| match hit.target.as_str() {
        "/api2/json/a" => ok(r#"{"data":[],"changes":"--- a\n+++ b\n"}"#),
        "/api2/json/b" => ok(r#"{"changes":"","data":[]}"#),
        "/api2/json/c" => ok(r#"{"data":[],"changes":null}"#),
        _ => ok(r#"{"data":[]}"#),
    });
    let client = node.client();
    let waits = |path| client.send(&get(path)).unwrap().changes;
    assert_eq!(waits("/a").as_deref(), Some("--- a\n+++ b\n"));
    for path in ["/b", "/c", "/d"] {
        assert_eq!(waits(path), None, "{path}");
    }
}

fn refusal(status: u16, reason: &'static str, body: &'static str, request: &Request) -> Error {
    let node = Node::start(move |_| refuse(status, reason, body));
    node.client().send(request).unwrap_err()
}

#[test]
fn a_refusal_keeps_proxmoxs_words() {
    let reason = "VM 100 not running";
    for body in [
        "",
        r#"{"data":null}"#,
        r#"{"data":null,"message":"VM 100 not running\n"}"#,
        // As measured, without a type of content.
        "VM 100 not running at /usr/share/perl5/PVE/API2/Qemu.pm line 1.",
    ] {
        let error = refusal(500, reason, body, &post("/x"));
        assert_eq!(
            error.to_string(),
            "prod: Proxmox refused (500): VM 100 not running",
            "{body}"
        );
        assert_eq!(error.code.as_str(), "ProxmoxError");
    }
    let body = r#"{"errors":{"vmid":"no such\nthing \u001b[31m","name":"too long"},"message":"Parameter verification failed.\n","data":null}"#;
    let error = refusal(400, "Parameter verification failed.", body, &post("/x"));
    assert_eq!(
        error.to_string(),
        "prod: Proxmox refused (400): Parameter verification failed.; `name`: too long; \
         `vmid`: no such\\nthing \\u{1b}[31m"
    );
}

#[test]
fn a_refusal_is_one_by_its_status_line_alone() {
    let node = Node::start(|_| {
        Act::SendClose(b"HTTP/1.1 500 no such storage\r\nContent-Length: 99\r\n\r\n{".to_vec())
    });
    let error = node.client().send(&post("/x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "prod: Proxmox refused (500): no such storage"
    );
}

#[test]
fn a_refusal_that_is_known_says_what_to_do() {
    let hint = |reason| {
        refusal(500, reason, "", &post("/x"))
            .hint
            .clone()
            .unwrap_or_default()
    };
    assert!(hint("VM is locked (backup)").contains("list of tasks"));
    assert!(hint("can't lock file '/run/lock/100.conf' - got timeout").contains("wait for it"));
    assert!(hint("checksum mismatch (file change by other user?)").contains("read it again"));
    assert_eq!(hint("VM 100 not running"), "");
}

/// The ways of Proxmox to say that the cluster has no majority, and what is like them.
#[test]
fn no_quorum_is_told_by_all_of_its_words() {
    for (said, is_so) in [
        ("cluster not ready - no quorum?", true),
        (
            "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!",
            true,
        ),
        ("cfs-lock 'firewall-vm-886' error: no quorum!", true),
        (
            "unable to open file '/etc/pve/nodes/b1/qemu-server/886.conf.tmp.88' - Permission denied",
            true,
        ),
        (
            "unable to open file '/etc/pve/nodes/b1/config.tmp.88' - Permission denied",
            true,
        ),
        (
            "storage migration failed: unable to open file '/etc/pve/nodes/b1/qemu-server/886.conf.tmp.9' - Permission denied",
            true,
        ),
        (
            "unable to open file '/var/lib/vz/x' - Permission denied",
            false,
        ),
        ("Permission denied - invalid csrf token", false),
        (
            "unable to open file '/etc/pve/nodes/b1/config.tmp.88' - No such file or directory",
            false,
        ),
    ] {
        let refused = refusal(500, said, "", &post("/x"))
            .hint
            .clone()
            .unwrap_or_default();
        let failed = advice::task_exit(said, true).unwrap_or_default();
        for hint in [refused, failed] {
            assert_eq!(
                hint.starts_with("the cluster has no quorum"),
                is_so,
                "{said}: {hint}"
            );
        }
    }
}

#[test]
fn a_backup_of_one_guest_is_not_one_of_several() {
    let hint = |of_one| advice::task_exit("job errors", of_one).unwrap_or_default();
    assert_eq!(hint(true), "the backup failed: the log says why");
    assert_eq!(
        hint(false),
        "one of several guests failed: the log says which"
    );
}

#[test]
fn what_a_cluster_says_is_made_fit_to_be_shown() {
    for (text, shown) in [
        ("plain ä 日本", "plain ä 日本"),
        ("a\nb\tc\r", "a\\nb c\\r"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("\u{202e}evil\u{200b}", "\\u{202e}evil\\u{200b}"),
        ("\u{e0041}\u{feff}\u{9b}", "\\u{e0041}\\u{feff}\\u{9b}"),
        ("0123456789abcdef", "0123456789abcde…"),
    ] {
        assert_eq!(proxmox_mcp::text::printable(text, 15), shown);
    }
}

#[test]
fn a_missing_privilege_is_named_with_the_command_that_grants_it() {
    let reason = "Permission check failed (/vms/100, VM.PowerMgmt)";
    for body in [
        "",
        r#"{"data":null,"message":"Permission check failed (/vms/100, VM.PowerMgmt)\n"}"#,
    ] {
        let error = refusal(403, reason, body, &post("/x"));
        assert_eq!(error.code.as_str(), "PermissionError");
        assert!(error.to_string().contains(reason), "{error}");
        let hint = error.hint.clone().unwrap();
        for part in [
            "`VM.PowerMgmt` on `/vms/100`",
            "`pveum role add mcp-extra --privs VM.PowerMgmt`",
            "`pveum acl modify / --tokens 'mcp@pve!mcp' --roles mcp-extra`",
            "`--users 'mcp@pve'`",
        ] {
            assert!(hint.contains(part), "{part} in {hint}");
        }
    }
    let alternatives =
        "Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)";
    let hint = refusal(403, alternatives, "", &get("/x"))
        .hint
        .clone()
        .unwrap();
    assert!(hint.contains("--privs Datastore.Audit`"), "{hint}");
    for vague in [
        "Permission check failed",
        "Permission check failed (user != root@pam)",
        "Permission check failed (changing feature flags, x)",
        "Permission check failed (/vms/$(reboot), VM.Audit)",
        "Permission check failed (/vms/1, VM.Audit; reboot)",
    ] {
        assert_eq!(
            refusal(403, vague, "", &get("/x")).hint.clone(),
            None,
            "{vague}"
        );
    }
}

#[test]
fn another_node_that_is_not_reached() {
    for (status, request, code, words) in [
        (
            595,
            get("/nodes/b2/status"),
            "ProxmoxError",
            "nothing was changed",
        ),
        (
            596,
            get("/nodes/b2/status"),
            "ProxmoxError",
            "nothing was changed",
        ),
        (
            599,
            get("/nodes/b2/status"),
            "ProxmoxError",
            "nothing was changed",
        ),
        (
            595,
            post("/nodes/b2/x"),
            "ProxmoxError",
            "nothing was changed",
        ),
        (
            596,
            post("/nodes/b2/x"),
            "InterruptedError",
            "`POST /nodes/b2/x` was cut off",
        ),
        (
            599,
            post("/nodes/b2/x"),
            "InterruptedError",
            "`POST /nodes/b2/x` was cut off",
        ),
    ] {
        // As measured: no body and no length.
        let node = Node::start(move |_| {
            Act::SendClose(format!("HTTP/1.1 {status} No route to host\r\n\r\n").into_bytes())
        });
        let error = node.client().send(&request).unwrap_err();
        assert_eq!(error.code.as_str(), code, "{status} {error}");
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains("No route to host"),
            "{text}"
        );
    }
}

/// What Proxmox waited for in vain may go on; what it did not begin does not.
#[test]
fn a_timeout_of_a_change_may_have_taken_effect() {
    let locked = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout";
    for (status, reason, request, code) in [
        (500, "got timeout", post("/x"), "InterruptedError"),
        (500, "got timeout", get("/x"), "ProxmoxError"),
        (500, locked, post("/x"), "ProxmoxError"),
        (500, "can't lock file", post("/x"), "ProxmoxError"),
        (400, locked, post("/x"), "InterruptedError"),
    ] {
        let error = refusal(status, reason, "", &request);
        assert_eq!(error.code.as_str(), code, "{status} {reason}: {error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn what_is_no_answer() {
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let chunked = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("html", answer(200, "OK", "<html><body>Login</body></html>")),
        ("empty", answer(200, "OK", "")),
        ("no data", answer(200, "OK", r#"{"success":1}"#)),
        ("an array", answer(200, "OK", "[1]")),
        ("half", answer(200, "OK", r#"{"data":[1,"#)),
        ("two", answer(200, "OK", r#"{"data":1}{"data":2}"#)),
        ("deep", answer(200, "OK", &deep)),
        ("chunk garbage", chunked("zz\r\nhello\r\n0\r\n\r\n")),
        ("chunk cut", chunked("40\r\n{\"data\":")),
        (
            "short",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"data\":1}".to_vec(),
        ),
        (
            "long",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{\"data\":1}".to_vec(),
        ),
        ("no http", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        ("no status", b"HTTP/1.1 OK\r\n\r\n".to_vec()),
        (
            "redirect",
            b"HTTP/1.1 301 Moved\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        ),
        (
            "post redirect",
            b"HTTP/1.1 308 Moved\r\nLocation: /api2/json/other\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        ),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        (
            "not modified",
            b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
        ),
        (
            "upgrade",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec(),
        ),
        (
            "big header",
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000)).into_bytes(),
        ),
        (
            "endless header",
            format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000)).into_bytes(),
        ),
        (
            "many headers",
            format!("HTTP/1.1 200 OK\r\n{}\r\n{{}}", "X: y\r\n".repeat(500)).into_bytes(),
        ),
        ("binary", (0..=255).collect()),
    ];
    for (what, bytes) in cases {
        let sent = bytes.clone();
        let node = Node::start(move |_| Act::SendClose(sent.clone()));
        let error = node.client().send(&get("/x")).expect_err(what);
        assert_eq!(error.code.as_str(), "ReplyError", "{what}: {error}");
        assert_eq!(node.hits().len(), 1, "{what}");
        let error = node.client().send(&post("/x")).expect_err(what);
        assert!(
            matches!(error.code.as_str(), "ReplyError" | "InterruptedError"),
            "{what}: {error}"
        );
        assert!(
            error
                .hint
                .clone()
                .unwrap()
                .contains("may have taken effect"),
            "{what}"
        );
        assert_eq!(node.hits().len(), 2, "{what}: a write is never repeated");
    }
}

#[test]
fn too_large_an_answer_is_not_read() {
    let node = Node::start(|_| {
        let size = 33 * 1024 * 1024;
        let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + size, b' ');
        Act::SendClose(bytes)
    });
    let error = node.client().send(&get("/x")).unwrap_err();
    assert_eq!(error.code.as_str(), "ReplyError");
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[test]
fn chunked_answers_are_read() {
    let node = Node::start(|_| {
        let body = "5\r\n{\"dat\r\n6;x=y\r\na\":42}\r\n0\r\n\r\n";
        Act::Send(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes(),
        )
    });
    assert_eq!(
        node.client().send(&get("/x")).unwrap().data.let_go(),
        json!(42)
    );
}

#[test]
fn no_answer_makes_it_panic_or_lie() {
    let whole: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"data\":1}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"da\r\n6\r\nta\":1}\r\n0\r\n\r\n",
        b"HTTP/1.1 500 no\r\nConnection: close\r\n\r\n{\"message\":\"no\"}",
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1\r\n\r\nx",
    ];
    let round = Arc::new(AtomicUsize::new(0));
    let node = Node::start(move |_| {
        // The same numbers each time: a failure can be looked at.
        let round = round.fetch_add(1, Ordering::SeqCst);
        let mut seed = round as u64 + 1;
        let mut random = |below: usize| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        let mut bytes = whole[round % whole.len()].to_vec();
        for _ in 0..1 + random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, b"\r\n :0{}\x00"[random(8)]),
            }
            bytes.push(b'\n');
        }
        Act::SendClose(bytes)
    });
    let client = node.client();
    for round in 0..400 {
        let request = if round % 8 < 4 { get("/x") } else { post("/x") };
        let outcome = client.send_within(&request, Duration::from_secs(60));
        assert_eq!(node.hits().len(), round + 1, "sent once");
        if let Err(error) = outcome {
            let known = [
                "ReplyError",
                "InterruptedError",
                "ProxmoxError",
                "PermissionError",
            ];
            assert!(known.contains(&error.code.as_str()), "{error}");
        }
    }
}

#[test]
fn every_recorded_refusal_keeps_its_words() {
    let settings = node::settings(Vec::new());
    let (mut refused, mut granted) = (0, 0);
    let files = [
        include_str!("../../sim/recordings.jsonl"),
        include_str!("../../sim/recordings-later.jsonl"),
    ];
    for line in files.iter().flat_map(|file| file.lines()) {
        let recording: serde_json::Value = serde_json::from_str(line).unwrap();
        let (request, response) = (&recording["request"], &recording["response"]);
        let (Some(status), Some(path)) = (response["status"].as_u64(), request["path"].as_str())
        else {
            continue;
        };
        if status < 400 {
            continue;
        }
        let verb = match request["method"].as_str() {
            Some("GET") => Verb::Get,
            _ => Verb::Post,
        };
        let request = Request::new(verb, path, &[]).unwrap();
        let reason = response["reason"].as_str().unwrap_or_default();
        let body = match &response["body"] {
            serde_json::Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let answer = Answer {
            status: u16::try_from(status).unwrap(),
            date: None,
            reason: reason.to_string(),
            body: body.into_bytes().into(),
        };
        let error = answer.accepted(&settings, &request).unwrap_err();
        let code = match (status, verb) {
            (401 | 403, _) => "PermissionError",
            (596..=599, Verb::Post) => "InterruptedError",
            _ => "ProxmoxError",
        };
        assert_eq!(error.code.as_str(), code, "{line}");
        assert!(
            error.to_string().contains(reason),
            "{error} has not {reason}"
        );
        for (name, text) in response["body"]["errors"].as_object().into_iter().flatten() {
            let text = text.as_str().unwrap().trim().replace('\n', "\\n");
            let part = format!("`{name}`: {text}");
            assert!(error.to_string().contains(&part), "{error} has not {part}");
        }
        refused += 1;
        if status == 403 && reason.contains("(/") {
            assert!(
                error.hint.clone().unwrap().contains("pveum acl modify /"),
                "{error}"
            );
            granted += 1;
        }
    }
    assert!(refused > 200 && granted > 20, "{refused} {granted}");
}
