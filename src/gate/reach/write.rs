//! What stands before a write, after its weight was found to be allowed.

use std::collections::BTreeSet;

use super::Reach;
use crate::error::Error;
use crate::gate::Gate;
use crate::gate::mark::Effect;
use crate::gate::weigh::{Touch, Weight};

/// What a call that may write was given.
#[derive(Clone, Copy)]
pub(in crate::gate) struct Writing<'a> {
    pub(in crate::gate) gate: &'a Gate,
    /// The user has typed the number of objects of a plan beyond the limit.
    pub(in crate::gate) beyond_limit: bool,
}

impl Reach<'_> {
    /// Holds a write against the brake, as the last thing before it leaves. Each object counts once a
    /// call.
    pub(super) fn brake(&self, weight: &Weight) -> Result<(), Error> {
        let Some(writing) = &self.grant.writing else {
            return Ok(());
        };
        if weight.mark.effect < Effect::Full && !weight.mark.interrupts {
            return Ok(());
        }
        let counted = self.counted.borrow().clone();
        let touched: BTreeSet<String> = weight.touches.iter().map(Touch::to_string).collect();
        let new: Vec<String> = touched.difference(&counted).cloned().collect();
        let mut brake = writing.gate.brake.borrow_mut();
        if !writing.beyond_limit {
            brake.has_room(self.cluster_name(), new.len())?;
        }
        brake.count(new.len());
        self.counted.borrow_mut().extend(new);
        Ok(())
    }
}
