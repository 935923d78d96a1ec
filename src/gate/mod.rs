//! What stands between a call and a cluster: every call enters here and gets a [`Reach`], a plan or a
//! question to confirm, or a refusal.

pub mod audit;
pub mod bulk_limit;
pub mod confirm;
pub mod privileges;
mod protect;
pub mod reach;
pub mod volumes;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::api::mark::{Effect, Mark};
use crate::api::methods::Touch;
use crate::api::methods::sending::Sends;
use crate::config::safety::ConfirmMode;
use crate::config::variables::{BULK_LIMIT, CONFIRM};
use crate::config::{Cluster, Safety};
use crate::error::Error;
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use crate::log;
use audit::{AuditClient, CallAudit, CallEnd, Confirmed, Log};
use bulk_limit::BulkLimit;
use confirm::{GivenCode, Plan, Plans, Question, QuestionReply, RequiredAnswer};
use reach::{Admitted, FleetReach, Reach, Writing};

/// What the gate remembers between calls.
pub struct Gate {
    pub plans: RefCell<Plans>,
    pub bulk_limit: RefCell<BulkLimit>,
    /// Where the configuration names a file.
    audit: Option<Log>,
    from: CallOrigin,
}

/// Who calls, and how they can be asked.
#[derive(Clone, Copy)]
pub struct Caller<'c> {
    /// Name and version, as the client gives them.
    pub client: (&'c str, &'c str),
    /// Whether the user can be asked a question within the call.
    pub can_be_asked: bool,
    /// The reply to the question that this very call led to.
    pub reply: Option<&'c QuestionReply>,
    /// The states of the questions that are before the user meanwhile.
    pub asking: &'c dyn Fn() -> Vec<String>,
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOrigin {
    Mcp,
    /// `proxmox-mcp call`, whose user is always asked.
    CommandLine,
}

/// A call on one cluster that wants to pass.
pub struct Entry<'e> {
    pub tool: &'e str,
    pub mark: Mark,
    /// The arguments as text, the same for equal calls.
    pub arguments: &'e dyn Fn() -> String,
    pub caller: Caller<'e>,
    pub call_audit: &'e CallAudit,
    /// The code that came with the call.
    pub code: Option<&'e str>,
    /// The cluster's place in the configuration, the cluster, and why it is meant.
    pub place: usize,
    pub cluster: &'e Cluster,
    pub chosen_by: &'e str,
    /// The existing guest that the call addresses.
    pub guest: Option<Rc<Guest>>,
    /// The UPID of the task that the call addresses.
    pub task: Option<&'e str>,
    /// What else the call addresses: its node, its storage.
    pub touches: Vec<Touch>,
    /// What the action sends.
    pub sends: Sends,
    /// Seconds to wait for the end of a task.
    pub wait_s: u64,
}

/// What the gate says to a call.
pub enum Admission {
    /// It passes; how it was confirmed.
    Go(Box<Admitted>, Confirmed),
    /// The plan and its code: the answer of this call.
    Planned(Map<String, Value>),
    /// What the user is to be asked; the same call comes back with the reply.
    Ask(Box<Question>),
}

/// Whether a call that asks is confirmed.
enum Confirmation {
    /// It is, in this way: its plan, as it is now.
    As(Plan, Confirmed),
    Planned(Map<String, Value>),
    Ask(Box<Question>),
}

/// How one call is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConfirmMethod {
    Unasked,
    ByCode,
    ByQuestion,
}

impl Gate {
    pub fn new(safety: &Safety, from: CallOrigin) -> Gate {
        let mut gate = Gate {
            plans: RefCell::default(),
            bulk_limit: RefCell::new(BulkLimit::new(safety.bulk_limit)),
            audit: None,
            from,
        };
        gate.audit = safety.audit_log.as_deref().map(|path| gate.log(path));
        gate
    }

    fn log(&self, path: &Path) -> Log {
        if self.from == CallOrigin::CommandLine {
            // This process lives for one call: what others did of late counts too.
            let window = self.bulk_limit.borrow().window;
            match audit::recent(path, window) {
                Ok(ages) => self.bulk_limit.borrow_mut().count_earlier(&ages),
                Err(cause) => self.bulk_limit.borrow_mut().set_blind(cause),
            }
        }
        let how = match self.from {
            CallOrigin::Mcp => audit::AuditOrigin::Mcp,
            CallOrigin::CommandLine => audit::AuditOrigin::Call,
        };
        Log::new(path, how)
    }

    /// Begins what the audit file will say of a call.
    pub fn call_audit(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        caller: &Caller,
    ) -> CallAudit {
        let (name, version) = caller.client;
        let client = AuditClient {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        if let Some(log) = &self.audit {
            log.set_client(client.clone());
        }
        CallAudit::new(tool, arguments, client)
    }

    /// Writes down what came of a call.
    pub fn write_down(&self, call_audit: &CallAudit, end: &CallEnd) {
        if let Some(log) = &self.audit {
            call_audit.end(log, end);
        }
    }

    /// Goes by other settings from now on. Plans made before are forgotten.
    pub fn take_over(&mut self, safety: &Safety) {
        self.plans.get_mut().forget_all();
        self.bulk_limit.get_mut().set_limit(safety.bulk_limit);
        if let (None, Some(path)) = (&self.audit, &safety.audit_log) {
            self.audit = Some(self.log(path));
        }
    }

    /// Lets a call pass, or has it confirmed first. `plan` reads what is shown with a reach that can
    /// send nothing but GET.
    ///
    /// # Errors
    /// The cluster does not allow it; a wrong code; a user who does not agree or cannot be asked; or
    /// whatever reading the plan met.
    pub fn enter(
        &self,
        fleet: &Fleet,
        entry: Entry,
        plan: &dyn Fn(&Reach) -> Result<Plan, Error>,
    ) -> Result<Admission, Error> {
        let cluster = entry.cluster;
        entry.call_audit.located(&cluster.name, entry.chosen_by);
        let mut planned = None;
        let mut confirmed = Confirmed::NoNeed;
        // What only reads needs no level, harms nobody and is asked about by nobody.
        if !matches!(entry.mark, Mark::READ) {
            check_access(cluster, &format!("`{}`", entry.tool), entry.mark.effect)?;
            if let Some(guest) = entry.guest.as_ref().filter(|_| entry.mark.may_harm()) {
                let reader = Admitted::reading(entry.place, &[], Some(Rc::clone(guest)));
                let reader = Reach::new(fleet, &reader, None);
                protect::call(&reader, entry.tool, entry.mark, guest)?;
            }
        }
        if entry.mark.asks {
            let guest = entry.guest.clone();
            let reader = Admitted::reading(entry.place, entry.sends, guest).planning();
            match self.confirmed(fleet, &entry, &reader, plan)? {
                Confirmation::As(plan, way) => {
                    planned = Some((plan, reader));
                    confirmed = way;
                }
                Confirmation::Planned(answer) => return Ok(Admission::Planned(answer)),
                Confirmation::Ask(question) => return Ok(Admission::Ask(question)),
            }
        }
        entry.call_audit.passed(entry.mark, confirmed);
        let was_asked = matches!(confirmed, Confirmed::Asked | Confirmed::CommandLine);
        let objects = planned.as_ref().map_or(0, |(plan, _)| plan.objects);
        let beyond_limit = was_asked && objects > self.bulk_limit.borrow().limit();
        let mut touches = entry.touches;
        if let Some(guest) = &entry.guest {
            touches.push(Touch::Guest(guest.vmid));
        }
        if let Some(upid) = entry.task {
            touches.push(Touch::Task(upid.to_string()));
        }
        let mut admitted = Admitted::reading(entry.place, entry.sends, entry.guest).writing(
            entry.mark,
            touches,
            entry.wait_s,
            beyond_limit,
        );
        if let Some((plan, reader)) = planned {
            admitted = admitted.planned_as(plan, &reader);
        }
        Ok(Admission::Go(Box::new(admitted), confirmed))
    }

    /// A reach for one step of a call that was let pass.
    pub fn lend<'a>(
        &'a self,
        fleet: &'a Fleet,
        admitted: &'a Admitted,
        call_audit: &'a CallAudit,
    ) -> Reach<'a> {
        let writing = Writing {
            gate: self,
            call_audit,
        };
        Reach::new(fleet, admitted, Some(writing))
    }

    /// Has a call that asks confirmed, in its own way. What acts is always what was shown: the plan is
    /// read again behind the confirmation, as far as it is compared; all of it only where there is a new
    /// one to show.
    fn confirmed(
        &self,
        fleet: &Fleet,
        entry: &Entry,
        reader: &Admitted,
        plan: &dyn Fn(&Reach) -> Result<Plan, Error>,
    ) -> Result<Confirmation, Error> {
        let cluster = &entry.cluster.name;
        let how = self.how(&fleet.config.safety, cluster, entry)?;
        let call = confirm::call_of(entry.tool, cluster, &(entry.arguments)());
        let read = |reader: Reach| volumes::shown(&reader, entry.tool, entry.mark, plan(&reader)?);
        let shown = || read(Reach::new(fleet, reader, None));
        let compared = || read(Reach::new(fleet, reader, None).comparing());
        match how {
            ConfirmMethod::Unasked => Ok(Confirmation::As(compared()?, Confirmed::Off)),
            ConfirmMethod::ByCode => {
                let code = entry.code;
                let code = code.map(|code| self.plans.borrow_mut().check_code(&call, code));
                let because = match code.transpose()? {
                    None => None,
                    Some(GivenCode::Void(because)) => Some(because),
                    Some(GivenCode::OfPlan) => {
                        let plan = self.within_limit(cluster, entry.mark, compared()?)?;
                        match self.plans.borrow_mut().confirms(&call, &plan.subject) {
                            Ok(()) => return Ok(Confirmation::As(plan, Confirmed::Code)),
                            Err(because) => Some(because),
                        }
                    }
                };
                let plan = self.within_limit(cluster, entry.mark, shown()?)?;
                let mut plans = self.plans.borrow_mut();
                plans.ask(call, plan, because).map(Confirmation::Planned)
            }
            ConfirmMethod::ByQuestion => match entry.caller.reply {
                None => {
                    self.plans
                        .borrow()
                        .may_ask(&call, &(entry.caller.asking)())?;
                    let plan = shown()?;
                    self.has_room(cluster, entry.mark, &plan)?;
                    let wants = self.wants(entry, &plan)?;
                    let question = self.plans.borrow_mut().question(call, plan, wants)?;
                    Ok(Confirmation::Ask(Box::new(question)))
                }
                Some(reply) => {
                    let agreed = self.plans.borrow_mut().replied(&call, reply)?;
                    let plan = compared()?;
                    agreed.still_holds(&plan.subject)?;
                    let way = match self.from {
                        CallOrigin::Mcp => Confirmed::Asked,
                        CallOrigin::CommandLine => Confirmed::CommandLine,
                    };
                    Ok(Confirmation::As(plan, way))
                }
            },
        }
    }

    /// What the user has to say to the plan.
    fn wants(&self, entry: &Entry, plan: &Plan) -> Result<RequiredAnswer, Error> {
        if plan.objects > self.bulk_limit.borrow().limit() {
            return Ok(RequiredAnswer::Number(plan.objects));
        }
        if entry.mark.effect < Effect::Full {
            return Ok(RequiredAnswer::Yes);
        }
        let object = plan
            .object()
            .ok_or_else(|| Error::internal("the plan names no object that could be typed"))?;
        Ok(RequiredAnswer::Name(object))
    }

    /// Nobody is asked for what the bulk limit would stop. A plan beyond the limit is asked for by its
    /// number all the same.
    fn has_room(&self, cluster: &str, mark: Mark, plan: &Plan) -> Result<(), Error> {
        let mut bulk_limit = self.bulk_limit.borrow_mut();
        if mark.is_bulk_limited() && plan.objects <= bulk_limit.limit() {
            bulk_limit.has_room(cluster, plan.objects)?;
        }
        Ok(())
    }

    /// A plan beyond the limit takes a question, in which the user types the number.
    fn within_limit(&self, cluster: &str, mark: Mark, plan: Plan) -> Result<Plan, Error> {
        let limit = self.bulk_limit.borrow().limit();
        if plan.objects <= limit {
            self.has_room(cluster, mark, &plan)?;
            return Ok(plan);
        }
        let sentence = format!(
            "the plan covers {} guests or objects, more than {} ({limit}), and its user cannot be \
             asked for that number",
            plan.objects, BULK_LIMIT
        );
        Err(Error::not_allowed(cluster, sentence)
            .hint("make several calls of it, or raise the limit"))
    }

    /// How a call that asks is confirmed: the mark decides, by the configuration and by what the client
    /// can.
    fn how(&self, safety: &Safety, cluster: &str, entry: &Entry) -> Result<ConfirmMethod, Error> {
        let caller = &entry.caller;
        let how = match safety.confirm.way {
            _ if safety.confirm.off.contains(&entry.place) => ConfirmMethod::Unasked,
            _ if self.from == CallOrigin::CommandLine => ConfirmMethod::ByQuestion,
            ConfirmMode::Code => ConfirmMethod::ByCode,
            ConfirmMode::Auto | ConfirmMode::Ask if caller.can_be_asked => {
                ConfirmMethod::ByQuestion
            }
            ConfirmMode::Auto if entry.mark.effect < Effect::Full => ConfirmMethod::ByCode,
            way => {
                let tool = entry.tool;
                let (rule, hint) = match way {
                    ConfirmMode::Ask => (
                        format!("{CONFIRM}=ask has the user asked"),
                        "use a client that can ask its user (MCP elicitation)".to_owned(),
                    ),
                    _ => (
                        "what takes away is confirmed by the user".to_owned(),
                        format!(
                            "a client that can ask its user (MCP elicitation), or {CONFIRM}=code in \
                             the configuration, after which the same call gives a plan and its code"
                        ),
                    ),
                };
                let sentence = format!("`{tool}` asks first: {rule}, and this client cannot ask");
                return Err(Error::not_allowed(cluster, sentence).hint(hint));
            }
        };
        if how == ConfirmMethod::ByQuestion && entry.code.is_some() {
            return Err(Error::bad(
                "`confirm` takes a code, and there are none here: the user is asked",
            ));
        }
        Ok(how)
    }

    /// Lets a read of several clusters pass. `one`: the caller meant this one cluster.
    pub fn enter_fleet<'f>(
        &self,
        fleet: &'f Fleet,
        clusters: Vec<usize>,
        one: bool,
        sends: Sends,
    ) -> FleetReach<'f> {
        FleetReach::new(fleet, clusters, one, sends)
    }
}

impl Drop for Gate {
    /// The process ends in order.
    fn drop(&mut self) {
        if let Some(Err(cause)) = self.audit.as_ref().map(Log::end) {
            log::error(&cause);
        }
    }
}

/// Refuses what is above the cluster's level. `what` is the call or the request, in backticks.
///
/// # Errors
/// It is: with the level and the variable that sets it.
fn check_access(cluster: &Cluster, what: &str, effect: Effect) -> Result<(), Error> {
    if effect <= cluster.access {
        return Ok(());
    }
    let sentence = format!(
        "{what} needs the access level `{}`, and {} allows `{}` at most",
        effect.name(),
        cluster.access_variable,
        cluster.access.name()
    );
    Err(Error::not_allowed(&cluster.name, sentence))
}
