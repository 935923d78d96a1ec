//! A changed configuration file: what may be taken over of it is put in force before the next call, which
//! tells what came of it.

use serde_json::Value;

use super::call::AppState;
use super::offer;
use crate::config::reload::{self, ReloadContext, SwitchedTools};
use crate::config::safety::Switches;
use crate::config::watch;
use crate::config::{Config, ConfigReport};
use crate::log;
use crate::proxmox::dial;

impl AppState {
    /// Takes over what may be taken over of a file that has changed; what came of it waits for the next
    /// answer.
    pub(super) fn file_says(&mut self, read: Result<Config, ConfigReport>) {
        let notice = match read {
            Ok(config) => self.take_over(config),
            Err(report) => Some(reload::refused(&report)),
        };
        if let Some(notice) = notice {
            log::warn(&format!("the configuration file has changed: {notice}"));
            self.notice = Some(notice);
        }
    }

    /// Nothing where the file says what it said.
    fn take_over(&mut self, new: Config) -> Option<Value> {
        new.warnings.iter().for_each(|line| log::warn(line));
        let around = ReloadContext {
            addresses: &watch::addresses(),
            is_own: &dial::is_own,
            has_secret: &|secret, except| self.fleet.has_secret(secret, except),
            switched: &|switches| self.switched(switches),
        };
        let reload = reload::reload(&self.fleet.config, new, &around);
        let notice = reload.notice()?;
        // What only waits for a restart changes nothing of what was planned.
        if !reload.taken.is_empty() {
            self.gate.take_over(&reload.config.safety);
        }
        self.withheld.extend(reload.switched_off);
        self.fleet.take_over(reload.config, &reload.tokens);
        self.offer_anew();
        Some(notice)
    }

    /// The tools that other switches take away, and those that they would add.
    fn switched(&self, new: &Switches) -> SwitchedTools {
        let old = &self.fleet.config.safety.switches;
        let is_on = |switches, tool| !offer::is_switched_off(switches, self.toolsets, tool);
        let mut switched = SwitchedTools::default();
        for tool in self.toolsets.iter().flat_map(|set| set.tools) {
            let held = is_on(old, tool) && !self.withheld.contains(&tool.name);
            match (held, is_on(new, tool)) {
                (true, false) => switched.off.push(tool.name),
                (false, true) => switched.on.push(tool.name),
                _ => {}
            }
        }
        switched
    }
}
