//! Every code of an error: its name, its sentence, its hint, and what may have happened.

use std::collections::BTreeSet;

use proxmox_mcp::error::Happened::{Done, Nothing, Unknown};
use proxmox_mcp::error::{Code, Error, Happened};

/// The names of the codes, as the program has them.
fn names() -> BTreeSet<&'static str> {
    let source = include_str!("../../../src/error.rs").lines();
    let named = source.filter_map(|line| line.trim().split_once("=> \""));
    named
        .filter_map(|(_, name)| name.strip_suffix("\","))
        .filter(|name| name.ends_with("Error"))
        .collect()
}

fn every() -> Vec<(Error, &'static str, Happened, &'static str)> {
    let mut two = Error::bad_arguments(vec!["`a` is missing".into(), "`b` is unknown".into()]);
    two.taken = Some(100);
    let not_found = Error::new(
        Code::ClusterNotFound,
        Nothing,
        "",
        "no cluster is named `x`",
    );
    let mut same_name = Error::new(
        Code::AmbiguousGuest,
        Nothing,
        "prod",
        "several guests are named `web`",
    );
    same_name.candidates = vec!["100".into(), "101".into()];
    let silent = vec!["lab".into()];
    let mut refused = Error::refused("prod", 400, "Parameter verification failed.");
    refused.by_parameter = vec![("vmid".into(), "invalid format".into())];
    let mut looked_for = Error::interrupted("prod", "POST /nodes/pve1/qemu", "timed out");
    looked_for.seen = Some("the task still runs".into());
    let denied = Error::new(
        Code::Permission,
        Nothing,
        "prod",
        "the token would be refused",
    );
    let log = vec!["line 1".into(), "line 2".into()];
    vec![
        (
            two,
            "BadArgumentsError",
            Nothing,
            "`a` is missing; `b` is unknown; nothing was sent",
        ),
        (
            not_found,
            "ClusterNotFoundError",
            Nothing,
            "no cluster is named `x`; nothing was sent",
        ),
        (
            Error::ambiguous(
                "guest 100 is on several",
                vec!["prod/100/web".into()],
                silent,
            ),
            "AmbiguousClusterSelectionError",
            Nothing,
            "guest 100 is on several: prod/100/web; did not answer in full: lab; nothing was sent",
        ),
        (
            same_name,
            "AmbiguousGuestError",
            Nothing,
            "prod: several guests are named `web`: 100, 101; nothing was sent",
        ),
        (
            Error::not_allowed("", "the code is wrong"),
            "NotAllowedError",
            Nothing,
            "the code is wrong; nothing was sent",
        ),
        (
            Error::protected("prod", "it counts as protected").because("lab: no answer"),
            "ProtectedError",
            Nothing,
            "prod: it counts as protected; nothing was sent: lab: no answer",
        ),
        (
            Error::unreachable("prod", "pve1: connection refused"),
            "ClusterConnectionError",
            Nothing,
            "prod: not reached, nothing was sent: pve1: connection refused",
        ),
        (
            looked_for,
            "InterruptedError",
            Unknown,
            "prod: `POST /nodes/pve1/qemu` was cut off: timed out; looked for afterwards: the task \
             still runs",
        ),
        (
            Error::denied("prod", "no such token"),
            "PermissionError",
            Done,
            "prod: the token was refused: no such token",
        ),
        (
            denied,
            "PermissionError",
            Nothing,
            "prod: the token would be refused; nothing was sent",
        ),
        (
            refused,
            "ProxmoxError",
            Done,
            "prod: Proxmox refused (400): Parameter verification failed.; `vmid`: invalid format",
        ),
        (
            Error::task_failed("prod!UPID".into(), "job errors".into(), log),
            "TaskError",
            Done,
            "task `prod!UPID` failed: job errors; the end of its log: line 1 | line 2",
        ),
        (
            Error::no_answer("prod", "GET /version", "it is no JSON"),
            "ReplyError",
            Done,
            "prod: `GET /version` got no answer of the Proxmox API: it is no JSON",
        ),
        (
            Error::no_answer("prod", "POST /pools", "it is no JSON").unknown(),
            "ReplyError",
            Unknown,
            "prod: `POST /pools` got no answer of the Proxmox API: it is no JSON",
        ),
        (
            Error::internal("there is no plan"),
            "InternalError",
            Nothing,
            "proxmox-mcp itself is at fault: there is no plan; nothing was sent",
        ),
        (
            Error::cancelled(),
            "CancelledError",
            Unknown,
            "the call was cancelled",
        ),
    ]
}

#[test]
fn every_code_says_what_happened() {
    let mut met = BTreeSet::new();
    for (error, code, happened, sentence) in every() {
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.code.as_str(), code, "{sentence}");
        assert_eq!(error.happened, happened, "{sentence}");
        let look = error.hint.as_deref().unwrap_or_default();
        let is_to_look = look.starts_with("it may have taken effect: look");
        let is_unknown = happened == Unknown && !error.is_cancelled();
        assert_eq!(is_to_look, is_unknown, "{sentence}: {look}");
        met.insert(code);
    }
    assert_eq!(met, names());
}

/// Behind an accepted write no error says that nothing was sent, whatever it was made of.
#[test]
fn what_was_accepted_before_is_said_by_every_code() {
    for (error, code, happened, _) in every() {
        let error = error.after(vec!["POST /a".into(), "PUT /b".into()]);
        let said = error.to_string();
        let end = "; before that `POST /a`, `PUT /b` was accepted and takes effect";
        assert!(said.ends_with(end), "{said}");
        assert!(!said.contains("nothing was sent"), "{said}");
        let expected = match happened {
            Nothing => Done,
            happened => happened,
        };
        assert_eq!(error.happened, expected, "{said}");
        assert!(!error.is_refusal(), "{said}");
        // It is not safe to repeat the whole call any more.
        let code = match code {
            "ClusterConnectionError" => "InterruptedError",
            code => code,
        };
        assert_eq!(error.code.as_str(), code, "{said}");
    }
}

/// Whoever shows an error looks through all of it: no text of it is left out.
#[test]
fn every_text_is_looked_through() {
    for (error, ..) in every() {
        let error = error.hint("look").after(vec!["POST /a".into()]);
        let before = format!("{error} {}", error.hint.clone().unwrap_or_default());
        let error = error.with_texts(|text| text.to_uppercase());
        let after = format!("{error} {}", error.hint.clone().unwrap_or_default());
        let own = [
            "prod: ",
            "did not answer in full: lab",
            "; nothing was sent",
            ", nothing was sent",
            "; looked for afterwards: ",
            "; before that ",
            " was accepted and takes effect",
            "; the end of its log: ",
        ];
        // What is left in lower case is the frame and the names of clusters.
        let left = own
            .iter()
            .fold(after.clone(), |text, own| text.replace(own, ""));
        assert_eq!(left, left.to_uppercase(), "{before}");
        assert!(after.contains("POST /A"), "{after}");
    }
}
