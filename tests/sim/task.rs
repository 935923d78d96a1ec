//! Tasks: UPIDs, logs, ends. A task's work is done when its time has come and somebody looks.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::rights::Who;
use super::state::State;

/// What a task does at its end: changes the state, writes its log, fails with a text.
pub type Work = Box<dyn FnOnce(&mut State, &mut Vec<String>) -> Result<(), String> + Send>;

/// Undoes what a task had prepared.
pub type Undo = Box<dyn FnOnce(&mut State) + Send>;
/// What a task does when it is stopped, instead of being undone; gives its exit status.
pub type Stop = Box<dyn FnOnce(&mut State, &mut Vec<String>) -> String + Send>;

pub struct Task {
    pub upid: String,
    pub node: String,
    pub kind: String,
    pub id: String,
    pub who: Who,
    pub pid: u32,
    pub pstart: u64,
    pub start: i64,
    pub end: Option<i64>,
    pub exit: Option<String>,
    pub log: Vec<String>,
    /// The guest whose lock file it holds.
    pub holds: Option<u32>,
    /// Answers `source=archive` and `/cluster/tasks` with the old shape.
    due: Instant,
    /// The guest's lock file was held by another task when this one began: it waits for it.
    behind: bool,
    work: Option<Work>,
    /// Undoes what was prepared, if the task is stopped or fails.
    undo: Option<Undo>,
    stop: Option<Stop>,
    script: Option<Script>,
}

/// An outcome put in place of a task's own, for the next task of this kind (`qmstart`).
#[derive(Clone, Debug)]
pub struct Script {
    pub kind: String,
    /// `OK`, `WARNINGS: 1` or an error text. With an error the task changes nothing.
    pub exit: String,
    /// The log without its last line; empty: the task's own.
    pub log: Vec<String>,
}

/// A task about to start.
pub struct Plan {
    pub node: String,
    pub kind: &'static str,
    pub id: String,
    /// In units of `Pace::task_ms`.
    pub length: u64,
    pub holds: Option<u32>,
    pub undo: Option<Undo>,
    pub stop: Option<Stop>,
}

impl Plan {
    pub fn new(node: &str, kind: &'static str, id: impl ToString) -> Plan {
        Plan {
            node: node.into(),
            kind,
            id: id.to_string(),
            length: 1,
            holds: None,
            undo: None,
            stop: None,
        }
    }

    pub fn length(mut self, length: u64) -> Plan {
        self.length = length;
        self
    }

    pub fn holds(mut self, vmid: u32) -> Plan {
        self.holds = Some(vmid);
        self
    }

    pub fn undo(mut self, undo: impl FnOnce(&mut State) + Send + 'static) -> Plan {
        self.undo = Some(Box::new(undo));
        self
    }

    /// What it does when it is stopped, instead of undoing; gives its exit status.
    pub fn stop(
        mut self,
        stop: impl FnOnce(&mut State, &mut Vec<String>) -> String + Send + 'static,
    ) -> Plan {
        self.stop = Some(Box::new(stop));
        self
    }
}

impl State {
    /// Starts a task and gives its UPID.
    pub fn spawn(
        &mut self,
        who: &Who,
        plan: Plan,
        work: impl FnOnce(&mut State, &mut Vec<String>) -> Result<(), String> + Send + 'static,
    ) -> Value {
        self.next_pid += 0x11;
        let (pid, start) = (self.next_pid, self.now());
        let uptime = self.nodes.get(&plan.node).map_or(0, |node| node.uptime);
        let pstart = uptime * 100 + self.born.elapsed().as_millis() as u64 / 10;
        let upid = format!(
            "UPID:{}:{pid:08X}:{pstart:08X}:{start:08X}:{}:{}:{}:",
            plan.node,
            plan.kind,
            plan.id,
            who.id()
        );
        let behind = plan.holds.is_some_and(|vmid| self.held(vmid));
        let length_ms = self.pace.task_ms.saturating_mul(plan.length);
        let due_ms = length_ms.max(if behind { self.pace.lock_ms } else { 0 });
        let script = self
            .scripts
            .iter()
            .position(|script| script.kind == plan.kind)
            .and_then(|i| self.scripts.remove(i));
        self.tasks.push(Task {
            upid: upid.clone(),
            node: plan.node,
            kind: plan.kind.into(),
            id: plan.id,
            who: who.clone(),
            pid,
            pstart,
            start,
            end: None,
            exit: None,
            log: match behind {
                true => vec!["trying to acquire lock...".into()],
                false => Vec::new(),
            },
            holds: plan.holds,
            due: Instant::now() + Duration::from_millis(due_ms),
            behind,
            work: Some(Box::new(work)),
            undo: plan.undo,
            stop: plan.stop,
            script,
        });
        Value::String(upid)
    }

    /// A task that fails at once with a text.
    pub fn spawn_failing(&mut self, who: &Who, plan: Plan, text: String) -> Value {
        self.spawn(who, plan.length(0), move |_, _| Err(text))
    }

    /// Ends every task whose time has come; with a pace of its own, so do the statistics.
    pub fn settle(&mut self) {
        self.mounted();
        self.round_in_time();
        while !self.hold {
            let now = Instant::now();
            let Some(index) = self
                .tasks
                .iter()
                .position(|task| task.end.is_none() && task.due <= now)
            else {
                break;
            };
            self.finish(index);
        }
        self.mounted();
    }

    /// Ends every running task now.
    pub fn settle_all(&mut self) {
        while let Some(index) = self.tasks.iter().position(|task| task.end.is_none()) {
            self.finish(index);
        }
    }

    /// Ends one task now.
    pub fn end(&mut self, upid: &str) {
        if let Some(index) = self
            .tasks
            .iter()
            .position(|task| task.upid == upid && task.end.is_none())
        {
            self.finish(index);
        }
    }

    fn finish(&mut self, index: usize) {
        let task = &mut self.tasks[index];
        let (work, undo, script) = (task.work.take(), task.undo.take(), task.script.take());
        let mut log = Vec::new();
        let scripted = script
            .as_ref()
            .filter(|script| script.exit != "OK" && !script.exit.starts_with("WARNINGS"));
        let mut result = match (scripted, work) {
            (Some(script), _) => Err(script.exit.clone()),
            (None, Some(_)) if self.is_locked_out(index) => Err(self.lock_timeout(index)),
            (None, Some(work)) => work(self, &mut log),
            (None, None) => Ok(()),
        };
        if result
            .as_ref()
            .is_err_and(|text| text != "unexpected status")
            && let Some(undo) = undo
        {
            undo(self);
        }
        let mut warnings = log.iter().filter(|line| line.starts_with("WARN: ")).count();
        if let Some(script) = script {
            if !script.log.is_empty() {
                log = script.log;
            }
            if let Some(count) = script.exit.strip_prefix("WARNINGS: ") {
                warnings = count.parse().unwrap_or(1);
            } else if script.exit == "OK" {
                result = Ok(());
            }
        }
        self.close(index, log, result, warnings);
    }

    fn close(
        &mut self,
        index: usize,
        mut log: Vec<String>,
        result: Result<(), String>,
        warnings: usize,
    ) {
        let now = self.now();
        let exit = match result {
            Ok(()) if warnings > 0 => {
                log.push(format!("TASK WARNINGS: {warnings}"));
                format!("WARNINGS: {warnings}")
            }
            Ok(()) => {
                log.push("TASK OK".into());
                "OK".into()
            }
            // Its worker was killed: nobody was left to write a line.
            Err(text) if text == "unexpected status" => text,
            Err(text) => {
                log.push(format!("TASK ERROR: {text}"));
                text
            }
        };
        let task = &mut self.tasks[index];
        task.log.append(&mut log);
        task.exit = Some(exit);
        task.end = Some(now.max(task.start));
        task.holds = None;
    }

    /// SIGTERM to a task's worker.
    pub fn interrupt(&mut self, upid: &str) {
        let Some(index) = self
            .tasks
            .iter()
            .position(|task| task.upid == upid && task.end.is_none())
        else {
            return;
        };
        let (undo, stop) = (self.tasks[index].undo.take(), self.tasks[index].stop.take());
        if let Some(stop) = stop {
            let mut log = Vec::new();
            let exit = stop(self, &mut log);
            return self.close(index, log, Err(exit), 0);
        }
        if let Some(undo) = undo {
            undo(self);
        }
        let script = self.tasks[index].script.take();
        let exit = script.map_or("received interrupt".into(), |script| script.exit);
        self.close(index, Vec::new(), Err(exit), 0);
    }

    pub fn running(&self, upid: &str) -> bool {
        self.tasks
            .iter()
            .any(|task| task.upid == upid && task.end.is_none())
    }

    /// Lines that a running task has written so far.
    pub fn say(&mut self, upid: &str, lines: Vec<String>) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.upid == upid) {
            task.log.extend(lines);
        }
    }

    /// Ends a running task from outside, with this.
    pub fn end_as(&mut self, upid: &str, result: Result<(), String>) {
        let running = |task: &Task| task.upid == upid && task.end.is_none();
        if let Some(index) = self.tasks.iter().position(running) {
            self.close(index, Vec::new(), result, 0);
        }
    }

    /// A finished task of the past, as the world's story has it.
    pub fn past(&mut self, who: &Who, plan: Plan, ago_s: i64, took_s: i64, exit: &str) {
        let length = plan.length;
        self.clock_s -= ago_s;
        self.spawn(who, plan.length(length), |_, _| Ok(()));
        self.clock_s += took_s;
        let index = self.tasks.len() - 1;
        self.tasks[index].work = None;
        let result = if exit == "OK" || exit.starts_with("WARNINGS") {
            Ok(())
        } else {
            Err(exit.to_string())
        };
        let warnings = exit
            .strip_prefix("WARNINGS: ")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        self.close(index, Vec::new(), result, warnings);
        self.clock_s += ago_s - took_s;
    }

    /// Whether the guest's lock file, for which this task waits, is still held by another.
    fn is_locked_out(&self, index: usize) -> bool {
        let task = &self.tasks[index];
        let before = self.tasks[..index].iter();
        task.behind
            && before
                .filter(|other| other.end.is_none())
                .any(|other| other.holds == task.holds)
    }

    fn lock_timeout(&self, index: usize) -> String {
        let task = &self.tasks[index];
        let vmid = task.holds.unwrap_or_default();
        let file = match task.kind.starts_with("vz") {
            true => format!("/run/lock/lxc/pve-config-{vmid}.lock"),
            false => format!("/var/lock/qemu-server/lock-{vmid}.conf"),
        };
        format!("can't lock file '{file}' - got timeout")
    }

    /// Does a running task hold this guest's lock file?
    pub fn held(&self, vmid: u32) -> bool {
        self.flocks.contains(&vmid)
            || self
                .tasks
                .iter()
                .any(|task| task.end.is_none() && task.holds == Some(vmid))
    }
}
