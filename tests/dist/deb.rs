//! The Debian package: the program, its documents, and a folder for its configuration. There are no
//! maintainer scripts: nothing runs when it is installed.

use ar::{Builder, Header};

use super::elf::Machine;
use super::tarball::{archive, folders};
use super::{About, Documents, EXAMPLE, Entry, Order};

const DOCUMENTS: &str = "usr/share/doc/proxmox-mcp";

/// The file's name and content.
pub(super) fn package(
    machine: Machine,
    program: &[u8],
    documents: &Documents,
    about: &About,
    order: &Order,
) -> Result<(String, Vec<u8>), String> {
    let document =
        |name: &str, content: &[u8]| Entry::file(format!("{DOCUMENTS}/{name}"), 0o644, content);
    let data = vec![
        // Tokens are kept there: not for everybody.
        Entry::folder("etc/proxmox-mcp", 0o750),
        Entry::file("usr/bin/proxmox-mcp", 0o755, program),
        document(EXAMPLE, &documents.example),
        document("CHANGELOG.md", &documents.changelog),
        document("README.md", &documents.readme),
        // Debian's name for it.
        document("copyright", &documents.license),
    ];
    // `~` sorts before nothing: 1.0.0~rc.1 is older than 1.0.0.
    let version = about.version.replace('-', "~");
    let fields = fields(&version, machine, &data, about, order);
    let control = vec![
        Entry::file("control", 0o644, fields.as_bytes()),
        Entry::file("md5sums", 0o644, md5sums(&data).as_bytes()),
    ];
    let parts = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", archive("./", &control, order.time)?),
        ("data.tar.gz", archive("./", &data, order.time)?),
    ];
    let mut package = Builder::new(Vec::new());
    for (name, content) in &parts {
        let mut header = Header::new(name.as_bytes().to_vec(), content.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(order.time);
        let written = package.append(&header, content.as_slice());
        written.map_err(|error| format!("ar: {error}"))?;
    }
    let content = package
        .into_inner()
        .map_err(|error| format!("ar: {error}"))?;
    let file = format!("proxmox-mcp_{version}_{}.deb", machine.debian());
    Ok((file, content))
}

fn fields(version: &str, machine: Machine, data: &[Entry], about: &About, order: &Order) -> String {
    let maintainer = order.maintainer.as_ref().unwrap_or(&about.author);
    let homepage = order.repository.iter();
    let homepage: String = homepage.map(|url| format!("Homepage: {url}\n")).collect();
    format!(
        "Package: proxmox-mcp\n\
         Version: {version}\n\
         Architecture: {}\n\
         Maintainer: {maintainer}\n\
         Installed-Size: {}\n\
         Recommends: ca-certificates\n\
         Section: admin\n\
         Priority: optional\n\
         {homepage}\
         Description: {}\n \
         One small program that lets an assistant look after guests, snapshots,\n \
         backups, tasks, nodes and storages. It is started by its client, over ssh\n \
         where that is another machine; nothing runs of itself.\n \
         .\n \
         Its configuration is /etc/proxmox-mcp/.env or ~/.config/proxmox-mcp/.env; an\n \
         example is in /{DOCUMENTS}.\n",
        machine.debian(),
        kibibytes(data),
        about.description,
    )
}

/// As dpkg-gencontrol counts: each file rounded up, each folder one.
fn kibibytes(data: &[Entry]) -> usize {
    let files: usize = data
        .iter()
        .map(|entry| {
            entry
                .content
                .as_ref()
                .map_or(1, |content| content.len().div_ceil(1024))
        })
        .sum();
    files + folders(data).len()
}

fn md5sums(data: &[Entry]) -> String {
    let files = data
        .iter()
        .filter_map(|entry| Some((&entry.path, entry.content.as_ref()?)));
    files
        .map(|(path, content)| format!("{:x}  {path}\n", md5::compute(content)))
        .collect()
}
