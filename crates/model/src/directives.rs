//! Directives that an administrator has sent (R92-R97): what they say, whom they are for, and until when they stand.
//!
//! The map does not know what a directive means: its text is whatever the leader has read and found right.
//! Nothing here asks a clock. A directive counts as over when an entry says so, or is *at* a time past its lifetime.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Name, TimestampMs};

/// A directive that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// What it says, in its wire form; at most [`DIRECTIVE_BYTES_MAX`](crate::DIRECTIVE_BYTES_MAX).
    pub text: String,
    /// Whom it is for.
    pub targets: Targets,
    /// How long it stands, in milliseconds.
    pub lifetime_ms: u64,
    /// Who sent it.
    pub by: Name,
}

/// A directive in the map: it, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The directive.
    pub directive: Directive,
    /// The leader's clock when it was sent first.
    pub since: TimestampMs,
}

/// Which sessions a directive is for: those for which all that is said here holds. A pattern that ends in `*` stands for
/// everything that begins like it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// The database, as the client named it.
    pub database: Option<Name>,
    /// The user who logged in.
    pub user: Option<Name>,
    /// The client's `application_name`.
    pub application: Option<Name>,
    /// Where the client says that it runs.
    pub location: Option<Name>,
    /// The driver and its version, as the client says.
    pub driver: Option<Name>,
    /// The session's own token.
    pub session: Option<Name>,
    /// The share of those sessions, in thousandths; `None` for all. Whoever is in a share is in every larger one.
    pub share: Option<u16>,
}

impl Targets {
    /// What is said, by name.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let Self { database, user, application, location, driver, session, share } = self;
        let fields = [
            ("database", database),
            ("user", user),
            ("application", application),
            ("location", location),
            ("driver", driver),
            ("session", session),
        ];
        let said =
            fields.into_iter().filter_map(|(what, pattern)| Some((what, pattern.as_ref()?.to_string())));
        said.chain(share.map(|share| ("share", format!("{}%", f64::from(share) / 10.0)))).collect()
    }
}

/// In one line, for people.
impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> =
            self.fields().into_iter().map(|(what, pattern)| format!("{what}={pattern}")).collect();
        if fields.is_empty() { f.write_str("all") } else { f.write_str(&fields.join(" ")) }
    }
}

/// What a session is known by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audience<'a> {
    /// The database, as the client named it.
    pub database: &'a str,
    /// The user who logged in.
    pub user: &'a str,
    /// The client's `application_name`.
    pub application: &'a str,
    /// Where the client says that it runs.
    pub location: &'a str,
    /// The driver and its version, as the client says.
    pub driver: &'a str,
    /// The session's own token.
    pub session: &'a str,
}

impl Targets {
    /// Whether the session is one of them. `id` is the directive's: each directive draws its own share.
    pub fn covers(&self, id: &str, audience: &Audience<'_>) -> bool {
        let fields = [
            (&self.database, audience.database),
            (&self.user, audience.user),
            (&self.application, audience.application),
            (&self.location, audience.location),
            (&self.driver, audience.driver),
            (&self.session, audience.session),
        ];
        fields.iter().all(|(pattern, text)| pattern.as_deref().is_none_or(|pattern| fits(pattern, text)))
            && self.share.is_none_or(|share| rank(id, audience.session) < share)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |beginning| text.starts_with(beginning))
}

/// Where a session stands among a thousand, the same on every handler and each time.
fn rank(id: &str, session: &str) -> u16 {
    let hash = xxhash_rust::xxh3::xxh3_64(format!("{id}\0{session}").as_bytes());
    u16::try_from(hash % 1_000).expect("BUG: below a thousand")
}

impl Standing {
    /// How much of its lifetime is left, by a clock that says `now`: never more than all of it.
    pub fn left_ms(&self, now: TimestampMs) -> u64 {
        let gone = now.0.saturating_sub(self.since.0);
        self.directive.lifetime_ms.saturating_sub(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Audience<'_> = Audience {
        database: "shop",
        user: "alice",
        application: "till",
        location: "west-1",
        driver: "rust-0.2.0",
        session: "token-0123456789",
    };

    fn name(text: &str) -> Option<Name> {
        Some(Name::new(text).expect("a good name"))
    }

    #[test]
    fn all_that_is_said_of_a_target_must_hold_r95() {
        let all = Targets::default();
        assert!(all.covers("a", &SHOP) && all.covers("a", &Audience::default()));
        let fits = [
            Targets { database: name("shop"), user: name("alice"), ..Targets::default() },
            Targets { application: name("till"), location: name("west*"), ..Targets::default() },
            Targets { driver: name("rust-*"), session: name("token-0123456789"), ..Targets::default() },
        ];
        assert!(fits.iter().all(|targets| targets.covers("a", &SHOP)));
        let others = [
            Targets { database: name("sho"), ..Targets::default() },
            Targets { database: name("shop"), user: name("bob"), ..Targets::default() },
            Targets { application: name("til"), ..Targets::default() },
            Targets { location: name("west"), ..Targets::default() },
            Targets { driver: name("rust-1*"), ..Targets::default() },
            Targets { session: name("token"), ..Targets::default() },
        ];
        assert!(others.iter().all(|targets| !targets.covers("a", &SHOP)));
    }

    #[test]
    fn a_share_only_grows_and_is_drawn_anew_for_each_directive_r95() {
        let sessions: Vec<String> = (0..2_000).map(|number| format!("session-{number}")).collect();
        let reached = |id: &str, share: u16| -> Vec<&String> {
            let targets = Targets { share: Some(share), ..Targets::default() };
            let covers = |session: &&String| targets.covers(id, &Audience { session, ..SHOP });
            sessions.iter().filter(covers).collect()
        };
        let (tenth, half) = (reached("a", 100), reached("a", 500));
        assert!((150..=250).contains(&tenth.len()), "{}", tenth.len());
        assert!((900..=1_100).contains(&half.len()), "{}", half.len());
        assert!(tenth.iter().all(|session| half.contains(session)));
        assert_ne!(tenth, reached("b", 100));
        assert_eq!((reached("a", 0).len(), reached("a", 1_000).len()), (0, 2_000));
    }

    #[test]
    fn no_clock_makes_a_lifetime_longer() {
        let directive = Directive {
            text: String::new(),
            targets: Targets::default(),
            lifetime_ms: 1_000,
            by: Name::new("dba").expect("a good name"),
        };
        let standing = Standing { directive, since: TimestampMs(5_000) };
        let left = [0, 5_000, 5_400, 6_000, u64::MAX].map(|now| standing.left_ms(TimestampMs(now)));
        assert_eq!(left, [1_000, 1_000, 600, 0, 0]);
    }
}
