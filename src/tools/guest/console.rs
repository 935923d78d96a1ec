//! `guest_console`: where a person finds a guest's console. The link holds no ticket: whoever opens it logs in.

use super::{GUEST, answer_for};
use crate::error::Error;
use crate::fleet::index::GuestKind;
use crate::gate::reach::Reach;
use crate::text::percent_encode;
use crate::tool::args::Args;
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

pub(super) const CONSOLE: Tool = Tool {
    name: "guest_console",
    title: "Link to a guest's console",
    about: "Gives a link to a guest's console in the web interface, for a person to open and log in there.",
    actions: Actions::one(&[]),
    subject: Subject::Guest,
    params: &[GUEST],
    answer: &[("vmid", "integer"), ("url", "string")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(console),
};

fn console(reach: &Reach, _: &Args) -> HandlerResult {
    let guest = reach.guest()?;
    let cluster = reach.cluster()?;
    let endpoint =
        cluster.settings.endpoints.first().ok_or_else(|| {
            Error::internal(format!("cluster `{}` has no endpoint", cluster.name))
        })?;
    let console = match guest.kind {
        GuestKind::Qemu => "console=kvm&novnc=1",
        GuestKind::Lxc => "console=lxc&xtermjs=1",
    };
    let name = reach.guest_name().unwrap_or_default();
    let mut url = format!(
        "https://{}{}/?{console}&vmid={}&vmname=",
        endpoint.authority(),
        endpoint.prefix,
        guest.vmid,
    );
    percent_encode(&name, &mut url);
    url.push_str("&node=");
    percent_encode(&guest.node, &mut url);
    let mut answer = answer_for(reach)?;
    answer.insert("url".into(), url.into());
    Ok(answer)
}
