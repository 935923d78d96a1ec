//! What is known of guests' names beside the list: what each write says of them.

use std::time::Duration;

use proxmox_mcp::api::request::{Request, Verb};
use proxmox_mcp::fleet::index::{GuestName, Names};
use serde_json::Value;

/// A write as `METHOD PATH KEY=VALUE,...`, and what is known after it.
const WRITES: &[(&str, &str)] = &[
    // Made: with a name, without one.
    ("POST /nodes/n/qemu vmid=7,name=web", "7 is web"),
    ("POST /nodes/n/lxc vmid=7,hostname=web", "7 is web"),
    ("POST /nodes/n/qemu vmid=7,archive=x", "7 is doubtful"),
    ("POST /nodes/n/qemu/9/clone newid=7,name=web", "7 is web"),
    ("POST /nodes/n/lxc/9/clone newid=7,hostname=web", "7 is web"),
    ("POST /nodes/n/qemu/9/clone newid=7", "7 is doubtful"),
    // Renamed; a running container may keep its name until it is restarted.
    ("PUT /nodes/n/qemu/7/config name=web", "7 is web"),
    ("POST /nodes/n/qemu/7/config name=web", "7 is web"),
    ("PUT /nodes/n/lxc/7/config hostname=web", "7 is doubtful"),
    (
        "PUT /nodes/n/qemu/7/config delete=tags;name",
        "7 is doubtful",
    ),
    ("PUT /nodes/n/qemu/7/config delete=tags", ""),
    ("PUT /nodes/n/qemu/7/config cores=2", ""),
    // Gone, or another's; or as it once was.
    ("DELETE /nodes/n/qemu/7", "7 is doubtful"),
    ("POST /nodes/n/qemu/7/remote_migrate", "7 is doubtful"),
    ("POST /nodes/n/qemu/7/snapshot/s1/rollback", "7 is doubtful"),
    // These change no name.
    ("POST /nodes/n/qemu/7/status/start", ""),
    ("POST /nodes/n/qemu/7/snapshot snapname=s1", ""),
    ("DELETE /nodes/n/qemu/7/snapshot/s1", ""),
    ("POST /nodes/n/qemu/7/migrate target=m", ""),
    ("GET /nodes/n/qemu/7/config name=web", ""),
    ("POST /nodes/n/vzdump vmid=7", ""),
];

#[test]
fn a_write_says_what_a_guest_is_called() {
    for (line, expected) in WRITES {
        let request = read(line);
        let after = |was_taken| {
            let mut names = Names::default();
            names.wrote(&request, was_taken);
            match names.of(7) {
                Some(GuestName::Is(name)) => format!("7 is {name}"),
                Some(GuestName::Doubtful) => "7 is doubtful".into(),
                None => String::new(),
            }
        };
        assert_eq!(after(true), *expected, "{line}");
        // Where it is not known whether it took effect, nothing is.
        let doubtful = if expected.is_empty() {
            ""
        } else {
            "7 is doubtful"
        };
        assert_eq!(after(false), doubtful, "{line}");
    }
}

fn read(line: &str) -> Request {
    let mut words = line.split(' ');
    let verb = match words.next() {
        Some("GET") => Verb::Get,
        Some("POST") => Verb::Post,
        Some("PUT") => Verb::Put,
        _ => Verb::Delete,
    };
    let path = words.next().expect("a path");
    let mut request = Request {
        verb,
        path: path.split('/').skip(1).map(str::to_string).collect(),
        params: serde_json::Map::new(),
    };
    for pair in words.next().into_iter().flat_map(|words| words.split(',')) {
        let (key, value) = pair.split_once('=').expect("a pair");
        let value = match value.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) => value.replace(';', ",").into(),
        };
        request.params.insert(key.into(), value);
    }
    request
}

/// What is known is known for a while, and what was said last holds.
#[test]
fn the_last_word_holds_until_it_is_old() {
    let mut names = Names::default();
    names.learn(7, GuestName::Doubtful);
    names.learn(7, GuestName::Is("old".into()));
    names.learn(7, GuestName::Is("web".into()));
    names.learn(8, GuestName::Is("web".into()));
    assert_eq!(names.called("web").collect::<Vec<_>>(), [7, 8]);
    assert_eq!(names.called("old").count(), 0);
    assert_eq!(names.doubtful().count(), 0);
    names.age(Duration::from_secs(3600));
    assert_eq!(names.of(8), Some(&GuestName::Is("web".into())));
    names.age(Duration::ZERO);
    assert_eq!(names.of(8), None);
}
