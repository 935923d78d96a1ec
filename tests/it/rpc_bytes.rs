//! What goes over the line, byte by byte: framing, envelope and every protocol error, in both eras.

use proxmox_mcp::mcp::about;
use proxmox_mcp::mcp::inbox::LINE_MAX_BYTES;
use proxmox_mcp::mcp::rpc::{BATCH_MAX, DEPTH_MAX, ID_MAX_BYTES};
use proxmox_mcp::mcp::wire::REPLY_MAX_BYTES;
use serde_json::{Value, json};

use crate::peer::{Peer, Way, call, legacy, modern};

/// Sends each line to a server of its own and compares all that it answers.
fn check(version: &str, rows: &[(&str, &[&str])]) {
    for (line, expected) in rows {
        check_bytes(version, line.as_bytes(), expected);
    }
}

fn check_bytes(version: &str, line: &[u8], expected: &[&str]) {
    let mut peer = Peer::negotiated(Way::Pipe, version);
    let said = peer.replies(line);
    let shown = String::from_utf8_lossy(line.get(..line.len().min(300)).unwrap());
    assert_eq!(said, expected, "after {version}, to {shown}");
    assert!(peer.close().is_empty(), "more was said to {shown}");
    peer.join();
}

const OLDEST: &str = "2024-11-05";
const BATCHED: &str = "2025-03-26";
const STRUCTURED: &str = "2025-06-18";
const NEWEST: &str = "2025-11-25";
const LEGACY: [&str; 4] = [OLDEST, BATCHED, STRUCTURED, NEWEST];

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
            ("[", &["-32700 null"]),
        ],
    );
}

#[test]
fn errors_are_the_tables() {
    let line = |method: &str, params: Value| {
        [
            legacy("5", method, params.clone()),
            modern("5", method, params),
        ]
    };
    let refusal = r#"isError 5 "NotAllowedError: not today\nhint: ask tomorrow""#;
    let renamed = r#"isError 5 "BadArgumentsError: `old-name` is `echo` here; nothing was sent""#;
    let rows: &[([String; 2], [&str; 2])] = &[
        (line("tools/list", json!({})), ["result 5"; 2]),
        (line("tools/call", json!({"name": "echo"})), ["result 5"; 2]),
        (
            line("tools/call", json!({"name": "echo", "arguments": null})),
            ["result 5"; 2],
        ),
        // What is not there, or not advertised.
        (line("no/such/method", json!({})), ["-32601 5"; 2]),
        (line("", json!({})), ["-32601 5"; 2]),
        (line("prompts/list", json!({})), ["-32601 5"; 2]),
        (line("prompts/get", json!({"name": "x"})), ["-32601 5"; 2]),
        (line("resources/list", json!({})), ["-32601 5"; 2]),
        (
            line("resources/read", json!({"uri": "x:y"})),
            ["-32601 5"; 2],
        ),
        (
            line("resources/subscribe", json!({"uri": "x:y"})),
            ["-32601 5"; 2],
        ),
        (line("completion/complete", json!({})), ["-32601 5"; 2]),
        (
            line("logging/setLevel", json!({"level": "info"})),
            ["-32601 5"; 2],
        ),
        (
            line("subscriptions/listen", json!({"notifications": {}})),
            ["-32601 5"; 2],
        ),
        (line("tasks/get", json!({"taskId": "x"})), ["-32601 5"; 2]),
        (
            line("notifications/initialized", json!({})),
            ["-32601 5"; 2],
        ),
        // Of one era only.
        (
            line("initialize", json!({"protocolVersion": NEWEST})),
            ["result 5", "-32601 5"],
        ),
        (line("ping", json!({})), ["result 5", "-32601 5"]),
        (line("server/discover", json!({})), ["-32602 5", "result 5"]),
        // Parameters.
        (
            line("tools/call", json!({"name": "no-such-tool"})),
            ["-32602 5"; 2],
        ),
        (line("tools/call", json!({})), ["-32602 5"; 2]),
        (line("tools/call", json!({"name": 5})), ["-32602 5"; 2]),
        (
            line("tools/call", json!({"name": "echo", "arguments": []})),
            ["-32602 5"; 2],
        ),
        (
            line("tools/call", json!({"name": "echo", "arguments": "x"})),
            ["-32602 5"; 2],
        ),
        (line("tools/list", json!({"cursor": "x"})), ["-32602 5"; 2]),
        (line("tools/list", json!({"cursor": ""})), ["-32602 5"; 2]),
        (line("tools/list", json!({"cursor": 5})), ["-32602 5"; 2]),
        // Failures of a tool are results.
        (line("tools/call", json!({"name": "refuser"})), [refusal; 2]),
        (
            line("tools/call", json!({"name": "old-name"})),
            [renamed; 2],
        ),
        // An answer that is too long is an error; of a cancelled call nothing is said.
        (
            line("tools/call", json!({"name": "flood"})),
            ["-32603 5"; 2],
        ),
    ];
    for ([old, new], [to_old, to_new]) in rows {
        for version in LEGACY {
            check(version, &[(old, &[to_old]), (new, &[to_new])]);
        }
    }
    for line in line("tools/call", json!({"name": "quitter"})) {
        check(NEWEST, &[(&line, &[])]);
    }
}

#[test]
fn modern_requests_carry_their_meta() {
    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    let with = |method: &str, meta: Value| legacy("6", method, json!({"_meta": meta}));
    let supported = r#"{"requested":"REQUESTED","supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]}"#;
    let unsupported =
        |version: &str| format!("-32022 6 {}", supported.replace("REQUESTED", version));
    let (early, late) = (unsupported("2025-11-25"), unsupported("2027-01-01"));
    check(
        NEWEST,
        &[
            (
                &with(
                    "tools/list",
                    json!({VERSION: "2026-07-28", CAPABILITIES: {}}),
                ),
                &["result 6"],
            ),
            (
                &with("tools/list", json!({VERSION: "2026-07-28"})),
                &["-32602 6"],
            ),
            (
                &with(
                    "tools/list",
                    json!({VERSION: "2026-07-28", CAPABILITIES: []}),
                ),
                &["-32602 6"],
            ),
            (
                &with("tools/list", json!({VERSION: 5, CAPABILITIES: {}})),
                &["-32602 6"],
            ),
            (
                &with(
                    "tools/list",
                    json!({VERSION: "2027-01-01", CAPABILITIES: {}}),
                ),
                &[&late],
            ),
            (
                &with(
                    "tools/list",
                    json!({VERSION: "2025-11-25", CAPABILITIES: {}}),
                ),
                &[&early],
            ),
            (
                &with("no/such/method", json!({VERSION: "2027-01-01"})),
                &[&late],
            ),
            (
                &with("server/discover", json!({VERSION: "2027-01-01"})),
                &[&late],
            ),
            (
                &with("server/discover", json!({CAPABILITIES: {}})),
                &["-32602 6"],
            ),
            (&with("server/discover", json!(5)), &["-32602 6"]),
            (&legacy("6", "server/discover", Value::Null), &["-32602 6"]),
            // Without the version a request is of the old kind, whatever else it carries.
            (
                &with("tools/list", json!({CAPABILITIES: {}})),
                &["result 6"],
            ),
            (
                &with("tools/list", json!({"progressToken": 1})),
                &["result 6"],
            ),
            (&with("ping", json!("odd")), &["result 6"]),
        ],
    );
}

fn result(peer: &mut Peer, line: &str) -> Value {
    peer.send(line);
    let reply: Value = serde_json::from_str(&peer.receive().unwrap()).unwrap();
    reply["result"].clone()
}

#[test]
fn initialize_agrees_on_a_revision() {
    let rows = [
        (json!({"protocolVersion": OLDEST}), OLDEST),
        (json!({"protocolVersion": BATCHED}), BATCHED),
        (json!({"protocolVersion": STRUCTURED}), STRUCTURED),
        (json!({"protocolVersion": NEWEST}), NEWEST),
        (json!({"protocolVersion": "2026-07-28"}), NEWEST),
        (json!({"protocolVersion": "1.0"}), NEWEST),
        (json!({"protocolVersion": 5}), NEWEST),
        (json!({}), NEWEST),
        (Value::Null, NEWEST),
    ];
    for (params, agreed) in rows {
        let mut peer = Peer::start(Way::Pipe);
        let said = result(&mut peer, &legacy("1", "initialize", params.clone()));
        assert_eq!(said["protocolVersion"], agreed, "to {params}");
        assert_eq!(said["capabilities"], json!({"tools": {}}));
        assert_eq!(said["instructions"], about::INSTRUCTIONS);
        assert!(about::INSTRUCTIONS.len() < 2048, "hosts cut at 2 KB");
        let server = &said["serverInfo"];
        assert_eq!(server["name"], "proxmox-mcp");
        assert_eq!(server["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(
            server["title"].is_string(),
            agreed >= STRUCTURED,
            "{agreed}"
        );
        assert_eq!(server["icons"].is_array(), agreed >= NEWEST, "{agreed}");

        // From here on answers are of that revision.
        let echo = legacy(
            "2",
            "tools/call",
            json!({"name": "echo", "arguments": {"b": [1], "a": "x"}}),
        );
        let answer = result(&mut peer, &echo);
        let structured = answer.get("structuredContent");
        assert_eq!(structured.is_some(), agreed >= STRUCTURED, "{agreed}");
        let text = answer["content"][0]["text"].as_str().unwrap();
        let inner: Value = serde_json::from_str(text).unwrap();
        assert_eq!(inner, json!({"b": [1], "a": "x"}));
        assert_eq!(text, inner.to_string(), "compact");
        assert!(structured.is_none_or(|content| *content == inner));
        assert!(answer.get("resultType").is_none() && answer.get("_meta").is_none());
        assert!(peer.close().is_empty());
        peer.join();
    }
}

#[test]
fn modern_results_say_who_answers() {
    let mut peer = Peer::start(Way::Socket);
    let signature = json!({"name": "proxmox-mcp", "version": env!("CARGO_PKG_VERSION"), "title": "Proxmox VE clusters"});
    let who = "io.modelcontextprotocol/serverInfo";

    let discovered = result(&mut peer, &modern("1", "server/discover", json!({})));
    assert_eq!(discovered["supportedVersions"][0], "2026-07-28");
    assert_eq!(discovered["capabilities"], json!({"tools": {}}));
    assert_eq!(discovered["instructions"], about::INSTRUCTIONS);
    assert!(
        discovered["_meta"][who]["icons"][0]["src"]
            .as_str()
            .unwrap()
            .starts_with("data:")
    );

    let listed = result(&mut peer, &modern("1", "tools/list", json!({})));
    assert_eq!(listed["_meta"][who], signature);
    assert!(listed["tools"].is_array() && listed.get("nextCursor").is_none());
    for cached in [&discovered, &listed] {
        assert_eq!(cached["resultType"], "complete");
        assert!(cached["ttlMs"].is_u64());
        assert_eq!(cached["cacheScope"], "private");
    }
    for name in ["echo", "refuser"] {
        let called = result(&mut peer, &modern("1", "tools/call", json!({"name": name})));
        assert_eq!(called["resultType"], "complete");
        assert_eq!(called["_meta"][who], signature);
        assert!(called.get("ttlMs").is_none());
        assert_eq!(called.get("structuredContent").is_some(), name == "echo");
    }
    // The eras mix, and what was not negotiated is 2025-11-25.
    let listed = result(&mut peer, &legacy("2", "tools/list", json!({})));
    assert!(listed.get("ttlMs").is_none() && listed["tools"][0]["title"].is_string());
    assert!(peer.close().is_empty());
    peer.join();
}

#[test]
fn no_line_is_over_the_limit() {
    let mut peer = Peer::negotiated(Way::Socket, BATCHED);
    // Two answers of 400 KB fit, three do not.
    let word = "w".repeat(200_000);
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
