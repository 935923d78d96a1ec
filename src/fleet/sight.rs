//! What a token may see, read off its rights: lists leave out what it may not see and say nothing of
//! it.

use super::resource::Sort;
use super::rights::Rights;

/// Of what a token sees everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // One for each list.
pub struct Sight {
    pub guests: bool,
    pub storages: bool,
    /// The use of all nodes; their names it sees always.
    pub nodes: bool,
    pub pools: bool,
}

impl Sight {
    /// What these rights show. A path that is named below replaces what it would inherit.
    pub fn of(rights: &Rights) -> Sight {
        let storages = ["/storage/", "/pool/"];
        Sight {
            guests: rights.on_all_guests("VM.Audit"),
            storages: rights.on_all("/storage", "Datastore.Audit", &storages),
            nodes: rights.on_all("/nodes", "Sys.Audit", &["/nodes/"]),
            pools: rights.on_all("/pool", "Pool.Audit", &["/pool/"]),
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
