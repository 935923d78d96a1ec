//! What is meant by a word that is not known where it stands: a parameter, a column, a term of a
//! search, an option of the API. The one table of such words, which sends to tools by their names.

/// So many edits away a word is a slip; a short one fewer, or it would be near to any other.
const NEAR_MAX_EDITS: usize = 2;
/// Letters of a word that may have one edit.
const LETTERS_PER_EDIT: usize = 3;
/// Longer words are not compared.
const NEAR_MAX_CHARS: usize = 60;
const ADDRESSES: &str = "a guest's addresses are told by guest_get";
const CARDS: &str = "a guest's network cards are told by guest_get, and set by guest_network";

/// A row: words that people and models use, what they may stand for (the first that is known where
/// the word stands), and who else tells it.
type Synonyms = (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

const MEANT: &[Synonyms] = &[
    (
        &["address", "addresses"],
        &["ip", "addresses", "address", "ipconfig[n]"],
        ADDRESSES,
    ),
    (
        &["ip", "ips", "ip_address", "ipaddress", "ipv4", "ipv6"],
        &["ip", "address", "addresses", "ipconfig[n]"],
        ADDRESSES,
    ),
    (&["age"], &["time", "ctime", "uptime", "uptime_s"], ""),
    (&["autostart", "start_on_boot"], &["onboot"], ""),
    (
        &["backup", "backups", "archive"],
        &["archive", "volume"],
        "backups are listed by backup_list",
    ),
    (&["user", "username"], &["ciuser"], ""),
    (
        &["comment", "note", "notes", "description"],
        &["description", "notes", "untrusted_text"],
        "",
    ),
    (
        &["cores", "cpus", "maxcpu", "vcpu", "vcpus"],
        &["cores", "cpus"],
        "",
    ),
    (&["cpu"], &["cores", "cpu_percent", "cpus"], ""),
    (
        &["created", "creation", "ctime", "date", "time", "timestamp"],
        &["time", "ctime", "start"],
        "",
    ),
    (
        &["dest", "destination", "target_node"],
        &["target", "node"],
        "",
    ),
    (
        &["disk", "disk_size", "maxdisk", "size", "size_gb"],
        &["size", "disk_gib", "size_gib", "total_gib", "disk"],
        "",
    ),
    (&["dns"], &["nameserver"], ""),
    (&["filter", "q", "search"], &["query"], ""),
    (&["from", "start_time"], &["since"], ""),
    (&["gateway"], &["gw"], ""),
    (&["host", "server"], &["node", "guest"], ""),
    (
        &["hostname", "new_name", "vm_name"],
        &["name", "hostname", "guest"],
        "",
    ),
    (&["id"], &["guest", "vmid", "task"], ""),
    (&["image", "template"], &["iso", "ostemplate"], ""),
    (&["interface", "nic", "bridge"], &["net", "bridge"], CARDS),
    (&["kind"], &["type"], ""),
    (&["mac"], &["macaddr"], CARDS),
    (&["max", "page_size"], &["limit"], ""),
    (
        &["maxmem", "mem", "memory", "ram"],
        &["memory", "memory_mib"],
        "",
    ),
    (&["mountpoint", "path"], &["mp", "source"], ""),
    (
        &["name"],
        &["guest", "snapname", "hostname", "storage", "query"],
        "",
    ),
    (&["newid", "vm", "vm_id", "vmid"], &["vmid", "guest"], ""),
    (&["operation"], &["action"], ""),
    (&["order_by"], &["sort"], ""),
    (&["page", "offset"], &["cursor"], ""),
    (&["percent", "usage", "used"], &["used_percent"], ""),
    (&["plugintype"], &["plugin", "type"], ""),
    (
        &["pubkey", "ssh_key", "ssh_keys", "sshkeys"],
        &["ssh_public_keys", "sshkeys", "ssh-public-keys"],
        "",
    ),
    (&["snapshot", "snapshot_name"], &["snapname"], ""),
    (
        &["snapshots"],
        &["snapname"],
        "snapshots are listed by snapshot_list",
    ),
    (&["state"], &["status", "vmstate"], ""),
    (&["tags"], &["tag", "tags_add"], ""),
    (&["target_storage"], &["targetstorage", "storage"], ""),
    (&["upid"], &["task"], ""),
    (&["uptime"], &["uptime_s"], ""),
    (&["vlan"], &["tag"], CARDS),
    (&["volid", "volume"], &["volume", "archive", "disk"], ""),
];

/// What a reader is told of `word`, which is none of `known`: what it stands for there, what is near, or
/// who else tells it; `None` where nobody can say.
pub fn hint(word: &str, known: &[&str]) -> Option<String> {
    if let Some(name) = by(word, known) {
        return Some(format!("`{}` is meant by it here", plain(name)));
    }
    if let Some(name) = near(word, known) {
        return Some(format!("did you mean `{}`?", plain(name)));
    }
    elsewhere(word).map(str::to_string)
}

/// Which of `known` a word stands for that is none of them.
pub fn by(word: &str, known: &[&str]) -> Option<&'static str> {
    let (_, names, _) = row(word)?;
    names.iter().find(|name| known.contains(name)).copied()
}

/// Which of `known` a word is a slip of: one or two edits away, by its length.
pub fn near<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let letters = word.chars().count();
    if letters > NEAR_MAX_CHARS {
        return None;
    }
    let most = NEAR_MAX_EDITS.min(letters / LETTERS_PER_EDIT);
    let distances = known.iter().map(|name| (edits(word, name), *name));
    let nearest = distances.filter(|(distance, _)| *distance <= most).min();
    nearest.map(|(_, name)| name)
}

/// Who tells what a word stands for, where nothing does that is known.
pub fn elsewhere(word: &str) -> Option<&'static str> {
    let (_, _, sentence) = row(word)?;
    (!sentence.is_empty()).then_some(*sentence)
}

fn row(word: &str) -> Option<&'static Synonyms> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    MEANT
        .iter()
        .find(|(words, _, _)| words.contains(&word.as_str()))
}

/// The API's description writes a family of options `net[n]`; the first of it is an example.
fn plain(name: &str) -> String {
    name.replace("[n]", "0")
}

/// How many characters must be put in, taken out or changed to make one of the other, without regard
/// to case.
pub fn edits(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_ascii_uppercase(), other.to_ascii_uppercase());
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (place, letter) in one.chars().enumerate() {
        let (mut diagonal, mut left) = (place, place + 1);
        for (cell, opposite) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = diagonal + usize::from(letter != opposite);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
