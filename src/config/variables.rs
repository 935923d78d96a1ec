//! Every variable, once: its name, where it holds, what it is for, its default, whether it is built.
//! Help, suggestions, the refusal of what is not built and the check of the example file read it.

/// One variable, or one field of each cluster.
pub struct Variable {
    /// The whole name; of a cluster's field, what stands behind `PROXMOX_CLUSTER_{name}_`.
    pub name: &'static str,
    pub scope: Scope,
    /// One sentence, without a full stop.
    pub about: &'static str,
    /// The default as it would be written; empty where there is none.
    pub default: &'static str,
    pub stage: Stage,
    /// Whether it keeps things safe, so that a slip in its name must not go unnoticed.
    pub guards: bool,
}

/// Where a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Once, for all clusters.
    Registry,
    /// For a cluster: `PROXMOX_CLUSTER_{name}_{FIELD}`, and `PROXMOX_{FIELD}` where there is only one.
    Cluster,
}

/// What becomes of a variable that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Built,
    /// A problem: nothing is accepted in silence.
    NotBuiltYet,
    /// Known from the Python package, not used here, and said so.
    Ignored,
}

/// What every variable of ours begins with.
pub const PREFIX: &str = "PROXMOX_";
/// What every variable of one cluster begins with.
pub const CLUSTER_PREFIX: &str = "PROXMOX_CLUSTER_";

/// All of them, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    registry(
        "PROXMOX_CLUSTERS",
        "",
        "names of the clusters, separated by `,`",
    ),
    registry(
        "PROXMOX_CLUSTER_PATTERNS",
        "",
        "`prefix:cluster` items, separated by `,`: guests whose name begins so are on that cluster",
    ),
    registry(
        "PROXMOX_CLUSTER_VALIDATION",
        "true",
        "whether a cluster must answer to its token before the first other request",
    ),
    registry(
        "PROXMOX_CLUSTER_CACHE_TTL",
        "3600",
        "seconds after which a connection is made anew, with its CA and secret; 0: for every call",
    ),
    registry(
        "PROXMOX_DEFAULT_CLUSTER",
        "",
        "the cluster of reads and new things that name none, or `none`; else the first",
    ),
    guard(registry(
        "PROXMOX_ACCESS",
        "full",
        "the most that may be done: read, operate, change, full",
    )),
    guard(registry(
        "PROXMOX_CONFIRM",
        "auto",
        "how what asks is confirmed: auto, ask (the user), code (the same call again), off:NAME[,NAME]",
    )),
    guard(registry(
        "PROXMOX_PROTECT",
        "",
        "guests that are let only what does no harm: 100, 100-199, name:db-*, tag:prod, pool:core",
    )),
    guard(registry(
        "PROXMOX_BULK_LIMIT",
        "10",
        "most guests or objects destroyed or interrupted in 60 s",
    )),
    registry(
        "PROXMOX_TOOLSETS",
        "default",
        "sets of tools that are offered, `default` or `all`",
    ),
    registry("PROXMOX_TOOLS_ALLOW", "", "tools that are offered besides"),
    guard(registry(
        "PROXMOX_TOOLS_DENY",
        "",
        "tools that are never offered",
    )),
    guard(registry(
        "PROXMOX_AUDIT_LOG",
        "",
        "the file that each call is written to, an absolute path",
    )),
    later(registry(
        "PROXMOX_EXEC_ALLOW",
        "",
        "what runs in guests without a question",
    )),
    later(registry(
        "PROXMOX_FILE_DIRS",
        "",
        "folders that may be read and written for uploads and secrets",
    )),
    registry(
        "PROXMOX_FANOUT",
        "",
        "how many clusters one fleet-wide read asks at a time, at most 128; unset: all of them; 1: one after another",
    ),
    registry(
        "PROXMOX_LOG",
        "warn",
        "what is said on standard error: error, warn, info, debug",
    ),
    Variable {
        stage: Stage::Ignored,
        ..registry(
            "PROXMOX_DEFAULT_LXC_PASSWORD",
            "",
            "no container gets a password that it was not given, where the Python package gave it a published one",
        )
    },
    field(
        "API_URL",
        "",
        "`https://host[:port][/prefix]`, port 8006 where none is given, a reverse proxy's prefix before every path; several nodes of the cluster, separated by `,`, are tried in order",
    ),
    field("TOKEN_ID", "", "`user@realm!token`"),
    field("TOKEN_SECRET", "", "the token's secret"),
    field(
        "TOKEN_SECRET_FILE",
        "",
        "a file that holds the secret; relative: under $CREDENTIALS_DIRECTORY",
    ),
    field(
        "TOKEN_SECRET_COMMAND",
        "",
        "a program that prints the secret; run without a shell, within 10 s",
    ),
    guard(field(
        "VERIFY",
        "true",
        "whether the server's certificate is checked: 1 true yes y on, 0 false no n off",
    )),
    field(
        "CA_FILE",
        "",
        "a PEM file to trust instead of the system's roots",
    ),
    field(
        "FINGERPRINT",
        "",
        "SHA-256 of the server's certificate as Proxmox shows it, several separated by `,`; replaces every other check",
    ),
    field(
        "PROXY",
        "",
        "`http://host:port` of a proxy that takes CONNECT",
    ),
    field(
        "DEFAULT_NODE",
        "",
        "the node for something new, and for reads",
    ),
    field(
        "DEFAULT_STORAGE",
        "",
        "the storage for something new, and for reads",
    ),
    field(
        "DEFAULT_BRIDGE",
        "",
        "the bridge for something new, and for reads",
    ),
    field("REGION", "", "where the cluster is; shown with it"),
    field("TIER", "", "what the cluster is for; shown with it"),
    guard(field(
        "ACCESS",
        "full",
        "the most that may be done on this cluster",
    )),
    guard(field(
        "PROTECT",
        "",
        "guests of this cluster that are protected",
    )),
    field("TIMEOUT", "30", "seconds for one request, 1 to 300"),
    later(field(
        "INCOMING_TOKEN_ID",
        "",
        "the token for guests that are moved here",
    )),
    later(field("INCOMING_TOKEN_SECRET", "", "its secret")),
    later(field(
        "INCOMING_TOKEN_SECRET_FILE",
        "",
        "a file that holds its secret",
    )),
];

const fn registry(name: &'static str, default: &'static str, about: &'static str) -> Variable {
    Variable {
        name,
        scope: Scope::Registry,
        about,
        default,
        stage: Stage::Built,
        guards: false,
    }
}

const fn field(name: &'static str, default: &'static str, about: &'static str) -> Variable {
    Variable {
        scope: Scope::Cluster,
        ..registry(name, default, about)
    }
}

const fn later(variable: Variable) -> Variable {
    Variable {
        stage: Stage::NotBuiltYet,
        ..variable
    }
}

const fn guard(variable: Variable) -> Variable {
    Variable {
        guards: true,
        ..variable
    }
}

/// The variable of this whole name that holds for all clusters.
pub fn of_registry(name: &str) -> Option<&'static Variable> {
    VARIABLES
        .iter()
        .find(|variable| variable.scope == Scope::Registry && variable.name == name)
}

/// The fields of a cluster.
pub fn fields() -> impl Iterator<Item = &'static Variable> {
    VARIABLES
        .iter()
        .filter(|variable| variable.scope == Scope::Cluster)
}

/// The field of this name, with its single-cluster spelling taken off.
pub fn of_single_cluster(name: &str) -> Option<&'static Variable> {
    let name = name.strip_prefix(PREFIX)?;
    fields().find(|variable| variable.name == name)
}

/// Whether a variable of this name holds for all clusters, or for the only one.
pub fn is_known(name: &str) -> bool {
    of_registry(name).is_some() || of_single_cluster(name).is_some()
}
