//! What a handler gives back: a value, or a refusal with status, message and errors by parameter,
//! worded as Proxmox words them.

use serde_json::{Map, Value};

pub type Params = Map<String, Value>;
pub type Answer = Result<Value, Refusal>;

/// A refused call.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    /// With its newline where Perl's `die` adds one. The first line becomes the reason phrase.
    pub message: String,
    pub errors: Map<String, Value>,
    /// No body at all: refusals of the authentication layer and of the proxy.
    pub bare: bool,
    /// Try again until this many (real) seconds have passed, then send the refusal: a lock is waited for.
    pub wait_s: f64,
}

impl Refusal {
    fn new(status: u16, message: String) -> Refusal {
        Refusal {
            status,
            message,
            errors: Map::new(),
            bare: false,
            wait_s: 0.0,
        }
    }

    /// Status 500 and a text: nearly everything that goes wrong behind the parameter check.
    pub fn die(text: impl Into<String>) -> Refusal {
        Refusal::new(500, text.into() + "\n")
    }

    /// A status of its own and a text without a newline.
    pub fn http(status: u16, text: impl Into<String>) -> Refusal {
        Refusal::new(status, text.into())
    }

    /// A status without a body.
    pub fn bare(status: u16, reason: impl Into<String>) -> Refusal {
        Refusal {
            bare: true,
            ..Refusal::new(status, reason.into())
        }
    }

    /// Status 400 and one parameter's error.
    pub fn param(name: &str, text: impl Into<String>) -> Refusal {
        let mut errors = Map::new();
        errors.insert(name.into(), Value::String(text.into()));
        Refusal::params(errors)
    }

    pub fn params(errors: Map<String, Value>) -> Refusal {
        Refusal {
            errors,
            ..Refusal::new(400, "Parameter verification failed.\n".into())
        }
    }

    /// Status 403; `what` is the text between the brackets, or empty.
    pub fn forbidden(what: &str) -> Refusal {
        let text = "Permission check failed".to_string();
        Refusal::new(
            403,
            if what.is_empty() {
                text + "\n"
            } else {
                format!("{text} ({what})\n")
            },
        )
    }

    pub fn waiting(mut self, seconds: f64) -> Refusal {
        self.wait_s = seconds;
        self
    }

    pub fn reason(&self) -> &str {
        self.message.lines().next().unwrap_or("")
    }
}

/// The text of a parameter, whatever scalar it is; empty if absent.
pub fn text(params: &Params, name: &str) -> String {
    params.get(name).map(scalar).unwrap_or_default()
}

pub fn given(params: &Params, name: &str) -> Option<String> {
    params.get(name).map(scalar)
}

pub fn number(params: &Params, name: &str) -> Option<i64> {
    given(params, name)?.parse().ok()
}

pub fn flag(params: &Params, name: &str) -> bool {
    matches!(
        given(params, name).as_deref(),
        Some("1" | "true" | "on" | "yes")
    )
}

pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "1" } else { "0" }.into(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Splits a Proxmox list: commas, semicolons, blanks and NUL all separate.
pub fn list(text: &str) -> Vec<String> {
    text.split([',', ';', ' ', '\0'])
        .filter(|part| !part.is_empty())
        .map(String::from)
        .collect()
}
