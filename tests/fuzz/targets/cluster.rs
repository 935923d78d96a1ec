//! What a cluster says: lists, permissions, its API description, tasks, refusals, certificates.

use std::cell::RefCell;
use std::time::Duration;

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::api::{schema as description, upid};
use proxmox_mcp::error::Error;
use proxmox_mcp::fleet::index::ResourceIndex;
use proxmox_mcp::fleet::permissions::TokenPermissions;
use proxmox_mcp::fleet::query::grammar;
use proxmox_mcp::fleet::resource;
use proxmox_mcp::fleet::visibility::TokenVisibility;
use proxmox_mcp::proxmox::answer::{self as answers, Answer};
use proxmox_mcp::proxmox::secret::{Secret, SecretSource};
use proxmox_mcp::proxmox::settings::{Endpoint, Settings, Trust};
use proxmox_mcp::proxmox::{cert, task as tasks};
use serde_json::{Map, Value, json};

use super::assert_shown;

/// A guest's place in the index, beside its name.
const ROW_MAX_BYTES: usize = 64;
const LOG_LINES: u64 = 20;
const UPID: &str = "UPID:pve1:000C3A1F:0123ABCD:66A1B2C3:qmstart:100:root@pam!mcp:";

fn settings() -> Settings {
    Settings {
        cluster: "production".into(),
        endpoints: vec![Endpoint::new("pve1", 8006)],
        token_id: "root@pam!mcp".into(),
        secret: SecretSource::Value(Secret::new("s3cr3t".into())),
        trust: Trust::Nothing,
        proxy: None,
        timeout: Duration::from_secs(1),
        validate: false,
        renew_after: Duration::from_secs(1),
    }
}

fn assert_error(error: &Error) {
    assert_shown(&error.to_string());
    assert!(!error.code.as_str().is_empty());
    if let Some(hint) = &error.hint {
        assert_shown(hint);
    }
}

/// The resource list: the index is no larger than the reply lets it be, and knows what it has read.
pub fn resources(bytes: &[u8]) {
    let query = grammar::parse("web* -type:vm id:100-200 cpu>10% tag:a").expect("the grammar");
    let mut guests = Vec::new();
    let read = resource::each(bytes, &mut |row| {
        query.finds("production", row);
        let shares = [row.cpu_percent(), row.memory_percent(), row.disk_percent()];
        assert!(
            shares.iter().flatten().all(|share| !share.is_nan()),
            "{shares:?}"
        );
        assert_eq!(row.tags().find(|tag| tag.is_empty()), None);
        if let (true, Some(vmid), false) = (row.kind().is_guest(), row.vmid(), row.node.is_empty())
        {
            guests.push((vmid, row.name().to_string()));
        }
    });
    let rows = ResourceIndex::read(bytes);
    let names = proxmox_mcp::fleet::index::Names::default();
    assert_eq!(rows.is_ok(), read.is_ok());
    let Ok(rows) = rows else {
        return;
    };
    assert!(rows.guest_bytes() <= guests.len() * ROW_MAX_BYTES + bytes.len() * 3);
    for (vmid, name) in guests
        .iter()
        .filter(|(_, name)| name.len() < usize::from(u16::MAX))
    {
        assert!(rows.by_vmid(*vmid, &names).is_some(), "{vmid}");
        assert!(!rows.by_name(name, &names).is_empty(), "{name:?}");
    }
    assert!(rows.nameless(&names).len() <= guests.len());
}

/// The permissions of a token. With none, everything may be missing.
pub fn permissions(bytes: &[u8]) {
    let Ok(permissions) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let visibility = TokenVisibility::of(&TokenPermissions::of(&permissions));
    let gaps = visibility.gaps(|_| true);
    let seen = [
        visibility.guests,
        visibility.storages,
        visibility.nodes,
        visibility.pools,
    ];
    assert_eq!(gaps.len(), seen.iter().filter(|all| !**all).count());
    if permissions.as_object().is_none_or(Map::is_empty) {
        assert_eq!(gaps.len(), 4);
    }
}

/// The API description: what it takes in memory follows what was sent, and it can be asked.
pub fn schema(bytes: &[u8]) {
    let mut source = bytes;
    let Ok(schema) = description::read(&mut source) else {
        return;
    };
    assert!(schema.heap_bytes() <= bytes.len() * 32 + 64 * 1024);
    let arguments = json!({"vmid": 100, "net0": "virtio", "name": "x\u{202e}", "force": "maybe"});
    let arguments = arguments.as_object().expect("an object");
    for method in schema.methods() {
        let parts: Vec<&str> = method.template.split('/').skip(1).collect();
        assert!(
            schema.find(method.verb, &parts).is_some(),
            "{}",
            method.template
        );
        method
            .check(arguments)
            .iter()
            .for_each(|problem| assert_shown(problem));
    }
}

/// A task's name on the first line, then what its node answers, a reply a line.
pub fn task(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    match upid::parse_qualified(&first) {
        Ok((cluster, upid)) => {
            let whole = cluster.map_or(upid.to_string(), |cluster| upid.of(&cluster));
            assert_eq!(whole, first);
        }
        Err(problem) => assert_shown(&problem),
    }
    let (_, upid) = upid::parse_qualified(UPID).expect("a UPID");
    let replies = RefCell::new(lines);
    let settings = settings();
    let send = |request: &Request| {
        let body = replies.borrow_mut().next().unwrap_or(b"{\"data\":null}");
        answers::parse(&settings, request, body)
    };
    match tasks::look(&send, "production", &upid) {
        Ok(state) => {
            assert!(state.log_tail.len() <= LOG_LINES as usize);
            state.log_tail.iter().for_each(|line| assert_shown(line));
            if let Err(error) = state.succeeded() {
                assert_error(&error);
            }
        }
        Err(error) => assert_error(&error),
    }
    if let Ok(lines) = tasks::log_tail(&send, "production", &upid, LOG_LINES) {
        assert!(lines.len() <= LOG_LINES as usize);
        lines.iter().for_each(|line| assert_shown(line));
    }
}

/// A status, a reason phrase up to the end of the line, and a body: a reply, or an error that shows
/// what it says.
pub fn answer(bytes: &[u8]) {
    let Some(([high, low], rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let status = 200 + u16::from_be_bytes([*high, *low]) % 400;
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let reason = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default().to_vec();
    let settings = settings();
    for verb in [Verb::Get, Verb::Post] {
        let request = Request {
            verb,
            path: vec!["nodes".into(), "pve1".into()],
            params: Map::new(),
        };
        let answer = Answer {
            status,
            reason: reason.clone(),
            date: None,
            body: body.clone().into(),
        };
        let accepted = answer.accepted(&settings, &request);
        let accepted = accepted.and_then(|body| answers::parse(&settings, &request, &body));
        match accepted {
            Ok(_) => assert_eq!(status, 200),
            Err(error) => assert_error(&error),
        }
    }
}

/// A certificate: what is read of it can be shown, and is short.
pub fn certificate(bytes: &[u8]) {
    let read = cert::read(bytes);
    assert!(read.names.len() <= 20);
    let texts = [
        &read.subject,
        &read.issuer,
        &read.not_before,
        &read.not_after,
    ];
    for text in texts.into_iter().chain(&read.names) {
        assert_shown(text);
        assert!(text.chars().count() <= 20 * 1000, "{text}");
    }
}
