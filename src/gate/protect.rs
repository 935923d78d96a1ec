//! Protection: nothing stops, destroys, rolls back or overwrites a guest that a rule covers, and
//! nothing takes a guest out of a rule. A rule that cannot be checked protects.
//!
//! What counts is the check of each write before it leaves; a call is checked before it is planned as
//! well, as far as its mark tells. What decides is read then, never remembered.

mod change;
mod facts;
mod guests;

use std::cell::RefCell;

use super::mark::Mark;
use super::reach::Reach;
use super::weigh::{Touch, Weight};
use crate::error::Error;
use crate::fleet::config::Cluster;
use crate::fleet::index::Guest;
use crate::fleet::rule::{Protected, Rule};
use crate::proxmox::request::Request;
use crate::text::printable;
use change::Change;
use facts::Facts;
use guests::{Found, Guests};

pub(super) use guests::many;

/// The longest name of a guest in a message, in characters.
const NAME_MAX_CHARS: usize = 80;
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
            Harm::Destroys => format!("destroy or overwrite {whom}"),
            Harm::Stops => format!("stop {whom} or cut {whom} off"),
            Harm::Nothing => format!("change {whom}"),
        }
    }
}

/// Why a guest is protected.
#[derive(Clone, Copy)]
enum By<'r> {
    Rule(&'r Rule),
    /// The flag `protection` in the guest's own configuration.
    Flag,
}

impl std::fmt::Display for By<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            By::Rule(rule) => write!(f, "`{}` ({})", rule.text, rule.variable),
            By::Flag => f.write_str("Proxmox's own flag `protection`"),
        }
    }
}

/// What is about to be done.
struct Deed<'d> {
    reach: &'d Reach<'d>,
    cluster: &'d Cluster,
    /// The call or the request, as messages name it.
    what: String,
    harm: Harm,
    change: Change,
    /// The members of each pool that was read; none where there is no such pool.
    pools: RefCell<Vec<(String, Option<Vec<u32>>)>>,
}

/// Refuses a call that would harm the guest that it addresses, as far as its mark tells.
///
/// # Errors
/// A rule covers the guest, or cannot be checked.
pub(super) fn call(reach: &Reach, tool: &str, mark: Mark, guest: &Guest) -> Result<(), Error> {
    let deed = Deed {
        reach,
        cluster: reach.cluster()?,
        what: tool.to_string(),
        harm: Harm::of(mark),
        change: Change::default(),
        pools: RefCell::default(),
    };
    deed.check(&Found::at(guest.vmid, &guest.node, guest.kind))
}

/// Refuses a request that would harm a protected guest, or take one out of the rule that protects it.
///
/// # Errors
/// As [`call`].
pub(super) fn request(reach: &Reach, request: &Request, weight: &Weight) -> Result<(), Error> {
    let deed = Deed {
        reach,
        cluster: reach.cluster()?,
        what: request.line(),
        harm: Harm::of(weight.mark),
        change: Change::of(weight.changes, request),
        pools: RefCell::default(),
    };
    if !deed.concerns_any() {
        return Ok(());
    }
    for touch in &weight.touches {
        match guests::of(&deed, touch, request)? {
            Guests::Known(found) => found.iter().try_for_each(|guest| deed.check(guest))?,
            Guests::Untold(why) => deed.untold(touch, &why)?,
        }
    }
    Ok(())
}

impl Deed<'_> {
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.cluster.protect.iter()
    }

    /// Whether any rule, or the flag, could stand against it.
    fn concerns_any(&self) -> bool {
        match self.harm {
            Harm::Destroys => true,
            Harm::Stops => !self.cluster.protect.is_empty(),
            Harm::Nothing => self.change.flag_off || self.rules().any(|rule| self.concerns(rule)),
        }
    }

    /// Whether the rule could stand against it.
    fn concerns(&self, rule: &Rule) -> bool {
        self.harm != Harm::Nothing
            || match &rule.what {
                Protected::Vmids(..) => false,
                Protected::Name(_) => self.change.name.is_some(),
                Protected::Tag(_) => self.change.tags.is_some(),
                Protected::Pool(pool) => self.change.leaves(pool),
            }
    }

    fn check(&self, guest: &Found) -> Result<(), Error> {
        let vmid = guest.vmid;
        let concerned: Vec<&Rule> = self.rules().filter(|rule| self.concerns(rule)).collect();
        for rule in &concerned {
            if let Protected::Vmids(first, last) = &rule.what
                && (*first..=*last).contains(&vmid)
            {
                return Err(self.refused(vmid, None, By::Rule(rule)));
            }
        }
        let mut open: Vec<By> = Vec::new();
        for rule in concerned {
            match &rule.what {
                Protected::Vmids(..) => {}
                Protected::Pool(pool) => match self.members(pool, rule, vmid)? {
                    Some(members) if members.contains(&vmid) => {
                        return Err(self.refused(vmid, None, By::Rule(rule)));
                    }
                    // The list leaves out whom the token may not see.
                    Some(_) => open.push(By::Rule(rule)),
                    None => {}
                },
                Protected::Name(_) | Protected::Tag(_) => open.push(By::Rule(rule)),
            }
        }
        if self.harm == Harm::Destroys || self.change.flag_off {
            open.push(By::Flag);
        }
        let Some(first) = open.first() else {
            return Ok(());
        };
        let read = Facts::read(self.reach, guest);
        let Some(facts) = read.map_err(|error| self.unchecked(vmid, *first, error))? else {
            return Ok(());
        };
        match open.into_iter().find(|by| self.violates(*by, &facts)) {
            Some(by) => Err(self.refused(vmid, Some(&facts), by)),
            None => Ok(()),
        }
    }

    /// Whether a guest of these facts is covered, and would be harmed or covered no more.
    fn violates(&self, by: By, facts: &Facts) -> bool {
        let By::Rule(rule) = by else {
            return facts.flag;
        };
        let harms = self.harm != Harm::Nothing;
        match &rule.what {
            Protected::Name(name) => {
                let holds = self.change.name.as_ref();
                let holds = holds.is_none_or(|after| name.is(&after.name(facts)));
                facts.names.iter().any(|known| name.is(known)) && (harms || !holds)
            }
            Protected::Tag(tag) => {
                let is = |tags: &[String]| tags.iter().any(|known| tag.is(known));
                let holds = self.change.tags.as_ref();
                let holds = holds.is_none_or(|after| is(&after.tags(facts)));
                is(&facts.tags) && (harms || !holds)
            }
            // Those were decided by number and by the pool's own list.
            Protected::Vmids(..) | Protected::Pool(_) => false,
        }
    }

    /// The members of a rule's pool; nothing where there is no such pool, which is noted.
    fn members(&self, pool: &str, rule: &Rule, vmid: u32) -> Result<Option<Vec<u32>>, Error> {
        if let Some((_, known)) = self.pools.borrow().iter().find(|(name, _)| name == pool) {
            return Ok(known.clone());
        }
        let read = guests::members(self.reach, pool);
        let members = read.map_err(|error| self.unchecked(vmid, By::Rule(rule), error))?;
        if members.is_none() {
            let by = By::Rule(rule);
            self.reach
                .note(NOTE, format!("{by}: there is no pool `{pool}`"));
        }
        let mut pools = self.pools.borrow_mut();
        pools.push((pool.to_string(), members.clone()));
        Ok(members)
    }

    fn refused(&self, vmid: u32, facts: Option<&Facts>, by: By) -> Error {
        let cluster = &self.cluster.name;
        let guest = self.named(vmid, facts);
        let what = &self.what;
        let sentence = if self.harm == Harm::Nothing {
            format!(
                "{cluster}: {guest} is protected by {by}, which `{what}` would undo; nothing was sent"
            )
        } else {
            let would = self.harm.to("it");
            format!(
                "{cluster}: {guest} is protected by {by}, and `{what}` would {would}; nothing was \
                 sent"
            )
        };
        let hint = match by {
            By::Rule(_) => None,
            By::Flag => Some(
                "this server never switches the flag off: whoever wants that does it in Proxmox itself"
                    .into(),
            ),
        };
        Error::Protected { sentence, hint }
    }

    /// What the rule says could not be found out, so it protects.
    fn unchecked(&self, vmid: u32, by: By, error: Error) -> Error {
        if matches!(error, Error::Cancelled | Error::Unreachable { .. }) {
            return error;
        }
        let cluster = &self.cluster.name;
        let guest = self.named(vmid, None);
        let what = &self.what;
        Error::Protected {
            sentence: format!(
                "{cluster}: whether {guest} is protected by {by} could not be found out, so it counts \
                 as protected from `{what}`; nothing was sent: {error}"
            ),
            hint: error.hint(),
        }
    }

    /// Which guests are meant cannot be told: with any rule it is refused.
    fn untold(&self, touch: &Touch, why: &str) -> Result<(), Error> {
        let mut rules = self.rules();
        let Some(rule) = rules.find(|rule| self.concerns(rule)) else {
            return Ok(());
        };
        let cluster = &self.cluster.name;
        let (what, would, by) = (&self.what, self.harm.to("them"), By::Rule(rule));
        Err(Error::Protected {
            sentence: format!(
                "{cluster}: `{what}` touches {touch} and would {would}, and whether {by} protects one of them cannot \
                 be told; nothing was sent: {why}"
            ),
            hint: None,
        })
    }

    fn named(&self, vmid: u32, facts: Option<&Facts>) -> String {
        let known = self.reach.guest().ok().filter(|guest| guest.vmid == vmid);
        let known = known.and_then(|guest| guest.name.as_deref());
        match facts.map(|facts| facts.name.as_str()).or(known) {
            Some(name) => format!("guest {vmid} `{}`", printable(name, NAME_MAX_CHARS)),
            None => format!("guest {vmid}"),
        }
    }
}
