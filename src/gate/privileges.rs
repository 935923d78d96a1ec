//! What the cluster asks of a token for the writes that the tools make most, so that it is known
//! without reading the cluster's own description of its API: that is over 4 MB.
//!
//! These rules are the same in Proxmox VE 8 and 9. Those of the guest agent are not, and have no row;
//! whatever has none is judged by the cluster's own description where it is at hand.

use crate::api::permission::{Values, Verdict, judge};
use crate::api::request::{Request, Verb};
use crate::api::schema::Schema;
use crate::error::Error;

/// One rule, as the description has it, and the methods that it holds for.
struct Rule {
    permissions: &'static str,
    methods: &'static [(Verb, &'static str)],
}

/// `{kind}` stands for `qemu` and `lxc`.
static RULES: &[Rule] = &[
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Allocate"]]}"#,
        methods: &[
            (Verb::Delete, "/nodes/{node}/{kind}/{vmid}"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/template"),
        ],
    },
    Rule {
        permissions: r#"{"check":["and",["perm","/vms/{vmid}",["VM.Clone"]],["or",["perm","/vms/{newid}",["VM.Allocate"]],["perm","/pool/{pool}",["VM.Allocate"],"require_param","pool"]]]}"#,
        methods: &[(Verb::Post, "/nodes/{node}/{kind}/{vmid}/clone")],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk","VM.Config.CPU","VM.Config.Memory","VM.Config.Network","VM.Config.Options"],"any",1]}"#,
        methods: &[(Verb::Put, "/nodes/{node}/lxc/{vmid}/config")],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Network"]]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/firewall/aliases"),
            (
                Verb::Delete,
                "/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}",
            ),
            (
                Verb::Put,
                "/nodes/{node}/{kind}/{vmid}/firewall/aliases/{name}",
            ),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/firewall/ipset"),
            (
                Verb::Delete,
                "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}",
            ),
            (
                Verb::Post,
                "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}",
            ),
            (
                Verb::Delete,
                "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}",
            ),
            (
                Verb::Put,
                "/nodes/{node}/{kind}/{vmid}/firewall/ipset/{name}/{cidr}",
            ),
            (Verb::Put, "/nodes/{node}/{kind}/{vmid}/firewall/options"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/firewall/rules"),
            (
                Verb::Delete,
                "/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}",
            ),
            (
                Verb::Put,
                "/nodes/{node}/{kind}/{vmid}/firewall/rules/{pos}",
            ),
        ],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Migrate"]]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/migrate"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/remote_migrate"),
        ],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk"]]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/lxc/{vmid}/move_volume"),
            (Verb::Post, "/nodes/{node}/qemu/{vmid}/move_disk"),
            (Verb::Put, "/nodes/{node}/qemu/{vmid}/resize"),
            (Verb::Put, "/nodes/{node}/qemu/{vmid}/unlink"),
        ],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk"],"any",1]}"#,
        methods: &[(Verb::Put, "/nodes/{node}/lxc/{vmid}/resize")],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Snapshot"]]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/snapshot"),
            (
                Verb::Delete,
                "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}",
            ),
            (
                Verb::Put,
                "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/config",
            ),
        ],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Snapshot","VM.Snapshot.Rollback"],"any",1]}"#,
        methods: &[(
            Verb::Post,
            "/nodes/{node}/{kind}/{vmid}/snapshot/{snapname}/rollback",
        )],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.PowerMgmt"]]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/reboot"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/resume"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/shutdown"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/start"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/stop"),
            (Verb::Post, "/nodes/{node}/{kind}/{vmid}/status/suspend"),
            (Verb::Post, "/nodes/{node}/qemu/{vmid}/status/reset"),
        ],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Cloudinit"]]}"#,
        methods: &[(Verb::Put, "/nodes/{node}/qemu/{vmid}/cloudinit")],
    },
    Rule {
        permissions: r#"{"check":["perm","/vms/{vmid}",["VM.Config.Disk","VM.Config.CDROM","VM.Config.CPU","VM.Config.Memory","VM.Config.Network","VM.Config.HWType","VM.Config.Options","VM.Config.Cloudinit"],"any",1]}"#,
        methods: &[
            (Verb::Post, "/nodes/{node}/qemu/{vmid}/config"),
            (Verb::Put, "/nodes/{node}/qemu/{vmid}/config"),
        ],
    },
];

/// Whether a token of which `holds` tells what it has may send a request: by the cluster's own
/// description where it is given, else by the rules that are built in.
///
/// # Errors
/// What `holds` fails with.
pub fn verdict(
    request: &Request,
    schema: Option<&Schema>,
    holds: &mut dyn FnMut(&str, &str) -> Result<bool, Error>,
) -> Result<Verdict, Error> {
    let parts: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (permissions, template) = match schema {
        None => match methods().find(|(_, verb, path)| is_of(request, *verb, path)) {
            None => return Ok(Verdict::Unclear),
            Some((permissions, _, path)) => (Some(permissions), path),
        },
        Some(schema) => match schema.find(request.verb, &parts) {
            None => return Ok(Verdict::Unclear),
            Some(method) if !method.token_allowed => return Ok(Verdict::NoToken),
            Some(method) => (method.permissions.as_deref(), &*method.template),
        },
    };
    let slots = request.slots(template).unwrap_or_default();
    let values = Values {
        slots: &slots,
        params: &request.params,
    };
    judge(permissions, &values, holds)
}

fn is_of(request: &Request, verb: Verb, path: &str) -> bool {
    verb == request.verb && request.slots(path).is_some()
}

/// Every method that has a rule, and the rule, for tests.
pub fn methods() -> impl Iterator<Item = (&'static str, Verb, &'static str)> {
    RULES.iter().flat_map(|rule| {
        let methods = rule.methods.iter();
        methods.map(|(verb, path)| (rule.permissions, *verb, *path))
    })
}
