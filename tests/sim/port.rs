//! A node's port: which connections it takes, and with which certificate.

use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType, sockopt};
use rustls::ServerConfig;

use super::authority::Authority;
use super::fault::{Fault, Limited};
use super::wire;
use super::world::{Cluster, held};

pub struct Port {
    pub node: String,
    pub number: u16,
    pub fingerprint: String,
    config: Arc<ServerConfig>,
    /// Of another authority, made when it is first shown.
    other: OnceLock<Arc<ServerConfig>>,
    closed: AtomicBool,
    taken: AtomicU32,
    streams: Mutex<Vec<TcpStream>>,
}

impl Port {
    pub fn new(node: &str, number: u16, fingerprint: String, config: Arc<ServerConfig>) -> Port {
        Port {
            node: node.into(),
            number,
            fingerprint,
            config,
            other: OnceLock::new(),
            closed: AtomicBool::new(false),
            taken: AtomicU32::new(0),
            streams: Mutex::default(),
        }
    }

    /// Closes or opens it as the faults want it, and waits until that has happened.
    pub fn set(&self, faults: &[Limited]) {
        if faults
            .iter()
            .any(|limited| limited.cuts_connections(&self.node))
        {
            self.cut();
        }
        let close = faults.iter().any(|limited| limited.closes_port(&self.node));
        if close == self.closed.swap(close, Ordering::SeqCst) {
            return;
        }
        if close {
            self.end();
        }
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", self.number)).is_ok() != close {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Wakes whoever accepts, and cuts what is connected.
    pub fn end(&self) {
        let _ = TcpStream::connect(("127.0.0.1", self.number));
        self.cut();
    }

    fn cut(&self) {
        for stream in held(&self.streams).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections until the cluster stops.
    pub fn accept(&self, cluster: &Arc<Cluster>, listener: TcpListener) {
        let mut open = Some(listener);
        // While it is closed nobody else is given its number.
        let mut reserved = None;
        while !cluster.stopped() {
            if self.closed.load(Ordering::SeqCst) {
                open = None;
                reserved = reserved.or_else(|| reserve(self.number).ok());
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let Some(listener) = &open else {
                open = TcpListener::bind(("127.0.0.1", self.number)).ok();
                reserved = None;
                continue;
            };
            let Ok((stream, _)) = listener.accept() else {
                continue;
            };
            if cluster.stopped() || self.closed.load(Ordering::SeqCst) || self.drops(cluster) {
                continue;
            }
            if let Ok(copy) = stream.try_clone() {
                let mut streams = held(&self.streams);
                streams.retain(|stream| stream.peer_addr().is_ok());
                streams.push(copy);
            }
            let (cluster, node) = (cluster.clone(), self.node.clone());
            let config = self.shown(&cluster);
            thread(move || wire::serve(&cluster, &node, stream, config));
        }
    }

    fn drops(&self, cluster: &Cluster) -> bool {
        let every = cluster
            .faults()
            .iter()
            .find_map(|limited| match limited.fault {
                Fault::DropEvery(every) => Some(every.max(1)),
                _ => None,
            });
        every.is_some_and(|every| {
            let number = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
            number.is_multiple_of(every)
        })
    }

    fn shown(&self, cluster: &Cluster) -> Arc<ServerConfig> {
        let cuts = |limited: &Limited| limited.cuts_connections(&self.node);
        if !cluster.faults().iter().any(cuts) {
            return self.config.clone();
        }
        let other = || Authority::new("other").server(&self.node, None).0;
        self.other.get_or_init(other).clone()
    }
}

/// Holds a port that takes no connection; 0 is any that is free.
pub fn reserve(number: u16) -> std::io::Result<OwnedFd> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    // Connections that it has had may linger.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, number))?;
    Ok(socket)
}

pub fn thread(work: impl FnOnce() + Send + 'static) {
    let made = std::thread::Builder::new().stack_size(1 << 20).spawn(work);
    made.expect("a thread can be started");
}
