//! What is offered of the tools that exist: by the switches, and by what some cluster allows.

use serde_json::{Map, Value};

use super::args::Args;
use super::{Action, Actions, Subject, Tool, Toolset};
use crate::api::mark::{Effect, Mark};
use crate::config::Config;
use crate::config::safety::{ALL_SETS, DEFAULT_SETS, Switches};
use crate::config::variables::{ACCESS, TOOLS_ALLOW, TOOLS_DENY, TOOLSETS};
use crate::error::Error;
use crate::meant::edits;
use crate::text::repeated;

/// No name is that far from what was meant.
const NEAR_MAX_EDITS: usize = 4;

/// A tool that is listed, as far as it is offered.
#[derive(Clone, Copy)]
pub struct Offered {
    pub tool: &'static Tool,
    /// The most that some cluster allows.
    level: Effect,
    /// The least that a call needs.
    least: Effect,
    /// Whether its set was switched on while the server runs.
    pub is_later: bool,
}

impl Offered {
    /// All of it, whatever a configuration allows.
    pub fn whole(tool: &'static Tool) -> Offered {
        Offered::at(tool, Effect::Full)
    }

    fn at(tool: &'static Tool, level: Effect) -> Offered {
        let effects = tool.possible().map(|mark| mark.effect);
        Offered {
            tool,
            level,
            least: effects.min().unwrap_or(Effect::Read),
            is_later: false,
        }
    }

    /// What tells this entry of a listing from another.
    pub fn key(&self) -> (&'static str, Effect) {
        (self.tool.name, self.level)
    }

    /// The words of `action` that some cluster allows.
    pub fn words(&self) -> Vec<&'static str> {
        let actions = self.tool.by_word().unwrap_or_default().iter();
        let allowed = actions.filter(|action| action.mark.effect <= self.level);
        allowed.map(|action| action.word).collect()
    }

    /// The marks that a call can have.
    fn marks(&self) -> impl Iterator<Item = Mark> {
        let possible = self.tool.possible();
        let level = self.level;
        possible.filter(move |mark| mark.effect <= level)
    }

    /// All these marks in one.
    pub fn heaviest(&self) -> Mark {
        self.marks().fold(Mark::READ, Mark::or)
    }

    /// Refuses a call whose word no cluster allows, before anything else is looked at.
    ///
    /// # Errors
    /// None does, with the level and the variable.
    pub fn allows_word(
        &self,
        actions: &[Action],
        arguments: &Map<String, Value>,
    ) -> Result<(), Error> {
        let word = arguments.get("action").and_then(Value::as_str);
        let meant = actions.iter().find(|action| Some(action.word) == word);
        self.allows(meant.map_or(self.least, |action| action.mark.effect))
    }

    /// What a call with these arguments does.
    ///
    /// # Errors
    /// No cluster allows it, with the level and the variable.
    pub fn action(&self, args: &Args) -> Result<Action, Error> {
        let action = self.tool.action(args).ok_or_else(|| {
            let name = self.tool.name;
            Error::internal(format!("`{name}` does nothing of that kind"))
        })?;
        self.allows(action.mark.effect)?;
        Ok(action)
    }

    /// Refuses what no cluster allows.
    ///
    /// # Errors
    /// None does, with the level and the variable.
    fn allows(&self, effect: Effect) -> Result<(), Error> {
        if effect <= self.level {
            return Ok(());
        }
        let (needed, level) = (effect.name(), self.level.name());
        let sentence = format!(
            "`{}` needs the access level `{needed}` for this, and no cluster allows more than `{level}`",
            self.tool.name
        );
        Err(Error::not_allowed("", sentence).hint(format!(
            "whoever runs this server sets that with {ACCESS} and PROXMOX_CLUSTER_name_ACCESS, and \
             a restart; a token for it is made as `proxmox-mcp token CLUSTER --access {needed}` says"
        )))
    }

    /// Whether some call asks first, so that it takes `confirm`.
    pub fn asks(&self) -> bool {
        let may_turn_out = self.level == Effect::Full && self.tool.has_settings();
        may_turn_out || self.marks().any(|mark| mark.asks)
    }
}

/// The tools that a configuration offers, in the order in which they are listed; those of the sets in `later`
/// too, as far as the switches allow.
pub fn offered(config: &Config, toolsets: &'static [Toolset], later: &[&str]) -> Vec<Offered> {
    let (level, switches) = (level(config), &config.safety.switches);
    let tools = toolsets
        .iter()
        .flat_map(|set| set.tools.iter().map(move |tool| (set, tool)));
    let tools = tools.filter(|(_, tool)| switched_off(switches, toolsets, tool).is_none());
    let offered = tools.filter_map(|(set, tool)| {
        let is_on = is_on(switches, set, tool.name);
        let offered = Offered {
            is_later: !is_on,
            ..Offered::at(tool, level)
        };
        (is_on || later.contains(&set.name)).then_some(offered)
    });
    offered.filter(|offered| offered.least <= level).collect()
}

/// The sets of which nothing is listed, as the configuration has it.
pub fn unlisted(switches: &Switches, toolsets: &'static [Toolset]) -> Vec<&'static str> {
    let is_off = |set: &&Toolset| !set.tools.iter().any(|tool| is_on(switches, set, tool.name));
    let sets = toolsets.iter().filter(is_off);
    sets.map(|set| set.name).collect()
}

/// Whether the switches have a tool listed, if it is not denied.
fn is_on(switches: &Switches, set: &Toolset, name: &str) -> bool {
    let listed = |one: &String| {
        one == set.name || one == ALL_SETS || (one == DEFAULT_SETS && set.is_default)
    };
    switches.sets.iter().any(listed) || switches.allow.iter().any(|one| one == name)
}

/// The most that some cluster allows.
fn level(config: &Config) -> Effect {
    let levels = config.clusters.iter().map(|cluster| cluster.access);
    levels.max().unwrap_or(Effect::Read)
}

/// A tool that is not listed, for the words of a call that no cluster allows.
///
/// # Errors
/// It is switched off, or no cluster allows anything of it, with the setting that says so.
pub fn missing(
    config: &Config,
    toolsets: &[Toolset],
    withheld: &[&str],
    tool: &'static Tool,
) -> Result<Offered, Error> {
    if withheld.contains(&tool.name) {
        let sentence = format!("`{}` was switched off while this server ran", tool.name);
        return Err(Error::not_allowed("", sentence));
    }
    if let Some((sentence, hint)) = switched_off(&config.safety.switches, toolsets, tool) {
        let mut error = Error::not_allowed("", sentence);
        error.hint = hint;
        return Err(error);
    }
    let offered = Offered::at(tool, level(config));
    match tool.actions {
        // Its word says more.
        Actions::ByWord(_) => Ok(offered),
        Actions::One(_) | Actions::ByArguments(..) => {
            offered.allows(offered.least).map(|()| offered)
        }
    }
}

/// Whether the switches leave a tool out, so that it cannot be called.
pub fn is_switched_off(switches: &Switches, toolsets: &[Toolset], tool: &Tool) -> bool {
    switched_off(switches, toolsets, tool).is_some()
}

/// Whether a tool is listed from the beginning.
pub fn is_listed(switches: &Switches, toolsets: &[Toolset], tool: &Tool) -> bool {
    let set = set_of(toolsets, tool.name);
    !is_switched_off(switches, toolsets, tool)
        && set.is_some_and(|set| is_on(switches, set, tool.name))
}

fn set_of<'t>(toolsets: &'t [Toolset], name: &str) -> Option<&'t Toolset> {
    let mut sets = toolsets.iter();
    sets.find(|set| set.tools.iter().any(|one| one.name == name))
}

/// Why a tool cannot be called, and how it is switched on; nothing where it can. A denial wins. Where nobody
/// said which sets there are, a set that is off is only not listed.
fn switched_off(
    switches: &Switches,
    toolsets: &[Toolset],
    tool: &Tool,
) -> Option<(String, Option<String>)> {
    let name = tool.name;
    if switches.deny.iter().any(|denied| denied == name) {
        return Some((
            format!("`{name}` is switched off by {TOOLS_DENY}"),
            Some("whoever runs this server can take it off that list, and restart".into()),
        ));
    }
    if !switches.is_bound {
        return None;
    }
    if tool.subject == Subject::Session {
        return Some((
            format!("{TOOLSETS} says which sets there are, and others cannot be switched on here"),
            Some("whoever runs this server can change it, and restart".into()),
        ));
    }
    let set = set_of(toolsets, name)?;
    if is_on(switches, set, name) {
        return None;
    }
    Some((
        format!(
            "`{name}` is of the toolset `{}`, which is not switched on",
            set.name
        ),
        Some(format!(
            "{} or {TOOLS_ALLOW}={name}, and a restart",
            switched_on_by(switches, set.name)
        )),
    ))
}

/// How a set is switched on where the switches bound them: the beginning of a sentence.
pub fn switched_on_by(switches: &Switches, set: &str) -> String {
    let sets = switches.sets.join(",");
    format!("whoever runs this server can switch it on with {TOOLSETS}={sets},{set}")
}

/// What is wrong with the names in the switches, a line each, with the nearest that exists.
pub fn problems(switches: &Switches, toolsets: &[Toolset]) -> Vec<String> {
    let sets = || {
        let sets = toolsets.iter().map(|set| set.name);
        sets.chain([DEFAULT_SETS, ALL_SETS])
    };
    let tools = || {
        let tools = toolsets.iter().flat_map(|set| set.tools);
        tools.map(|tool| tool.name)
    };
    let mut problems = Vec::new();
    let mut look = |variable: &str, what: &str, given: &[String], known: Vec<&str>| {
        for name in given {
            if known.contains(&name.as_str()) {
                continue;
            }
            let nearest = known.iter().min_by_key(|one| edits(one, name));
            let nearest = nearest.filter(|one| edits(one, name) <= NEAR_MAX_EDITS);
            let near = nearest.map_or(String::new(), |near| format!(", the nearest is `{near}`"));
            let name = repeated(name);
            problems.push(format!("{variable}: there is no {what} `{name}`{near}"));
        }
    };
    look(TOOLSETS, "toolset", &switches.sets, sets().collect());
    look(TOOLS_ALLOW, "tool", &switches.allow, tools().collect());
    look(TOOLS_DENY, "tool", &switches.deny, tools().collect());
    problems
}
