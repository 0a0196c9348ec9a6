//! The closed set of what a directive can ask for.

use std::fmt;

/// What a directive asks for. The set is closed: what is not in it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Do not connect for a while.
    Hold,
    /// End a hold early.
    Resume,
    /// Send a failed request again.
    Retry,
    /// Continue at another address, or through the handler.
    Switch,
    /// How to react to classes of errors.
    ErrorPolicy,
    /// Something to know; nothing to do.
    Information,
    /// Collect measurements or errors.
    Collect,
    /// Stop collecting.
    StopCollecting,
    /// Where to send what was collected.
    Upload,
    /// How many operations to send in a second.
    Rate,
    /// Drop what is cached about servers.
    Flush,
    /// Read a cached view of data again.
    Refresh,
    /// Which database holds which part of a table.
    FanOut,
    /// What a logical name stands for.
    DataSource,
    /// A newer driver exists.
    Update,
    /// Switch a built-in routine on.
    Activate,
    /// Switch a built-in routine off.
    Deactivate,
    /// A signed expression that decides what to do about an error.
    Rule,
    /// Take a directive back.
    Revoke,
}

impl Kind {
    /// All of them, in the order of their capability lists.
    pub const ALL: [Kind; 19] = [
        Kind::Hold,
        Kind::Resume,
        Kind::Retry,
        Kind::Switch,
        Kind::ErrorPolicy,
        Kind::Information,
        Kind::Collect,
        Kind::StopCollecting,
        Kind::Upload,
        Kind::Rate,
        Kind::Flush,
        Kind::Refresh,
        Kind::FanOut,
        Kind::DataSource,
        Kind::Update,
        Kind::Activate,
        Kind::Deactivate,
        Kind::Rule,
        Kind::Revoke,
    ];

    /// Whether one person is not enough to send it, as it carries code or changes what runs (R82, R90).
    pub const fn takes_two(self) -> bool {
        matches!(self, Kind::Rule | Kind::Update)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Hold => "hold",
            Kind::Resume => "resume",
            Kind::Retry => "retry",
            Kind::Switch => "switch",
            Kind::ErrorPolicy => "error_policy",
            Kind::Information => "information",
            Kind::Collect => "collect",
            Kind::StopCollecting => "stop_collecting",
            Kind::Upload => "upload",
            Kind::Rate => "rate",
            Kind::Flush => "flush",
            Kind::Refresh => "refresh",
            Kind::FanOut => "fan_out",
            Kind::DataSource => "data_source",
            Kind::Update => "update",
            Kind::Activate => "activate",
            Kind::Deactivate => "deactivate",
            Kind::Rule => "rule",
            Kind::Revoke => "revoke",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A set of kinds: what a client can do, or what its owner allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// None of them.
    pub const NONE: Kinds = Kinds(0);
    /// All of them.
    pub const ALL: Kinds = Kinds((1 << Kind::ALL.len()) - 1);

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u32)
    }

    /// This set without `kind`.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Kinds {
        Kinds(self.0 & !(1 << kind as u32))
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// Whether `kind` is in it.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }

    /// What is in it, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Kinds {
        kinds.into_iter().fold(Kinds::NONE, Kinds::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r89_the_set_is_closed_and_every_name_is_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert!(Kinds::ALL.has(kind));
            assert!(!Kinds::ALL.without(kind).has(kind));
        }
        assert_eq!(Kind::from_name("execute"), None);
        assert_eq!(Kinds::ALL.iter().count(), Kind::ALL.len());
        assert_eq!(Kinds::NONE.with(Kind::Hold).iter().collect::<Vec<_>>(), [Kind::Hold]);
    }
}
