//! The search grammar: terms to a value, and a value against a row of a cluster. Pure.
//!
//! Every term is read off a row of `/cluster/resources`, so that a search costs one request a
//! cluster.

pub mod grammar;

use super::resource::{Resource, ResourceKind};
use crate::text::pattern::Pattern;

/// A search. Without terms it finds everything.
#[derive(Debug, Default, PartialEq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Debug, PartialEq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    /// Somewhere in name, VMID, node or a tag.
    Word(Pattern),
    /// A property has one of these values.
    Is(Property, Vec<Pattern>),
    Type(Vec<ResourceKind>),
    Id(Vec<Ids>),
    Template(bool),
    Number(Measure, Comparison, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Name,
    Status,
    Cluster,
    Node,
    Tag,
    Pool,
}

#[derive(Debug, PartialEq)]
enum Ids {
    Range(u32, u32),
    Like(Pattern),
}

/// What a number in a term is compared with. A percentage is what is used, a size what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    CpuPercent,
    Cpus,
    MemoryPercent,
    Memory,
    DiskPercent,
    Disk,
    Uptime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Query {
    /// Whether a row of this cluster is found.
    pub fn finds(&self, cluster: &str, resource: &Resource) -> bool {
        self.terms
            .iter()
            .all(|term| term.test.holds(cluster, resource) != term.negated)
    }

    /// Whether anything of this cluster can be found, before it is asked.
    pub fn may_be_on(&self, cluster: &str) -> bool {
        self.terms.iter().all(|term| match &term.test {
            Test::Is(Property::Cluster, names) => is_one(names, cluster) != term.negated,
            _ => true,
        })
    }

    /// Whether rows of this kind can be found.
    pub fn may_be(&self, sort: ResourceKind) -> bool {
        self.terms.iter().all(|term| match &term.test {
            Test::Type(sorts) => sorts.contains(&sort) != term.negated,
            Test::Id(_) | Test::Template(_) | Test::Is(Property::Tag, _) => {
                term.negated || sort.is_guest()
            }
            _ => true,
        })
    }

    /// Whether a term asks for a whole name where a part may have been meant.
    pub fn names_without_wildcard(&self) -> bool {
        self.terms.iter().any(|term| match &term.test {
            Test::Is(Property::Name, names) => !term.negated && names.iter().any(Pattern::is_plain),
            _ => false,
        })
    }
}

fn is_one(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is(text))
}

impl Test {
    fn holds(&self, cluster: &str, row: &Resource) -> bool {
        match self {
            Test::Word(word) => {
                let vmid = row.vmid().is_some_and(|vmid| word.is(&vmid.to_string()));
                vmid || word.is_in(row.name())
                    || word.is_in(&row.node)
                    || row.tags().any(|tag| word.is_in(tag))
            }
            Test::Is(property, values) => match property {
                Property::Name => is_one(values, row.name()),
                Property::Status => is_one(values, &row.status),
                Property::Cluster => is_one(values, cluster),
                Property::Node => is_one(values, &row.node),
                // A pool holds what is in the pools within it.
                Property::Pool => row.pools().any(|pool| is_one(values, pool)),
                Property::Tag => row.tags().any(|tag| is_one(values, tag)),
            },
            Test::Type(sorts) => sorts.contains(&row.kind()),
            Test::Id(ids) => row
                .vmid()
                .is_some_and(|vmid| ids.iter().any(|one| one.has(vmid))),
            Test::Template(yes) => row.kind().is_guest() && row.is_template() == *yes,
            Test::Number(measure, order, amount) => measure
                .of(row)
                .is_some_and(|measured| order.holds(measured, *amount)),
        }
    }
}

impl Ids {
    fn has(&self, vmid: u32) -> bool {
        match self {
            Ids::Range(first, last) => (*first..=*last).contains(&vmid),
            Ids::Like(pattern) => pattern.is(&vmid.to_string()),
        }
    }
}

impl Measure {
    /// `None` where the row has no such number: then no comparison holds.
    fn of(self, row: &Resource) -> Option<f64> {
        let some = |amount: f64| (amount > 0.0).then_some(amount);
        match self {
            Measure::CpuPercent => row.cpu_percent(),
            Measure::Cpus => some(row.maxcpu.0),
            Measure::MemoryPercent => row.memory_percent(),
            Measure::Memory => some(row.maxmem.0),
            Measure::DiskPercent => row.disk_percent(),
            Measure::Disk => some(row.maxdisk.0),
            Measure::Uptime => some(row.uptime.0),
        }
    }
}

impl Comparison {
    #[allow(clippy::float_cmp)] // What was written is compared with what was said.
    fn holds(self, measured: f64, amount: f64) -> bool {
        match self {
            Comparison::Less => measured < amount,
            Comparison::AtMost => measured <= amount,
            Comparison::Equal => measured == amount,
            Comparison::AtLeast => measured >= amount,
            Comparison::More => measured > amount,
        }
    }
}
