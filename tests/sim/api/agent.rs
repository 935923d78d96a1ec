//! The guest agent's commands.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, number};
use super::super::gate::Call;
use super::super::guest::{Guest, option};
use super::list::agent_on;
use super::{Handler, NULL};

pub const TABLE: &[(&str, &str, Handler)] = &[
    ("POST", "/nodes/{node}/qemu/{vmid}/agent", |call| {
        let command = call.text("command");
        command_answer(call, &command)
    }),
    ("POST", "/nodes/{node}/qemu/{vmid}/agent/ping", named),
    ("POST", "/nodes/{node}/qemu/{vmid}/agent/fstrim", named),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-freeze",
        named,
    ),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-thaw",
        named,
    ),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-status",
        named,
    ),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/info", named),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-osinfo", named),
    (
        "GET",
        "/nodes/{node}/qemu/{vmid}/agent/get-host-name",
        named,
    ),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-users", named),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-fsinfo", named),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-time", named),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-timezone", named),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/get-vcpus", named),
    (
        "GET",
        "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces",
        named,
    ),
    ("POST", "/nodes/{node}/qemu/{vmid}/agent/exec", |call| {
        alive(call)?;
        Ok(json!({"pid": 1000}))
    }),
    (
        "GET",
        "/nodes/{node}/qemu/{vmid}/agent/exec-status",
        exec_status,
    ),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/file-read", |call| {
        alive(call)?;
        // What every guest has.
        match call.text("file").as_str() {
            file if file.starts_with("/etc/") => {
                Ok(json!({"content": "hello from guest\n", "bytes-read": 17}))
            }
            "/big" => Ok(json!({"content": "B".repeat(1000), "bytes-read": 1000, "truncated": 1})),
            file => Err(Refusal::die(format!(
                "Agent error: failed to open file '{file}' (mode: 'r'): No such file or directory"
            ))),
        }
    }),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/agent/file-write",
        |call| {
            alive(call)?;
            NULL
        },
    ),
    (
        "POST",
        "/nodes/{node}/qemu/{vmid}/agent/set-user-password",
        |call| {
            alive(call)?;
            Ok(json!({"result": {}}))
        },
    ),
];

/// The guest, if its agent answers.
fn alive<'a>(call: &'a Call) -> Result<&'a Guest, Refusal> {
    let guest = call.guest()?;
    if !agent_on(guest) {
        return Err(Refusal::die("No QEMU guest agent configured"));
    }
    if !guest.running() {
        return Err(Refusal::die(format!("VM {} is not running", guest.vmid)));
    }
    if !guest.agent {
        return Err(Refusal::die("QEMU guest agent is not running"));
    }
    Ok(guest)
}

fn named(call: &mut Call) -> Answer {
    let command = call.method.segments.last().cloned().unwrap_or_default();
    command_answer(call, &command)
}

fn command_answer(call: &mut Call, command: &str) -> Answer {
    alive(call)?;
    let now = call.state.now();
    let guest = call.guest_mut()?;
    let result = match command {
        "network-get-interfaces" => interfaces(guest),
        "get-osinfo" => json!({
            "id": "debian", "name": "Debian GNU/Linux", "pretty-name": "Debian GNU/Linux 12 (bookworm)", "version": "12 (bookworm)",
            "version-id": "12", "kernel-release": "6.1.0-28-amd64", "kernel-version": "#1 SMP", "machine": "x86_64",
        }),
        "get-host-name" => json!({"host-name": guest.name()}),
        "info" => {
            json!({"version": "9.0", "supported_commands": [{"name": "guest-ping", "enabled": true, "success-response": true}]})
        }
        "get-users" => json!([{"user": "root", "login-time": 1_790_972_184.900_33}]),
        "get-fsinfo" => {
            json!([{"name": "sda1", "mountpoint": "/", "type": "ext4", "total-bytes": 8_589_934_592_u64, "used-bytes": 1_073_741_824, "disk": []}])
        }
        "get-time" => json!(now * 1_000_000_000),
        "get-timezone" => json!({"zone": "UTC", "offset": 0}),
        "get-vcpus" => json!([{"logical-id": 0, "online": true, "can-offline": false}]),
        "fstrim" => json!({"paths": [{"path": "/", "trimmed": 1_048_576, "minimum": 0}]}),
        "fsfreeze-freeze" => {
            guest.frozen = true;
            json!(1)
        }
        "fsfreeze-thaw" => {
            let count = i32::from(guest.frozen);
            guest.frozen = false;
            json!(count)
        }
        "fsfreeze-status" => json!(if guest.frozen { "frozen" } else { "thawed" }),
        _ => json!({}),
    };
    Ok(json!({"result": result}))
}

fn interfaces(guest: &Guest) -> Value {
    let lo = json!({"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": 8, "ip-address-type": "ipv4"}]});
    let model = guest
        .get("net0")
        .unwrap_or("")
        .split(',')
        .next()
        .unwrap_or("")
        .to_string();
    let mac = option(&model, "virtio")
        .unwrap_or("bc:24:11:00:00:01")
        .to_lowercase();
    let own = guest.addresses.iter().map(|(name, address)| {
        let (ip, prefix) = address.split_once('/').unwrap_or((address, "24"));
        let prefix: u32 = prefix.parse().unwrap_or(24);
        json!({"name": name, "hardware-address": mac, "ip-addresses": [{"ip-address": ip, "prefix": prefix, "ip-address-type": "ipv4"}]})
    });
    std::iter::once(lo).chain(own).collect()
}

fn exec_status(call: &mut Call) -> Answer {
    alive(call)?;
    if number(&call.params, "pid").unwrap_or(0) < 1000 {
        return Err(Refusal::die("Agent error: Invalid parameter 'pid'"));
    }
    Ok(json!({"exited": 1, "exitcode": 0, "out-data": "hello\n"}))
}
