//! Who may log in, and do what: users, groups, roles, realms, tokens, access rules.

mod check;
mod list;

use serde_json::{Map, Value};

use crate::api::methods::permissions::{PrivilegeOn, SEES_ACCESS};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[list::LIST, check::CHECK];

const NAME_MAX_CHARS: usize = crate::text::NAME_MAX_CHARS;

/// Says what a token that does not see everybody's permissions may miss.
fn name_unseen(reach: &Reach, answer: &mut Map<String, Value>) -> Result<(), Error> {
    let PrivilegeOn { path, privilege } = SEES_ACCESS;
    if !reach.permissions()?.holds(path, privilege) {
        let what =
            format!("what is others' may be left out: the token lacks `{privilege}` on `{path}`");
        answer.insert("incomplete".into(), what.into());
    }
    Ok(())
}
