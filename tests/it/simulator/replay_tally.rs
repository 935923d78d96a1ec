//! How much of what was recorded the simulated clusters do alike, by method and path.

use std::collections::BTreeMap;

use crate::sim::recording::Exchange;
use crate::simulator::replay_data::families_of_the_transcripts;

const PERCENT_MIN: usize = 90;

#[derive(Default)]
pub(crate) struct Tally {
    /// Modelled and recorded, by family.
    counts: BTreeMap<String, (usize, usize)>,
    /// Id, family, problems.
    failed: Vec<(String, String, String)>,
    /// Looks at tasks that requests beyond the model had started.
    untold: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, exchange: &Exchange, family: String, problems: &[String]) {
        let count = self.counts.entry(family.clone()).or_default();
        count.1 += 1;
        if problems.is_empty() {
            count.0 += 1;
        } else {
            self.failed
                .push((exchange.id.clone(), family, problems.join("; ")));
        }
    }

    pub(crate) fn without_task(&mut self) {
        self.untold += 1;
    }

    /// Fails where a family that a tool uses is modelled too thinly, excepted
    /// exchanges (id, reason) not counted, and where an exception is none any more.
    pub(crate) fn judge(&self, exceptions: &[(&str, &str)]) {
        let thin = self.thin(exceptions);
        assert!(
            thin.is_empty(),
            "under {PERCENT_MIN} %:\n{}",
            thin.join("\n")
        );
    }

    /// Prints all of it, and gives the families that are modelled too thinly.
    pub(crate) fn thin(&self, exceptions: &[(&str, &str)]) -> Vec<String> {
        let used_families = families_of_the_transcripts();
        let excuse = |id: &str| exceptions.iter().find(|(known, _)| *known == id);
        let mut thin = Vec::new();
        for (family, (modelled, recorded)) in &self.counts {
            let used = used_families.contains(family);
            let excepted = self
                .failed
                .iter()
                .filter(|(id, other, _)| other == family && excuse(id).is_some())
                .count();
            println!(
                "{modelled:4} of {recorded:4} {} {family}",
                if used { '*' } else { ' ' }
            );
            if used && modelled * 100 < (recorded - excepted) * PERCENT_MIN {
                thin.push(format!("{family}: {modelled} of {recorded}"));
            }
        }
        for (id, family, problems) in &self.failed {
            match excuse(id) {
                Some((_, reason)) => println!("excepted {id} [{family}]: {reason}: {problems}"),
                None => println!("differs  {id} [{family}]: {problems}"),
            }
        }
        let sum = |used: bool| {
            self.counts
                .iter()
                .filter(|(family, _)| !used || used_families.contains(*family))
                .fold((0, 0), |sum, (_, count)| (sum.0 + count.0, sum.1 + count.1))
        };
        println!(
            "modelled {} of {}; in the families of the tools {} of {}; {} more look at tasks of what is not modelled",
            sum(false).0,
            sum(false).1,
            sum(true).0,
            sum(true).1,
            self.untold
        );
        let stale: Vec<&str> = exceptions
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| !self.failed.iter().any(|(failed, _, _)| failed == id))
            .collect();
        assert!(
            stale.is_empty(),
            "exceptions that are none any more: {stale:?}"
        );
        thin
    }
}
