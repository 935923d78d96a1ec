//! Archives of `tar`, compressed: the release for any Linux, and the parts of a Debian package.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::{Documents, EXAMPLE, Entry};

/// Everything in one folder named `stem`.
pub(super) fn release(
    stem: &str,
    program: &[u8],
    documents: &Documents,
    time: u64,
) -> Result<Vec<u8>, String> {
    let file =
        |name: &str, mode, content: &[u8]| Entry::file(format!("{stem}/{name}"), mode, content);
    let entries = vec![
        file("proxmox-mcp", 0o755, program),
        file("README.md", 0o644, &documents.readme),
        file("LICENSE", 0o644, &documents.license),
        file("CHANGELOG.md", 0o644, &documents.changelog),
        file(EXAMPLE, 0o644, &documents.example),
    ];
    archive("", &entries, time)
}

/// An archive of `entries` and the folders above them, each path behind `before`, in order, owned by
/// root.
pub(super) fn archive(before: &str, entries: &[Entry], time: u64) -> Result<Vec<u8>, String> {
    let write = || -> std::io::Result<Vec<u8>> {
        let packed = GzEncoder::new(Vec::new(), Compression::best());
        let mut archive = Builder::new(packed);
        for entry in with_folders(entries).values() {
            let content = entry.content.as_deref();
            let mut header = header(entry, time);
            let slash = if content.is_some() { "" } else { "/" };
            let path = format!("{before}{}{slash}", entry.path);
            name(&mut header, &path)?;
            header.set_cksum();
            archive.append(&header, content.unwrap_or_default())?;
        }
        let mut packed = archive.into_inner()?;
        packed.flush()?;
        packed.finish()
    };
    write().map_err(|error| format!("tar: {error}"))
}

/// Writes the path as it is: `set_path` would take away the `./` that `dpkg` shows.
fn name(header: &mut Header, path: &str) -> std::io::Result<()> {
    let field = &mut header.as_old_mut().name;
    let place = field.get_mut(..path.len());
    let place = place.ok_or_else(|| std::io::Error::other(format!("{path} is too long")))?;
    place.copy_from_slice(path.as_bytes());
    Ok(())
}

fn header(entry: &Entry, time: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(match entry.content {
        Some(_) => EntryType::Regular,
        None => EntryType::Directory,
    });
    header.set_size(
        entry
            .content
            .as_ref()
            .map_or(0, |content| content.len() as u64),
    );
    header.set_mode(entry.mode);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    // The fields are long enough.
    let _ = header.set_username("root");
    let _ = header.set_groupname("root");
    header
}

/// By path; what is above an entry and is none itself is a folder for everybody.
fn with_folders(entries: &[Entry]) -> BTreeMap<String, Entry> {
    let mut all = BTreeMap::new();
    for folder in folders(entries) {
        all.insert(folder.clone(), Entry::folder(folder, 0o755));
    }
    for Entry {
        path,
        mode,
        content,
    } in entries
    {
        let content = content.clone();
        let entry = Entry {
            path: path.clone(),
            mode: *mode,
            content,
        };
        all.insert(path.clone(), entry);
    }
    all
}

pub(super) fn folders(entries: &[Entry]) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for entry in entries {
        for (at, _) in entry.path.match_indices('/') {
            folders.insert(entry.path[..at].to_owned());
        }
    }
    folders
}
