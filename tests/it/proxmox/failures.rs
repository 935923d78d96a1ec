//! How an exchange failed, from every state that it can be found in: what may have happened, and what
//! is tried next, hang on it.

use std::io;
use std::time::{Duration, Instant};

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::error::Happened;
use proxmox_mcp::proxmox::exchange::{Exchange, ExchangeStop};
use proxmox_mcp::proxmox::failure::{self, ExchangeFailure};
use proxmox_mcp::proxmox::session::ExchangeLimits;

use crate::proxmox::node;

/// Where an exchange stood when it failed.
#[derive(Clone, Copy, Debug)]
struct State {
    stop: Option<ExchangeStop>,
    connected: bool,
    reused: bool,
    sent: usize,
    received: usize,
}

const BEFORE: State = State {
    stop: None,
    connected: false,
    reused: false,
    sent: 0,
    received: 0,
};
const FRESH: State = State {
    connected: true,
    ..BEFORE
};
const REUSED: State = State {
    reused: true,
    ..FRESH
};

impl State {
    fn stopped(self, stop: ExchangeStop) -> State {
        State {
            stop: Some(stop),
            ..self
        }
    }

    fn sent(self) -> State {
        State { sent: 200, ..self }
    }

    fn received(self) -> State {
        State {
            sent: 200,
            received: 30,
            ..self
        }
    }

    fn failed(self, write: bool, error: &ureq::Error) -> ExchangeFailure {
        let time = Duration::from_secs(3);
        let timing = ExchangeLimits::new(write, Instant::now() + time);
        let mut after = Exchange::new(timing, time);
        after.stop = self.stop;
        after.connected = self.connected;
        after.reused = self.reused;
        after.sent = self.sent;
        after.received = self.received;
        failure::of(error, &after, time, timing)
    }
}

fn broke() -> ureq::Error {
    ureq::Error::Io(io::ErrorKind::ConnectionReset.into())
}

#[test]
fn every_state_has_its_failure() {
    let cut = "Cut { begun: false, late: false }";
    let left = ExchangeStop::Left(Duration::from_millis(1300));
    for (state, read, write) in [
        (BEFORE, "NotConnected", "NotConnected"),
        (BEFORE.stopped(ExchangeStop::Closed), "NotBegun", "NotBegun"),
        (
            BEFORE.stopped(ExchangeStop::OutOfTime),
            "NotConnected",
            "NotConnected",
        ),
        (BEFORE.stopped(left), "Left", "Left"),
        (FRESH, "NotBegun", "NotBegun"),
        (FRESH.stopped(ExchangeStop::Closed), "NotBegun", "NotBegun"),
        (
            FRESH.stopped(ExchangeStop::OutOfTime),
            "NotBegun",
            "NotBegun",
        ),
        (FRESH.stopped(ExchangeStop::TooLate), "NotBegun", "NotBegun"),
        (
            FRESH.stopped(ExchangeStop::Cancelled),
            "Cancelled",
            "Cancelled",
        ),
        (FRESH.sent(), cut, cut),
        (FRESH.sent().stopped(ExchangeStop::Closed), cut, cut),
        (
            FRESH.sent().stopped(ExchangeStop::Cancelled),
            "Cancelled",
            "Cancelled",
        ),
        // Only of what was used before can it be said that it had died in the pool.
        (REUSED, "Stale", "Stale"),
        (REUSED.stopped(ExchangeStop::Closed), "NotBegun", "NotBegun"),
        (
            REUSED.stopped(ExchangeStop::OutOfTime),
            "NotBegun",
            "NotBegun",
        ),
        (REUSED.sent(), "Stale", cut),
        (REUSED.sent().stopped(ExchangeStop::Closed), cut, cut),
        (
            REUSED.sent().stopped(ExchangeStop::OutOfTime),
            "Cut { begun: false, late: true }",
            "Cut { begun: false, late: true }",
        ),
        (
            FRESH.received(),
            "Cut { begun: true, late: false }",
            "Cut { begun: true, late: false }",
        ),
        (
            REUSED.received().stopped(ExchangeStop::OutOfTime),
            "Cut { begun: true, late: false }",
            "Cut { begun: true, late: false }",
        ),
    ] {
        for (is_write, expected) in [(false, read), (true, write)] {
            let failure = state.failed(is_write, &broke());
            let name = match &failure {
                ExchangeFailure::Cut { begun, late, .. } => {
                    format!("Cut {{ begun: {begun}, late: {late} }}")
                }
                other => format!("{other:?}")
                    .split(['(', ' '])
                    .next()
                    .unwrap()
                    .to_string(),
            };
            assert_eq!(name, expected, "write: {is_write}, {state:?}: {failure:?}");
        }
    }
    let large = FRESH
        .received()
        .failed(true, &ureq::Error::BodyExceedsLimit(3));
    assert!(
        matches!(large, ExchangeFailure::NotAnAnswer(_)),
        "{large:?}"
    );
}

fn why() -> String {
    "why".into()
}

#[test]
fn every_failure_says_what_happened() {
    let settings = node::settings(vec![node::closed_port()]);
    let endpoint = &settings.endpoints[0];
    let nothing = (Happened::Nothing, "not reached, nothing was sent");
    let unknown = (Happened::Unknown, "`POST /x` was cut off");
    let cut = |begun| ExchangeFailure::Cut {
        cause: why(),
        begun,
        late: false,
    };
    let not_connected = || ExchangeFailure::NotConnected {
        cause: why(),
        untrusted: None,
    };
    let rows: [(&dyn Fn() -> ExchangeFailure, _, _, _); 8] = [
        (&not_connected, false, nothing, nothing),
        (&|| ExchangeFailure::Left(why()), false, nothing, nothing),
        (
            &|| ExchangeFailure::NotBegun(why()),
            false,
            nothing,
            nothing,
        ),
        (
            &|| ExchangeFailure::Stale,
            true,
            (Happened::Done, "there was none ("),
            nothing,
        ),
        (
            &|| cut(false),
            true,
            (Happened::Done, "there was none ("),
            unknown,
        ),
        (
            &|| cut(true),
            true,
            (Happened::Done, "it was cut off ("),
            unknown,
        ),
        (
            &|| ExchangeFailure::Gateway(why()),
            true,
            (Happened::Done, ": why"),
            unknown,
        ),
        (
            &|| ExchangeFailure::NotAnAnswer(why()),
            false,
            (Happened::Done, ": why"),
            (Happened::Unknown, ": why"),
        ),
    ];
    for (failure, is_cut, read, write) in rows {
        assert_eq!(failure().is_cut(), is_cut, "{:?}", failure());
        for (verb, (happened, says)) in [(Verb::Get, read), (Verb::Post, write)] {
            let request = Request::new(verb, "/x", &[]).unwrap();
            let error = failure().explain(&settings, endpoint, &request);
            let text = format!("{:?} of {verb:?}: {error}", failure());
            assert_eq!(error.happened, happened, "{text}");
            assert!(error.to_string().contains(says), "{text}");
        }
    }
    assert!(!ExchangeFailure::Cancelled.is_cut());
}
