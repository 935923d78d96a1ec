//! Who is at the other end, by their own words: a name for the log, and whether their user can be
//! asked. A legacy client says so once, a modern one in every request.

use serde_json::{Map, Value};

use super::revision::{META_CAPABILITIES, META_CLIENT};
use crate::text::printable;

/// The most of a client's name, and of its version, that is kept.
const NAME_MAX_CHARS: usize = 80;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpClient {
    pub name: String,
    pub version: String,
    /// Whether it declared that it shows forms to its user.
    pub can_be_asked: bool,
}

impl McpClient {
    /// By the parameters of `initialize`.
    pub fn introduced(params: &Map<String, Value>) -> McpClient {
        McpClient::read(params.get("clientInfo"), params.get("capabilities"))
    }

    /// By the `_meta` of a modern request.
    pub fn of_request(params: &Map<String, Value>) -> McpClient {
        let meta = params.get("_meta");
        let field = |name: &str| meta.and_then(|meta| meta.get(name));
        McpClient::read(field(META_CLIENT), field(META_CAPABILITIES))
    }

    fn read(info: Option<&Value>, capabilities: Option<&Value>) -> McpClient {
        let said = |key: &str| {
            let text = info.and_then(|info| info.get(key)?.as_str());
            printable(text.unwrap_or_default(), NAME_MAX_CHARS)
        };
        let elicitation = capabilities.and_then(|all| all.get("elicitation")?.as_object());
        // An empty one is from before there were modes, and means forms.
        let forms =
            |modes: &Map<String, Value>| modes.contains_key("form") || !modes.contains_key("url");
        McpClient {
            name: said("name"),
            version: said("version"),
            can_be_asked: elicitation.is_some_and(forms),
        }
    }
}
