//! Names that are looked up: once, in a thread that the call leaves behind, and not again as long as
//! their addresses connect.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use proxmox_mcp::proxmox::lookup::LookUps;

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

type Told = io::Result<Vec<IpAddr>>;

/// A name server that answers when it is told to, and who was asked for.
struct Server {
    names: Arc<LookUps>,
    asked: Arc<Mutex<Vec<String>>>,
    tell: Sender<Told>,
}

impl Server {
    fn new() -> Server {
        let (tell, told): (Sender<Told>, Receiver<Told>) = mpsc::channel();
        let (asked, told) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(told));
        let names = LookUps::new({
            let asked: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
            move |host| {
                asked.lock().unwrap().push(host.to_string());
                let told = told.lock().unwrap().recv();
                told.unwrap_or_else(|_| Err(io::Error::other("the test is over")))
            }
        });
        Server { names, asked, tell }
    }

    /// Waits until it is there; until it was asked for so many, where `patience` has an end.
    fn of(&self, host: &str, patience: Option<usize>) -> io::Result<Vec<String>> {
        let mut listen = || match patience {
            Some(asked) if self.asked().len() >= asked => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        };
        let found = self.names.of(host, 8006, &mut listen)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn an_address_is_no_name() {
    let server = Server::new();
    assert_eq!(server.of("192.0.2.7", None).unwrap(), ["192.0.2.7:8006"]);
    assert_eq!(server.of("::1", None).unwrap(), ["[::1]:8006"]);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn a_silent_name_server_is_left_behind_and_not_asked_twice() {
    let server = Server::new();
    for _ in 0..3 {
        let error = server.of("pve.example", Some(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    // What it says at last is there for the next one.
    server.tell.send(Ok(vec![ONE])).unwrap();
    assert_eq!(server.of("pve.example", None).unwrap(), ["192.0.2.1:8006"]);
    assert_eq!(server.of("pve.example", None).unwrap(), ["192.0.2.1:8006"]);
    assert_eq!(server.asked(), ["pve.example"]);
}

#[test]
fn only_addresses_that_fail_are_looked_up_anew() {
    let server = Server::new();
    server.tell.send(Ok(vec![ONE, TWO])).unwrap();
    server.of("pve.example", None).unwrap();
    // The one that connected comes first.
    server.names.connected("pve.example", TWO);
    let both = ["192.0.2.2:8006", "192.0.2.1:8006"];
    assert_eq!(server.of("pve.example", None).unwrap(), both);
    assert_eq!(server.asked().len(), 1);
    server.names.failed("pve.example");
    server.tell.send(Ok(vec![ONE])).unwrap();
    assert_eq!(server.of("pve.example", None).unwrap(), ["192.0.2.1:8006"]);
    assert_eq!(server.asked().len(), 2);
    // Where nothing newer is told, or the server is silent, the old ones are tried again.
    for told in [Some(Err(io::Error::other("no such name"))), None] {
        server.names.failed("pve.example");
        if let Some(told) = told {
            server.tell.send(told).unwrap();
        }
        assert_eq!(server.of("pve.example", None).unwrap(), ["192.0.2.1:8006"]);
    }
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn what_is_not_found_is_said_and_asked_for_again() {
    let server = Server::new();
    for (told, said) in [
        (
            Err(io::Error::other("no such name")),
            "`pve.example` was not found: no such name",
        ),
        (Ok(Vec::new()), "`pve.example` has no address"),
    ] {
        server.tell.send(told).unwrap();
        assert_eq!(
            server.of("pve.example", None).unwrap_err().to_string(),
            said
        );
    }
    server.tell.send(Ok(vec![ONE])).unwrap();
    server.of("pve.example", None).unwrap();
}

#[test]
fn no_more_than_so_many_are_looked_up_at_a_time() {
    let server = Server::new();
    for number in 0..128 {
        // The server takes one at a time, and is silent: all but the first wait in its queue.
        let mut listen = || Err(io::ErrorKind::TimedOut.into());
        let host = format!("pve{number}.example");
        server.names.of(&host, 8006, &mut listen).unwrap_err();
    }
    let error = server.of("one.more.example", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`one.more.example` was not looked up: 128 other names are still being looked up"
    );
    // Whoever ends makes room; each is told once, the last one too.
    for _ in 0..=128 {
        server.tell.send(Ok(vec![ONE])).unwrap();
    }
    loop {
        match server.of("one.more.example", None) {
            Ok(found) => {
                assert_eq!(found.len(), 1);
                return;
            }
            Err(error) => assert!(error.to_string().contains("128 other"), "{error}"),
        }
    }
}
