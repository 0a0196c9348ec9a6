//! What is carried from round to round: budgets, who gives, and what was moved lately. Plain data; a new leader begins
//! with an empty one, which moves nothing at once: its budgets fill and its sustain times run from its first round.

use std::{collections::HashMap, time::Duration};

use super::Settings;
use crate::{DatabaseId, ServerId};

/// The longest cool-down is the shortest doubled so many times.
const DOUBLINGS_MAX: u8 = 5;

/// Budgets are for fleets of up to so many servers, and grow with larger ones.
const SERVERS_OF_A_BUDGET: f64 = 100.0;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// When the last round was.
    last_ms: Option<u64>,
    /// Moves that only tidy up.
    pub(super) tidy: Bucket,
    /// Moves for clients' distance, which are tidying ones, too.
    pub(super) distance: Bucket,
    /// Moves away from servers above the urgent limit.
    pub(super) urgent: Bucket,
    pub(super) giving: HashMap<ServerId, Giving>,
    moved: HashMap<DatabaseId, Moved>,
    /// Databases whose clients were found closer to that other location, in which pass last.
    nearer: HashMap<DatabaseId, (u16, u64)>,
    /// How often all databases were looked at for that.
    passes: u64,
    /// Where the search for such databases goes on.
    pub(super) cursor: usize,
    /// How many moves were remembered when the old ones were forgotten last.
    kept: usize,
}

/// How a server stands above its band.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Giving {
    /// Since when it has been above it.
    pub above_since_ms: Option<u64>,
    /// Whether it gives.
    pub gives: bool,
}

/// A database's last move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When it began.
    pub at_ms: u64,
    /// Where it came from, if it is not to be given back there.
    pub from: Option<ServerId>,
    /// How many moves were shortly before.
    pub recent: u8,
}

/// Tokens: a minute's worth at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bucket {
    pub tokens: f64,
}

impl Bucket {
    fn fill(&mut self, per_minute: f64, elapsed_ms: u64) {
        let most = per_minute.max(1.0);
        self.tokens = (self.tokens + per_minute.max(0.0) * elapsed_ms as f64 / 60_000.0).min(most);
    }
}

impl Memory {
    /// A planned move is carried out: takes its token, and begins its cool-down.
    pub fn commit(&mut self, planned: &super::Move, settings: &Settings, now_ms: u64) {
        for bucket in planned.reason.budgets() {
            let bucket = self.bucket(*bucket);
            bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        }
        self.nearer.remove(&planned.id);
        self.moved(planned.id, Some(planned.from_id), settings, now_ms);
    }

    /// A database was moved by somebody else, or a round before this memory began: it stays there for a cool-down, and is
    /// not given back to `from` for a while.
    pub fn moved(&mut self, database: DatabaseId, from: Option<ServerId>, settings: &Settings, at_ms: u64) {
        let before =
            self.moved.get(&database).filter(|before| at_ms < before.at_ms + window(before, settings));
        let recent = before.map_or(0, |before| (before.recent + 1).min(DOUBLINGS_MAX));
        self.moved.insert(database, Moved { at_ms, from, recent });
    }

    /// A database's last move, as far as it still counts.
    pub fn last_move(&self, database: DatabaseId) -> Option<&Moved> {
        self.moved.get(&database)
    }

    /// For how long a database still stays where it is; zero when it may be moved.
    pub fn cooling(&self, database: DatabaseId, settings: &Settings, now_ms: u64) -> Duration {
        let Some(moved) = self.moved.get(&database) else { return Duration::ZERO };
        Duration::from_millis((moved.at_ms + cooldown(moved, settings)).saturating_sub(now_ms))
    }

    /// Whether a database came from that server lately.
    pub fn returns(&self, database: DatabaseId, to: ServerId, settings: &Settings, now_ms: u64) -> bool {
        let moved = self.moved.get(&database);
        moved.is_some_and(|moved| moved.from == Some(to) && now_ms < moved.at_ms + ms(settings.no_return))
    }

    /// Whether a server gave databases away in the last round.
    pub fn gives(&self, server: ServerId) -> bool {
        self.giving.get(&server).is_some_and(|giving| giving.gives)
    }

    /// Most of a database's clients are closer to that location; whether the last pass found the same.
    pub(super) fn found_nearer(&mut self, database: DatabaseId, location: u16) -> bool {
        let before = self.nearer.insert(database, (location, self.passes));
        before.is_some_and(|(to, pass)| to == location && pass + 1 == self.passes)
    }

    /// They are not, or it does not matter now.
    pub(super) fn not_nearer(&mut self, database: DatabaseId) {
        self.nearer.remove(&database);
    }

    /// All databases were looked at.
    pub(super) fn pass_ends(&mut self) {
        let ended = self.passes;
        self.nearer.retain(|_, (_, pass)| *pass == ended);
        self.passes += 1;
    }

    /// How many moves may begin now: tidying ones, those for distance among them, and urgent ones.
    pub fn tokens(&self) -> [f64; 3] {
        [self.tidy.tokens, self.distance.tokens, self.urgent.tokens]
    }

    /// A round begins.
    pub(super) fn begin(&mut self, settings: &Settings, servers: usize, now_ms: u64) {
        let elapsed = self.last_ms.map_or(0, |last| now_ms.saturating_sub(last));
        self.last_ms = Some(now_ms);
        let scale = (servers as f64 / SERVERS_OF_A_BUDGET).max(1.0);
        let tidy = settings.moves_per_minute * scale;
        self.tidy.fill(tidy, elapsed);
        self.distance.fill(tidy * settings.location_share, elapsed);
        self.urgent.fill(settings.emergency_moves_per_minute * scale, elapsed);
        if self.moved.len() > 2 * self.kept + 1_024 {
            self.moved.retain(|_, moved| now_ms < moved.at_ms + window(moved, settings));
            self.kept = self.moved.len();
        }
    }

    pub(super) fn bucket(&mut self, budget: Budget) -> &mut Bucket {
        match budget {
            Budget::Tidy => &mut self.tidy,
            Budget::Distance => &mut self.distance,
            Budget::Urgent => &mut self.urgent,
        }
    }
}

/// Which budget a move is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Budget {
    Tidy,
    Distance,
    Urgent,
}

fn cooldown(moved: &Moved, settings: &Settings) -> u64 {
    ms(settings.cooldown).saturating_mul(1 << moved.recent.min(DOUBLINGS_MAX))
}

/// For how long a move counts at all.
fn window(moved: &Moved, settings: &Settings) -> u64 {
    ms(settings.no_return).max(cooldown(moved, settings).saturating_mul(2))
}

/// A duration in milliseconds, as far as they go.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
