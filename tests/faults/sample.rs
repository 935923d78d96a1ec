//! A part of the table, picked by a number that can be given again.

use std::time::{SystemTime, UNIX_EPOCH};

use super::cell::Cell;

pub struct Sample {
    pub seed: u64,
    /// One of so many.
    one_of: u64,
}

impl Sample {
    /// What the environment asks for: `FAULTS_SAMPLE`, `SEED`.
    pub fn asked() -> Option<Sample> {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let one_of = number("FAULTS_SAMPLE").filter(|one_of| *one_of > 1)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = number("SEED").unwrap_or_else(|| now.map_or(0, |now| now.as_secs()));
        Some(Sample { seed, one_of })
    }

    pub fn pick(&self, cells: &mut Vec<Cell>) {
        let (mut number, seed) = (0u64, mixed(self.seed));
        cells.retain(|_| {
            number += 1;
            mixed(seed ^ number).is_multiple_of(self.one_of)
        });
    }
}

/// Neighbouring numbers come out far from each other.
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
