//! What a handler holds instead of a client: one cluster, and what the gate allowed for this call.
//!
//! Every request is weighed before it leaves. What is heavier than the call was allowed to be, or
//! touches something else, is refused, whatever the handler's code says.

mod fleet;
mod identity;
mod own;
mod permit;
mod plan_reads;
mod rows;
mod shared;
mod task;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::confirm::Plan;
use super::{check_access, protect, volumes};
use crate::api::mark::Mark;
use crate::api::methods::sending::Sends;
use crate::api::methods::{SharedVolume, Touch, Weight};
use crate::api::request::{Reply, Request, Verb};
use crate::api::schema::Schema;
use crate::charged::Charged;
use crate::config::{Cluster, Config};
use crate::error::{Code, Error};
use crate::fleet::Fleet;
use crate::fleet::index::Guest;
use crate::fleet::index::GuestName;
use crate::fleet::registry::{self, NamedSubject};
use crate::fleet::resource::{self, Resource};
use crate::proxmox::aftermath;
use crate::proxmox::client::ClusterClient;

pub use crate::proxmox::client::ClientStatus;
pub use fleet::FleetReach;
use plan_reads::PlanReads;
pub(crate) use shared::HeavierWrite;
pub(super) use write::Writing;

/// Said where free settings could not be held against anything.
const UNCHECKED: &str = "the cluster does not serve its API description, so that the settings were \
                         sent unchecked";

/// A call that the gate let pass, for as long as it is open: what it may do, and what it has done. For each
/// of its steps a [`Reach`] is lent on it, which goes by the settings of that moment.
pub struct Admitted {
    cluster: usize,
    mark: Mark,
    /// The methods that its action names.
    sends: Sends,
    touches: Vec<Touch>,
    /// The volumes of other guests that were shown in its plan, and confirmed.
    shared: Vec<SharedVolume>,
    /// The user has typed the number of objects of a plan beyond the limit.
    beyond_limit: bool,
    guest: Option<Rc<Guest>>,
    wait_s: u64,
    made: RefCell<Vec<u32>>,
    /// The writes that the cluster took.
    accepted: RefCell<Vec<String>>,
    /// What the bulk limit has counted for this call.
    counted: RefCell<BTreeSet<String>>,
    /// Others may have written since its plan was read.
    has_waited: Cell<bool>,
    /// With whose token the tasks that it waits for were begun.
    begun_by: RefCell<Option<Arc<ClusterClient>>>,
    planned: Option<Value>,
    /// Nothing where there is no plan.
    reads: Option<PlanReads>,
    notes: RefCell<Vec<(&'static str, Value)>>,
    /// The configuration of its guest, as it was last read.
    config: RefCell<Option<Value>>,
    /// What a write turned out to be, that was to touch volumes of other guests.
    heavier: RefCell<Option<HeavierWrite>>,
}

impl Admitted {
    /// What a read is allowed.
    pub(super) fn reading(cluster: usize, sends: Sends, guest: Option<Rc<Guest>>) -> Admitted {
        Admitted {
            cluster,
            mark: Mark::READ,
            sends,
            touches: Vec::new(),
            shared: Vec::new(),
            beyond_limit: false,
            guest,
            wait_s: 0,
            made: RefCell::default(),
            accepted: RefCell::default(),
            counted: RefCell::default(),
            has_waited: Cell::new(false),
            begun_by: RefCell::default(),
            planned: None,
            reads: None,
            notes: RefCell::default(),
            config: RefCell::default(),
            heavier: RefCell::default(),
        }
    }

    /// This call with what it may write.
    pub(super) fn writing(
        self,
        mark: Mark,
        touches: Vec<Touch>,
        wait_s: u64,
        beyond_limit: bool,
    ) -> Admitted {
        Admitted {
            mark,
            touches,
            wait_s,
            beyond_limit,
            ..self
        }
    }

    /// A read for a plan.
    pub(super) fn planning(self) -> Admitted {
        Admitted {
            reads: Some(PlanReads::of_plan()),
            ..self
        }
    }

    /// This call by the plan that was confirmed, with what was read for it.
    pub(super) fn planned_as(self, plan: Plan, read: &Admitted) -> Admitted {
        Admitted {
            planned: Some(plan.subject),
            shared: plan.shared,
            reads: read.reads.as_ref().map(PlanReads::for_step),
            config: RefCell::new(read.config.take()),
            ..self
        }
    }

    /// It waits, and others are served: it writes no more. What was seen before, and confirmed, need not be so
    /// behind a wait, and another's write may be due first.
    pub(crate) fn waits(&self, fleet: &Fleet) {
        self.has_waited.set(true);
        let mut begun_by = self.begun_by.borrow_mut();
        if let (None, Ok(client)) = (&*begun_by, fleet.client(self.cluster)) {
            *begun_by = Some(Arc::clone(client));
        }
    }

    /// Which cluster it is on.
    pub fn cluster(&self) -> usize {
        self.cluster
    }
}

/// One cluster with what a call may do there, lent for one step of it.
pub struct Reach<'a> {
    fleet: &'a Fleet,
    /// Nothing where the call only reads.
    writing: Option<Writing<'a>>,
    admitted: &'a Admitted,
    shows_plan: bool,
}

impl<'a> Reach<'a> {
    pub(super) fn new(
        fleet: &'a Fleet,
        admitted: &'a Admitted,
        writing: Option<Writing<'a>>,
    ) -> Reach<'a> {
        Reach {
            fleet,
            writing,
            admitted,
            shows_plan: true,
        }
    }

    /// This reach for a plan that nobody is shown.
    pub(super) fn comparing(self) -> Reach<'a> {
        Reach {
            shows_plan: false,
            ..self
        }
    }

    /// Whether somebody is shown the plan that is read. Where not, it is compared with the one that was
    /// confirmed, by its subject, volumes and number of objects, and what these do not need is left out.
    pub fn shows_plan(&self) -> bool {
        self.shows_plan
    }

    /// The subject of the plan that was confirmed, as it was when the call passed.
    pub fn planned(&self) -> Option<&Value> {
        self.admitted.planned.as_ref()
    }

    /// Something that the answer says beside what the handler returns.
    pub fn note(&self, key: &'static str, value: impl Into<Value>) {
        self.admitted.notes.borrow_mut().push((key, value.into()));
    }

    /// What was noted.
    pub fn notes(&self) -> Vec<(&'static str, Value)> {
        self.admitted.notes.borrow().clone()
    }

    /// Sends one request.
    ///
    /// # Errors
    /// The call's action does not name it; it weighs more than the call declared, touches something
    /// else, or is a write that the token may not do: nothing is sent. Otherwise whatever the cluster
    /// makes of it.
    pub fn send(&self, request: &Request) -> Result<Reply, Error> {
        let Some(reads) = &self.admitted.reads else {
            return self.send_of(request, self.admitted.sends);
        };
        if request.verb != Verb::Get {
            reads.forget();
            return self.send_of(request, self.admitted.sends);
        }
        if let Some(reply) = reads.reply(request) {
            self.remember(request, &reply);
            return Ok(reply);
        }
        let reply = self.send_of(request, self.admitted.sends)?;
        reads.note(request, &reply);
        Ok(reply)
    }

    fn send_of(&self, request: &Request, sends: Sends) -> Result<Reply, Error> {
        let client = self.fleet.client(self.admitted.cluster)?;
        self.send_by(client, request, sends)
    }

    fn send_by(
        &self,
        client: &ClusterClient,
        request: &Request,
        sends: Sends,
    ) -> Result<Reply, Error> {
        let weight = self.allow(request, sends)?;
        if request.verb != Verb::Get {
            self.before_write(request, &weight)?;
        }
        let begun = Instant::now();
        let mut result = client.send(request);
        if result.as_ref().is_err_and(Error::is_of_no_guest) {
            // It has moved, or is gone: whoever looks next asks the cluster.
            self.fleet.forget(self.admitted.cluster);
            if let Err(error) = &mut result {
                let again = "call it again: the guest is looked for anew";
                error.hint.get_or_insert_with(|| again.into());
            }
        }
        if request.verb != Verb::Get {
            result = result.map_err(|error| aftermath::investigate(error, client, request, begun));
            self.fleet
                .wrote(self.admitted.cluster, request, result.is_ok());
            match &result {
                Ok(_) => self.admitted.accepted.borrow_mut().push(request.line()),
                Err(error) if error.code == Code::Permission => {
                    self.fleet.forget_permissions(self.admitted.cluster);
                }
                Err(_) => {}
            }
        }
        let reply = self.same_guest(request, result?)?;
        self.remember(request, &reply);
        Ok(reply)
    }

    /// An error of the handler, with what had been done before it.
    pub(crate) fn in_full(&self, error: Error) -> Error {
        let accepted = self.admitted.accepted.borrow().clone();
        match (error.code, accepted.as_slice()) {
            // A task that failed is what its own request came to.
            (_, []) | (Code::Cancelled, _) | (Code::Task, [_]) => error,
            _ => error.after(accepted),
        }
    }

    /// Goes through what is where, row by row, as the cluster says now.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub fn resources(&self, found: &mut dyn FnMut(&Resource)) -> Result<(), Error> {
        self.resources_of(found, self.admitted.sends)
    }

    fn resources_of(&self, found: &mut dyn FnMut(&Resource), sends: Sends) -> Result<(), Error> {
        let request = Request::new(Verb::Get, "/cluster/resources", &[])?;
        self.allow(&request, sends)?;
        // It is too long to be held as a value.
        let body = self
            .fleet
            .client(self.admitted.cluster)?
            .send_raw(&request)?;
        resource::each(&body, found)
            .map_err(|cause| Error::no_answer(self.cluster_name(), &request.line(), cause))
    }

    /// Reads what stands at a path: the `data` of the reply.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub fn get(&self, template: &str, values: &[&str]) -> Result<Charged<Value>, Error> {
        let request = Request::new(Verb::Get, template, values)?;
        self.send(&request).map(|reply| reply.data)
    }

    /// Holds the parameters of a request against the cluster's own API description, before anything
    /// is sent. Where the nodes do not serve it, the answer says that they went unchecked.
    ///
    /// # Errors
    /// Everything that Proxmox would not take.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        match self.fleet.problems(self.admitted.cluster, request)? {
            Some(problems) if problems.is_empty() => Ok(()),
            Some(problems) => Err(Error::bad_arguments(problems)),
            None => {
                self.note("unchecked", UNCHECKED);
                Ok(())
            }
        }
    }

    /// The cluster's own API description; nothing where it serves none.
    ///
    /// # Errors
    /// The cluster is not reached, or does not accept the token.
    pub fn schema(&self) -> Result<Option<Arc<Schema>>, Error> {
        self.fleet.schema(self.admitted.cluster)
    }

    pub fn config(&self) -> &Config {
        &self.fleet.config
    }

    /// Has the next request ask the cluster even if it was down a moment ago.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn try_again(&self) -> Result<(), Error> {
        self.fleet.client(self.admitted.cluster)?.try_again();
        Ok(())
    }

    fn allow(&self, request: &Request, sends: Sends) -> Result<Weight, Error> {
        let mut named = sends.iter().copied().flatten();
        if !named.any(|sending| sending.takes(request)) {
            let line = request.line();
            return Err(Error::internal(format!(
                "`{line}` is nothing that this call sends"
            )));
        }
        let weight = self.weighed(request)?;
        let what = format!("`{}`", request.line());
        self.may_share(request, &weight)?;
        check_access(self.cluster()?, &what, weight.mark.effect)?;
        if !self.admitted.mark.covers(weight.mark) {
            let problem = format!(
                "weighs {}, but the call was allowed {}",
                weight.mark, self.admitted.mark
            );
            return Err(self.refused(request, &problem));
        }
        for touch in &weight.touches {
            let allowed = match touch {
                Touch::NewGuest(vmid) => self.admitted.made.borrow().contains(vmid),
                Touch::SomeGuests => true,
                touch => self.admitted.touches.iter().any(|mine| mine.covers(touch)),
            };
            if !allowed {
                let problem = format!("touches {touch}, which is not what the call addresses");
                return Err(self.refused(request, &problem));
            }
        }
        Ok(weight)
    }

    fn refused(&self, request: &Request, problem: &str) -> Error {
        Error::not_allowed(
            self.cluster_name(),
            format!("`{}` {problem}", request.line()),
        )
    }

    /// Takes a VMID for a guest that this call makes.
    ///
    /// # Errors
    /// The cluster has a guest of this VMID.
    pub fn claim(&self, vmid: u32) -> Result<(), Error> {
        if let Some(guest) = self.fleet.guest_now(self.admitted.cluster, vmid)? {
            let mut error = Error::bad(format!(
                "{}: VMID {vmid} is taken by {} `{}`",
                self.cluster_name(),
                guest.kind.word(),
                guest.name.unwrap_or_default()
            ));
            error.taken = Some(vmid);
            return Err(error);
        }
        self.admitted.made.borrow_mut().push(vmid);
        Ok(())
    }

    /// The cluster's configuration.
    pub fn cluster(&self) -> Result<&Cluster, Error> {
        self.fleet.cluster(self.admitted.cluster)
    }

    pub fn cluster_name(&self) -> &str {
        self.fleet.cluster_name(self.admitted.cluster)
    }

    /// The guest that the call addresses.
    ///
    /// # Errors
    /// The tool addresses none.
    pub fn guest(&self) -> Result<&Guest, Error> {
        self.admitted
            .guest
            .as_deref()
            .ok_or_else(|| Error::internal("the call addresses no guest"))
    }

    /// What the guest that the call addresses is called, as far as is known by now.
    pub fn guest_name(&self) -> Option<String> {
        let guest = self.admitted.guest.as_ref()?;
        match self.fleet.names(self.admitted.cluster).of(guest.vmid) {
            Some(GuestName::Is(name)) => Some(name.clone()).filter(|name| !name.is_empty()),
            _ => guest.name.clone(),
        }
    }

    /// A request on the guest that the call addresses; `rest` is the path behind its VMID.
    ///
    /// # Errors
    /// As [`Request::new`].
    pub fn on_guest(&self, verb: Verb, rest: &str, values: &[&str]) -> Result<Request, Error> {
        let guest = self.guest()?;
        let vmid = guest.vmid.to_string();
        let mut all = vec![guest.node.as_str(), guest.kind.name(), vmid.as_str()];
        all.extend(values);
        Request::new(
            verb,
            &format!("/nodes/{{node}}/{{kind}}/{{vmid}}{rest}"),
            &all,
        )
    }

    /// Reads something of the guest that the call addresses.
    ///
    /// # Errors
    /// As [`Reach::send`].
    pub fn get_of_guest(&self, rest: &str) -> Result<Charged<Value>, Error> {
        let request = self.on_guest(Verb::Get, rest, &[])?;
        self.send(&request).map(|reply| reply.data)
    }

    /// The VMID that `guest`, a VMID or a name, means on this cluster; a VMID whether or not a guest
    /// has it.
    ///
    /// # Errors
    /// The cluster does not say what it has; several guests bear the name.
    pub fn vmid_of(&self, guest: &str) -> Result<Option<u32>, Error> {
        if let Ok(vmid) = guest.parse() {
            return Ok(Some(vmid));
        }
        let found = self
            .fleet
            .guest_on(self.admitted.cluster, NamedSubject::Guest(guest))?;
        Ok(found.map(|guest| guest.vmid))
    }

    /// The guests of this cluster that bear a name, as far as the token sees.
    ///
    /// # Errors
    /// The cluster does not say what it has.
    pub fn named(&self, name: &str) -> Result<Vec<u32>, Error> {
        match self
            .fleet
            .guest_on(self.admitted.cluster, NamedSubject::Guest(name))
        {
            // A number may have been found by its VMID.
            Ok(found) => {
                let bears = |guest: &Guest| guest.name.as_deref() == Some(name);
                Ok(found
                    .filter(bears)
                    .map(|guest| guest.vmid)
                    .into_iter()
                    .collect())
            }
            Err(error) if error.code == Code::AmbiguousGuest => {
                let vmids = error.candidates.iter();
                Ok(vmids.filter_map(|vmid| vmid.parse().ok()).collect())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a guest of this cluster has the VMID, as far as the token sees.
    ///
    /// # Errors
    /// The cluster does not say what it has.
    pub fn has(&self, vmid: u32) -> Result<bool, Error> {
        let found = self
            .fleet
            .guest_on(self.admitted.cluster, NamedSubject::Vmid(vmid))?;
        Ok(found.is_some())
    }

    /// Where a node, a storage or a pool is that this cluster has not, for the end of an error's
    /// sentence: `; node `pve1` is on staging`, or nothing.
    ///
    /// # Errors
    /// The call was withdrawn.
    pub fn elsewhere(&self, named: NamedSubject) -> Result<String, Error> {
        self.fleet.elsewhere_than(self.admitted.cluster, named)
    }

    /// Who has a VMID, as far as the token sees. `is_fresh` where it may have become another's a moment
    /// ago: lists tell that late, so that the guest itself is asked unless its name is known.
    ///
    /// # Errors
    /// The cluster does not say what it has.
    pub fn bearer(&self, vmid: u32, is_fresh: bool) -> Result<Option<Guest>, Error> {
        self.fleet.bearer(self.admitted.cluster, vmid, is_fresh)
    }

    /// For a name beside the subject's, as that of a clone: it does not route, but a pattern must not
    /// contradict.
    ///
    /// # Errors
    /// The name means another cluster.
    pub fn check_second_name(&self, name: &str) -> Result<(), Error> {
        let here = self.cluster_name();
        match registry::by_name(&self.fleet.config, name)? {
            Some((cluster, chosen_by)) if cluster != self.admitted.cluster => {
                let there = self.fleet.cluster_name(cluster);
                // Naming a cluster would not help: it is the two names that do not fit.
                Err(Error::bad(format!(
                    "{here}: `{name}` means {there} ({chosen_by}), but the call is one of {here}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Seconds that the caller waits for the end of a task.
    pub fn wait_s(&self) -> u64 {
        self.admitted.wait_s
    }
}
