//! Values for parameters: by name where the name says more than the kind, else by kind. A tool whose
//! parameters are named and shaped like others' needs no line here.

use proxmox_mcp::tool::param::{Param, ParamKind, Word};
use serde_json::{Value, json};

use super::clusters::{GUESTS, NODES};

/// Texts and names that a kind does not tell.
const BY_NAME: &[(&str, &[&str])] = &[
    ("bridge", &["vmbr0"]),
    ("cidr", &["10.2.0.0/16"]),
    ("dest", &["10.2.0.1"]),
    ("digest", &["$digest"]),
    ("dport", &["443"]),
    ("disk", &["scsi1", "unused0", "mp0"]),
    ("entries", &["10.3.0.1"]),
    ("group", &["office"]),
    ("gw6", &["2001:db8::1"]),
    ("gw", &["10.1.0.1"]),
    ("icmp_type", &["echo-request"]),
    ("iface", &["vmbr0", "vmbr7", "net0"]),
    ("ip", &["dhcp"]),
    ("ip6", &["auto"]),
    ("iso", &["local:iso/debian.iso"]),
    ("keeps", &["last 1"]),
    ("log", &["info"]),
    ("keys", &["ssh-ed25519 AAAA web"]),
    ("macaddr", &["BC:24:11:00:00:01"]),
    ("model", &["virtio"]),
    ("mp", &["/mnt/more"]),
    ("name", &["fresh", "office"]),
    ("nameserver", &["10.1.0.53"]),
    ("net", &["net1", "net0"]),
    (
        "path",
        &[
            "/nodes/one-a/dns",
            "/nodes/one-a/scan/lvm",
            "/nodes/one-a/qemu/101/agent/file-read",
            "/nodes/one-a/qemu/102/status/start",
            "/nodes/one-a/qemu/101/status/shutdown",
            "/nodes/one-a/qemu/101/status/stop",
            "/nodes/one-a/qemu/102/config",
            "/nodes/one-a/qemu/101/firewall/options",
            "/nodes/one-a/lxc/104/template",
            "/nodes/one-a/qemu/102",
            "/nodes/one-a/qemu/102/snapshot/before/rollback",
            "/pools/shop",
        ],
    ),
    ("ostemplate", &["local:vztmpl/debian-12.tar.zst"]),
    ("pool", &["shop"]),
    ("proto", &["tcp"]),
    ("query", &["type:guest"]),
    ("schedule", &["3:00"]),
    ("since", &["30d"]),
    ("size", &["+1G", "2"]),
    ("source", &["10.1.0.0/16"]),
    ("startup", &["order=1"]),
    ("tag", &["web"]),
    ("template", &["alpine"]),
    ("toolset", &["pool"]),
    ("type", &["vzdump"]),
    ("url", &["https://cdn.example/a.iso"]),
    ("verdict", &["ACCEPT"]),
    ("without", &["10.3.0.9"]),
];

/// Numbers.
const NUMBERS: &[(&str, i64)] = &[("vmid", 900), ("memory", 256), ("to", 0)];

/// What is worth trying for a parameter, the likeliest first.
pub fn candidates(param: &Param) -> Vec<Value> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect();
    let named = BY_NAME.iter().find(|(name, _)| *name == param.name);
    let number = NUMBERS.iter().find(|(name, _)| *name == param.name);
    match (param.kind, named) {
        (ParamKind::Text(_) | ParamKind::Word(_), Some((_, values))) => texts(values),
        (ParamKind::Guest, _) => texts(&GUESTS),
        (ParamKind::Text(_), _) => texts(&["some words"]),
        (ParamKind::Word(word), _) => texts(words(word)),
        (ParamKind::Int(least, most) | ParamKind::Size(_, least, most), _) => match number {
            Some((_, number)) => vec![json!(number)],
            None => vec![json!(1.clamp(least, most))],
        },
        (ParamKind::Moment, _) => texts(&["7d"]),
        (ParamKind::Bool, _) => vec![json!(true)],
        // An aim says which.
        (ParamKind::ActionWord, _) => Vec::new(),
        (ParamKind::OneOf(words), _) => texts(words),
        (ParamKind::SomeOf(words), _) => vec![json!(words)],
        (ParamKind::Texts(_), Some((_, values))) => vec![json!(values)],
        (ParamKind::Texts(_), _) => vec![json!(["web"])],
        (ParamKind::Settings, _) if param.name == "params" => {
            vec![
                json!({"file": "/etc/hostname"}),
                json!({"cores": 2}),
                json!({"delete": "net1"}),
                json!({"enable": true}),
            ]
        }
        (ParamKind::Settings, _) => vec![
            json!({"description": "some words"}),
            json!({"enable": true}),
        ],
    }
}

fn words(word: Word) -> &'static [&'static str] {
    match word {
        Word::Node => &[NODES[1], NODES[0]],
        Word::Storage => &["ceph-vm", "ceph-more", "nas", "local"],
        Word::Snapshot => &["before", "fresh"],
        Word::Volume => &[
            "$archive",
            "local:vztmpl/debian-12.tar.zst",
            "local:iso/debian.iso",
        ],
        Word::DnsName => &["fresh"],
        Word::Task => &["$task"],
        Word::Pool | Word::Tag | Word::Id => &["fresh"],
    }
}
