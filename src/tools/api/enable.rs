//! `toolset_enable`: a set of tools that is off is listed from now on.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::text::repeated;
use crate::tool::args::Args;
use crate::tool::call::AppState;
use crate::tool::offer::Offered;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool, schema};

pub(super) const ENABLE: Tool = Tool {
    name: "toolset_enable",
    title: "List another set of tools",
    about: "Lists a set of tools that is off and returns them, to be called at once.",
    actions: Actions::one(&[]),
    subject: Subject::Session,
    params: &[Param::new(
        "toolset",
        ParamKind::Word(Word::Id),
        "`set` of tool_find",
    )],
    answer: &[("toolset", "string"), ("tools", "array")],
    task: false,
    plan: None,
    run: RunFn::Here(enable),
};

fn enable(app: &AppState, args: &Args) -> HandlerResult {
    let name = args.need("toolset")?;
    let Some(tools) = app.enable(name) else {
        let names: Vec<&str> = app.toolsets().iter().map(|set| set.name).collect();
        return Err(Error::bad(format!(
            "there is no toolset `{}`; there are: {}",
            repeated(name),
            names.join(", ")
        )));
    };
    if tools.is_empty() {
        return Err(Error::bad(format!(
            "of the toolset `{name}` nothing can be called: no cluster allows any of it, or it is denied"
        )));
    }
    if !tools.iter().any(|one| one.is_later) {
        return Err(Error::bad(format!(
            "all of the toolset `{name}` is listed already"
        )));
    }
    let mut answer = Map::new();
    answer.insert("toolset".into(), name.into());
    answer.insert("tools".into(), tools.iter().map(entry).collect());
    Ok(answer)
}

/// A tool as a list of tools would tell of it.
fn entry(offered: &Offered) -> Value {
    let tool = offered.tool;
    json!({"name": tool.name, "description": tool.about, "inputSchema": schema::input(offered)})
}
