//! How a tool name of the Python package, and the arguments with it, become ours.

/// Tools of one kind there, and what they are here.
pub(super) struct Old {
    /// Without the prefix `proxmox-`, with hyphens.
    pub(super) names: &'static [&'static str],
    pub(super) tool: &'static str,
    pub(super) how: &'static [How],
    /// Only where this argument was given.
    pub(super) when: Option<&'static str>,
    /// What else should be known.
    pub(super) note: Option<&'static str>,
}

/// How an argument is translated.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// `vmid` or `name` to `guest`.
    Guest,
    /// It has the same name here.
    Same(&'static str),
    /// Another name.
    As(&'static str, &'static str),
    /// Another name, and text before and behind its value: `grow_gb: 5` to `size: "+5G"`.
    Number(&'static str, &'static str, &'static str, &'static str),
    /// An entry of `settings`.
    Setting(&'static str),
    /// Always this text.
    Set(&'static str, &'static str),
    /// Always true.
    Yes(&'static str),
    /// Always a list of this one word.
    List(&'static str, &'static str),
    /// `upid` to `task`.
    Task,
    /// `search`, `status` and `node` to a search for this type.
    Search(&'static str),
}

pub(super) const fn old(
    names: &'static [&'static str],
    tool: &'static str,
    how: &'static [How],
) -> Old {
    Old {
        names,
        tool,
        how,
        when: None,
        note: None,
    }
}

impl Old {
    pub(super) const fn when(self, argument: &'static str) -> Old {
        Old {
            when: Some(argument),
            ..self
        }
    }

    pub(super) const fn note(self, note: &'static str) -> Old {
        Old {
            note: Some(note),
            ..self
        }
    }
}
