//! In which words a tool is declared: one value from which the schema, the argument checks, the
//! annotations, the gate, its line in the help and the dispatch are read.

pub mod api_request;
pub mod args;
pub mod call;
pub mod first_rows;
pub mod offer;
pub mod open;
pub mod order;
pub mod param;
mod reloaded;
pub mod rows;
pub mod schema;
pub mod step;
pub mod write;

use serde_json::{Map, Value};

use crate::api::mark::Mark;
use crate::api::methods::Touch;
use crate::api::methods::sending::{self, Sends};
use crate::error::Error;
use crate::fleet::registry::NamedSubject;
use crate::gate::confirm::Plan;
use crate::gate::reach::{FleetReach, Reach};
use args::Args;
use param::{Param, ParamKind};
use step::StepResult;
use write::WriteResult;

/// A tool as its family declares it.
pub struct Tool {
    /// `^[a-z][a-z0-9_]{2,39}$`, the noun first.
    pub name: &'static str,
    /// For people; no full stop.
    pub title: &'static str,
    /// For the model: what it does, what it returns, when another tool is the better one.
    pub about: &'static str,
    /// What its calls send, and so what they may do.
    pub actions: Actions,
    /// What the call addresses, which decides the cluster.
    pub subject: Subject,
    /// Without `cluster`, `confirm` and `wait`, which are injected.
    pub params: &'static [Param],
    /// The keys that every answer has beside the decision, with their JSON types
    /// (`("items", "array")`).
    pub answer: &'static [(&'static str, &'static str)],
    /// Whether it starts a task, and so takes `wait`.
    pub task: bool,
    /// What a tool that asks shows first.
    pub plan: Option<PlanFn>,
    pub run: RunFn,
}

/// A named set of tools that is switched on and off together.
pub struct Toolset {
    pub name: &'static str,
    /// What it is for; no full stop.
    pub about: &'static str,
    pub tools: &'static [Tool],
    /// Whether it is on where the configuration says nothing.
    pub is_default: bool,
}

/// Reads what a plan shows. It can send nothing but GET.
pub type PlanFn = fn(&Reach, &Args) -> Result<Plan, Error>;

/// One of the things that a tool does.
#[derive(Clone, Copy)]
pub struct Action {
    /// The word in `action`; empty where there is but one.
    pub word: &'static str,
    pub sends: Sends,
    /// All that it sends in one mark.
    pub mark: Mark,
}

/// What a tool does.
pub enum Actions {
    One(Action),
    /// By the word in `action`.
    ByWord(&'static [Action]),
    /// By a function of the arguments, which gives the word of one of them.
    ByArguments(&'static [Action], fn(&Args) -> &'static str),
}

impl Action {
    /// What it weighs is read off the rows of what it sends, when the program is built.
    pub const fn new(word: &'static str, sends: Sends) -> Action {
        Action {
            word,
            sends,
            mark: sending::mark(sends),
        }
    }
}

impl Actions {
    pub const fn one(sends: Sends) -> Actions {
        Actions::One(Action::new("", sends))
    }
}

/// The one thing that a call addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The existing guest in `guest`.
    Guest,
    /// The existing node in `node`.
    Node,
    /// The existing guest in `guest`, or the existing node in `node`; else one cluster, as [`Subject::Cluster`].
    GuestNodeOrCluster,
    /// The existing storage in `storage`, or before the `:` of the volume in this parameter.
    Storage(&'static str),
    /// The existing guest in `guest`; its copy is called as this parameter says.
    Copied(&'static str),
    /// The existing guest in `guest`, or without it the storage of the volume in one parameter; the guest
    /// that is then made of it is called as the other says.
    GuestOrStorage {
        storage: &'static str,
        new: &'static str,
    },
    /// What the cluster has under the name in this parameter, or is to have.
    Thing(Thing, &'static str),
    /// The path of the API in `path`, which may name a node or a guest.
    ApiPath,
    /// The task in `task`.
    Task,
    /// Something new whose name is in this parameter.
    New(&'static str),
    /// Nothing of its own: one cluster, else the default one.
    Cluster,
    /// Nothing: a list of one cluster, or of all with `cluster: "all"`. The default cluster first;
    /// where `guest` narrows the list, the guest's.
    List,
    /// The fleet: all clusters unless `cluster` narrows it.
    Fleet,
    /// No cluster: what this program offers in this session.
    Session,
}

/// What a cluster has by a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A backup job.
    Job,
    Pool,
}

impl Thing {
    /// What a call on it touches.
    pub fn touch(self, name: &str) -> Touch {
        match self {
            Thing::Job => Touch::Job(name.into()),
            Thing::Pool => Touch::Pool(name.into()),
        }
    }

    /// What decides the cluster.
    pub fn named(self, name: &str) -> NamedSubject<'_> {
        match self {
            // No list tells it of all clusters.
            Thing::Job => NamedSubject::Nothing,
            Thing::Pool => NamedSubject::Pool(name),
        }
    }
}

/// What a handler gives: the answer's keys behind the decision.
pub type HandlerResult = Result<Map<String, Value>, Error>;

/// The calling convention.
pub enum RunFn {
    /// On one cluster, without waiting for anything but replies.
    AtOnce(fn(&Reach, &Args) -> HandlerResult),
    /// One request on one cluster, and what becomes of it.
    Write(fn(&Reach, &Args) -> WriteResult),
    /// On one cluster, waiting for what it starts.
    Steps(fn(&Reach, &Args) -> StepResult),
    /// Reads of several clusters.
    Fleet(fn(&FleetReach, &Args) -> HandlerResult),
    /// On no cluster.
    Here(fn(&call::AppState, &Args) -> HandlerResult),
}

impl Tool {
    /// The first sentence of what it says of itself, which says it all.
    pub fn sentence(&self) -> &'static str {
        let end = self.about.find(". ").map(|end| end + 1);
        end.and_then(|end| self.about.get(..end))
            .unwrap_or(self.about)
    }

    /// What it does, each thing once.
    pub fn actions(&self) -> &[Action] {
        match &self.actions {
            Actions::One(action) => std::slice::from_ref(action),
            Actions::ByWord(actions) | Actions::ByArguments(actions, _) => actions,
        }
    }

    /// The words of `action`, which its parameter of that kind takes.
    pub fn words(&self) -> Vec<&'static str> {
        let actions = self.by_word().unwrap_or_default().iter();
        actions.map(|action| action.word).collect()
    }

    /// What it does by the word in `action`; nothing where it takes none.
    pub fn by_word(&self) -> Option<&'static [Action]> {
        match self.actions {
            Actions::ByWord(actions) => Some(actions),
            Actions::One(_) | Actions::ByArguments(..) => None,
        }
    }

    /// What a call with these arguments does; nothing where none of its words is meant.
    pub fn action(&self, args: &Args) -> Option<Action> {
        let word = match self.actions {
            Actions::One(action) => return Some(action),
            Actions::ByWord(_) => args.text("action")?,
            Actions::ByArguments(_, of) => of(args),
        };
        self.actions().iter().find(|one| one.word == word).copied()
    }

    /// The mark of a call with these arguments.
    pub fn mark(&self, args: &Args) -> Mark {
        let action = self.action(args);
        action.map_or_else(|| self.heaviest(), |action| action.mark)
    }

    /// Every mark that a call of it can have.
    pub fn possible(&self) -> impl Iterator<Item = Mark> {
        self.actions().iter().map(|action| action.mark)
    }

    /// All its marks in one: what annotations show.
    pub fn heaviest(&self) -> Mark {
        self.possible().fold(Mark::READ, Mark::or)
    }

    /// How long, in seconds, a call waits for its task where `wait` does not say: what starts nothing
    /// waits only where it is told to.
    pub fn wait_default_s(&self) -> u64 {
        if self.heaviest() == Mark::READ {
            0
        } else {
            args::WAIT_DEFAULT_S
        }
    }

    /// Whether some call of it asks first, so that it takes `confirm`.
    pub fn asks(&self) -> bool {
        self.possible().any(|mark| mark.asks)
    }

    /// Whether it takes `confirm`: some call asks, or may turn out to, by another guest's volume that its
    /// settings name.
    pub fn takes_confirm(&self) -> bool {
        self.asks() || self.has_settings()
    }

    /// Whether it takes parameters of the API as they come.
    fn has_settings(&self) -> bool {
        let mut params = self.params.iter();
        params.any(|param| matches!(param.kind, ParamKind::Settings))
    }
}
