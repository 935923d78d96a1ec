//! What stands between a call and a cluster: every call enters here and gets a [`Reach`], a plan to
//! confirm, or a refusal.

pub mod confirm;
pub mod mark;
pub mod reach;
pub mod weigh;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use confirm::{Plan, Plans};
use mark::Mark;
use reach::{FleetReach, Grant, Reach, reading};
use weigh::Touch;

/// What the gate remembers between calls.
#[derive(Default)]
pub struct Gate {
    pub plans: Plans,
}

/// A call on one cluster that wants to pass.
pub struct Entry<'e> {
    pub tool: &'e str,
    pub mark: Mark,
    /// The arguments as text, the same for equal calls.
    pub arguments: String,
    /// The code that came with the call.
    pub confirm: Option<&'e str>,
    pub cluster: usize,
    /// The existing guest that the call addresses.
    pub guest: Option<Guest>,
    /// The UPID of the task that the call addresses.
    pub task: Option<&'e str>,
    /// Seconds to wait for the end of a task.
    pub wait_s: u64,
}

/// What the gate says.
pub enum Verdict<'f> {
    Go(Box<Reach<'f>>),
    /// The plan and its code: the answer of this call.
    Ask(Map<String, Value>),
}

impl Gate {
    /// Lets a call pass, or makes the plan that is to be confirmed first. `plan` reads what it shows
    /// with a reach that can send nothing but GET.
    ///
    /// # Errors
    /// A wrong code; or whatever reading the plan met.
    pub fn enter<'f>(
        &mut self,
        fleet: &'f Fleet,
        entry: Entry,
        plan: &dyn Fn(&Reach) -> Result<Plan, Error>,
    ) -> Result<Verdict<'f>, Error> {
        let mut planned = None;
        if entry.mark.asks {
            let name = fleet.cluster_name(entry.cluster);
            let call = confirm::call_of(entry.tool, name, &entry.arguments);
            let code = match entry.confirm {
                Some(code) => Some(self.plans.check_code(&call, code)?),
                None => None,
            };
            let reader = Reach::new(fleet, entry.cluster, reading(), entry.guest.clone(), 0);
            let plan = plan(&reader)?;
            let because = match code {
                None => Some(None),
                Some(code) => self.plans.confirms(&code, &plan.subject).err().map(Some),
            };
            if let Some(because) = because {
                return self.plans.ask(call, plan, because).map(Verdict::Ask);
            }
            planned = Some(plan.subject);
        }
        let guest = entry.guest.iter().map(|guest| Touch::Guest(guest.vmid));
        let task = entry
            .task
            .iter()
            .map(|upid| Touch::Task((*upid).to_string()));
        let grant = Grant {
            mark: entry.mark,
            touches: guest.chain(task).collect(),
        };
        let reach = Reach::new(fleet, entry.cluster, grant, entry.guest, entry.wait_s);
        Ok(Verdict::Go(Box::new(reach.planned_as(planned))))
    }

    /// Lets a read of several clusters pass. `one`: the caller meant this one cluster.
    pub fn enter_fleet<'f>(
        &self,
        fleet: &'f Fleet,
        clusters: Vec<usize>,
        one: bool,
    ) -> FleetReach<'f> {
        FleetReach::new(fleet, clusters, one)
    }
}
