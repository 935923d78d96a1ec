//! What a token may see, read off `GET /access/permissions`: lists leave out what it may not see
//! and say nothing of it.

use serde_json::Value;

use super::resource::Sort;

/// Of what a token sees everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // One for each list.
pub struct Sight {
    pub guests: bool,
    pub storages: bool,
    /// The use of all nodes; their names it sees always.
    pub nodes: bool,
    pub pools: bool,
}

impl Sight {
    /// Reads the rights of a token by path, as `GET /access/permissions` gives them: 1 for a
    /// privilege that also holds below the path, 0 for one that does not. A path that is named below
    /// replaces what it would inherit.
    pub fn of(rights: &Value) -> Sight {
        Sight {
            guests: on_all_guests(rights, "VM.Audit"),
            storages: everywhere(
                rights,
                "/storage",
                "Datastore.Audit",
                &["/storage/", "/pool/"],
            ),
            nodes: everywhere(rights, "/nodes", "Sys.Audit", &["/nodes/"]),
            pools: everywhere(rights, "/pool", "Pool.Audit", &["/pool/"]),
        }
    }

    /// What may be missing in a list of the rows that `wanted` says, a sentence each.
    pub fn gaps(self, wanted: impl Fn(Sort) -> bool) -> Vec<&'static str> {
        let guests = wanted(Sort::Vm) || wanted(Sort::Container);
        let gaps = [
            (
                guests && !self.guests,
                "guests: the token lacks `VM.Audit` on all of `/vms`",
            ),
            (
                wanted(Sort::Storage) && !self.storages,
                "storages: the token lacks `Datastore.Audit` on all of `/storage`",
            ),
            (
                wanted(Sort::Node) && !self.nodes,
                "the use of nodes: the token lacks `Sys.Audit` on all of `/nodes`",
            ),
            (
                wanted(Sort::Pool) && !self.pools,
                "pools: the token lacks `Pool.Audit` on all of `/pool`",
            ),
        ];
        let gaps = gaps.into_iter().filter(|(missing, _)| *missing);
        gaps.map(|(_, sentence)| sentence).collect()
    }
}

/// Whether this is what `GET /access/permissions` gives: by path, a number for each privilege.
pub fn are_rights(rights: &Value) -> bool {
    let plain = |value: &Value| value.is_number() || value.is_string() || value.is_boolean();
    let of_path = |rights: &Value| {
        rights
            .as_object()
            .is_some_and(|all| all.values().all(plain))
    };
    rights
        .as_object()
        .is_some_and(|paths| paths.values().all(of_path))
}

/// What gives or takes rights on single guests.
const OF_GUESTS: &[&str] = &["/vms/", "/pool/"];

/// Whether a privilege holds on every guest, whichever there are.
pub fn on_all_guests(rights: &Value, privilege: &str) -> bool {
    everywhere(rights, "/vms", privilege, OF_GUESTS)
}

/// Whether a privilege reaches all of `path`, and no path that begins with one of `below` takes it
/// away.
fn everywhere(rights: &Value, path: &str, privilege: &str, below: &[&str]) -> bool {
    let on = |rights: &Value| match rights.get(privilege)? {
        Value::String(number) => number.parse().ok(),
        number => number.as_i64(),
    };
    rights.get(path).and_then(on) == Some(1)
        && rights.as_object().is_some_and(|paths| {
            let is_below = |path: &str| below.iter().any(|start| path.starts_with(start));
            paths
                .iter()
                .all(|(path, rights)| !is_below(path) || on(rights).is_some())
        })
}
