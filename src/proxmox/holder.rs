//! What holds a guest that is locked: the tasks of it that run, or nothing any more. Proxmox says
//! only that there is a lock.

use crate::api::request::{Reply, Request, Verb};
use crate::api::upid::{self, Upid};
use crate::error::{Code, Error};
use crate::text::printable;

/// So many tasks are named.
const TASKS_SHOWN_MAX: usize = 3;
const WORD_MAX_CHARS: usize = 80;

/// A guest as its requests name it.
pub struct LockedGuest<'g> {
    pub node: &'g str,
    /// `qemu` or `lxc`.
    pub kind: &'g str,
    pub vmid: &'g str,
}

type Send<'s> = &'s dyn Fn(&Request) -> Result<Reply, Error>;

impl LockedGuest<'_> {
    /// What to do about its lock; `lock` is Proxmox's word for it, of which there is none where it is
    /// only the guest's lock file that is held.
    ///
    /// # Errors
    /// The call was withdrawn.
    pub fn advice(&self, send: Send, cluster: &str, lock: Option<&str>) -> Result<String, Error> {
        let LockedGuest { node, kind, vmid } = self;
        let by = match self.tasks(send, lock) {
            Ok(by) => by,
            Err(error) if error.is_cancelled() => return Err(error),
            Err(_) => {
                return Ok(format!(
                    "look at the running tasks of node `{node}` for the one that holds guest {vmid}"
                ));
            }
        };
        if !by.is_empty() {
            let named = by.iter().take(TASKS_SHOWN_MAX).map(|upid| {
                let kind = printable(&upid.kind, WORD_MAX_CHARS);
                format!("`{}` ({kind})", upid.of(cluster))
            });
            let named = named.collect::<Vec<_>>().join(", ");
            return Ok(format!(
                "it is held by the running task {named}: wait for its end, or stop it, and call again"
            ));
        }
        let Some(lock) = lock else {
            return Ok(format!(
                "no task of guest {vmid} runs any more, as far as the token sees: call again"
            ));
        };
        let unlock = match *kind {
            "lxc" => "pct unlock",
            _ => "qm unlock",
        };
        let when = match lock {
            "suspended" => return Ok("it is hibernated: start it, which ends the lock".into()),
            "migrate" => {
                "a guest that was moved to another cluster keeps it, so that it does not run twice: \
                 when it does not run there, and nothing works on it"
            }
            _ => "one that died may have left it: when nothing works on the guest",
        };
        Ok(format!(
            "no task on node `{node}` holds it, as far as the token sees; {when}, `{unlock} {vmid}` in \
             a shell of that node takes it away, which no token may"
        ))
    }

    /// The tasks that run on its node and may hold it, those of other users where the token may see
    /// them. A backup of several guests names none of them, and a clone only what it is made from.
    ///
    /// # Errors
    /// As what `send` meets.
    pub fn tasks(&self, send: Send, lock: Option<&str>) -> Result<Vec<Upid>, Error> {
        let request = Request::new(Verb::Get, "/nodes/{node}/tasks", &[self.node])?;
        let reply = send(&request.with("source", "active"))?;
        let rows = reply.data.as_array().into_iter().flatten();
        let upids = rows.filter_map(|row| Upid::parse(row.get("upid")?.as_str()?).ok());
        let holds = |upid: &Upid| {
            upid.id == self.vmid
                || (upid.kind == "vzdump" && upid.id.is_empty())
                || (lock == Some("clone") && upid.kind.ends_with("clone"))
        };
        Ok(upids.filter(holds).collect())
    }

    /// The advice where an error says that the guest is held; nothing where it is of something else.
    ///
    /// # Errors
    /// The call was withdrawn.
    fn of_text(&self, send: Send, cluster: &str, text: &str) -> Result<Option<String>, Error> {
        if text.contains("can't lock file") {
            return self.advice(send, cluster, None).map(Some);
        }
        let lock = text.split_once(" is locked (");
        let lock = lock.and_then(|(_, rest)| rest.split_once(')'));
        match lock {
            Some((lock, _)) => self.advice(send, cluster, Some(lock)).map(Some),
            None => Ok(None),
        }
    }
}

/// An error that a lock has made, with who holds it in its hint; any other as it is. `request` is the
/// one that was refused.
pub fn with_holder(error: Error, send: Send, request: &Request) -> Error {
    if error.code != Code::Proxmox {
        return error;
    }
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["nodes", node, kind @ ("qemu" | "lxc"), vmid, ..] = path.as_slice() else {
        return error;
    };
    let held = LockedGuest { node, kind, vmid };
    advised(held.of_text(send, &error.cluster, &error.cause), error)
}

/// As [`with_holder`], of a task that has failed.
pub fn with_holder_of_task(error: Error, send: Send) -> Error {
    let Some(task) = &error.task else {
        return error;
    };
    let advice = match upid::parse_qualified(task) {
        Ok((Some(cluster), upid)) if !upid.id.is_empty() => {
            let held = LockedGuest {
                node: &upid.node,
                kind: match upid.kind.starts_with("vz") && upid.kind != "vzdump" {
                    true => "lxc",
                    false => "qemu",
                },
                vmid: &upid.id,
            };
            // The line that says it may stand in the log only.
            let mut texts = error.log_tail.iter().chain([&error.cause]);
            texts.try_fold(None, |found, text| match found {
                Some(found) => Ok(Some(found)),
                None => held.of_text(send, &cluster, text),
            })
        }
        _ => Ok(None),
    };
    advised(advice, error)
}

fn advised(advice: Result<Option<String>, Error>, error: Error) -> Error {
    match advice {
        Ok(Some(advice)) => error.hint(advice),
        Ok(None) => error,
        Err(cancelled) => cancelled,
    }
}
