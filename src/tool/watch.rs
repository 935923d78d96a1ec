//! The configuration file as it is watched: a change is noticed at the next call, read whole, and
//! taken over as far as it may be while the program runs.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Toolset;
use super::call::Desk;
use super::offer;
use crate::config::reload::{self, Around};
use crate::config::{Config, Report};
use crate::files::{self, Stamp};
use crate::log;
use crate::proxmox::dial;
use crate::proxmox::lookup::{self, LookUps};

/// So many problems of a broken file are told in an answer; all stand on standard error.
const PROBLEMS_SHOWN_MAX: usize = 3;

/// All names of a changed file together are looked up in so many milliseconds, or they wait.
const LOOK_UP_MAX_MS: u64 = 2000;

/// The file that the configuration came from.
pub struct Watch {
    pub path: PathBuf,
    /// Reads the environment and the file anew.
    pub read: Box<dyn Fn() -> Result<Config, Report> + Send>,
    seen: Option<Stamp>,
}

impl Watch {
    pub fn new(path: PathBuf, read: impl Fn() -> Result<Config, Report> + Send + 'static) -> Watch {
        Watch {
            seen: files::stamp(&path),
            path,
            read: Box::new(read),
        }
    }

    /// What the file says now, where it is another than before.
    fn changed(&mut self) -> Option<Result<Config, Report>> {
        let now = files::stamp(&self.path);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some((self.read)())
    }
}

impl Desk {
    /// Looks whether the configuration file has changed; what came of it waits for the next answer.
    pub(super) fn look_at_file(&mut self) {
        let Some(changed) = self.watch.as_mut().and_then(Watch::changed) else {
            return;
        };
        let notice = match changed {
            Ok(config) => match self.take_over(config) {
                Some(notice) => notice,
                None => return,
            },
            Err(report) => refused(&report),
        };
        log::warn(&format!("the configuration file has changed: {notice}"));
        self.notice = Some(notice);
    }

    /// Nothing where the file says what it said.
    fn take_over(&mut self, new: Config) -> Option<Value> {
        new.warnings.iter().for_each(|line| log::warn(line));
        let (fewer, more) = self.switched(&new);
        // Anew: not by what led to a cluster once.
        let (begun, names) = (Instant::now(), LookUps::new(lookup::ask_system));
        let in_time = || match begun.elapsed() < Duration::from_millis(LOOK_UP_MAX_MS) {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        };
        let addresses = |host: &str| {
            in_time().ok()?;
            names.plain(host, &mut || in_time()).ok()
        };
        let around = Around {
            addresses: &addresses,
            is_own: &dial::is_own,
            has_secret: &|secret, except| self.fleet.has_secret(secret, except),
        };
        let mut reload = reload::reload(&self.fleet.config, new, &around);
        if !fewer.is_empty() {
            reload
                .taken
                .push(format!("switched off: {}", fewer.join(", ")));
            self.withheld.extend(fewer);
        }
        if !more.is_empty() {
            reload
                .waiting
                .push(format!("switched on: {}", more.join(", ")));
        }
        if reload.taken.is_empty() && reload.waiting.is_empty() {
            return None;
        }
        self.gate.take_over(&reload.config.safety);
        self.fleet.take_over(reload.config, &reload.tokens);
        self.offer_anew();
        let mut notice = Map::new();
        if !reload.taken.is_empty() {
            notice.insert("taken_over".into(), json!(reload.taken));
        }
        if !reload.waiting.is_empty() {
            notice.insert("waits_for_restart".into(), json!(reload.waiting));
        }
        Some(Value::Object(notice))
    }

    /// The tools that the new switches take away, and those that they would add.
    fn switched(&self, new: &Config) -> (Vec<&'static str>, Vec<&'static str>) {
        let names = |toolsets: &'static [Toolset]| {
            let tools = toolsets.iter().flat_map(|set| set.tools);
            tools.map(|tool| tool.name)
        };
        let is_on = |config: &Config, name: &str| {
            !offer::is_switched_off(&config.safety.switches, self.toolsets, name)
        };
        let held = |name: &str| is_on(&self.fleet.config, name) && !self.withheld.contains(&name);
        let (mut fewer, mut more) = (Vec::new(), Vec::new());
        for name in names(self.toolsets) {
            match (held(name), is_on(new, name)) {
                (true, false) => fewer.push(name),
                (false, true) => more.push(name),
                _ => {}
            }
        }
        (fewer, more)
    }
}

/// Of a file with problems nothing is taken over.
fn refused(report: &Report) -> Value {
    for problem in &report.problems {
        log::error(problem);
    }
    if report.tells_expanded {
        return json!({
            "not_taken_over": ["they stand on standard error: a `${NAME}` of the file could be told by them"],
            "problems": report.problems.len(),
        });
    }
    let shown: Vec<&String> = report.problems.iter().take(PROBLEMS_SHOWN_MAX).collect();
    json!({
        "not_taken_over": shown,
        "problems": report.problems.len(),
    })
}
