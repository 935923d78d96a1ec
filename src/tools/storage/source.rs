//! Where the space of a storage comes from, by its definition: a server and what it exports, a volume
//! group, a pool, a folder. Never the place where a node mounts what comes from elsewhere.

use crate::text::printable;

const SOURCE_MAX_CHARS: usize = 200;

/// The source of the storage that is defined so; `of` gives an option of its definition, empty where
/// it is not set. Empty where the definition is not known.
pub(super) fn source<'d>(of: impl Fn(&str) -> &'d str) -> String {
    let behind = |server: &str, what: String| match of(server) {
        "" => what,
        server => format!("{server}:{what}"),
    };
    let within = |outer: &str, inner: &str| match (of(outer), of(inner)) {
        (outer, "") => outer.to_string(),
        (outer, inner) => format!("{outer}/{}", inner.trim_start_matches('/')),
    };
    let source = match of("type") {
        "nfs" => behind("server", of("export").to_string()),
        "cifs" => format!("//{}/{}", of("server"), within("share", "subdir")),
        "pbs" => behind("server", within("datastore", "namespace")),
        "glusterfs" => behind("server", of("volume").to_string()),
        "rbd" => behind("monhost", within("pool", "namespace")),
        "cephfs" => {
            // The file system of this name where none is said.
            let name = Some(of("fs-name")).filter(|name| !name.is_empty());
            let name = name.unwrap_or("cephfs");
            let below = of("subdir").trim_start_matches('/');
            let below = Some(below).filter(|below| !below.is_empty());
            let below = below.map_or(String::new(), |below| format!("/{below}"));
            behind("monhost", format!("{name}{below}"))
        }
        "zfs" => behind("portal", of("pool").to_string()),
        "zfspool" => of("pool").to_string(),
        "iscsi" | "iscsidirect" => within("portal", "target"),
        "lvm" | "lvmthin" => within("vgname", "thinpool"),
        "esxi" => of("server").to_string(),
        // `dir`, `btrfs`, and what a plugin of its own brings.
        _ => {
            let keys = ["server", "portal", "pool", "vgname", "path"];
            let said = keys.iter().map(|key| of(key));
            said.into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default()
                .to_string()
        }
    };
    printable(&source, SOURCE_MAX_CHARS)
}
