//! The tables in the topics: each is made of the program's own when the topic is printed, so that none
//! can be wrong.

use std::collections::BTreeSet;

use super::built;
use crate::cli::client;
use crate::config::variables::{Scope, Variable};
use crate::fleet::query::grammar::GRAMMAR;
use crate::tool::{Tool, Toolset};
use crate::tools::TOOLSETS;
use crate::tools::levels::{self, LEVELS, PveRelease};

/// The NAME of a line `<!-- table: NAME -->`, and what it stands for.
type Table = (&'static str, fn() -> String);

const TABLES: &[Table] = &[
    ("clients", client::examples),
    ("grammar", grammar),
    ("levels", privileges),
    ("ssh", client::ssh_example),
    ("tools", tools),
    ("toolsets", toolsets),
    ("variables", variables),
];

/// `text` with its tables.
pub(super) fn filled(text: &str) -> String {
    let mut filled = text.to_owned();
    for (name, table) in TABLES {
        let place = format!("<!-- table: {name} -->\n");
        if filled.contains(&place) {
            filled = filled.replace(&place, &table());
        }
    }
    filled
}

/// The rows below their headings.
fn table<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", heading.join(" | "), "---|".repeat(N));
    for row in rows {
        let row = row.map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

/// How a search is written, a form an item.
fn grammar() -> String {
    let (head, rest) = GRAMMAR.split_once(": ").unwrap_or(("", GRAMMAR));
    let mut forms: Vec<String> = Vec::new();
    for piece in rest.split("; ") {
        match forms.last_mut() {
            // Within brackets.
            Some(form) if form.contains('(') && !form.contains(')') => {
                form.push_str(&format!("; {piece}"));
            }
            _ => forms.push(format!("- {piece}")),
        }
    }
    format!("The {head}:\n\n{}\n", forms.join("\n"))
}

fn toolsets() -> String {
    let row = |set: &Toolset| {
        let tools = set.tools.len().to_string();
        let off = if set.is_default {
            ""
        } else {
            " (not on by itself)"
        };
        [code(set.name), tools, format!("{}{off}", set.about)]
    };
    table(["set", "tools", "what for"], TOOLSETS.iter().map(row))
}

fn tools() -> String {
    let rows = TOOLSETS.iter().flat_map(|set| {
        let row = |tool: &Tool| {
            let about = tool.sentence().to_owned();
            [set.name.to_owned(), code(tool.name), marks(tool), about]
        };
        set.tools.iter().map(row)
    });
    table(["set", "tool", "mark", "what it does"], rows)
}

/// Each mark, with the actions that have it where it depends on them.
fn marks(tool: &Tool) -> String {
    let marks: BTreeSet<String> = tool.possible().map(|mark| mark.to_string()).collect();
    let Some(actions) = tool.by_word() else {
        return Vec::from_iter(marks).join(" or ");
    };
    let with = |mark: &String| {
        let those = actions.iter().filter(|one| one.mark.to_string() == *mark);
        let those: Vec<&str> = those.map(|action| action.word).collect();
        format!("{mark}: {}", those.join(", "))
    };
    marks.iter().map(with).collect::<Vec<_>>().join("; ")
}

fn variables() -> String {
    let row = |variable: &Variable| {
        [
            code(variable.name),
            code(variable.default),
            variable.about.to_owned(),
        ]
    };
    let of = |scope| {
        let heading = ["variable", "default", "what it says"];
        table(heading, built(scope).map(row))
    };
    format!(
        "For all clusters:\n\n{}\n\
         For each cluster, as `PROXMOX_CLUSTER_{{name}}_{{FIELD}}`; with one cluster only, as `PROXMOX_{{FIELD}}`:\n\n{}",
        of(Scope::Registry),
        of(Scope::Cluster)
    )
}

/// What each level takes beside those above it.
fn privileges() -> String {
    let mut above = BTreeSet::new();
    let row = |(name, level): &(&str, _)| {
        let of_8 = levels::privileges(*level, PveRelease::Pve8);
        let all = levels::privileges(*level, PveRelease::Pve9);
        let more = all.difference(&above);
        let more = more.map(|one| match of_8.contains(one) {
            true => code(one),
            false => format!("`{one}` (9 only)"),
        });
        let more: Vec<String> = more.collect();
        above = all;
        [code(name), more.join(", ")]
    };
    let heading = ["level", "privileges, beside those of the levels above"];
    table(heading, LEVELS.iter().map(row))
}
