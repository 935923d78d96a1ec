//! Guests: virtual machines (qemu) and containers (lxc), one family with a kind.

mod addresses;
pub mod change;
mod clone;
mod cloudinit;
mod configure;
mod console;
mod create;
mod delete;
mod disk;
mod encoded;
mod get;
mod half;
pub mod image;
pub mod kept;
mod list;
mod migrate;
pub mod network;
mod no_effect;
mod notes;
pub mod place;
mod power;
pub mod property;
mod settings;
mod template;
mod unused;
pub mod vmid;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::Tool;
use crate::tool::param::{Param, ParamKind};
use crate::tools::metrics;

pub static TOOLS: &[Tool] = &[
    list::LIST,
    get::GET,
    create::VM,
    create::CONTAINER,
    clone::CLONE,
    configure::CONFIGURE,
    power::POWER,
    migrate::MIGRATE,
    disk::DISK,
    network::NETWORK,
    delete::DELETE,
];

/// What is needed less often.
pub static MORE: &[Tool] = &[
    metrics::OF_GUEST,
    notes::NOTES,
    template::TEMPLATE,
    cloudinit::CLOUDINIT,
    console::CONSOLE,
];

/// The longest name of a guest that is shown, in characters.
pub const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

/// The guest that a call addresses.
pub const GUEST: Param = Param::new("guest", ParamKind::Guest, "VMID or name");

/// An answer that begins with the guest that the call addresses.
///
/// # Errors
/// The call addresses none.
pub fn answer_for(reach: &Reach) -> Result<Map<String, Value>, Error> {
    let guest = reach.guest()?;
    let mut answer = Map::new();
    answer.insert("vmid".into(), guest.vmid.into());
    if let Some(name) = reach.guest_name() {
        answer.insert("name".into(), printable(&name, NAME_MAX_CHARS).into());
    }
    answer.insert("type".into(), guest.kind.word().into());
    answer.insert("node".into(), guest.node.clone().into());
    Ok(answer)
}
