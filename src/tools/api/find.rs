//! `tool_find`: which tool does it, of those that are switched off too; else which method of the API.

use serde_json::{Map, Value, json};

use super::describe;
use crate::api::schema::{DescribedMethod, Schema};
use crate::error::Error;
use crate::gate::reach::Reach;
use crate::text::printable;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool, Toolset, offer};
use crate::tools::TOOLSETS;

const QUERY_MAX_CHARS: usize = 200;
/// So many tools, and so many methods, are told.
const FOUND_MAX: usize = 10;
/// Words of a question that are in any text.
const SAYS_NOTHING: &[&str] = &[
    "an", "and", "are", "by", "can", "do", "does", "for", "from", "how", "in", "is", "it", "me",
    "my", "of", "on", "or", "that", "the", "this", "to", "what", "which", "with",
];
const WHY_MAX_CHARS: usize = crate::text::LONG_NAME_MAX_CHARS;

/// What can be done about a tool that is not listed.
const UNLISTED: &str =
    "those can be called as they are; `toolset_enable` lists their set, and says what they take";

pub(super) const FIND: Tool = Tool {
    name: "tool_find",
    title: "Find a tool or method",
    about: "Finds by words a tool, listed or not, or a method of a cluster's own API.",
    actions: Actions::one(&[]),
    subject: Subject::Cluster,
    params: &[Param::new(
        "query",
        ParamKind::Text(QUERY_MAX_CHARS),
        "words: `firewall rule guest`",
    )],
    answer: &[("tools", "array"), ("methods", "array")],
    task: false,
    plan: None,
    run: RunFn::AtOnce(find),
};

fn find(reach: &Reach, args: &Args) -> HandlerResult {
    let query = args.need("query")?.to_lowercase();
    let words = query.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| word.len() > 1 && !SAYS_NOTHING.contains(word));
    // Plain words are found in others: `disks` in what is about a disk.
    let words = words.map(|word| match word.strip_suffix('s') {
        Some(one) if one.len() > 2 => one,
        _ => word,
    });
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        return Err(Error::bad(
            "`query` has no word to look for: say what is to be done, as `firewall rule guest`",
        ));
    }
    let mut answer = Map::new();
    let switches = &reach.config().safety.switches;
    let sets = TOOLSETS.iter();
    let tools = sets.flat_map(|set| set.tools.iter().map(move |tool| (set, tool)));
    let scored = tools.map(|(set, tool)| (of_tool(&words, set, tool), (set, tool)));
    let found = first(scored).into_iter().map(|(set, tool)| {
        let mut row = json!({"tool": tool.name, "set": set.name, "about": tool.sentence()});
        let state = match () {
            () if offer::is_switched_off(switches, TOOLSETS, tool) => "is_off",
            () if !offer::is_listed(switches, TOOLSETS, tool) => "is_unlisted",
            () => return row,
        };
        if let Some(row) = row.as_object_mut() {
            row.insert(state.into(), true.into());
        }
        row
    });
    let found: Vec<Value> = found.collect();
    let has = |state: &str| found.iter().any(|row| row.get(state).is_some());
    if has("is_off") {
        let how = format!("{}, and a restart", offer::switched_on_by(switches, "SET"));
        answer.insert("off".into(), how.into());
    }
    if has("is_unlisted") {
        answer.insert("unlisted".into(), UNLISTED.into());
    }
    answer.insert("tools".into(), found.into());
    let methods = match reach.schema() {
        Ok(Some(schema)) => methods(&words, &schema),
        Ok(None) => {
            answer.insert("methods_unknown".into(), describe::UNDESCRIBED.into());
            Vec::new()
        }
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            let why = printable(&error.to_string(), WHY_MAX_CHARS);
            answer.insert("methods_unknown".into(), why.into());
            Vec::new()
        }
    };
    answer.insert("methods".into(), methods.into());
    Ok(answer)
}

/// Those that come first, of what fits at all.
fn first<T>(scored: impl Iterator<Item = (usize, T)>) -> Vec<T> {
    let mut fits: Vec<(usize, T)> = scored.filter(|(score, _)| *score > 0).collect();
    fits.sort_by(|(one, _), (other, _)| other.cmp(one));
    fits.into_iter()
        .take(FOUND_MAX)
        .map(|(_, one)| one)
        .collect()
}

/// How well a tool fits the words: its name says more than its text.
fn of_tool(words: &[&str], set: &Toolset, tool: &Tool) -> usize {
    let text = format!("{} {} {}", tool.title, tool.about, set.name).to_lowercase();
    let params = tool.params.iter().any(|param| words.contains(&param.name));
    let word = |word: &&str| match () {
        () if tool.name.contains(*word) => 4,
        () if text.contains(*word) => 2,
        () => 0,
    };
    words.iter().map(word).sum::<usize>() + usize::from(params)
}

fn methods(words: &[&str], schema: &Schema) -> Vec<Value> {
    let scored = schema.methods().iter();
    let scored = scored.map(|method| (of_method(words, method), method));
    let row = |method: &DescribedMethod| {
        let mut row = json!({
            "method": method.verb.name(), "path": *method.template, "effect": describe::mark(method).effect.name(),
        });
        let senders = describe::senders(method);
        if let Some(row) = row.as_object_mut().filter(|_| !senders.is_empty()) {
            row.insert("tools".into(), senders.into());
        }
        row
    };
    first(scored).into_iter().map(row).collect()
}

/// How well a method fits: its path says more than its parameters, and fits better the shorter it is.
fn of_method(words: &[&str], method: &DescribedMethod) -> usize {
    let path = method.template.to_lowercase();
    let verb = method.verb.name().to_lowercase();
    let param = |word: &str| method.params.iter().any(|param| param.name.contains(word));
    let word = |word: &&str| match () {
        () if path.contains(*word) => 40,
        () if verb == *word => 20,
        () if param(word) => 10,
        () => 0,
    };
    let score: usize = words.iter().map(word).sum();
    let length = path.matches('/').count();
    if score == 0 {
        0
    } else {
        score.saturating_sub(length).max(1)
    }
}
