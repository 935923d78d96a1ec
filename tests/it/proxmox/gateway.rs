//! Answers of what stands in front of a cluster: told from Proxmox's own, whatever their status, and
//! never taken for the end of a write.

use proxmox_mcp::api::request::Request;
use proxmox_mcp::proxmox::client::ClusterClient;

use crate::proxmox::node::{self, Act, Node, get, ok, post};

/// `head` without its end, which is added with the length.
fn raw(head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

const PAGE: &str = "<html>\r\n<head><title>\r\n 502 Bad\u{1b}  Gateway</title></head></html>";
const SAYS: &str = "a reverse proxy, a firewall or a login page answered in Proxmox's place: ";

fn check(answer: &[u8], request: &Request) -> (String, String) {
    let answer = answer.to_vec();
    let node = Node::start(move |_| Act::SendClose(answer.clone()));
    let error = node.client().send(request).expect_err("no answer");
    assert_eq!(node.hits().len(), 1, "it is not repeated: {error}");
    (error.code.as_str().to_string(), error.to_string())
}

#[test]
fn what_is_not_proxmoxs_is_called_what_it_is() {
    let html = "Content-Type: text/html";
    for (head, body, what) in [
        ("502 Bad Gateway", "", "`502 Bad Gateway`"),
        ("503 ", "", "`503 Service Unavailable`"),
        ("504 Gateway Time-out", "", "`504 Gateway Time-out`"),
        ("520 ", "", "`520`"),
        ("524 A Timeout Occurred", "", "`524 A Timeout Occurred`"),
        ("530 x", r#"{"data":null}"#, "`530 x`, `{\"data\":null}`"),
        (
            "503 x",
            "no healthy upstream",
            "`503 x`, `no healthy upstream`",
        ),
        (
            "502 Bad Gateway",
            PAGE,
            "`502 Bad Gateway`, a web page `502 Bad\\u{1b} Gateway`",
        ),
        // Whatever its status.
        (
            "200 OK",
            "<!DOCTYPE html><h1>It works</h1>",
            "`200 OK`, a web page",
        ),
        (&format!("200 OK\r\n{html}"), "", "`200 OK`"),
        ("400 Bad Request", PAGE, "`400 Bad Request`, a web page"),
        ("401 Unauthorized", PAGE, "`401 Unauthorized`, a web page"),
        ("403 Forbidden", PAGE, "`403 Forbidden`, a web page"),
        (
            "403 Permission check failed",
            PAGE,
            "`403 Permission check failed`, a web page",
        ),
        (
            "500 Internal Server Error",
            PAGE,
            "`500 Internal Server Error`, a web page",
        ),
        (
            "595 No route to host",
            PAGE,
            "`595 No route to host`, a web page",
        ),
        (&format!("413 Too Large\r\n{html}"), "", "`413 Too Large`"),
        (
            "404 Not Found\r\nContent-Type: text/plain; charset=utf-8",
            "404 page not found\n",
            "`404 Not Found`, `404 page not found`",
        ),
        // No word of Proxmox.
        ("403 Forbidden", "", "`403 Forbidden`"),
        ("401 Unauthorized", "", "`401 Unauthorized`"),
        ("429 Too Many Requests", "", "`429 Too Many Requests`"),
        (
            "401 x\r\nWWW-Authenticate: Basic realm=\"hush\"",
            "",
            "`401 x`, which asks for a login of its own (`Basic`)",
        ),
        (
            "407 x\r\nProxy-Authenticate: Negotiate",
            r#"{"data":null}"#,
            "`407 x`, which asks for a login of its own (`Negotiate`)",
        ),
        (
            "302 Found\r\nLocation: https://sso.example.com/login?state=hush",
            "",
            "`302 Found`, which sends on to `https://sso.example.com/login`",
        ),
    ] {
        let answer = raw(head, body);
        let (code, text) = check(&answer, &get("/x"));
        assert_eq!(code, "ReplyError", "{head}: {text}");
        let says = format!("prod: `GET /x` got no answer of the Proxmox API: {SAYS}{what}");
        assert!(text.starts_with(&says), "{head}:\n{text}\n{says}");
        assert!(!text.contains("hush"), "{text}");
        let (code, text) = check(&answer, &post("/x"));
        assert_eq!(code, "InterruptedError", "{head}: {text}");
        let says = format!("prod: `POST /x` was cut off: {SAYS}{what}");
        assert!(text.starts_with(&says), "{head}:\n{text}\n{says}");
    }
}

#[test]
fn what_is_proxmoxs_stays_its_own() {
    let json = "Content-Type: application/json;charset=UTF-8";
    for (head, body, code) in [
        ("401 No ticket", "", "PermissionError"),
        ("401 Authentication failed!", "", "PermissionError"),
        (
            "403 Permission check failed (/vms/100, VM.Audit)",
            "",
            "PermissionError",
        ),
        ("400 bad request", "bad request", "ProxmoxError"),
        (
            "500 x",
            "wrong field name at Perl.pm line 1.",
            "ProxmoxError",
        ),
        ("501 method 'PATCH' not available", "", "ProxmoxError"),
        ("506 x", "upload not implemented", "ProxmoxError"),
        ("595 No route to host", "", "ProxmoxError"),
        (
            &format!("404 No such entry\r\n{json}"),
            r#"{"data":null}"#,
            "ProxmoxError",
        ),
        (
            &format!("400 Bad Request\r\n{json}"),
            r#"{"data":null}"#,
            "ProxmoxError",
        ),
    ] {
        assert_eq!(check(&raw(head, body), &get("/x")).0, code, "{head}");
        assert_eq!(check(&raw(head, body), &post("/x")).0, code, "{head}");
    }
}

#[test]
fn a_read_goes_to_the_next_endpoint_and_a_write_does_not() {
    let bad = || raw("502 Bad Gateway", PAGE);
    for (request, is_read) in [(get("/x"), true), (post("/x"), false)] {
        let front = Node::start(move |_| Act::SendClose(bad()));
        let behind = Node::start(|_| ok(r#"{"data":1}"#));
        let client = ClusterClient::new(node::settings(vec![front.endpoint(), behind.endpoint()]));
        let answer = client.send(&request);
        assert_eq!(answer.is_ok(), is_read, "{answer:?}");
        assert_eq!(
            (front.hits().len(), behind.hits().len()),
            (1, usize::from(is_read))
        );
        // It is asked last from now on.
        client.send(&get("/y")).expect("an answer");
        assert_eq!(front.hits().len(), 1);
    }
}
