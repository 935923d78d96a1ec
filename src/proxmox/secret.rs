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

/// Groups of hexadecimal digits in a secret that Proxmox made, which is a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Why a text is hardly the secret of a token, and what one looks like, as the end of a sentence.
pub fn doubt(text: &str) -> Option<&'static str> {
    let is_group = |(group, length): (&str, &usize)| {
        group.len() == *length && group.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    let groups = text.split('-').count() == UUID_GROUPS.len();
    if groups && text.split('-').zip(&UUID_GROUPS).all(is_group) {
        None
    } else if text.starts_with("PVEAPIToken=") {
        Some(
            "begins with `PVEAPIToken=`: a secret is only what stands behind the last `=`, as \
             `12345678-1234-1234-1234-123456789abc`",
        )
    } else if text.starts_with(['"', '\'']) {
        Some(
            "stands in quotes, which belong to the value where Docker's `--env-file` or the \
             environment sets it: a secret looks like `12345678-1234-1234-1234-123456789abc`",
        )
    } else {
        Some(
            "is no UUID, as Proxmox's secrets are: one looks like \
             `12345678-1234-1234-1234-123456789abc`",
        )
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
