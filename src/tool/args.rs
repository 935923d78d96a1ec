//! JSON to checked arguments, every problem at once.

use serde_json::{Map, Value};

/// The checked arguments of one call.
pub struct Args {
    pub(crate) map: Map<String, Value>,
}

impl Args {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }
}
