//! Whether and how the leader moves databases by itself: what an operator can set, and what a reign remembers.
//!
//! The decisions are the model's ([`model::placement`]); moves are carried out by [`crate::node`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{Cause, DatabaseId, Event, EventLog, ServerId, Tenure, TimestampMs, What, Why, placement};
use tokio::time::Instant;

use crate::{
    decide::{Alarm, Sketch},
    limits::{BALANCE_CALM, BALANCE_RECORDS_MAX, EFFECT_AFTER},
    loads::Loads,
};

/// What the leader does about databases that should be elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It moves them.
    #[default]
    Auto,
    /// It says what it would move, and moves nothing.
    Recommend,
    /// Nothing.
    Off,
}

impl Mode {
    /// As it is written in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Recommend => "recommend",
            Self::Off => "off",
        }
    }
}

/// The `[balance]` settings.
#[derive(Clone, Debug, PartialEq)]
pub struct BalanceSettings {
    /// What is done. Default: databases are moved.
    pub mode: Mode,
    /// Time between two rounds. Default 10 s.
    pub interval: Duration,
    /// The policy's figures.
    pub policy: placement::Settings,
}

impl Default for BalanceSettings {
    fn default() -> Self {
        let interval = Duration::from_secs(10);
        Self { mode: Mode::default(), interval, policy: placement::Settings::default() }
    }
}

/// What one reign remembers.
#[derive(Debug)]
pub struct Balance {
    /// The policy's memory.
    pub memory: placement::Memory,
    /// Moves of the policy that are under way.
    pub flying: BTreeMap<DatabaseId, Flying>,
    /// What the last round found.
    pub last: placement::Plan,
    began: Instant,
    due: Instant,
    running: bool,
    remembers: bool,
    sketch: Option<Arc<Sketch>>,
    records: VecDeque<Record>,
    /// Moves by operators since the last round, with the server that let go.
    by_hand: BTreeMap<DatabaseId, Option<ServerId>>,
    stale: Alarm,
    told: HashMap<(What, DatabaseId), Alarm>,
}

/// A move of the policy under way.
#[derive(Clone, Debug)]
pub struct Flying {
    /// Who lets go.
    pub from: Tenure,
    /// Who gets it.
    pub to: Tenure,
    /// Why.
    pub why: Why,
}

/// A move that was made, until its effect is seen.
#[derive(Clone, Copy, Debug)]
struct Record {
    database: DatabaseId,
    from: ServerId,
    to: ServerId,
    landed: Instant,
    actual: Option<[f64; 2]>,
}

/// The policy's clock begins so long before a reign, so that what was moved before has a time.
const BEFORE_MS: u64 = 30 * 24 * 3_600_000;

impl Balance {
    /// Nothing is known yet.
    pub fn new(now: Instant) -> Self {
        Self {
            memory: placement::Memory::default(),
            flying: BTreeMap::new(),
            last: placement::Plan::default(),
            began: now,
            due: now,
            running: false,
            remembers: false,
            sketch: None,
            records: VecDeque::new(),
            by_hand: BTreeMap::new(),
            stale: Alarm::default(),
            told: HashMap::new(),
        }
    }

    /// The policy's clock.
    pub fn now_ms(&self, now: Instant) -> u64 {
        BEFORE_MS + millis(now.saturating_duration_since(self.began))
    }

    /// Whether a round is due; it is under way then until [`Balance::end`].
    pub fn begin(&mut self, interval: Duration, now: Instant) -> bool {
        let begins = !self.running && now >= self.due;
        if begins {
            (self.running, self.due) = (true, now + interval);
        }
        begins
    }

    /// The round is over.
    pub fn end(&mut self) {
        self.running = false;
    }

    /// What is known of loads, no older than a second.
    pub fn sketch(&mut self, loads: &Loads, now: Instant) -> Arc<Sketch> {
        let fresh = self.sketch.take().filter(|sketch| now.saturating_duration_since(sketch.at) < SKETCH_AGE);
        let sketch = fresh.unwrap_or_else(|| Arc::new(Sketch::new(loads.picture(now), now)));
        self.sketch.insert(sketch).clone()
    }

    /// Takes from the log what was moved lately, once: a new leader goes on with the cool-downs of the last one.
    pub fn remember(
        &mut self,
        log: &EventLog,
        wall: TimestampMs,
        settings: &placement::Settings,
        now: Instant,
    ) {
        if std::mem::replace(&mut self.remembers, true) {
            return;
        }
        let now_ms = self.now_ms(now);
        for event in log.iter().filter(|event| event.what == What::Moved && deliberate(event)) {
            let age = wall.0.saturating_sub(event.at.0);
            if let (Some(database), true) = (event.database, age < BEFORE_MS) {
                self.memory.moved(database, event.from, settings, now_ms - age);
            }
        }
    }

    /// An operator moved a database: it stays there as it would had the policy moved it.
    pub fn moved_by_hand(&mut self, database: DatabaseId, from: Option<ServerId>) {
        self.by_hand.insert(database, from);
    }

    /// A round was decided: takes its memory, with what operators moved meanwhile.
    pub fn decided(&mut self, mut memory: placement::Memory, settings: &placement::Settings, now_ms: u64) {
        for (database, from) in std::mem::take(&mut self.by_hand) {
            memory.moved(database, from, settings, now_ms);
        }
        self.memory = memory;
    }

    /// A move begins.
    pub fn take_off(&mut self, database: DatabaseId, flying: Flying) {
        self.flying.insert(database, flying);
    }

    /// A move ended.
    pub fn land(&mut self, database: DatabaseId, done: bool, now: Instant) {
        let Some(Flying { from, to, .. }) = self.flying.remove(&database) else { return };
        if done {
            if self.records.len() == BALANCE_RECORDS_MAX {
                self.records.pop_front();
            }
            let (from, to) = (from.server, to.server);
            self.records.push_back(Record { database, from, to, landed: now, actual: None });
        }
    }

    /// Notes what became of the loads of those concerned by moves that are some time ago.
    pub fn observe(&mut self, utilization: impl Fn(ServerId) -> Option<f64>, now: Instant) {
        let unseen = self.records.iter_mut().filter(|record| record.actual.is_none());
        for record in unseen.filter(|record| now.saturating_duration_since(record.landed) >= EFFECT_AFTER) {
            record.actual = utilization(record.from).zip(utilization(record.to)).map(|(from, to)| [from, to]);
        }
    }

    /// What both utilisations were half a minute after the last such move.
    pub fn actual(&self, database: DatabaseId, from: ServerId, to: ServerId) -> Option<[f64; 2]> {
        let same = |record: &&Record| (record.database, record.from, record.to) == (database, from, to);
        self.records.iter().rev().find(same)?.actual
    }

    /// Whether it is news that loads are stale, or have not been for a while.
    pub fn is_news(&mut self, stale: bool, now: Instant) -> bool {
        self.stale.on(stale, BALANCE_CALM, now).is_some()
    }

    /// Of these databases, those that it was not said of; it may be said again once they were not among them for a while.
    pub fn news(&mut self, what: What, databases: &BTreeSet<DatabaseId>, now: Instant) -> Vec<DatabaseId> {
        self.told.retain(|(told, database), alarm| {
            *told != what || databases.contains(database) || alarm.on(false, BALANCE_CALM, now).is_none()
        });
        let mut tell = |database: &DatabaseId| {
            self.told.entry((what, *database)).or_default().on(true, BALANCE_CALM, now).is_some()
        };
        databases.iter().copied().filter(|database| tell(database)).collect()
    }
}

/// Whether a policy or an operator moved it: what is to stay for a while. Drains and failures count for nothing.
fn deliberate(event: &Event) -> bool {
    matches!(event.cause, Some(Cause::Balance | Cause::Location | Cause::Pin | Cause::Move | Cause::Operator))
}

/// How old a sketch may be.
const SKETCH_AGE: Duration = Duration::from_secs(1);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use model::{Command, Entry, Fact, Fleet, Revision};

    use super::*;
    use crate::decide::fleets::{fleet, tenure};

    const DATABASE: DatabaseId = DatabaseId(1);

    /// A map in which a database was moved from one server to another for this cause, at a minute past midnight.
    fn moved_because(cause: Cause) -> Fleet {
        let mut fleet = fleet(&[1, 1], &[1]);
        let mut apply = |revision, why: Option<Why>, command| {
            let entry = Entry { why, ..Entry::new(TimestampMs(60_000), command) };
            fleet.apply(Revision(revision), &entry).expect("a good history");
        };
        let to = tenure(2);
        let assign = Command::AssignDatabase { database: DATABASE, epoch_expected: model::Epoch(1), to };
        apply(4, Some(cause.into()), assign);
        apply(5, None, Command::RecordEvents { facts: vec![Fact::new(What::LeaderElected)] });
        fleet
    }

    #[tokio::test]
    async fn a_new_leader_goes_on_with_cool_downs_of_deliberate_moves_s5() {
        let settings = placement::Settings::default();
        for (cause, minutes_ago, left) in [
            (Cause::Balance, 5, 10),
            (Cause::Location, 5, 10),
            (Cause::Operator, 14, 1),
            (Cause::Balance, 20, 0),
            (Cause::Drain, 5, 0),
            (Cause::BackgroundFailover, 5, 0),
        ] {
            let (now, fleet) = (Instant::now(), moved_because(cause));
            let mut balance = Balance::new(now);
            let wall = TimestampMs(60_000 + minutes_ago * 60_000);
            balance.remember(fleet.events(), wall, &settings, now);
            let cooling = balance.memory.cooling(DATABASE, &settings, balance.now_ms(now));
            assert_eq!(cooling, Duration::from_secs(left * 60), "{cause} {minutes_ago} min ago");
        }
    }

    #[tokio::test]
    async fn trouble_is_said_once_and_again_when_it_was_gone() {
        let now = Instant::now();
        let mut balance = Balance::new(now);
        let (some, none) = (BTreeSet::from([DATABASE]), BTreeSet::new());
        assert_eq!(balance.news(What::Unplaceable, &some, now), [DATABASE]);
        assert_eq!(balance.news(What::Unplaceable, &some, now), []);
        assert_eq!(balance.news(What::DatabaseTooHot, &some, now), [DATABASE]);
        assert_eq!(balance.news(What::Unplaceable, &none, now), []);
        assert_eq!(balance.news(What::Unplaceable, &some, now), [], "it only flapped");
        assert_eq!(balance.news(What::Unplaceable, &none, now + BALANCE_CALM), []);
        assert_eq!(balance.news(What::Unplaceable, &some, now + BALANCE_CALM), [DATABASE]);
        let flapping = [false, true, true, false, true].map(|stale| balance.is_news(stale, now));
        assert_eq!(flapping, [false, true, false, false, false]);
        assert!(balance.is_news(false, now + BALANCE_CALM));
    }

    #[tokio::test]
    async fn what_an_operator_moved_while_a_round_was_decided_stays_s5() {
        let (now, settings) = (Instant::now(), placement::Settings::default());
        let mut balance = Balance::new(now);
        let now_ms = balance.now_ms(now);
        let decided = balance.memory.clone();
        balance.moved_by_hand(DATABASE, Some(ServerId(1)));
        balance.decided(decided.clone(), &settings, now_ms);
        assert_eq!(balance.memory.cooling(DATABASE, &settings, now_ms), settings.cooldown);
        assert!(balance.memory.returns(DATABASE, ServerId(1), &settings, now_ms));
        balance.decided(decided.clone(), &settings, now_ms);
        assert_eq!(balance.memory, decided, "once");
    }

    #[tokio::test]
    async fn one_round_at_a_time_and_an_interval_apart() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut balance = Balance::new(start);
        assert!(balance.begin(10 * second, start));
        assert!(!balance.begin(10 * second, start + 60 * second), "it still goes on");
        balance.end();
        assert!(!balance.begin(10 * second, start + 9 * second));
        assert!(balance.begin(10 * second, start + 10 * second));
    }
}
