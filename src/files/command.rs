//! Programs that this one starts: those that print a secret, which are followed and killed, and the
//! pager of whoever reads a long text.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{SECRET_MAX_BYTES, secret};
use crate::wait::{self, SLICE_MS, Wake};

/// The longest that a secret command may run.
pub const SECRET_COMMAND_TIMEOUT_S: u64 = 10;
const FIRST_PAUSE_MS: u64 = 2;

/// Names of variables of the environment that no child is given: they may hold secrets.
static KEPT: Mutex<Vec<OsString>> = Mutex::new(Vec::new());

/// Keeps these variables of the environment from every child.
pub fn keep_from_children(names: Vec<OsString>) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = names;
}

/// Whether each child leads a group of its own.
static IN_GROUPS: AtomicBool = AtomicBool::new(false);

/// Has each child lead a group of its own from now on, which is killed as a whole with the call that
/// wants it. At a terminal it stays in this program's, so that what ends the one ends the other.
pub fn group_children() {
    IN_GROUPS.store(true, Ordering::Relaxed);
}

/// The secret that a program prints. It runs without a shell, in `/`, with an empty standard input,
/// for [`SECRET_COMMAND_TIMEOUT_S`] at most; its standard error is ours. A call that is given up kills
/// it with all that it started. The errors name the program and never its arguments, which may hold a secret themselves.
pub fn secret_command(command: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("the secret command is empty".into());
    };
    let mut command = child_command(program);
    if IN_GROUPS.load(Ordering::Relaxed) {
        command.process_group(0);
    }
    let mut child = command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|cause| format!("`{program}` could not be started: {cause}"))?;
    let outcome = follow(&mut child);
    if outcome.is_err() {
        // As long as it was not waited for, its number is nobody else's.
        kill_group(child.id());
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, printed) = outcome.map_err(|problem| format!("`{program}` {problem}"))?;
    if !status.success() {
        return Err(format!("`{program}` failed: {status}"));
    }
    secret(printed).map_err(|problem| format!("what `{program}` printed: {problem}"))
}

/// A program as a child, without the variables that are kept from it.
fn child_command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in KEPT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        command.env_remove(name);
    }
    command
}

/// Shows `text` in a pager at the terminal that this program has, until whoever reads it leaves.
/// `pager` is a program and its arguments between blanks, run without a shell; `variable` is one that it
/// is given besides.
///
/// # Errors
/// There is none, or it did not end well, so that the text may not have been seen.
pub fn page(pager: &str, variable: Option<(&str, &str)>, text: &str) -> io::Result<()> {
    let mut words = pager.split_whitespace();
    let program = words.next().ok_or(ErrorKind::NotFound)?;
    let mut command = child_command(program);
    command.args(words).envs(variable).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // Who has read enough leaves before the end.
        let _ = input.write_all(text.as_bytes());
    }
    match child.wait()?.success() {
        true => Ok(()),
        false => Err(ErrorKind::Other.into()),
    }
}

/// Kills a child's group. std has a way for the child alone; a machine without these programs ends that
/// one only.
fn kill_group(group: u32) {
    if !IN_GROUPS.load(Ordering::Relaxed) {
        return;
    }
    for program in ["/bin/kill", "/usr/bin/kill"] {
        let killed = Command::new(program)
            .args(["-KILL", "--", &format!("-{group}")])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if killed.is_ok() {
            return;
        }
    }
    // Where it is part of the shell only.
    let _ = Command::new("/bin/sh")
        .args(["-c", &format!("kill -KILL -{group}")])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Waits for the end of `child` and collects what it prints.
fn follow(child: &mut Child) -> Result<(ExitStatus, Vec<u8>), String> {
    let broken = |cause: io::Error| format!("could not be followed: {cause}");
    let stdout = child.stdout.take().ok_or("has no standard output")?;
    let mut pipe = unblocked(stdout).map_err(broken)?;
    let mut printed = Vec::new();
    let mut pause = Duration::from_millis(FIRST_PAUSE_MS);
    let deadline = Instant::now() + Duration::from_secs(SECRET_COMMAND_TIMEOUT_S);
    loop {
        // Asked before reading, so that all that an ended program wrote is in the pipe already. The
        // pipe's own end is not waited for: an agent that the program left behind may keep it.
        let ended = child.try_wait().map_err(broken)?;
        drain(&mut pipe, &mut printed).map_err(broken)?;
        if printed.len() > SECRET_MAX_BYTES {
            return Err(format!("printed more than {SECRET_MAX_BYTES} bytes"));
        }
        if let Some(status) = ended {
            return Ok((status, printed));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!(
                "did not end within {SECRET_COMMAND_TIMEOUT_S} s and was killed"
            ));
        }
        if wait::listen(pause.min(left)) != Wake::Nothing {
            return Err("was killed, since the call was given up".into());
        }
        pause = (pause * 2).min(Duration::from_millis(SLICE_MS));
    }
}

/// The reading end of a pipe, which no longer blocks. std can say so of sockets only, but asks the
/// kernel in a way that holds for every descriptor; the program's own end stays as it is.
fn unblocked(stdout: ChildStdout) -> io::Result<File> {
    let stream = UnixStream::from(OwnedFd::from(stdout));
    stream.set_nonblocking(true)?;
    Ok(File::from(OwnedFd::from(stream)))
}

/// Reads what is there now, and little more than a secret may have.
fn drain(pipe: &mut File, into: &mut Vec<u8>) -> io::Result<()> {
    let room = (SECRET_MAX_BYTES + 1).saturating_sub(into.len());
    match pipe.take(room as u64).read_to_end(into) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
