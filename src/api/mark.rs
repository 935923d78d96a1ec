//! What a call or a request does, as its mark: the effect, whether it interrupts or asks, and whether
//! a guest is lost by it. Effects are ordered from light to heavy, and each is the access level that allows
//! it.

/// An effect, and the access level that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Running state, copies of guests' data.
    Operate,
    /// Create, configure.
    Change,
    /// Take away, or decide who may do what.
    Full,
}

impl Effect {
    /// From light to heavy.
    pub const ALL: [Effect; 4] = [Effect::Read, Effect::Operate, Effect::Change, Effect::Full];

    /// The heavier of the two.
    pub const fn or(self, other: Effect) -> Effect {
        if self as u8 >= other as u8 {
            self
        } else {
            other
        }
    }

    /// The access level's name, as configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Operate => "operate",
            Effect::Change => "change",
            Effect::Full => "full",
        }
    }

    /// The level of this name.
    pub fn named(name: &str) -> Option<Effect> {
        Effect::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// An effect and the facts beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    pub effect: Effect,
    /// `!`: it cuts off something that runs.
    pub interrupts: bool,
    /// `?`: it asks for confirmation first. Everything `Full` does.
    pub asks: bool,
    /// It takes away or overwrites a guest, its disks or its state, as they are now. Of a snapshot or
    /// a backup that is not said: the guest stays.
    pub destroys: bool,
}

impl Mark {
    pub const READ: Mark = Mark::plain(Effect::Read);
    pub const OPERATE: Mark = Mark::plain(Effect::Operate);
    pub const CHANGE: Mark = Mark::plain(Effect::Change);
    pub const FULL: Mark = Mark {
        effect: Effect::Full,
        interrupts: false,
        asks: true,
        destroys: false,
    };

    const fn plain(effect: Effect) -> Mark {
        Mark {
            effect,
            interrupts: false,
            asks: false,
            destroys: false,
        }
    }

    /// This mark of what also cuts off something that runs.
    pub const fn interrupts(self) -> Mark {
        Mark {
            interrupts: true,
            ..self
        }
    }

    /// This mark of what asks first.
    pub const fn asks(self) -> Mark {
        Mark { asks: true, ..self }
    }

    /// This mark of what takes away or overwrites a guest or its disks.
    pub const fn destroys(self) -> Mark {
        Mark {
            destroys: true,
            ..self
        }
    }

    /// Whether it counts towards the bulk limit: it destroys or interrupts something.
    pub fn is_bulk_limited(self) -> bool {
        self.effect == Effect::Full || self.interrupts || self.destroys
    }

    /// Whether a protected guest is let nothing of it, as far as a mark tells: of what neither harms nor asks
    /// the requests tell.
    pub fn may_harm(self) -> bool {
        self.is_bulk_limited() || self.asks
    }

    /// The heavier of the two in each respect.
    pub const fn or(self, other: Mark) -> Mark {
        Mark {
            effect: self.effect.or(other.effect),
            interrupts: self.interrupts || other.interrupts,
            asks: self.asks || other.asks,
            destroys: self.destroys || other.destroys,
        }
    }

    /// Whether everything that `other` does was declared by `self`.
    pub fn covers(self, other: Mark) -> bool {
        self.or(other) == self
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = match self.effect {
            Effect::Read => "R",
            Effect::Operate => "O",
            Effect::Change => "C",
            Effect::Full => "F",
        };
        let interrupts = if self.interrupts { "!" } else { "" };
        let asks = if self.asks { "?" } else { "" };
        write!(f, "{letter}{interrupts}{asks}")
    }
}
