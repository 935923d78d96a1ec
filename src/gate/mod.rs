//! What stands between a call and a cluster: every call enters here and gets a [`Reach`], a plan to
//! confirm, or a refusal.

pub mod audit;
pub mod confirm;
pub mod mark;
pub mod reach;
pub mod weigh;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use confirm::{Confirm, Plan, Plans};
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
    /// How it is confirmed, where it asks.
    pub confirm: Confirm<'e>,
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

/// Whether a call that asks is confirmed.
enum Confirmed {
    /// It is: the subject of its plan, as it is now.
    As(Value),
    /// Not yet: what is answered instead of acting.
    NotYet(Map<String, Value>),
}

impl Gate {
    /// Lets a call pass, or has it confirmed first. `plan` reads what is shown with a reach that can
    /// send nothing but GET.
    ///
    /// # Errors
    /// A wrong code, or a user who does not agree; or whatever reading the plan met.
    pub fn enter<'f>(
        &mut self,
        fleet: &'f Fleet,
        entry: Entry,
        plan: &dyn Fn(&Reach) -> Result<Plan, Error>,
    ) -> Result<Verdict<'f>, Error> {
        let mut planned = None;
        if entry.mark.asks {
            match self.confirmed(fleet, &entry, plan)? {
                Confirmed::As(subject) => planned = Some(subject),
                Confirmed::NotYet(asked) => return Ok(Verdict::Ask(asked)),
            }
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

    /// Has a call that asks confirmed, in its own way. What acts is always what was shown: the plan is
    /// read again behind the confirmation, and compared.
    fn confirmed(
        &mut self,
        fleet: &Fleet,
        entry: &Entry,
        plan: &dyn Fn(&Reach) -> Result<Plan, Error>,
    ) -> Result<Confirmed, Error> {
        let reader = Reach::new(fleet, entry.cluster, reading(), entry.guest.clone(), 0);
        match entry.confirm {
            Confirm::Code(code) => {
                let name = fleet.cluster_name(entry.cluster);
                let call = confirm::call_of(entry.tool, name, &entry.arguments);
                let code = match code {
                    Some(code) => Some(self.plans.check_code(&call, code)?),
                    None => None,
                };
                let plan = plan(&reader)?;
                let because = match code {
                    None => None,
                    Some(code) => match self.plans.confirms(&code, &plan.subject) {
                        Ok(()) => return Ok(Confirmed::As(plan.subject)),
                        Err(because) => Some(because),
                    },
                };
                self.plans.ask(call, plan, because).map(Confirmed::NotYet)
            }
            Confirm::User(user) => {
                let shown = plan(&reader)?;
                user.agrees(&shown)?;
                let now = plan(&reader)?;
                confirm::unchanged(&shown, &now)?;
                Ok(Confirmed::As(now.subject))
            }
        }
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
