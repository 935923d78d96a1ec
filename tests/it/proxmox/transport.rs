//! The transport: what was sent when something broke, how connections are reused, and that it
//! listens.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use proxmox_mcp::proxmox::client::ClusterClient;
use proxmox_mcp::proxmox::look;
use proxmox_mcp::proxmox::settings::{Endpoint, Proxy, Trust};
use proxmox_mcp::proxmox::tls::ClusterTls;
use serde_json::json;

use crate::proxmox::authority;
use crate::proxmox::node::{self, Act, Node, closed_port, get, mute, ok, post};

const ONE: &str = r#"{"data":1}"#;

#[test]
fn a_connection_that_breaks_before_the_answer() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let node = Node::start(move |_| Act::SendClose(bytes.into()));
        let error = node.client().send(&post("/x")).unwrap_err();
        assert_eq!(error.code.as_str(), "InterruptedError", "{bytes}: {error}");
        assert!(
            error
                .to_string()
                .starts_with("prod: `POST /x` was cut off: "),
            "{error}"
        );
        let error = node.client().send(&get("/x")).unwrap_err();
        assert_eq!(error.code.as_str(), "ReplyError", "{bytes}: {error}");
        assert!(
            error.to_string().contains("a read changes nothing"),
            "{error}"
        );
        assert_eq!(node.hits().len(), 2);
    }
}

#[test]
fn a_handshake_that_fails_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(1) {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 1000]);
        }
    });
    let endpoint = Endpoint::new("127.0.0.1", port);
    let error = ClusterClient::new(node::settings(vec![endpoint]))
        .send(&post("/x"))
        .unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError", "{error}");
}

#[test]
fn a_mute_node_is_left_in_time() {
    let (_listener, endpoint) = mute();
    let started = Instant::now();
    let client = ClusterClient::new(node::settings(vec![endpoint]));
    let error = client
        .send_within(&post("/x"), Duration::from_millis(300))
        .unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError", "{error}");
    assert!(
        error.to_string().contains("no connection within"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_look_at_a_mute_node_says_how_long_it_waited() {
    let (_listener, endpoint) = mute();
    let trusted = ClusterTls::new(&Trust::Nothing, std::path::Path::new(""));
    let seen = look::look(&endpoint, &trusted, None, Duration::from_secs(1));
    assert_eq!(seen.trusted, Some(Err("nothing came within 1 s".into())));
}

#[test]
fn an_answer_that_does_not_come() {
    let node = Node::start(|_| Act::Hang(Vec::new()));
    let client = node.client();
    let time = Duration::from_secs(2);
    let error = client.send_within(&post("/x"), time).unwrap_err();
    assert_eq!(error.code.as_str(), "InterruptedError", "{error}");
    let error = client.send_within(&get("/x"), time).unwrap_err();
    assert_eq!(error.code.as_str(), "ReplyError", "{error}");
    assert_eq!(node.hits().len(), 2, "neither is repeated");
}

#[test]
fn slow_bytes_are_waited_for_until_the_time_is_up() {
    let bytes = node::answer(200, "OK", ONE);
    let node = Node::start(move |_| Act::Drip(bytes.clone(), Duration::from_millis(4)));
    assert_eq!(
        node.client().send(&get("/x")).unwrap().data.let_go(),
        json!(1)
    );

    let endless = b"HTTP/1.1 200 OK\r\n".repeat(1000);
    let node = Node::start(move |_| Act::Drip(endless.clone(), Duration::from_millis(4)));
    let started = Instant::now();
    let error = node
        .client()
        .send_within(&get("/x"), Duration::from_millis(400))
        .unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{error}");
}

#[test]
fn connections_are_reused_and_left_after_ninety_requests() {
    let node = Node::start(|_| ok(ONE));
    let client = node.client();
    for _ in 0..100 {
        client.send(&get("/x")).unwrap();
    }
    let on_first = node.hits().iter().filter(|hit| hit.connection == 0).count();
    assert_eq!((on_first, node.connections()), (90, 2));
}

#[test]
fn a_refusal_ends_the_connection_even_if_the_server_keeps_it() {
    let node = Node::start(|_| Act::Send(node::answer(500, "no", "")));
    let client = node.client();
    for _ in 0..3 {
        client.send(&get("/x")).unwrap_err();
    }
    assert_eq!(node.connections(), 3);
}

#[test]
fn connection_close_is_honoured() {
    let node = Node::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: Keep-Alive\r\nContent-Length: 10\r\n\r\n";
        Act::Send(format!("{head}{ONE}").into_bytes())
    });
    let client = node.client();
    for _ in 0..2 {
        client.send(&post("/x")).unwrap();
    }
    assert_eq!(node.connections(), 2);
}

#[test]
fn a_connection_that_died_in_the_pool() {
    // The second request on a connection is read, and then the connection dies.
    let node = Node::start(|hit| match hit.nth {
        0 => ok(ONE),
        _ => Act::SendClose(Vec::new()),
    });
    let client = node.client();
    client.send(&get("/a")).unwrap();
    client.send(&get("/b")).unwrap();
    assert_eq!(
        node.lines(),
        ["GET /a", "GET /b", "GET /b"],
        "a read is repeated"
    );
    let error = client.send(&post("/c")).unwrap_err();
    assert_eq!(error.code.as_str(), "InterruptedError");
    assert_eq!(
        node.lines(),
        ["GET /a", "GET /b", "GET /b", "POST /c"],
        "a write is not"
    );
}

#[test]
fn a_read_is_repeated_on_a_fresh_connection_not_on_another_dead_one() {
    let both = Arc::new(Barrier::new(2));
    let node = Node::start(move |hit| match (hit.connection, hit.nth) {
        // The first two are asked at the same time, so that two connections end in the pool.
        (0 | 1, 0) => {
            both.wait();
            ok(ONE)
        }
        (0 | 1, _) => Act::SendClose(Vec::new()),
        _ => ok(ONE),
    });
    let client = node.client();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                client.send(&get("/a")).unwrap();
            });
        }
    });
    client.send(&get("/b")).unwrap();
    assert_eq!(node.lines(), ["GET /a", "GET /a", "GET /b", "GET /b"]);
    assert_eq!(node.connections(), 3);
}

#[test]
fn a_connection_that_the_server_closed_is_not_written_to() {
    let closed = Arc::new(AtomicBool::new(false));
    let node = Node::start({
        let closed = Arc::clone(&closed);
        move |hit| {
            if hit.connection == 0 {
                closed.store(true, Ordering::SeqCst);
                // Says nothing of closing, and closes.
                return Act::SendClose(node::answer(200, "OK", ONE));
            }
            ok(ONE)
        }
    });
    let client = node.client();
    client.send(&get("/a")).unwrap();
    assert!(closed.load(Ordering::SeqCst));
    // The FIN may be on its way: only then may the write go wrong, and it must say so.
    match client.send(&post("/b")) {
        Ok(_) => assert_eq!(node.connections(), 2),
        Err(error) => assert_eq!(error.code.as_str(), "InterruptedError"),
    }
}

#[test]
fn an_idle_connection_is_left_before_the_server_leaves_it() {
    let node = Node::start(|_| ok(ONE));
    let client = node.client();
    client.send(&post("/a")).unwrap();
    // The one thing here that only time brings about.
    std::thread::sleep(Duration::from_millis(4050));
    client.send(&post("/b")).unwrap();
    assert_eq!(node.connections(), 2);
}

pub(crate) fn pipe(one: TcpStream, two: TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), two.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let (mut from, mut to) = (two, one);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn an_ipv6_endpoint() {
    let Ok(probe) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return; // This machine has no IPv6.
    };
    drop(probe);
    let identity = authority::authority().issue(&["::1"]);
    let node = Node::start_with(
        &identity,
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        |_| ok(ONE),
    );
    assert!(node.endpoint().to_string().starts_with("[::1]:"));
    assert_eq!(
        node.client().send(&get("/x")).unwrap().data.let_go(),
        json!(1)
    );
}

/// A proxy that says `head` to a CONNECT and then passes bytes on; the lines that it was asked.
fn proxy(head: &'static str, target: SocketAddr) -> (Proxy, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let _ = tell.send(String::from_utf8(request).unwrap());
            let _ = stream.write_all(head.as_bytes());
            if head.contains(" 200 ") {
                pipe(stream, TcpStream::connect(target).unwrap());
            }
        }
    });
    (
        Proxy {
            host: "127.0.0.1".into(),
            port,
        },
        told,
    )
}

#[test]
fn a_proxy_is_asked_to_connect() {
    let node = Node::start(|_| ok(ONE));
    let (through, told) = proxy(
        "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n",
        node.address,
    );
    // The proxy looks the name up, not we.
    let mut endpoint = Endpoint::new("localhost", 8006);
    endpoint.prefix = "/pve".into();
    let mut settings = node::settings(vec![endpoint]);
    settings.proxy = Some(through);
    let client = ClusterClient::new(settings);
    assert_eq!(client.send(&get("/x")).unwrap().data.let_go(), json!(1));
    let asked = told.recv().unwrap();
    assert_eq!(
        asked,
        "CONNECT localhost:8006 HTTP/1.1\r\nHost: localhost:8006\r\n\r\n"
    );
}

/// A reverse proxy's prefix is no part of where a tunnel leads.
#[test]
fn a_proxy_is_asked_without_the_prefix() {
    let node = Node::start(|_| ok(ONE));
    let (through, told) = proxy("HTTP/1.0 200 ok\r\n\r\n", node.address);
    let mut endpoint = Endpoint::new("localhost", 8006);
    endpoint.prefix = "/pve".into();
    let trusted = ClusterTls::new(&Trust::Nothing, std::path::Path::new(""));
    let time = Duration::from_secs(5);
    let seen = look::look(&endpoint, &trusted, Some(&through), time);
    assert_eq!(seen.trusted, Some(Ok(())));
    assert_eq!(
        told.recv().unwrap(),
        "CONNECT localhost:8006 HTTP/1.1\r\nHost: localhost:8006\r\n\r\n"
    );
}

#[test]
fn a_proxy_that_refuses() {
    let (through, _told) = proxy(
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "127.0.0.1:1".parse().unwrap(),
    );
    let mut settings = node::settings(vec![closed_port()]);
    settings.proxy = Some(through);
    let error = ClusterClient::new(settings).send(&post("/x")).unwrap_err();
    assert_eq!(error.code.as_str(), "ClusterConnectionError");
    assert!(
        error
            .to_string()
            .contains("the proxy refused: 407 Proxy Authentication Required"),
        "{error}"
    );
}

#[test]
fn a_client_serves_several_threads() {
    let node = Node::start(|_| ok(ONE));
    let client = node.client();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    client.send(&get("/x")).unwrap();
                }
            });
        }
    });
    assert_eq!(node.hits().len(), 20);
}

/// Passes on the first `bytes` that the client sends, and cuts the connection at the next one.
fn cut_after(bytes: usize, target: SocketAddr) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let mut left = bytes;
        let mut buffer = [0; 512];
        while left > 0 {
            let most = left.min(buffer.len());
            let Ok(count @ 1..) = client.read(&mut buffer[..most]) else {
                break;
            };
            left -= count;
            server.write_all(&buffer[..count]).unwrap();
        }
        let _ = client.read(&mut buffer[..1]);
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
    Endpoint::new("127.0.0.1", port)
}

#[test]
fn whatever_is_cut_nothing_sent_is_never_said_of_what_arrived() {
    let node = Node::start(|_| ok(ONE));
    let mut codes = std::collections::BTreeMap::new();
    for bytes in (0..3000).step_by(53) {
        let endpoint = cut_after(bytes, node.address);
        let client = ClusterClient::new(node::settings(vec![endpoint]));
        let request = post(&format!("/cut/{bytes}")).with("description", "x".repeat(1000));
        let code = match client.send_within(&request, Duration::from_secs(60)) {
            Ok(_) => "Ok",
            Err(error) => error.code.as_str(),
        };
        codes.insert(format!("POST /cut/{bytes}"), code);
    }
    for line in node.lines() {
        assert_ne!(codes[&line], "ClusterConnectionError", "{line}");
    }
    let count = |code| codes.values().filter(|c| **c == code).count();
    // In the handshake, in the request, and behind it.
    assert!(count("ClusterConnectionError") > 2, "{codes:?}");
    assert!(count("InterruptedError") > 10, "{codes:?}");
    assert!(count("Ok") > 2, "{codes:?}");
    assert_eq!(
        codes.len(),
        count("ClusterConnectionError") + count("InterruptedError") + count("Ok")
    );
}
