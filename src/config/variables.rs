//! What can be configured: the values, and each variable once.
//!
//! A row says a variable's name, what it is for, its default, what its text sets, and what a reload does
//! with it. Reading, help, manifest, reload, suggestions, the refusal of what is not built and the check of
//! the example file go by the rows. A new variable is a row, and the value that it sets.

use std::path::PathBuf;
use std::time::Duration;

use super::reload::{self, ChangedCluster, ChangedVariable, Reload};
use super::report::SetVariable;
use super::rule::Rule;
use super::safety::{self, ConfirmSettings, Switches};
use super::{cluster, cluster_names, value};
use crate::api::mark::Effect;
use crate::log::Level;
use crate::proxmox::secret::SecretSource;
use crate::proxmox::settings::{Settings, Trust};
use OnReload::{Taken, Tightens};
use VariableTarget::{All, Each};

/// Everything that the server was told. It has no `Debug`, since it holds secrets.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// At least one, in the order of `PROXMOX_CLUSTERS`.
    pub clusters: Vec<Cluster>,
    /// What every cluster is before its own fields are read.
    pub every: Cluster,
    /// Prefixes of guests' names, each with the place of its cluster in `clusters`.
    pub patterns: Vec<(String, usize)>,
    /// The place of the cluster of reads and new things that name none; nothing for `none`.
    pub default: Option<usize>,
    /// How many clusters a fleet-wide read asks at a time, at least 1.
    pub fanout: usize,
    pub log: Level,
    pub safety: Safety,
    /// The file's variables whose value holds a `${NAME}`.
    pub expanded: Vec<String>,
    /// What works but should be looked at, a line each.
    pub warnings: Vec<String>,
}

/// One cluster: how it is reached, and what fills a place that a call leaves open.
#[derive(Clone, PartialEq)]
pub struct Cluster {
    pub name: String,
    pub region: Option<String>,
    pub tier: Option<String>,
    pub default_node: Option<String>,
    pub default_storage: Option<String>,
    pub default_bridge: Option<String>,
    /// The most that may be done here: the stricter of the two settings.
    pub access: Effect,
    /// The variable that says so.
    pub access_variable: String,
    /// Guests that nothing destroys, stops, rolls back or overwrites: the rules of both settings.
    pub protect: Vec<Rule>,
    pub origin: SetInFile,
    /// Whether it came while the program ran: then it is read by its name in `cluster`, and in no other
    /// way, until a restart.
    pub joined: bool,
    pub settings: Settings,
}

/// What of a cluster stands in the file as it is: neither in the environment nor as a `${NAME}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetInFile {
    /// What a reload takes over of it does: its token.
    pub token: bool,
    /// All that is set of it does.
    pub all: bool,
}

/// The settings that the gate goes by, beside those of each cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    pub confirm: ConfirmSettings,
    /// The most guests or objects destroyed or interrupted in 60 s.
    pub bulk_limit: usize,
    pub switches: Switches,
    pub audit_log: Option<PathBuf>,
}

impl Config {
    /// The places of the clusters that take part in everything: those that were there at the start.
    pub fn settled(&self) -> impl Iterator<Item = usize> {
        let places = self.clusters.iter().enumerate();
        places
            .filter(|(_, one)| !one.joined)
            .map(|(place, _)| place)
    }

    /// The place of the cluster of this name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.clusters.iter().position(|one| one.name == name)
    }

    /// The name of the cluster in this place.
    pub fn name(&self, place: usize) -> &str {
        self.clusters.get(place).map_or("", |one| &one.name)
    }

    /// These clusters, before anything is read that concerns them together.
    pub(super) fn new(every: Cluster, clusters: Vec<Cluster>) -> Config {
        Config {
            clusters,
            every,
            patterns: Vec::new(),
            default: Some(0),
            fanout: FANOUT_MAX as usize,
            log: Level::Warn,
            safety: Safety::default(),
            expanded: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Cluster {
    /// One of which nothing is read yet; defaults come with the rows.
    pub(super) fn new(cert_file: Option<PathBuf>) -> Cluster {
        Cluster {
            name: String::new(),
            region: None,
            tier: None,
            default_node: None,
            default_storage: None,
            default_bridge: None,
            access: Effect::Full,
            access_variable: ACCESS.to_owned(),
            protect: Vec::new(),
            origin: SetInFile {
                token: false,
                all: false,
            },
            joined: false,
            settings: Settings {
                cluster: String::new(),
                endpoints: Vec::new(),
                token_id: String::new(),
                secret: SecretSource::Command(Vec::new()),
                trust: Trust::System { cert_file },
                proxy: None,
                timeout: Duration::ZERO,
                validate: true,
                renew_after: Duration::ZERO,
            },
        }
    }
}

/// One variable, or one field of each cluster.
pub struct Variable {
    /// The whole name; of a cluster's field, what stands behind `PROXMOX_CLUSTER_{name}_`.
    pub name: &'static str,
    pub scope: Scope,
    /// One sentence, without a full stop.
    pub about: &'static str,
    /// The default as it would be written, which is read where nothing is said; empty where there is none.
    pub default: &'static str,
    pub stage: Stage,
    pub guards: Guards,
    /// The fields of which a cluster must have one and no more, on the row of the usual one.
    pub(super) one_of: &'static [&'static str],
    /// Whether a message repeats names that stand in it.
    pub(super) repeated: bool,
    pub(super) sets: VariableTarget,
    pub reload: OnReload,
    pub(super) merge: ReloadMerge,
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

/// Whether a variable keeps things safe, so that a slip in its name must not go unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guards {
    No,
    /// Where it says something: without a value it is a problem.
    Yes,
    /// It does, and is the strictest without a value.
    EmptyToo,
}

/// What a reload does with a variable that says something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReload {
    /// It is taken over at once where it stands literally in the file and belongs to no other cluster.
    Taken,
    /// What tightens is taken over at once, what loosens waits for a restart.
    Tightens,
    /// It waits for a restart.
    Waits,
}

/// What a variable's text goes into.
pub(super) enum VariableTarget {
    /// Nothing by itself.
    Nothing,
    /// What holds for the clusters together.
    All(fn(&mut Config, &mut SetVariable)),
    /// A cluster; of a variable that holds for all clusters, [`Config::every`].
    Each(fn(&mut Cluster, &mut SetVariable)),
}

/// How a reload goes about a variable.
pub(super) enum ReloadMerge {
    /// With the rest of its cluster or of the token, or with all switches of tools.
    Within,
    /// By itself.
    All(fn(&mut Reload, &ChangedVariable<Config>)),
    /// By itself in each cluster; of a variable that holds for all clusters, in [`Config::every`].
    Each(fn(&mut ChangedCluster, &mut Reload, &ChangedVariable<Cluster>)),
}

/// What every variable of ours begins with.
pub const PREFIX: &str = "PROXMOX_";
/// What every variable of one cluster begins with.
pub const CLUSTER_PREFIX: &str = "PROXMOX_CLUSTER_";

// Names that other files speak of.
pub const CLUSTERS: &str = "PROXMOX_CLUSTERS";
pub const ACCESS: &str = "PROXMOX_ACCESS";
pub const CONFIRM: &str = "PROXMOX_CONFIRM";
pub const BULK_LIMIT: &str = "PROXMOX_BULK_LIMIT";
pub const TOOLSETS: &str = "PROXMOX_TOOLSETS";
pub const TOOLS_ALLOW: &str = "PROXMOX_TOOLS_ALLOW";
pub const TOOLS_DENY: &str = "PROXMOX_TOOLS_DENY";
pub const API_URL: &str = "API_URL";
pub const TOKEN_ID: &str = "TOKEN_ID";
pub const TOKEN_SECRET: &str = "TOKEN_SECRET";
pub const TOKEN_SECRET_FILE: &str = "TOKEN_SECRET_FILE";
pub const TOKEN_SECRET_COMMAND: &str = "TOKEN_SECRET_COMMAND";
pub const VERIFY: &str = "VERIFY";
pub const CA_FILE: &str = "CA_FILE";
pub const FINGERPRINT: &str = "FINGERPRINT";
pub const PROXY: &str = "PROXY";
pub const DEFAULT_STORAGE: &str = "DEFAULT_STORAGE";
pub const DEFAULT_BRIDGE: &str = "DEFAULT_BRIDGE";

/// The most clusters that a fleet-wide read asks at a time, which is also what holds unless set.
const FANOUT_MAX: u32 = 128;
const BULK_LIMIT_MAX: u32 = 10_000;
const TIMEOUT_MAX_S: u32 = 300;

/// One that holds for all clusters.
const REGISTRY: Variable = Variable {
    name: "",
    scope: Scope::Registry,
    about: "",
    default: "",
    stage: Stage::Built,
    guards: Guards::No,
    one_of: &[],
    repeated: false,
    sets: VariableTarget::Nothing,
    reload: OnReload::Waits,
    merge: ReloadMerge::Within,
};
/// A field of each cluster.
const FIELD: Variable = Variable {
    scope: Scope::Cluster,
    ..REGISTRY
};

/// All of them, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    // Read before all others, since it says whose they are.
    Variable {
        name: CLUSTERS,
        about: "names of the clusters, separated by `,`",
        repeated: true,
        reload: Taken,
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_CLUSTER_PATTERNS",
        about: "`prefix:cluster` items, separated by `,`: guests whose name begins so are on that cluster",
        repeated: true,
        sets: All(cluster_names::patterns),
        merge: ReloadMerge::All(|reload, changed| reload.waits_where(changed, reload::patterns)),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_CLUSTER_VALIDATION",
        about: "whether a cluster must answer to its token before the first other request",
        default: "true",
        sets: Each(|one, said| said.put(&mut one.settings.validate, value::boolean)),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_CLUSTER_CACHE_TTL",
        about: "seconds after which a connection is made anew, with its CA and secret; 0: for every call",
        default: "3600",
        sets: Each(|one, said| {
            said.put(&mut one.settings.renew_after, |text| {
                value::seconds(text, 0, u32::MAX)
            })
        }),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_DEFAULT_CLUSTER",
        about: "the cluster of reads and new things that name none, or `none`; else the first",
        repeated: true,
        sets: All(cluster_names::default_cluster),
        merge: ReloadMerge::All(|reload, changed| {
            reload.waits_where(changed, reload::default_cluster)
        }),
        ..REGISTRY
    },
    Variable {
        name: ACCESS,
        about: "the most that may be done: read, operate, change, full",
        default: "full",
        guards: Guards::Yes,
        sets: Each(safety::access),
        reload: Tightens,
        ..REGISTRY
    },
    Variable {
        name: CONFIRM,
        about: "how what asks is confirmed: auto, ask (the user), code (the same call again), off:NAME[,NAME]",
        default: "auto",
        guards: Guards::Yes,
        repeated: true,
        sets: All(safety::confirm),
        reload: Tightens,
        merge: ReloadMerge::All(reload::confirm),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_PROTECT",
        about: "guests that are let only what does no harm: 100, 100-199, name:db-*, tag:prod, pool:core",
        guards: Guards::Yes,
        sets: Each(safety::protect),
        reload: Tightens,
        merge: ReloadMerge::Each(reload::protect),
        ..REGISTRY
    },
    Variable {
        name: BULK_LIMIT,
        about: "most guests or objects destroyed or interrupted in 60 s",
        default: "10",
        guards: Guards::Yes,
        sets: All(|all, said| {
            said.put(&mut all.safety.bulk_limit, |text| {
                value::count(text, BULK_LIMIT_MAX)
            })
        }),
        reload: Tightens,
        merge: ReloadMerge::All(reload::bulk_limit),
        ..REGISTRY
    },
    Variable {
        name: TOOLSETS,
        about: "sets of tools that can be called, `default` or `all`; unset, others can be listed",
        default: "default",
        repeated: true,
        sets: All(safety::toolsets),
        reload: Tightens,
        ..REGISTRY
    },
    Variable {
        name: TOOLS_ALLOW,
        about: "tools that are offered besides",
        repeated: true,
        sets: All(|all, said| all.safety.switches.allow = said.items()),
        reload: Tightens,
        ..REGISTRY
    },
    Variable {
        name: TOOLS_DENY,
        about: "tools that are never offered",
        guards: Guards::Yes,
        repeated: true,
        sets: All(|all, said| all.safety.switches.deny = said.items()),
        reload: Tightens,
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_AUDIT_LOG",
        about: "the file that each call is written to, an absolute path",
        guards: Guards::Yes,
        sets: All(|all, said| all.safety.audit_log = said.parsed(value::absolute)),
        reload: Tightens,
        merge: ReloadMerge::All(reload::audit_log),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_EXEC_ALLOW",
        about: "what runs in guests without a question",
        stage: Stage::NotBuiltYet,
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_FILE_DIRS",
        about: "folders that may be read and written for uploads and secrets",
        stage: Stage::NotBuiltYet,
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_FANOUT",
        about: "how many clusters one fleet-wide read asks at a time, at most 128; unset: all of them; 1: one after another",
        sets: All(|all, said| said.put(&mut all.fanout, |text| value::count(text, FANOUT_MAX))),
        merge: ReloadMerge::All(|reload, changed| reload.waits_where(changed, |all| all.fanout)),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_LOG",
        about: "what is said on standard error: error, warn, info, debug",
        default: "warn",
        sets: All(|all, said| said.put(&mut all.log, value::level)),
        merge: ReloadMerge::All(|reload, changed| reload.waits_where(changed, |all| all.log)),
        ..REGISTRY
    },
    Variable {
        name: "PROXMOX_DEFAULT_LXC_PASSWORD",
        about: "no container gets a password that it was not given, where the Python package gave it a published one",
        stage: Stage::Ignored,
        ..REGISTRY
    },
    Variable {
        name: API_URL,
        about: "`https://host[:port][/prefix]`, port 8006 where none is given, a reverse proxy's prefix before every path; several nodes of the cluster, separated by `,`, are tried in order",
        one_of: &[API_URL],
        sets: Each(|one, said| said.put(&mut one.settings.endpoints, value::endpoints)),
        ..FIELD
    },
    Variable {
        name: TOKEN_ID,
        about: "`user@realm!token`",
        one_of: &[TOKEN_ID],
        sets: Each(|one, said| said.put(&mut one.settings.token_id, value::token_id)),
        reload: Taken,
        ..FIELD
    },
    Variable {
        name: TOKEN_SECRET,
        about: "the token's secret",
        one_of: &[TOKEN_SECRET, TOKEN_SECRET_FILE, TOKEN_SECRET_COMMAND],
        sets: Each(cluster::secret),
        reload: Taken,
        ..FIELD
    },
    Variable {
        name: TOKEN_SECRET_FILE,
        about: "a file that holds the secret; relative: under $CREDENTIALS_DIRECTORY",
        sets: Each(cluster::secret_file),
        ..FIELD
    },
    Variable {
        name: TOKEN_SECRET_COMMAND,
        about: "a program that prints the secret; run without a shell, within 10 s",
        sets: Each(cluster::secret_command),
        ..FIELD
    },
    Variable {
        name: VERIFY,
        about: "whether the server's certificate is checked: 1 true yes y on, 0 false no n off",
        default: "true",
        guards: Guards::EmptyToo,
        sets: Each(cluster::verify),
        ..FIELD
    },
    Variable {
        name: CA_FILE,
        about: "a PEM file to trust instead of the system's roots",
        sets: Each(cluster::ca_file),
        ..FIELD
    },
    Variable {
        name: FINGERPRINT,
        about: "SHA-256 of the server's certificate as Proxmox shows it, several separated by `,`; replaces every other check",
        sets: Each(cluster::fingerprint),
        ..FIELD
    },
    Variable {
        name: PROXY,
        about: "`http://host:port` of a proxy that takes CONNECT",
        sets: Each(|one, said| one.settings.proxy = said.parsed(value::proxy)),
        ..FIELD
    },
    Variable {
        name: "DEFAULT_NODE",
        about: "the node for something new, and for reads",
        sets: Each(|one, said| one.default_node = said.words()),
        ..FIELD
    },
    Variable {
        name: DEFAULT_STORAGE,
        about: "the storage for something new, and for reads",
        sets: Each(|one, said| one.default_storage = said.words()),
        ..FIELD
    },
    Variable {
        name: DEFAULT_BRIDGE,
        about: "the bridge for something new, and for reads",
        sets: Each(|one, said| one.default_bridge = said.words()),
        ..FIELD
    },
    Variable {
        name: "REGION",
        about: "where the cluster is; shown with it",
        sets: Each(|one, said| one.region = said.words()),
        ..FIELD
    },
    Variable {
        name: "TIER",
        about: "what the cluster is for; shown with it",
        sets: Each(|one, said| one.tier = said.words()),
        ..FIELD
    },
    Variable {
        name: "ACCESS",
        about: "the most that may be done on this cluster",
        default: "full",
        guards: Guards::Yes,
        sets: Each(safety::access),
        reload: Tightens,
        merge: ReloadMerge::Each(reload::access),
        ..FIELD
    },
    Variable {
        name: "PROTECT",
        about: "guests of this cluster that are protected",
        guards: Guards::Yes,
        sets: Each(safety::protect),
        reload: Tightens,
        merge: ReloadMerge::Each(reload::protect),
        ..FIELD
    },
    Variable {
        name: "TIMEOUT",
        about: "seconds for one request, 1 to 300",
        default: "30",
        sets: Each(|one, said| {
            said.put(&mut one.settings.timeout, |text| {
                value::seconds(text, 1, TIMEOUT_MAX_S)
            })
        }),
        ..FIELD
    },
    Variable {
        name: "INCOMING_TOKEN_ID",
        about: "the token for guests that are moved here",
        stage: Stage::NotBuiltYet,
        ..FIELD
    },
    Variable {
        name: "INCOMING_TOKEN_SECRET",
        about: "its secret",
        stage: Stage::NotBuiltYet,
        ..FIELD
    },
    Variable {
        name: "INCOMING_TOKEN_SECRET_FILE",
        about: "a file that holds its secret",
        stage: Stage::NotBuiltYet,
        ..FIELD
    },
];

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

/// What a name that begins as fields do may be: a cluster's name as it is spelled there, and a field.
pub fn of_cluster(name: &str) -> impl Iterator<Item = (&str, &'static Variable)> {
    let rest = name.strip_prefix(CLUSTER_PREFIX).into_iter();
    rest.flat_map(|rest| {
        fields().filter_map(|row| {
            let cluster = rest.strip_suffix(row.name)?.strip_suffix('_')?;
            Some((cluster, row))
        })
    })
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
