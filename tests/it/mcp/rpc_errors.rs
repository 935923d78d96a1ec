//! Every row of the protocol's error table and of the handshakes, in both eras.

use proxmox_mcp::mcp::about;
use proxmox_mcp::mcp::revision::Revision;
use serde_json::{Value, json};

use crate::peer::{BATCHED, LEGACY, NEWEST, OLDEST, Peer, STRUCTURED, Way, check, legacy, modern};

#[test]
fn errors_are_the_tables() {
    let line = |method: &str, params: Value| {
        [
            legacy("5", method, params.clone()),
            modern("5", method, params),
        ]
    };
    let refusal = r#"isError 5 "NotAllowedError: not today; nothing was sent\nhint: ask tomorrow""#;
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
    let supported = r#"{"supported":["2026-07-28"],"requested":"REQUESTED"}"#;
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
        assert_eq!(
            said["capabilities"],
            json!({"tools": {"listChanged": true}})
        );
        assert_eq!(said["instructions"], about::instructions(&[]));
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
    let signature = about::server(Revision::Stateless);
    assert_eq!(signature["title"], "Proxmox VE clusters");
    let who = "io.modelcontextprotocol/serverInfo";

    let discovered = result(&mut peer, &modern("1", "server/discover", json!({})));
    assert_eq!(discovered["supportedVersions"][0], "2026-07-28");
    assert_eq!(discovered["capabilities"], json!({"tools": {}}));
    assert_eq!(discovered["instructions"], about::instructions(&[]));
    assert_eq!(discovered["_meta"][who], signature);
    let icon = signature["icons"][0]["src"].as_str().expect("an icon");
    assert!(icon.starts_with("data:"), "{icon}");

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
