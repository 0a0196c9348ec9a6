//! Bugs that can be planted into a process, by which chaos runs prove that they catch something.
//!
//! Only in builds with the feature `sabotage` of the package `stationmaster`, and only when `STATIONMASTER_SABOTAGE` names
//! one. In all other builds [`is`] is never true, and nothing of this is left.

/// A promise that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// An owner that finds its place in the journal taken believes that it landed there.
    Fence,
    /// Commits are acknowledged before they are put into the journal, 100 ms later.
    Flush,
    /// A server believes that its lease holds for ever.
    Lease,
    /// A leader answers look-ups without asking a quorum.
    ReadIndex,
    /// The next owner says of every request that it was not done.
    Outcome,
    /// A controller that starts again takes what its log holds for applied.
    Replay,
    /// A handler never forgets a route.
    Route,
    /// A server panics when it hears that its life is over.
    Expired,
}

impl Sabotage {
    /// All of them, with the names that the variable takes.
    pub const ALL: [(&'static str, Self); 8] = [
        ("fence", Self::Fence),
        ("flush", Self::Flush),
        ("lease", Self::Lease),
        ("read-index", Self::ReadIndex),
        ("outcome", Self::Outcome),
        ("replay", Self::Replay),
        ("route", Self::Route),
        ("expired", Self::Expired),
    ];
}

/// The variable that names one.
pub const VARIABLE: &str = "STATIONMASTER_SABOTAGE";

/// Whether this one is planted here.
#[inline]
pub fn is(sabotage: Sabotage) -> bool {
    planted() == Some(sabotage)
}

/// The one that is planted.
#[cfg(not(feature = "on"))]
#[inline]
pub fn planted() -> Option<Sabotage> {
    None
}

/// The one that is planted.
///
/// # Panics
/// When the variable names none of them: a run that meant one must not pass without it.
#[cfg(feature = "on")]
pub fn planted() -> Option<Sabotage> {
    static PLANTED: std::sync::OnceLock<Option<Sabotage>> = std::sync::OnceLock::new();
    *PLANTED.get_or_init(|| {
        let named = std::env::var(VARIABLE).ok()?;
        let found = Sabotage::ALL.iter().find(|(name, _)| *name == named);
        Some(found.unwrap_or_else(|| panic!("{VARIABLE}={named} names no sabotage")).1)
    })
}

/// What whoever starts a process of such a build must read; nothing in any other build.
pub fn warning() -> Option<String> {
    let planted =
        || planted().map_or("none is planted".to_owned(), |sabotage| format!("{sabotage:?} is planted"));
    cfg!(feature = "on")
        .then(|| format!("THIS BUILD HAS THE FEATURE sabotage AND IS ONLY FOR TESTS: {}", planted()))
}
