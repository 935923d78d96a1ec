//! What is done to the world, ordered from light to heavy: the access level that it needs.

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
