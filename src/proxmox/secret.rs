//! A token's secret, and where it comes from. It has no `Debug` and no `Display`: it becomes text in
//! one place, the header of a request.

use std::path::PathBuf;

use crate::secrets;

/// The secret half of an API token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From now on it is hidden wherever it would be shown.
    pub fn new(text: String) -> Secret {
        secrets::remember(&text);
        Secret(text)
    }

    /// The secret as text, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Where a secret is read from, each time an agent is made anew and after a 401.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    Value(Secret),
    /// A file whose content, without the last newline, is the secret.
    File(PathBuf),
    /// A program and its arguments, run without a shell; its standard output is the secret.
    Command(Vec<String>),
}
