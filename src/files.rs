//! The only opener of files and starter of children: configuration, certificates, secrets.
//!
//! Every reader has a limit, checks what it opened rather than what it asked for, and names the path
//! in its error, never the content.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::wait::{self, SLICE_MS, Wake};

/// The largest configuration file; one cluster takes about 600 bytes of it.
pub const CONFIGURATION_MAX_BYTES: usize = 1 << 20;
/// The largest PEM file; a whole system bundle has about 250 kB.
pub const PEM_MAX_BYTES: usize = 4 << 20;
/// What most files fit into, which are then read at once.
const USUAL_BYTES: usize = 4 << 10;
/// The longest secret, from a file or a command; a Proxmox token's has 36 bytes.
pub const SECRET_MAX_BYTES: usize = 4096;
/// The longest that a secret command may run.
pub const SECRET_COMMAND_TIMEOUT_S: u64 = 10;

/// `O_NONBLOCK` on Linux, which keeps the opening of a named pipe from waiting for its other end. Of a
/// file it changes nothing.
const O_NONBLOCK: i32 = 0o4000;

const FIRST_PAUSE_MS: u64 = 2;

const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What a file held, and what its owner should mend.
pub struct Found {
    pub content: Vec<u8>,
    pub warning: Option<String>,
}

/// Opens a pipe that is open already once more, so that reading it never blocks, while whoever shares
/// the first opening keeps its own.
///
/// # Errors
/// There is no `/proc`.
pub fn open_again_hastily(pipe: &File) -> io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(format!("/proc/self/fd/{}", pipe.as_raw_fd()))
}

/// Standard error, so that writing to it never waits: a host may leave it unread for ever. `None`
/// where it is neither a pipe nor a socket, which always take what is written.
pub fn hasty_stderr() -> Option<HastyStderr> {
    let own = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?);
    let kind = own.metadata().ok()?.file_type();
    if kind.is_socket() {
        let socket = UnixStream::from(OwnedFd::from(own));
        return Some(HastyStderr::Socket(socket));
    }
    let again = || {
        File::options()
            .write(true)
            .custom_flags(O_NONBLOCK)
            .open(format!("/proc/self/fd/{}", own.as_raw_fd()))
    };
    kind.is_fifo()
        .then(|| again().ok().map(HastyStderr::Pipe))
        .flatten()
}

/// See [`hasty_stderr`].
pub enum HastyStderr {
    Pipe(File),
    Socket(UnixStream),
}

impl HastyStderr {
    /// Writes what there is room for.
    ///
    /// # Errors
    /// There is none now, or nobody reads any more.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            HastyStderr::Pipe(pipe) => pipe.write(bytes),
            HastyStderr::Socket(socket) => {
                // Standard output may be this very socket, which must not be left so.
                socket.set_nonblocking(true)?;
                let written = socket.write(bytes);
                socket.set_nonblocking(false)?;
                written
            }
        }
    }
}

/// Whether something is at `path`, readable or not.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// The state of the file at `path`; nothing where there is none.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = path.metadata().ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// The configuration file at `path`. Refused unless it belongs to the user or to root and nobody
/// else may write it; one that others may read brings a warning.
pub fn read_configuration(path: &Path) -> Result<Found, String> {
    let name = path.display();
    let (file, metadata) = open(path)?;
    let user = user_id().map_err(|cause| format!("{name}: cannot tell whose it is: {cause}"))?;
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(format!(
            "{name}: belongs to neither the user nor root (uid {}), so it is not read: chown {user} {name}",
            metadata.uid()
        ));
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(format!(
            "{name}: others than its owner may write it, so it is not read: chmod go-w {name}"
        ));
    }
    Ok(Found {
        content: read_all(file, path, CONFIGURATION_MAX_BYTES)?,
        warning: readable_by_others(path, &metadata, user),
    })
}

/// The content of a file of at most `max_bytes`.
pub fn read_limited(path: &Path, max_bytes: usize) -> Result<Vec<u8>, String> {
    let (file, _) = open(path)?;
    read_all(file, path, max_bytes)
}

/// Whether [`read_limited`] would read it, without reading it.
pub fn could_be_read(path: &Path, max_bytes: usize) -> Result<(), String> {
    let (_, metadata) = open(path)?;
    match metadata.len() > max_bytes as u64 {
        true => Err(too_long(path, max_bytes)),
        false => Ok(()),
    }
}

/// The secret that a file holds, without the newline at its end.
pub fn secret_file(path: &Path) -> Result<String, String> {
    let bytes = read_limited(path, SECRET_MAX_BYTES)?;
    secret(bytes).map_err(|problem| format!("{}: {problem}", path.display()))
}

/// Opens a file to which lines are appended for good, to be read by its owner alone where it is made
/// now. The warning says who else can read it.
///
/// # Errors
/// It cannot be opened, is no file, or others can write it.
pub fn open_appendable(path: &Path) -> Result<(File, Option<String>), String> {
    let name = path.display();
    // Before it is opened, since opening some things acts; what is opened is looked at once more.
    path.metadata()
        .map_or(Ok(()), |metadata| is_regular(&metadata, path))?;
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    options.custom_flags(O_NONBLOCK);
    let file = match options.open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let made = options.create(true).open(path);
            // So that its name outlives a power cut too. Some file systems cannot, and need not.
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            let folder = File::open(folder.unwrap_or(Path::new(".")));
            let _ = folder.and_then(|folder| folder.sync_all());
            made
        }
        opened => opened,
    };
    let file = file.map_err(|cause| format!("{name}: {cause}"))?;
    let metadata = appendable(&file, path)?;
    let user = user_id().unwrap_or(metadata.uid());
    let warning = readable_by_others(path, &metadata, user);
    Ok((file, warning))
}

/// That nobody but the user and root can change what `file` holds.
///
/// # Errors
/// Somebody can, or it is no file.
pub fn appendable(file: &File, path: &Path) -> Result<Metadata, String> {
    let name = path.display();
    let metadata = file
        .metadata()
        .map_err(|cause| format!("{name}: {cause}"))?;
    let user = user_id().map_err(|cause| format!("{name}: cannot tell whose it is: {cause}"))?;
    is_regular(&metadata, path)?;
    if metadata.uid() != user && metadata.uid() != 0 {
        let owner = metadata.uid();
        Err(format!(
            "{name}: belongs to neither the user nor root (uid {owner}): chown {user} {name}"
        ))
    } else if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        Err(format!(
            "{name}: others than its owner may write it: chmod 600 {name}"
        ))
    } else {
        Ok(metadata)
    }
}

/// Opens a file to be read as it grows, at most `tail_max_bytes` before its end where that is given.
///
/// # Errors
/// It cannot be opened, or is no file.
pub fn open_growing(path: &Path, tail_max_bytes: Option<u64>) -> Result<File, String> {
    let (mut file, metadata) = open(path)?;
    if let Some(tail) = tail_max_bytes {
        let start = metadata.len().saturating_sub(tail);
        file.seek(SeekFrom::Start(start))
            .map_err(|cause| format!("{}: {cause}", path.display()))?;
    }
    Ok(file)
}

/// What to mend about a secret file that could be read: who else may read or write it.
pub fn secret_file_warning(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        let name = path.display();
        return Some(format!(
            "{name}: others than its owner may write it: chmod 600 {name}"
        ));
    }
    // Without the user's id the stricter measure holds.
    let user = user_id().unwrap_or(metadata.uid());
    readable_by_others(path, &metadata, user)
}

/// Names of variables of the environment that no child is given: they may hold secrets.
static KEPT: Mutex<Vec<OsString>> = Mutex::new(Vec::new());

/// Keeps these variables of the environment from every child.
pub fn keep_from_children(names: Vec<OsString>) {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = names;
}

/// The secret that a program prints. It runs without a shell, in `/`, with an empty standard input,
/// for [`SECRET_COMMAND_TIMEOUT_S`] at most; its standard error is ours. A call that is given up kills
/// it. The errors name the program and never its arguments, which may hold a secret themselves.
pub fn secret_command(command: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("the secret command is empty".into());
    };
    let mut command = Command::new(program);
    for name in KEPT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        command.env_remove(name);
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
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, printed) = outcome.map_err(|problem| format!("`{program}` {problem}"))?;
    if !status.success() {
        return Err(format!("`{program}` failed: {status}"));
    }
    secret(printed).map_err(|problem| format!("what `{program}` printed: {problem}"))
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

/// A secret's text, fit for a header.
fn secret(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|_| "the secret is not text")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("there is no secret in it".into());
    }
    if !text.chars().all(|character| character.is_ascii_graphic()) {
        return Err("the secret holds blanks, line ends or characters beyond ASCII".into());
    }
    Ok(text.to_owned())
}

/// Opens a regular file to be read, and nothing else: neither a named pipe nor a device is waited for.
fn open(path: &Path) -> Result<(File, Metadata), String> {
    let named = |cause: io::Error| format!("{}: {cause}", path.display());
    // Before, since opening some things acts; after, since it may be another thing by then, which is
    // why it is opened without waiting.
    is_regular(&path.metadata().map_err(named)?, path)?;
    let mut options = File::options();
    let file = options.read(true).custom_flags(O_NONBLOCK).open(path);
    let file = file.map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    is_regular(&metadata, path)?;
    Ok((file, metadata))
}

/// That this is a file with bytes of its own.
fn is_regular(metadata: &Metadata, path: &Path) -> Result<(), String> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let name = path.display();
    Err(format!(
        "{name}: is not a file but {what}, which is not opened"
    ))
}

fn read_all(file: File, path: &Path, max_bytes: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    file.take((max_bytes as u64).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|cause| format!("{}: {cause}", path.display()))?;
    if bytes.len() > max_bytes {
        return Err(too_long(path, max_bytes));
    }
    Ok(bytes)
}

fn too_long(path: &Path, max_bytes: usize) -> String {
    format!("{}: has more than {max_bytes} bytes", path.display())
}

/// What to do about a file with secrets that others can read. Where root owns it and the server runs
/// as somebody else, the group's right to read is how the server reads it.
fn readable_by_others(path: &Path, metadata: &Metadata, user: u32) -> Option<String> {
    let name = path.display();
    if metadata.uid() == user {
        let open = metadata.mode() & 0o044 != 0;
        open.then(|| format!("{name}: others can read it: chmod 600 {name}"))
    } else {
        let open = metadata.mode() & 0o004 != 0;
        open.then(|| {
            format!(
                "{name}: everybody can read it: give it the server's group, then chmod 640 {name}"
            )
        })
    }
}

/// The effective user. std cannot ask, but what a process makes belongs to its user, a pipe too.
fn user_id() -> io::Result<u32> {
    let (reader, _writer) = io::pipe()?;
    Ok(File::from(OwnedFd::from(reader)).metadata()?.uid())
}
