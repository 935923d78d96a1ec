//! What the tools declare of their answers, held against each answer that the suite sees. Clients are
//! not sent it: some hosts drop whatever an output schema does not name.

use proxmox_mcp::tool::{Subject, Tool};
use serde_json::{Map, Value};

/// What every answer says of the cluster that was chosen.
const DECISION: &[(&str, &str)] = &[("cluster", "string"), ("chosen_by", "string")];
/// What every answer about several clusters says of them.
const ASKED: &[(&str, &str)] = &[("clusters_asked", "integer"), ("errors", "array")];

/// Panics where an answer lacks what its tool declares, or has it in another type.
pub(crate) fn check(tool: &Tool, answer: &Map<String, Value>) {
    let decision = match tool.subject {
        // A list may be of one cluster or of all, and says of each a different thing.
        Subject::List | Subject::Session => &[],
        Subject::Fleet => ASKED,
        _ => DECISION,
    };
    let plan = answer.contains_key("plan");
    assert!(
        !plan || tool.takes_confirm(),
        "{} planned: {answer:?}",
        tool.name
    );
    let own = if plan { &[] } else { tool.answer };
    for (key, kind) in decision.iter().chain(own) {
        let is_kind = answer.get(*key).is_some_and(|value| match *kind {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "boolean" => value.is_boolean(),
            other => panic!("{} declares `{key}` as `{other}`", tool.name),
        });
        assert!(
            is_kind,
            "{} lacks the {kind} `{key}`: {answer:?}",
            tool.name
        );
    }
}
