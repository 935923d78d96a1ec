//! Variables of other servers and tools for Proxmox, which this one does not read: what to write in
//! their place.

use std::collections::BTreeMap;

use super::value;
use super::variables::{API_URL, TOKEN_ID, TOKEN_SECRET, VERIFY};

/// What such a variable says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    Url,
    Host,
    Port,
    User,
    /// The token's name, without its user.
    TokenName,
    /// The token, perhaps with its user.
    TokenId,
    Secret,
    Verify,
    /// The opposite.
    Insecure,
    Password,
}

/// Those that begin as ours do.
const OURS_IN_LOOKS: [(&str, Says); 7] = [
    ("PROXMOX_HOST", Says::Host),
    ("PROXMOX_PORT", Says::Port),
    ("PROXMOX_USER", Says::User),
    ("PROXMOX_PASSWORD", Says::Password),
    ("PROXMOX_TOKEN_NAME", Says::TokenName),
    ("PROXMOX_TOKEN_VALUE", Says::Secret),
    ("PROXMOX_VERIFY_SSL", Says::Verify),
];
/// What others begin with.
const PREFIXES: [&str; 2] = ["PVE_", "PM_"];
/// What may stand behind those.
const FIELDS: [(&str, Says); 22] = [
    ("URL", Says::Url),
    ("API_URL", Says::Url),
    ("ENDPOINT", Says::Url),
    ("HOST", Says::Host),
    ("SERVER", Says::Host),
    ("PORT", Says::Port),
    ("USER", Says::User),
    ("USERNAME", Says::User),
    ("PASS", Says::Password),
    ("PASSWORD", Says::Password),
    ("TOKEN", Says::TokenId),
    ("TOKEN_ID", Says::TokenId),
    ("TOKENID", Says::TokenId),
    ("API_TOKEN_ID", Says::TokenId),
    ("TOKEN_NAME", Says::TokenName),
    ("TOKEN_VALUE", Says::Secret),
    ("TOKEN_SECRET", Says::Secret),
    ("API_TOKEN_SECRET", Says::Secret),
    ("VERIFY", Says::Verify),
    ("VERIFY_SSL", Says::Verify),
    ("INSECURE", Says::Insecure),
    ("TLS_INSECURE", Says::Insecure),
];

fn says(name: &str) -> Option<Says> {
    let of = |table: &[(&str, Says)], name: &str| {
        let found = table.iter().find(|(known, _)| *known == name);
        found.map(|(_, says)| *says)
    };
    of(&OURS_IN_LOOKS, name).or_else(|| {
        let field = PREFIXES
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        of(&FIELDS, field)
    })
}

pub(super) fn is_foreign(name: &str) -> bool {
    says(name).is_some()
}

/// One sentence about the foreign variables among `pairs`, with the lines to write instead; nothing
/// where there are none. `spell` makes a field's whole name. No value is shown: `${NAME}` stands for it,
/// which a file's line expands.
pub(super) fn sentence<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    spell: &dyn Fn(&str) -> String,
) -> Option<String> {
    let mut found: BTreeMap<Says, (&str, &str)> = BTreeMap::new();
    let mut names = Vec::new();
    for (name, value) in pairs {
        if let Some(says) = says(name) {
            names.push(name);
            found.entry(says).or_insert((name, value.trim()));
        }
    }
    if names.is_empty() {
        return None;
    }
    names.sort_unstable();
    names.dedup();
    let lines: Vec<String> = lines(&found)
        .iter()
        .map(|(field, value)| format!("`{}={value}`", spell(field)))
        .collect();
    let mut sentence = format!(
        "{}: not read here, as other programs' names; write into the `.env` file {}",
        names.join(", "),
        lines.join(" ")
    );
    if found.contains_key(&Says::Password) {
        sentence
            .push_str("; a password is not taken: `proxmox-mcp token` prints how a token is made");
    }
    Some(sentence)
}

/// The fields that a cluster needs, and `VERIFY` where something was said of it.
fn lines(found: &BTreeMap<Says, (&str, &str)>) -> Vec<(&'static str, String)> {
    let reference = |says: Says| found.get(&says).map(|(name, _)| format!("${{{name}}}"));
    let value = |says: Says| found.get(&says).map_or("", |(_, value)| *value);
    let host = || {
        let host = reference(Says::Host)?;
        let scheme = if value(Says::Host).contains("://") {
            ""
        } else {
            "https://"
        };
        let port = reference(Says::Port).map_or(String::new(), |port| format!(":{port}"));
        Some(format!("{scheme}{host}{port}"))
    };
    let url = reference(Says::Url).or_else(host);
    let with_user = |token: String, says: Says| match value(says).contains('!') {
        true => token,
        false => {
            let user = reference(Says::User).unwrap_or_else(|| "USER@REALM".into());
            format!("{user}!{token}")
        }
    };
    let by = |says: Says| reference(says).map(|token| with_user(token, says));
    let token = by(Says::TokenName).or_else(|| by(Says::TokenId));
    let mut lines = vec![
        (API_URL, url.unwrap_or_else(|| "https://HOST:8006".into())),
        (TOKEN_ID, token.unwrap_or_else(|| "USER@REALM!TOKEN".into())),
        (
            TOKEN_SECRET,
            reference(Says::Secret).unwrap_or_else(|| "SECRET".into()),
        ),
    ];
    let is_on = |text: &str| value::boolean(text) == Ok(true);
    if let Some(verify) = reference(Says::Verify) {
        lines.push((VERIFY, verify));
    } else if is_on(value(Says::Insecure)) {
        lines.push((VERIFY, "false".into()));
    }
    lines
}
