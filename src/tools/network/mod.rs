//! The networks of nodes: interfaces as they are, and changes, which wait until they are applied.

mod change;
mod list;

use serde_json::{Map, Value, json};

use crate::api::request::{Request, Verb};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::Tool;
use crate::tool::param::{Param, ParamKind, Word};

pub static TOOLS: &[Tool] = &[list::LIST, change::CHANGE];

const NODE: Param = Param::new("node", ParamKind::Word(Word::Node), "its name");
const PATH: &str = "/nodes/{node}/network";
const CHANGES_MAX_CHARS: usize = 8_000;

/// The interfaces of a node as they will be, and what of that waits to be applied, as a `diff`.
struct NodeNetwork {
    interfaces: Vec<Value>,
    changes: Option<String>,
}

impl NodeNetwork {
    fn read(reach: &Reach, node: &str) -> Result<NodeNetwork, Error> {
        let request = Request::new(Verb::Get, PATH, &[node])?;
        let mut reply = reach.send(&request)?;
        let changes = reply.changes.take();
        let rows = reach.rows_in(&request, reply, "iface")?;
        Ok(NodeNetwork {
            interfaces: rows.to_vec(),
            changes,
        })
    }

    /// Says what waits, where anything does.
    fn name_changes(&self, answer: &mut Map<String, Value>) {
        if let Some(changes) = &self.changes {
            answer.insert(
                "waits".into(),
                "until it is applied: network_change with action `apply`, or `revert`".into(),
            );
            let changes = printable(changes, CHANGES_MAX_CHARS);
            answer.insert("untrusted_text".into(), json!({"changes": changes}));
        }
    }
}
