//! What goes over the line, byte by byte: framing and envelope.

use proxmox_mcp::mcp::inbox::LINE_MAX_BYTES;
use proxmox_mcp::mcp::rpc::{BATCH_MAX, DEPTH_MAX, ID_MAX_BYTES};
use proxmox_mcp::mcp::wire::REPLY_MAX_BYTES;
use serde_json::{Value, json};

use crate::peer::{
    BATCHED, LEGACY, NEWEST, OLDEST, Peer, STRUCTURED, Way, call, check, check_bytes, legacy,
    modern,
};

#[test]
fn lines_are_framed() {
    let ping = legacy("1", "ping", Value::Null);
    let marked = format!("\u{feff}{ping}");
    let returned = format!("{ping}\r");
    let both = format!("\u{feff}{ping}\r");
    let second_mark = format!("{ping}\n\u{feff}{}", legacy("2", "ping", Value::Null));
    let spread = ping.replace(',', " ,\t").replace(':', " : ");
    let separated = r#"{"jsonrpc":"2.0","id":"a b","method":"ping"}"#.replace("a b", "\u{2028}");
    check(
        NEWEST,
        &[
            (&marked, &["result 1"]),
            (&returned, &["result 1"]),
            (&both, &["result 1"]),
            (&second_mark, &["result 1", "result 2"]),
            (&spread, &["result 1"]),
            (&separated, &["result \"\u{2028}\""]),
            ("", &[]),
            ("\r", &[]),
            ("\n\n \t\r\n\u{feff}\n", &[]),
            ("\0", &["-32700 null"]),
        ],
    );
    for bytes in [
        &b"\xff\xfe"[..],
        b"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\",\"method\":\"ping\"}",
    ] {
        check_bytes(NEWEST, bytes, &["-32700 null"]);
    }
}

#[test]
fn a_line_may_be_long_but_not_too_long() {
    let bare = legacy("1", "ping", json!({"x": ""}));
    let padded = |length: usize| {
        let padding = "x".repeat(length - bare.len());
        legacy("1", "ping", json!({"x": padding}))
    };
    assert_eq!(LINE_MAX_BYTES, 1 << 20);
    let longest = padded(LINE_MAX_BYTES);
    assert_eq!(longest.len(), LINE_MAX_BYTES);
    check_bytes(NEWEST, longest.as_bytes(), &["result 1"]);
    check_bytes(
        NEWEST,
        padded(LINE_MAX_BYTES + 1).as_bytes(),
        &["-32600 null"],
    );

    let monster = vec![b'['; 3 * LINE_MAX_BYTES];
    check_bytes(NEWEST, &monster, &["-32600 null"]);
    let mut two = monster;
    two.extend_from_slice(b"\n{}\n");
    two.extend_from_slice(legacy("1", "ping", Value::Null).as_bytes());
    check_bytes(NEWEST, &two, &["-32600 null", "-32600 null", "result 1"]);
}

#[test]
fn the_envelope_is_checked() {
    let long_id = format!("\"{}\"", "i".repeat(ID_MAX_BYTES));
    let long_id = legacy(&long_id, "ping", Value::Null);
    for version in LEGACY {
        check(
            version,
            &[
                // Ids come back as they came.
                (r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#, &["result 0"]),
                (
                    r#"{"jsonrpc":"2.0","id":-7,"method":"ping"}"#,
                    &["result -7"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":"7","method":"ping"}"#,
                    &[r#"result "7""#],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":"","method":"ping"}"#,
                    &[r#"result """#],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":"ä\"\\\n","method":"ping"}"#,
                    &[r#"result "ä\"\\\n""#],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}"#,
                    &["result 9007199254740993"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}"#,
                    &["result 123456789012345678901234567890"],
                ),
                // Ids that are none.
                (
                    r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
                    &["-32600 null"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#,
                    &["-32600 null"],
                ),
                (&long_id, &["-32600 null"]),
                // Other fields.
                (r#"{"id":1,"method":"ping"}"#, &["-32600 1"]),
                (
                    r#"{"jsonrpc":"1.0","id":"x","method":"ping"}"#,
                    &[r#"-32600 "x""#],
                ),
                (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, &["-32600 1"]),
                (
                    r#"{"method":"notifications/initialized"}"#,
                    &["-32600 null"],
                ),
                (r#"{"jsonrpc":"2.0","id":1}"#, &["-32600 1"]),
                (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, &["-32600 1"]),
                (r#"{"jsonrpc":"2.0","method":5}"#, &["-32600 null"]),
                (
                    r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                    &["-32600 1"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
                    &["-32600 1"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
                    &["result 1"],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"more":1}"#,
                    &["result 1"],
                ),
                ("{}", &["-32600 null"]),
                ("1", &["-32600 null"]),
                ("null", &["-32600 null"]),
                (r#""ping""#, &["-32600 null"]),
                // No answer is due.
                (
                    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                    &[],
                ),
                (
                    r#"{"jsonrpc":"2.0","method":"notifications/never-heard-of","params":{}}"#,
                    &[],
                ),
                (
                    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
                    &[],
                ),
                (
                    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}"#,
                    &[],
                ),
                (r#"{"jsonrpc":"2.0","method":"tools/list"}"#, &[]),
                (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, &[]),
                (
                    r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
                    &[],
                ),
                (
                    r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
                    &[],
                ),
            ],
        );
    }
}

/// Half of a surrogate pair is legal JSON that no text can hold.
#[test]
fn a_lone_surrogate_costs_its_own_message() {
    let ping =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":5,"method":"ping","params":{params}}}"#);
    for version in [BATCHED, NEWEST] {
        check(
            version,
            &[
                (&ping(r#"{"x":"\ud83d"}"#), &["-32600 5"]),
                (&ping(r#"{"x":"\udE00 and \ud83d\u0041"}"#), &["-32600 5"]),
                (&ping(r#"{"\ud83d":1}"#), &["-32600 5"]),
                (&ping(r#"{"x":"\ud83d\ude00"}"#), &["result 5"]),
                (&ping(r#"{"x":"\\ud83d"}"#), &["result 5"]),
                (&ping(r#"{"x":"\\\ud83d"}"#), &["-32600 5"]),
                (
                    r#"{"\ud83d":1,"jsonrpc":"2.0","id":"a","method":"ping"}"#,
                    &[r#"-32600 "a""#],
                ),
                (
                    r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"x":"\ud83d"}}"#,
                    &[],
                ),
            ],
        );
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        // The message and its parameters are two levels.
        let (open, close) = ("[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{open}{close}}}}}"#)
    };
    let text = legacy("1", "ping", json!({"x": "[{\"".repeat(1000)}));
    let hidden = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":{}"#,
        "[".repeat(200)
    );
    // What nobody reads counts too.
    let aside = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","aside":{open}{close}}}"#)
    };
    let batch = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for version in [BATCHED, NEWEST] {
        check(
            version,
            &[
                (&nested(DEPTH_MAX), &["result 1"]),
                (&nested(DEPTH_MAX + 1), &["-32700 null"]),
                (&nested(100_000), &["-32700 null"]),
                (&aside(DEPTH_MAX), &["result 1"]),
                (&aside(DEPTH_MAX + 1), &["-32700 null"]),
                (&text, &["result 1"]),
                (&hidden, &["-32700 null"]),
                (&batch, &["-32700 null"]),
            ],
        );
    }
}

#[test]
fn batches_are_of_one_revision() {
    let batch = format!(
        "[{},{},{}]",
        legacy("1", "ping", Value::Null),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        legacy("2", "nothing", Value::Null),
    );
    for version in [OLDEST, STRUCTURED, NEWEST] {
        check(
            version,
            &[(&batch, &["-32600 null"]), ("[]", &["-32600 null"])],
        );
    }
    let initialize = format!("[{}]", legacy("1", "initialize", json!({})));
    let newer = format!("[{}]", modern("1", "tools/list", json!({})));
    let echoes = format!("[{},{}]", call("1", "echo"), call("2", "flood"));
    let floods: Vec<String> = (0..BATCH_MAX)
        .map(|id| call(&id.to_string(), "flood"))
        .collect();
    let flooded: Vec<String> = (0..BATCH_MAX).map(|id| format!("-32603 {id}")).collect();
    let (floods, flooded) = (
        format!("[{}]", floods.join(",")),
        format!("[{}]", flooded.join(", ")),
    );
    let too_many = format!("[{}1]", "1,".repeat(BATCH_MAX));
    let twice = format!("[{0},{0}]", call("1", "echo"));
    let halved = format!(
        "[{},{}]",
        legacy("1", "ping", json!({"x": "?"})).replace('?', "\\ud83d"),
        legacy("2", "ping", Value::Null),
    );
    let undone = format!("[{},{}]", call("1", "echo"), crate::peer::cancel("1"));
    check(
        BATCHED,
        &[
            (&batch, &["[result 1, -32601 2]"]),
            ("[]", &["-32600 null"]),
            ("[1,{}]", &["[-32600 null, -32600 null]"]),
            (
                r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#,
                &[],
            ),
            (&initialize, &["[-32600 1]"]),
            (&newer, &["[-32600 1]"]),
            (&echoes, &["[result 1, -32603 2]"]),
            (&floods, &[&flooded]),
            (&too_many, &["-32600 null"]),
            (&twice, &["[-32600 1, result 1]"]),
            (&undone, &[]),
            (&halved, &["[-32600 1, result 2]"]),
            ("[", &["-32700 null"]),
        ],
    );
}

#[test]
fn no_line_is_over_the_limit() {
    let mut peer = Peer::negotiated(Way::Socket, BATCHED);
    // Two answers of 400 KB fit, three do not.
    // A quote takes two bytes in a request, and four in an answer, which is JSON in a text.
    let word = "\"".repeat(50_000);
    let echo = |id: usize| {
        legacy(
            &id.to_string(),
            "tools/call",
            json!({"name": "echo", "arguments": {"a": [word, word]}}),
        )
    };
    peer.send(&format!("[{},{},{}]", echo(1), echo(2), echo(3)));
    let line = peer.receive().unwrap();
    assert!(line.len() < REPLY_MAX_BYTES);
    assert_eq!(
        crate::peer::summary(&line),
        "[result 1, result 2, -32603 3]"
    );
    assert!(peer.close().is_empty());
    peer.join();
}
