//! What is a secret, and what only looks like one: by its key, by what stands around it, by itself.

use proxmox_mcp::error::Error;
use proxmox_mcp::secrets::{self, masked};
use proxmox_mcp::{shown, text};
use serde_json::{Map, Value, json};

fn mask(mut value: Value) -> Value {
    secrets::mask(&mut value);
    value
}

const UUID: &str = "deadbeef-1111-4222-8333-444444444444";

#[test]
fn texts_lose_their_secrets_and_nothing_else() {
    let header = format!("Authorization: PVEAPIToken=root@pam!mcp={UUID} sent");
    let endpoint =
        format!("apitoken=PVEAPIToken=root@pam!a={UUID},host=10.0.0.1,fingerprint=AA:BB");
    let token = format!("token root@pam!mcp={UUID}, then");
    let pbs = format!("PBSAPIToken=backup@pbs!x:{UUID}");
    for (given, expected) in [
        // Tokens.
        (header.as_str(), "Authorization: (hidden)"),
        (
            endpoint.as_str(),
            "apitoken=(hidden),host=10.0.0.1,fingerprint=AA:BB",
        ),
        (token.as_str(), "token root@pam!mcp=(hidden), then"),
        (pbs.as_str(), "PBSAPIToken=backup@pbs!x:(hidden)"),
        // Property strings, commands, URLs, JSON.
        (
            "user=joe,password=hush,share=x",
            "user=joe,password=(hidden),share=x",
        ),
        ("password=\"hush hush\" x", "password=\"(hidden)\" x"),
        (
            "qm set 100 --cipassword hush --name a",
            "qm set 100 --cipassword (hidden) --name a",
        ),
        (
            "pvesm add x --password=hush",
            "pvesm add x --password=(hidden)",
        ),
        (
            "http://joe:hush@proxy:3128/x",
            "http://joe:(hidden)@proxy:3128/x",
        ),
        (
            r#"{"ticket":"hush","port":1}"#,
            r#"{"ticket":"(hidden)","port":1}"#,
        ),
        (r#"{\"secret\": \"hush\"}"#, r#"{\"secret\": \"(hidden)\"}"#),
        ("new password: hush now", "new password: (hidden) now"),
        // Lines of YAML.
        ("password: hush, hush", "password: (hidden)"),
        ("  - passwd: $6$x$y", "  - passwd: (hidden)"),
        ("hashed_passwd: $6$x$y", "hashed_passwd: (hidden)"),
        (
            "users: [{name: joe, passwd: hush}]",
            "users: [{name: joe, passwd: (hidden)}]",
        ),
        (
            "chpasswd:\n  expire: False\n  list: |\n    root:hush\n    joe:hush\nuser: joe",
            "chpasswd:\n  expire: False\n  list: |\n    root:(hidden)\n    joe:(hidden)\nuser: joe",
        ),
        (
            "chpasswd:\n  users:\n  - {name: joe, password: hush}\n  - name: x\n    password: hush",
            "chpasswd:\n  users:\n  - {name: joe, password: (hidden)}\n  - name: x\n    password: (hidden)",
        ),
        (
            "a: 1\\npassword: hush\\nb: 2",
            "a: 1\\npassword: (hidden)\\nb: 2",
        ),
        (
            "secret: |\n  hu\n  sh\nb: 2",
            "secret: |\n  (hidden)\n  (hidden)\nb: 2",
        ),
        // Private keys.
        (
            "x -----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\nabc\n-----END RSA PRIVATE KEY-----\ny",
            "x -----BEGIN RSA PRIVATE KEY-----\n(hidden)\n(hidden)\n(hidden)-----END RSA PRIVATE KEY-----\ny",
        ),
        (
            "-----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY----- y",
            "-----BEGIN PRIVATE KEY-----(hidden)-----END PRIVATE KEY----- y",
        ),
        // A key that was cut hides no more than what may be one.
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\nthe next line",
            "-----BEGIN PRIVATE KEY-----\n(hidden)\nthe next line",
        ),
    ] {
        assert_eq!(masked(given), expected, "{given}");
        assert_eq!(masked(&masked(given)), expected, "twice: {given}");
        assert!(!masked(given).contains("hush"), "{given}");
    }
}

/// Tickets, tokens and keys that no name announces, as logs, commands, cookies and URLs have them.
#[test]
fn what_is_a_secret_by_its_form_is_hidden() {
    let hush = "hushHUSH+/hushHUSH0123456789hushHUSH+/012345";
    let encoded = "hushHUSH%2B%2FhushHUSH0123456789";
    let ceph = "AQhushHUSH0123456789hushHUSH0123456789==";
    for (given, expected) in [
        // Tickets of all products.
        (
            "PVE:root@pam:66000000::{hush}== x",
            "PVE:root@pam:66000000::(hidden) x",
        ),
        (
            "'PBS:a@pbs:66000000::{hush}'",
            "'PBS:a@pbs:66000000::(hidden)'",
        ),
        ("PVEVNC:6600ABCD::{hush}", "PVEVNC:6600ABCD::(hidden)"),
        (
            "PMG:a@pmg:6600abcd::{hush}, y",
            "PMG:a@pmg:6600abcd::(hidden), y",
        ),
        (
            "PVE:!tfa!%7B%7D:66000000::{hush}",
            "PVE:!tfa!%7B%7D:66000000::(hidden)",
        ),
        (
            "?x=PVE%3Aroot%40pam%3A66000000%3A%3A{encoded}&y",
            "?x=PVE%3Aroot%40pam%3A66000000%3A%3A(hidden)&y",
        ),
        ("66000000:{hush} sent", "66000000:(hidden) sent"),
        // Cookies and headers.
        (
            "Cookie: PVEAuthCookie=PVE%3Aroot; a=b",
            "Cookie: PVEAuthCookie=(hidden); a=b",
        ),
        (
            "-b '__Host-PBSAuthCookie=hush' -k",
            "-b '__Host-PBSAuthCookie=(hidden)' -k",
        ),
        ("PMGAuthCookie=hush", "PMGAuthCookie=(hidden)"),
        (
            "curl -H 'CSRFPreventionToken: hush' -d a=b",
            "curl -H 'CSRFPreventionToken: (hidden)' -d a=b",
        ),
        (
            "curl -H \"Authorization: Basic hush hush\" x",
            "curl -H \"Authorization: (hidden)\" x",
        ),
        (
            "sent Proxy-Authorization: Bearer hush",
            "sent Proxy-Authorization: (hidden)",
        ),
        // Tokens.
        ("root@pam!mcp:{uuid}", "root@pam!mcp:(hidden)"),
        (
            "PBS_PASSWORD for a@pbs!b.c-d=`{uuid}`",
            "PBS_PASSWORD for a@pbs!b.c-d=`(hidden)`",
        ),
        (
            "PVEAPIToken a@pve!my.token={uuid}",
            "PVEAPIToken a@pve!my.token=(hidden)",
        ),
        ("a@pve!b {uuid}", "a@pve!b (hidden)"),
        (
            "t=root%40pam%21mcp%3D{uuid}",
            "t=root%40pam%21mcp%3D(hidden)",
        ),
        (
            "PVEAPIToken%3Droot@pam%21mcp%3d{uuid}",
            "PVEAPIToken%3Droot@pam%21mcp%3d(hidden)",
        ),
        (
            r#"{"full-tokenid":"a@pve!b","info":{},"value":"{uuid}"}"#,
            r#"{"full-tokenid":"a@pve!b","info":{},"value":"(hidden)"}"#,
        ),
        (
            r#"x {\"value\":\"{uuid}\",\"full-tokenid\":\"a@pve!b\"}"#,
            r#"x {\"value\":\"(hidden)\",\"full-tokenid\":\"a@pve!b\"}"#,
        ),
        (
            "│ full-tokenid │ a@pve!b │\n╞══════╡\n│ value        │ {uuid} │",
            "│ full-tokenid │ a@pve!b │\n╞══════╡\n│ value        │ (hidden) │",
        ),
        // Keys.
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\nlQOY\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\nx",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n(hidden)\n(hidden)\n(hidden)\n(hidden)\n(hidden)-----END PGP PRIVATE KEY BLOCK-----\nx",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n(hidden)\n(hidden)-----END OPENSSH PRIVATE KEY-----",
        ),
        (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"x\"\nP2/5\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n(hidden)\n(hidden)\n(hidden)---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        ),
        (
            "Public-Lines: 1\nAAAA\nPrivate-Lines: 2\nhush\nhush\nPrivate-MAC: 00",
            "Public-Lines: 1\nAAAA\nPrivate-Lines: 2\n(hidden)\n(hidden)\nPrivate-MAC: 00",
        ),
        (
            "INFO: -----BEGIN EC PRIVATE KEY-----\nINFO: {hush}\nINFO: done",
            "INFO: -----BEGIN EC PRIVATE KEY-----\n(hidden)\nINFO: done",
        ),
        (
            "AGE-SECRET-KEY-1hushHUSH0123456789",
            "AGE-SECRET-KEY-(hidden)",
        ),
        ("PrivateKey = hush=", "PrivateKey = (hidden)"),
        ("PresharedKey = hush=", "PresharedKey = (hidden)"),
        (
            "[client.admin]\n\tkey = {ceph}",
            "[client.admin]\n\tkey = (hidden)",
        ),
        // Configurations and URLs.
        ("cipassword: hush", "cipassword: (hidden)"),
        (
            "https://joe:hush@pbs.example.com:8007/x",
            "https://joe:(hidden)@pbs.example.com:8007/x",
        ),
    ] {
        let fill = |text: &str| {
            let text = text.replace("{hush}", hush).replace("{uuid}", UUID);
            text.replace("{encoded}", encoded).replace("{ceph}", ceph)
        };
        let given = fill(given);
        assert_eq!(masked(&given), expected, "{given}");
        assert_eq!(masked(expected), expected, "twice: {expected}");
    }
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for text in [
        "password-vault",
        "the password of the user is wrong",
        "check the token and its secret: one that is unknown is refused",
        "`password`: value may only be 72 characters long",
        "secret:vm-100-disk-0",
        "virtio=BC:24:11:2A:00:01,bridge=vmbr0,tag=5",
        "UPID:pve1:0000ABCD:00112233:66000000:qmstart:100:root@pam!mcp:",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 joe@password",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "lock_passwd: false",
        "password: ********",
        "password=",
        "a=1;b=2 c: d",
        "https://pve1.example.com:8006/?a=b@c",
        "uuid=deadbeef-1111-4222-8333-444444444444",
        "PROXMOX_TOKEN_SECRET is set twice",
        "fe80:0000:0000:deadbee::1",
        "UPID:pve1:0000ABCD:00112233:66000000:vncproxy:100:root@pam!mcp.x:",
        "user root@pam!mcp has uuid deadbeef-1111-4222-8333-444444444444",
        "value: deadbeef-1111-4222-8333-444444444444",
        "sha256 66000000:short",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----",
        "AQIDBAUGBwgJ",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn keys_hide_what_stands_under_them() {
    let check =
        |given: Value, expected: Value| assert_eq!(mask(given.clone()), expected, "{given}");
    for key in [
        "password",
        "cipassword",
        "target-endpoint",
        "CSRFPreventionToken",
        "ticket",
        "secret",
        "TOKEN_SECRET",
        "client-key",
        "private_key",
        "new-password",
        "encryption-key",
    ] {
        check(
            json!({key: "hush", "a": "b"}),
            json!({key: "(hidden)", "a": "b"}),
        );
        check(
            json!([{key: ["hush", 5]}]),
            json!([{key: ["(hidden)", "(hidden)"]}]),
        );
        check(json!({key: true, "b": null}), json!({key: true, "b": null}));
        check(json!({key: ""}), json!({key: ""}));
    }
    check(
        json!({"value": UUID, "full-tokenid": "root@pam!a"}),
        json!({"value": "(hidden)", "full-tokenid": "root@pam!a"}),
    );
    check(
        json!([{"key": "cipassword", "value": "x", "pending": "y"}, {"key": "cores", "value": 2}]),
        json!([{"key": "cipassword", "value": "(hidden)", "pending": "(hidden)"}, {"key": "cores", "value": 2}]),
    );
    check(
        json!({"plugin": "dns", "data": "QVBJX0tFWT0x"}),
        json!({"plugin": "dns", "data": "(hidden)"}),
    );
    check(
        json!({"server": "influx", "token": "hush"}),
        json!({"server": "influx", "token": "(hidden)"}),
    );
    // As an option is changed alone.
    check(
        json!({"name": "gotify", "token": "hush"}),
        json!({"name": "gotify", "token": "(hidden)"}),
    );
    // A description of parameters holds none.
    check(
        json!({"password": {"type": "string", "optional": 1}}),
        json!({"password": {"type": "string", "optional": 1}}),
    );
    for plain in [
        json!({"token": "root@pam!a", "comment": "secret", "confirm": "0123456789abcdef"}),
        json!({"name": "password-store", "value": 5, "sshkeys": "ssh-rsa%20AAAA"}),
        json!({"items": [{"tokenid": "a", "privsep": 1}], "data": "x", "value": "y"}),
    ] {
        check(plain.clone(), plain);
    }
}

#[test]
fn a_list_of_lines_is_read_as_one_text() {
    let lines = [
        "-----BEGIN PRIVATE KEY-----",
        "MIIE",
        "-----END PRIVATE KEY-----",
        "MIIE",
    ];
    let hidden = [
        "-----BEGIN PRIVATE KEY-----",
        "(hidden)",
        "(hidden)-----END PRIVATE KEY-----",
        "MIIE",
    ];
    assert_eq!(mask(json!(lines)), json!(hidden));
    let rows = |lines: [&str; 4]| -> Value {
        let rows = (1..).zip(lines);
        rows.map(|(n, t)| json!({"n": n, "t": t})).collect()
    };
    assert_eq!(mask(rows(lines)), rows(hidden));
    // One guest's notes hide nothing of the next.
    let guests = json!([{"notes": lines[0], "a": 1, "b": 2}, {"notes": "MIIE", "a": 1, "b": 2}]);
    assert_eq!(mask(guests.clone()), guests);
}

#[test]
fn what_we_know_ourselves_is_hidden_anywhere() {
    let known = "known-to-this-test-alone";
    secrets::remember(known);
    secrets::remember("short");
    let text = format!("x{known}y short");
    assert_eq!(masked(&text), "x(hidden)y short");
    assert_eq!(
        mask(json!({known: [known]})),
        json!({"(hidden)": ["(hidden)"]})
    );
    assert_eq!(shown::line(&text), "x(hidden)y short");
}

#[test]
fn the_secrets_of_a_call_do_not_come_back() {
    let arguments =
        json!({"guest": 100, "settings": {"cipassword": "rosebud-1"}, "password": "abc"});
    let arguments: &Map<String, Value> = arguments.as_object().expect("an object");
    let answer = json!({"log": ["set rosebud-1", "abc"], "n\u{1b}": {"a\u{202e}b": "x\ny"}});
    let mut answer = answer.as_object().expect("an object").clone();
    shown::answer(arguments, &mut answer);
    assert_eq!(
        Value::Object(answer),
        json!({"log": ["set (hidden)", "abc"], "n\\u{1b}": {"a\\u{202e}b": "x\\ny"}}),
    );
    let all_of = |text: &str| {
        let texts = || vec![text.to_string()];
        let mut refused = Error::refused("prod", 500, text).hint(text);
        refused.by_parameter = vec![(text.into(), text.into())];
        refused.seen = Some(text.into());
        vec![
            Error::bad(text),
            Error::internal(text),
            Error::ambiguous(text, texts(), vec!["prod".into()]),
            Error::not_allowed("prod", text).hint(text),
            Error::protected("prod", "x").because(text),
            Error::unreachable("prod", text).hint(text),
            Error::interrupted("prod", text, text),
            Error::denied("prod", text).hint(text),
            refused,
            Error::task_failed(text.into(), text.into(), texts()).hint(text),
            Error::no_answer("prod", text, text).unknown(),
            Error::bad(text).after(texts()),
        ]
    };
    for error in all_of("a\u{1b}[31m\r\nrosebud-1\u{200b} password=hush") {
        let code = error.code;
        let error = shown::error(arguments, error);
        assert_eq!(error.code, code);
        let said = format!("{error} {}", error.hint.clone().unwrap_or_default());
        assert!(!said.chars().any(text::is_hidden), "{said:?}");
        assert!(
            !said.contains("rosebud") && !said.contains("hush"),
            "{said}"
        );
        assert!(
            said.contains("a\\u{1b}[31m\\r\\n(hidden)\\u{200b} password=(hidden)"),
            "{said}"
        );
    }
}

#[test]
fn long_texts_are_cut() {
    let mut shown = Map::from_iter([("x".repeat(1000), json!("y".repeat(1 << 20)))]);
    shown::answer(&Map::new(), &mut shown);
    let (key, value) = shown.iter().next().expect("an entry");
    assert!(key.ends_with('…') && key.chars().count() < 400);
    let value = value.as_str().expect("a text");
    assert!(value.ends_with('…') && value.chars().count() < 20_000);
}
