//! Protection: a guest that a rule covers is let what its row of the table says, and nothing else, and
//! nothing takes it out of the rule. A rule that cannot be checked protects.
//!
//! What counts is the check of each write before it leaves; a call is checked before it is planned as
//! well, as far as its mark tells. What decides is read then, never remembered.

mod change;
mod condition;
mod facts;
mod guests;

use std::cell::RefCell;

use super::reach::Reach;
use super::volumes;
use crate::api::mark::Mark;
use crate::api::methods::{Lets, SharedVolume, Touch, Weight};
use crate::api::request::Request;
use crate::config::Cluster;
use crate::config::rule::{Rule, RuleTarget};
use crate::error::{Code, Error};
use crate::fleet::index::Guest;
use crate::text::printable;
use change::Change;
use facts::GuestFacts;
use guests::{TouchedGuest, TouchedGuests};

pub(super) use guests::many;

/// The longest name of a guest in a message, in characters.
const NAME_MAX_CHARS: usize = 80;
/// The longest name of a volume in a message, in characters.
const VOLUME_MAX_CHARS: usize = 200;
/// Where an answer says that a rule protects nobody.
const NOTE: &str = "protects_nobody";

/// What happens to the guests that a write touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Nothing,
    Stops,
    Destroys,
}

impl Harm {
    fn of(mark: Mark) -> Harm {
        match (mark.destroys, mark.interrupts) {
            (true, _) => Harm::Destroys,
            (false, true) => Harm::Stops,
            (false, false) => Harm::Nothing,
        }
    }

    /// What happens to the guests that `whom` names.
    fn to(self, whom: &str) -> String {
        match self {
            Harm::Destroys => format!("would destroy or overwrite {whom}"),
            Harm::Stops => format!("would stop {whom} or cut {whom} off"),
            Harm::Nothing => "does more than a protected guest is let".to_string(),
        }
    }
}

/// Why a guest is protected.
#[derive(Clone, Copy)]
enum ProtectedBy<'r> {
    Rule(&'r Rule),
    /// The flag `protection` in the guest's own configuration.
    Flag,
}

impl std::fmt::Display for ProtectedBy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProtectedBy::Rule(rule) => write!(f, "`{}` ({})", rule.text, rule.variable),
            ProtectedBy::Flag => f.write_str("Proxmox's own flag `protection`"),
        }
    }
}

/// What is about to be done.
struct PendingAction<'d> {
    reach: &'d Reach<'d>,
    cluster: &'d Cluster,
    /// The call or the request, as messages name it.
    what: String,
    harm: Harm,
    /// What of it a protected guest is let.
    lets: Lets,
    change: Change,
    /// The members of each pool that was read; none where there is no such pool.
    pools: RefCell<Vec<(String, Option<Vec<u32>>)>>,
}

/// Refuses a call that would harm the guest that it addresses, as far as its mark tells.
///
/// # Errors
/// A rule covers the guest, or cannot be checked.
pub(super) fn call(reach: &Reach, tool: &str, mark: Mark, guest: &Guest) -> Result<(), Error> {
    let action = PendingAction {
        reach,
        cluster: reach.cluster()?,
        what: tool.to_string(),
        harm: Harm::of(mark),
        lets: Lets::nothing(),
        change: Change::default(),
        pools: RefCell::default(),
    };
    action.check(&TouchedGuest::at(guest.vmid, &guest.node, guest.kind))
}

/// Refuses a request of which a protected guest is not let, or that takes one out of the rule that
/// protects it.
///
/// # Errors
/// As [`call`].
pub(super) fn request(reach: &Reach, request: &Request, weight: &Weight) -> Result<(), Error> {
    let action = PendingAction {
        reach,
        cluster: reach.cluster()?,
        what: request.line(),
        harm: Harm::of(weight.mark),
        lets: weight.lets.clone(),
        change: Change::of(weight.changes, request),
        pools: RefCell::default(),
    };
    if !action.concerns_any() {
        return Ok(());
    }
    for touch in &weight.touches {
        if let Touch::Volume(volume) = touch {
            let node = request.path.get(1).map(String::as_str).unwrap_or_default();
            let users = volumes::users_of(reach, node, volume)?;
            let mut vmids = users.vmids.into_iter();
            vmids.try_for_each(|vmid| action.check(&TouchedGuest::somewhere(vmid)))?;
            users
                .unknown
                .map_or(Ok(()), |why| action.untold(touch, &why))?;
            continue;
        }
        match guests::of(&action, touch, request)? {
            TouchedGuests::Known(found) => {
                found.iter().try_for_each(|guest| action.check(guest))?
            }
            TouchedGuests::Untold(why) => action.untold(touch, &why)?,
        }
    }
    Ok(())
}

/// Refuses what a protected guest uses too, whatever it is: a volume is its users'.
///
/// # Errors
/// As [`call`].
pub(super) fn shared(
    reach: &Reach,
    what: &str,
    mark: Mark,
    shared: &[SharedVolume],
) -> Result<(), Error> {
    for one in shared {
        let volume = printable(&one.volume, VOLUME_MAX_CHARS);
        let action = PendingAction {
            reach,
            cluster: reach.cluster()?,
            what: what.to_string(),
            harm: Harm::of(mark),
            lets: Lets::Nothing(format!("touches `{volume}`, which is a volume of it")),
            change: Change::default(),
            pools: RefCell::default(),
        };
        if !action.concerns_any() {
            continue;
        }
        match &one.with {
            Ok(vmid) => action.check(&TouchedGuest::somewhere(*vmid))?,
            Err(why) => action.untold(&Touch::Volume(volume), why)?,
        }
    }
    Ok(())
}

impl PendingAction<'_> {
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.cluster.protect.iter()
    }

    /// Whether any rule, or the flag, could stand against it.
    fn concerns_any(&self) -> bool {
        self.concerns_flag() || self.rules().any(|rule| self.concerns(rule))
    }

    fn concerns_flag(&self) -> bool {
        self.harm == Harm::Destroys || self.change.flag_off
    }

    /// Whether the rule could stand against it.
    fn concerns(&self, rule: &Rule) -> bool {
        self.lets != Lets::ALL
            || match &rule.what {
                RuleTarget::Vmids(..) | RuleTarget::Pool(_) => false,
                RuleTarget::Name(_) => self.change.name.is_some(),
                RuleTarget::Tag(_) => self.change.tags.is_some(),
            }
    }

    fn check(&self, guest: &TouchedGuest) -> Result<(), Error> {
        let vmid = guest.vmid;
        let concerned: Vec<&Rule> = self.rules().filter(|rule| self.concerns(rule)).collect();
        // The rules that cover it for certain, and those of which its configuration tells.
        let by_number = |rule: &&&Rule| match &rule.what {
            RuleTarget::Vmids(first, last) => (*first..=*last).contains(&vmid),
            _ => false,
        };
        let mut covering: Vec<ProtectedBy> = concerned
            .iter()
            .filter(by_number)
            .map(|rule| ProtectedBy::Rule(rule))
            .collect();
        self.none_of(&covering, vmid)?;
        let mut open: Vec<ProtectedBy> = Vec::new();
        for rule in concerned {
            match &rule.what {
                RuleTarget::Vmids(..) => {}
                RuleTarget::Pool(pool) => match self.members(pool, rule, vmid)? {
                    Some(members) if members.contains(&vmid) => {
                        covering.push(ProtectedBy::Rule(rule))
                    }
                    // The list leaves out whom the token may not see.
                    Some(_) => open.push(ProtectedBy::Rule(rule)),
                    None => {}
                },
                RuleTarget::Name(_) | RuleTarget::Tag(_) => open.push(ProtectedBy::Rule(rule)),
            }
        }
        self.none_of(&covering, vmid)?;
        if self.concerns_flag() {
            open.push(ProtectedBy::Flag);
        }
        let Some(first) = covering.first().or(open.first()).copied() else {
            return Ok(());
        };
        let unchecked = |error| self.unchecked(vmid, first, error);
        let Some(facts) = GuestFacts::read(self.reach, guest).map_err(unchecked)? else {
            return Ok(());
        };
        open.retain(|by| self.covers(*by, &facts));
        for by in covering.into_iter().chain(open) {
            if let Some(would) = self.against(by, vmid, &facts).map_err(unchecked)? {
                return Err(self.refused(vmid, Some(&facts), by, would));
            }
        }
        Ok(())
    }

    /// Refuses what a protected guest is let nothing of, where a rule covers it for certain.
    fn none_of(&self, covering: &[ProtectedBy], vmid: u32) -> Result<(), Error> {
        match (covering.first(), &self.lets) {
            (Some(by), Lets::Nothing(_)) => Err(self.refused(vmid, None, *by, self.nothing())),
            _ => Ok(()),
        }
    }

    /// Whether a guest of these facts is covered by its name, its tags or its flag.
    fn covers(&self, by: ProtectedBy, facts: &GuestFacts) -> bool {
        match by {
            ProtectedBy::Flag => facts.flag,
            ProtectedBy::Rule(rule) => match &rule.what {
                RuleTarget::Name(name) => facts.names.iter().any(|known| name.is(known)),
                RuleTarget::Tag(tag) => facts.tags.iter().any(|known| tag.is(known)),
                // Those were decided by number and by the pool's own list.
                RuleTarget::Vmids(..) | RuleTarget::Pool(_) => false,
            },
        }
    }

    /// What it would do that a covered guest is not let; nothing where it is let.
    fn against(
        &self,
        by: ProtectedBy,
        vmid: u32,
        facts: &GuestFacts,
    ) -> Result<Option<String>, Error> {
        let ProtectedBy::Rule(rule) = by else {
            return Ok(Some(match self.harm {
                Harm::Destroys => self.harm.to("it"),
                _ => "would switch that off".into(),
            }));
        };
        let conditions = match &self.lets {
            Lets::Nothing(_) => return Ok(Some(self.nothing())),
            Lets::Where(conditions) => conditions,
        };
        if let Some(would) = condition::unmet(self.reach, vmid, facts, conditions)? {
            return Ok(Some(would));
        }
        let holds = match &rule.what {
            RuleTarget::Name(name) => {
                let after = self.change.name.as_ref();
                after.is_none_or(|after| name.is(&after.name(facts)))
            }
            RuleTarget::Tag(tag) => {
                let is = |tags: &[String]| tags.iter().any(|known| tag.is(known));
                let after = self.change.tags.as_ref();
                after.is_none_or(|after| is(&after.tags(facts)))
            }
            RuleTarget::Vmids(..) | RuleTarget::Pool(_) => true,
        };
        Ok((!holds).then(|| "would take it out of that".to_string()))
    }

    /// What it would do, where a protected guest is let nothing of it.
    fn nothing(&self) -> String {
        match &self.lets {
            Lets::Nothing(would) if !would.is_empty() => would.clone(),
            _ => self.harm.to("it"),
        }
    }

    /// The members of a rule's pool; nothing where there is no such pool, which is noted.
    fn members(&self, pool: &str, rule: &Rule, vmid: u32) -> Result<Option<Vec<u32>>, Error> {
        if let Some((_, known)) = self.pools.borrow().iter().find(|(name, _)| name == pool) {
            return Ok(known.clone());
        }
        let read = guests::members_within(self.reach, pool);
        let members = read.map_err(|error| self.unchecked(vmid, ProtectedBy::Rule(rule), error))?;
        if members.is_none() {
            let by = ProtectedBy::Rule(rule);
            self.reach
                .note(NOTE, format!("{by}: there is no pool `{pool}`"));
        }
        let mut pools = self.pools.borrow_mut();
        pools.push((pool.to_string(), members.clone()));
        Ok(members)
    }

    fn refused(
        &self,
        vmid: u32,
        facts: Option<&GuestFacts>,
        by: ProtectedBy,
        would: String,
    ) -> Error {
        let cluster = &self.cluster.name;
        let guest = self.named(vmid, facts);
        let what = &self.what;
        let sentence = format!("{guest} is protected by {by}, and `{what}` {would}");
        let error = Error::protected(cluster, sentence);
        match by {
            ProtectedBy::Rule(_) => error,
            ProtectedBy::Flag => error.hint(
                "this server never switches the flag off: whoever wants that does it in Proxmox itself",
            ),
        }
    }

    /// What the rule says could not be found out, so it protects.
    fn unchecked(&self, vmid: u32, by: ProtectedBy, error: Error) -> Error {
        if matches!(error.code, Code::Cancelled | Code::ClusterConnection) {
            return error;
        }
        let guest = self.named(vmid, None);
        let what = &self.what;
        let sentence = format!(
            "whether {guest} is protected by {by} could not be found out, so it counts as protected \
             from `{what}`"
        );
        let mut unchecked =
            Error::protected(&self.cluster.name, sentence).because(error.to_string());
        unchecked.hint.clone_from(&error.hint);
        unchecked
    }

    /// Which guests are meant cannot be told: with any rule it is refused.
    fn untold(&self, touch: &Touch, why: &str) -> Result<(), Error> {
        let mut rules = self.rules();
        let Some(rule) = rules.find(|rule| self.concerns(rule)) else {
            return Ok(());
        };
        let (what, by) = (&self.what, ProtectedBy::Rule(rule));
        let would = self.harm.to("them");
        let sentence = format!(
            "`{what}` touches {touch} and {would}, and whether {by} protects one of them cannot be told"
        );
        Err(Error::protected(&self.cluster.name, sentence).because(why))
    }

    fn named(&self, vmid: u32, facts: Option<&GuestFacts>) -> String {
        let known = self.reach.guest().ok().filter(|guest| guest.vmid == vmid);
        let known = known.and_then(|_| self.reach.guest_name());
        match facts.map(|facts| facts.name.as_str()).or(known.as_deref()) {
            Some(name) => format!("guest {vmid} `{}`", printable(name, NAME_MAX_CHARS)),
            None => format!("guest {vmid}"),
        }
    }
}
