//! The only opener of files and starter of children: configuration, certificates, secrets, a pager.
//!
//! Every reader has a limit, checks what it opened rather than what it asked for, and names the path
//! in its error, never the content.

mod command;

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use command::{
    SECRET_COMMAND_TIMEOUT_S, group_children, keep_from_children, page, secret_command,
};

/// The largest configuration file; one cluster takes about 600 bytes of it.
pub const CONFIGURATION_MAX_BYTES: usize = 1 << 20;
/// The largest PEM file; a whole system bundle has about 250 kB.
pub const PEM_MAX_BYTES: usize = 4 << 20;
/// What most files fit into, which are then read at once.
const USUAL_BYTES: usize = 4 << 10;
/// The longest secret, from a file or a command; a Proxmox token's has 36 bytes.
pub const SECRET_MAX_BYTES: usize = 4096;

/// `O_NONBLOCK` on Linux, which keeps the opening of a named pipe from waiting for its other end. Of a
/// file it changes nothing.
const O_NONBLOCK: i32 = 0o4000;

/// How long a write to a full socket waits before it says so.
const OUTPUT_PATIENCE_MS: u64 = 5;

const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What a file held, and what its owner should mend.
pub struct FileContent {
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

/// `output` so that writing to it never blocks for long, where it is a pipe or a socket: then "would
/// block" is said instead.
///
/// # Errors
/// It is closed.
pub fn unblocked_output(output: OwnedFd) -> io::Result<File> {
    let output = File::from(output);
    let kind = output.metadata()?.file_type();
    if kind.is_socket() {
        let socket = UnixStream::from(OwnedFd::from(output));
        socket.set_write_timeout(Some(Duration::from_millis(OUTPUT_PATIENCE_MS)))?;
        return Ok(File::from(OwnedFd::from(socket)));
    }
    if kind.is_fifo() {
        let again = File::options()
            .write(true)
            .custom_flags(O_NONBLOCK)
            .open(format!("/proc/self/fd/{}", output.as_raw_fd()));
        return Ok(again.unwrap_or(output));
    }
    Ok(output)
}

/// Whether something is at `path`, readable or not.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// A file whose changes are noticed.
pub struct WatchedFile {
    path: PathBuf,
    seen: Option<FileStamp>,
}

/// What tells one state of a file from another.
#[derive(PartialEq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl WatchedFile {
    /// The file at `path`, as it is now.
    pub fn new(path: PathBuf) -> WatchedFile {
        WatchedFile {
            seen: stamp(&path),
            path,
        }
    }

    /// Whether it is another than when this was last asked.
    pub fn has_changed(&mut self) -> bool {
        let now = stamp(&self.path);
        let has_changed = now != self.seen;
        self.seen = now;
        has_changed
    }
}

/// The state of the file at `path`; nothing where there is none.
fn stamp(path: &Path) -> Option<FileStamp> {
    let metadata = path.metadata().ok()?;
    Some(FileStamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// The configuration file at `path`. Refused unless it belongs to the user or to root and nobody
/// else may write it; one that others may read brings a warning.
pub fn read_configuration(path: &Path) -> Result<FileContent, String> {
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
    Ok(FileContent {
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

/// Opens a file to be read as it grows.
///
/// # Errors
/// It cannot be opened, or is no file.
pub fn open_growing(path: &Path) -> Result<File, String> {
    open(path).map(|(file, _)| file)
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
