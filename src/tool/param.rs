//! In which words a tool takes its arguments: one `Param` declares schema and check at once.

/// One argument of a tool. Names are the API's own.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub kind: ParamKind,
    /// Shown to the model; empty where the name says it all.
    pub about: &'static str,
    pub required: bool,
    /// For a value that is written: how it is cleared, since an empty text does not do that. Without
    /// it an empty text counts as not given.
    pub cleared_by: Option<&'static str>,
}

/// What an argument may be. Numbers and booleans are also taken as text, as models write them.
#[derive(Clone, Copy, Debug)]
pub enum ParamKind {
    /// A VMID as number or text, or a guest's name.
    Guest,
    /// Free text of at most so many characters, newlines allowed.
    Text(usize),
    /// One line that becomes part of a path or an id, of the letters that its
    /// `Word` allows.
    Word(Word),
    /// A whole number between the two, both included.
    Int(i64, i64),
    /// A size as a whole number of units between the two, also taken as `8G`.
    Size(SizeUnit, i64, i64),
    /// A moment, as [`crate::time::parse`] reads it: `2d`, `2026-02-03`. It becomes Unix seconds.
    Moment,
    Bool,
    /// A word of the tool's actions.
    ActionWord,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of words out of these.
    SomeOf(&'static [&'static str]),
    /// A list of short texts without commas, at most so many.
    Texts(usize),
    /// A free map from API parameter names to texts, numbers and booleans: checked against the
    /// cluster's own API description.
    Settings,
}

/// What a [`ParamKind::Size`] is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeUnit {
    MiB,
    GiB,
}

impl SizeUnit {
    pub const fn bytes(self) -> u64 {
        match self {
            SizeUnit::MiB => 1 << 20,
            SizeUnit::GiB => 1 << 30,
        }
    }
}

impl std::fmt::Display for SizeUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SizeUnit::MiB => "MiB",
            SizeUnit::GiB => "GiB",
        })
    }
}

/// Which kind of name a [`ParamKind::Word`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A node: letters, digits, hyphens; at most 63.
    Node,
    /// A storage: begins with a letter, then letters, digits, `-`, `_`, `.`.
    Storage,
    /// A snapshot: begins with a letter, then letters, digits, `-`, `_`; at most 40.
    Snapshot,
    /// A volume: `storage:path`. The name of a file may have nearly anything in it.
    Volume,
    /// A DNS name, for a guest.
    DnsName,
    /// A task: `cluster!UPID:...` or a bare UPID.
    Task,
    /// A pool, or one within another: `core/db`.
    Pool,
    /// A tag: `c++`.
    Tag,
    /// Anything of letters, digits, `-`, `_`, `.`: bridges, disks, options.
    Id,
}

impl Param {
    /// Which of the things that a tool does a call means.
    pub const ACTION: Param = Param::new("action", ParamKind::ActionWord, "");

    pub const fn new(name: &'static str, kind: ParamKind, about: &'static str) -> Param {
        Param {
            name,
            kind,
            about,
            required: true,
            cleared_by: None,
        }
    }

    #[must_use]
    pub const fn cleared_by(self, way: &'static str) -> Param {
        Param {
            cleared_by: Some(way),
            ..self
        }
    }

    #[must_use]
    pub const fn optional(self) -> Param {
        Param {
            required: false,
            ..self
        }
    }

    #[must_use]
    pub const fn about(self, about: &'static str) -> Param {
        Param { about, ..self }
    }
}
