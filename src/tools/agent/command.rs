//! `agent_command`: what the guest agent is asked to do about itself and the file systems.

use super::{GUEST, asked};
use crate::api::loose::{number, plain};
use crate::api::methods::sending;
use crate::api::request::Verb;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::Param;
use crate::tool::{Action, Actions, HandlerResult, RunFn, Subject, Tool};
use crate::tools::guest::answer_for;

const SAID_MAX_CHARS: usize = 2_000;

pub(super) const COMMAND: Tool = Tool {
    name: "agent_command",
    title: "Have a VM's guest agent do something",
    about: "Has a VM's guest agent answer (ping), give freed blocks back (fstrim), or hold its file systems still \
            (fsfreeze) and let them go again (fsthaw): programs in it that write hang in between.",
    actions: Actions::ByWord(&[
        Action::new(
            "ping",
            &[&[sending::post("/nodes/{node}/qemu/{vmid}/agent/ping")]],
        ),
        Action::new(
            "fstrim",
            &[&[sending::post("/nodes/{node}/qemu/{vmid}/agent/fstrim")]],
        ),
        Action::new(
            "fsfreeze",
            &[&[sending::post(
                "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-freeze",
            )]],
        ),
        Action::new(
            "fsthaw",
            &[&[sending::post(
                "/nodes/{node}/qemu/{vmid}/agent/fsfreeze-thaw",
            )]],
        ),
    ]),
    subject: Subject::Guest,
    params: &[GUEST, Param::ACTION],
    answer: &[("vmid", "integer"), ("action", "string")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(command),
};

fn command(reach: &Reach, args: &Args) -> HandlerResult {
    let action = args.need("action")?;
    let name = match action {
        "fsfreeze" => "fsfreeze-freeze",
        "fsthaw" => "fsfreeze-thaw",
        other => other,
    };
    let said = asked(reach, Verb::Post, name)?;
    let mut answer = answer_for(reach)?;
    answer.insert("action".into(), action.into());
    match action {
        "fsfreeze" | "fsthaw" => {
            answer.insert("filesystems".into(), number(Some(&said)).into());
        }
        _ => {
            let said = plain(&said);
            if !matches!(said.as_str(), "" | "{}") {
                answer.insert(
                    "untrusted_text".into(),
                    printable(&said, SAID_MAX_CHARS).into(),
                );
            }
        }
    }
    Ok(answer)
}
