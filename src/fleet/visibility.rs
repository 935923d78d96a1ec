//! What a token may see, read off its permissions: lists leave out what it may not see and say nothing of
//! it.

use super::permissions::TokenPermissions;
use super::resource::ResourceKind;

/// Of what a token sees everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // One for each list.
pub struct TokenVisibility {
    pub guests: bool,
    pub storages: bool,
    /// The use of all nodes; their names it sees always.
    pub nodes: bool,
    pub pools: bool,
}

impl TokenVisibility {
    /// What these permissions show. A path that is named below replaces what it would inherit.
    pub fn of(permissions: &TokenPermissions) -> TokenVisibility {
        let storages = ["/storage/", "/pool/"];
        TokenVisibility {
            guests: permissions.on_all_guests("VM.Audit"),
            storages: permissions.on_all("/storage", "Datastore.Audit", &storages),
            nodes: permissions.on_all("/nodes", "Sys.Audit", &["/nodes/"]),
            pools: permissions.on_all("/pool", "Pool.Audit", &["/pool/"]),
        }
    }

    /// What may be missing in a list of the rows that `wanted` says, a sentence each.
    pub fn gaps(self, wanted: impl Fn(ResourceKind) -> bool) -> Vec<&'static str> {
        let guests = wanted(ResourceKind::Vm) || wanted(ResourceKind::Container);
        let gaps = [
            (
                guests && !self.guests,
                "guests: the token lacks `VM.Audit` on all of `/vms`",
            ),
            (
                wanted(ResourceKind::Storage) && !self.storages,
                "storages: the token lacks `Datastore.Audit` on all of `/storage`",
            ),
            (
                wanted(ResourceKind::Node) && !self.nodes,
                "the use of nodes: the token lacks `Sys.Audit` on all of `/nodes`",
            ),
            (
                wanted(ResourceKind::Pool) && !self.pools,
                "pools: the token lacks `Pool.Audit` on all of `/pool`",
            ),
        ];
        let gaps = gaps.into_iter().filter(|(missing, _)| *missing);
        gaps.map(|(_, sentence)| sentence).collect()
    }
}
