//! One round: what to move now, and why not more.

use std::collections::BTreeMap;

use super::{
    Limits, Memory, Settings, Snapshot, Terms,
    giving::{self, Giver},
    location,
    memory::Budget,
    rules::against,
    work::{NEARLY, Work, expected},
};
use crate::{DatabaseId, ServerId};

/// What a round decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What to move, in the order of being decided.
    pub moves: Vec<Move>,
    /// How often something was not moved, and why.
    pub skipped: Skipped,
    /// Databases that no server can carry below the hard limit, biggest first. Moving them helps nobody.
    pub too_hot: Vec<TooHot>,
    /// Pinned databases that cannot be where they must be: the index of each.
    pub unplaceable: Vec<u32>,
    /// The ceilings of this round.
    pub limits: Limits,
    /// How the fleet stands.
    pub gauges: Gauges,
}

/// A move to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// The index of the database.
    pub database: u32,
    /// Its id.
    pub id: DatabaseId,
    /// The index of the server that has it.
    pub from: u32,
    /// Its id.
    pub from_id: ServerId,
    /// The index of the server that gets it.
    pub to: u32,
    /// Why.
    pub reason: Reason,
    /// How things are without the move.
    pub before: Measure,
    /// How they are expected to be with it.
    pub after: Measure,
    /// What it lowers the objective by, the cost of moving taken off.
    pub gain: f64,
}

/// What a move changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measure {
    /// The utilisation of the server that gives.
    pub from: f64,
    /// And of the one that gets.
    pub to: f64,
    /// The clients' mean round trip to the database, in milliseconds; 0 where no clients are known.
    pub round_trip_ms: f64,
    /// What the database adds to the objective where it is.
    pub terms: Terms,
}

/// Why a move is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its server carries more than its share.
    Load,
    /// Its server is above the urgent limit.
    Urgent,
    /// Most of its clients are closer to another location.
    Location,
    /// It is not where it is pinned to.
    Pin,
}

impl Reason {
    pub(super) fn budgets(self) -> &'static [Budget] {
        match self {
            Self::Load | Self::Pin => &[Budget::Tidy],
            Self::Urgent => &[Budget::Urgent],
            Self::Location => &[Budget::Tidy, Budget::Distance],
        }
    }
}

/// Why something was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// No server could take any of a giver's databases without going over the ceiling, or becoming the hot spot.
    NoTarget,
    /// All that could have been moved was moved lately.
    CoolingDown,
    /// The budget was used up.
    Tokens,
    /// No move was worth its cost.
    SmallGain,
    /// As many moves were under way from the server as may be.
    InFlight,
    /// What is known of load is too old.
    Stale,
}

impl Skip {
    /// Its name in metrics and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoTarget => "no_target",
            Self::CoolingDown => "cooldown",
            Self::Tokens => "tokens",
            Self::SmallGain => "small_gain",
            Self::InFlight => "in_flight",
            Self::Stale => "stale",
        }
    }
}

/// How often each was the reason.
pub type Skipped = BTreeMap<Skip, u32>;

/// A database that is too hot for every server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooHot {
    /// The index of the database.
    pub database: u32,
    /// What it needs.
    pub load: f64,
    /// The largest capacity there is, in the same unit.
    pub capacity_max: f64,
}

/// How the fleet stands before the round's moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// The hottest server's utilisation.
    pub hottest: f64,
    /// What the mean utilisation would be without the largest failure domain; `None` where there is only one.
    pub without_domain: Option<f64>,
}

/// Decides what to move now.
///
/// Of the memory all is changed that a look changes: budgets fill, sustain times go on, clients are found closer once more.
/// So a dry run takes a clone. Call [`Memory::commit`] for each move that is carried out. Moves under way that are not in [`Snapshot::flights`] would be decided again but for that.
pub fn plan(snapshot: &Snapshot, settings: &Settings, memory: &mut Memory, now_ms: u64) -> Plan {
    let mut round = Round::begin(snapshot, settings, memory, now_ms);
    let mut flying: Vec<u32> = snapshot.flights.iter().map(|flight| flight.database).collect();
    flying.sort_unstable();
    let limits = round.plan.limits.clone();
    let mut givers = giving::givers(&round.work, &limits, round.memory, now_ms);
    let misplaced = giving::sort_out(&round.work, &mut givers, &limits, round.memory, &flying, now_ms);
    round.obey_pins(&misplaced);
    if snapshot.frozen {
        round.skip(Skip::Stale);
    } else {
        for giver in &givers {
            round.relieve(giver);
        }
        location::pass(&mut round, &flying);
    }
    round.plan
}

/// A round under way.
pub(super) struct Round<'a> {
    pub work: Work<'a>,
    pub memory: &'a mut Memory,
    pub plan: Plan,
    pub now_ms: u64,
    /// What each budget still has.
    tokens: [f64; 3],
}

/// A move that could be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub database: u32,
    pub to: u32,
    pub gain: f64,
}

impl<'a> Round<'a> {
    fn begin(snapshot: &'a Snapshot, settings: &'a Settings, memory: &'a mut Memory, now_ms: u64) -> Self {
        let work = Work::new(snapshot, settings);
        memory.begin(settings, work.taking().count(), now_ms);
        let limits = Limits::new(&work, settings);
        let gauges = Gauges {
            hottest: work.weighed().map(|server| work.utilization(server as u32)).fold(0.0, f64::max),
            without_domain: without_domain(&work),
        };
        let too_hot = too_hot(&work, &limits);
        let tokens = memory.tokens();
        let plan = Plan { limits, gauges, too_hot, ..Plan::default() };
        Self { work, memory, plan, now_ms, tokens }
    }

    pub fn skip(&mut self, why: Skip) {
        *self.plan.skipped.entry(why).or_default() += 1;
    }

    /// Whether the budgets allow one more.
    pub fn affords(&self, reason: Reason) -> bool {
        reason.budgets().iter().all(|budget| self.tokens[*budget as usize] >= 1.0)
    }

    /// Moves what is not where it is pinned to.
    fn obey_pins(&mut self, misplaced: &[u32]) {
        for index in misplaced {
            let database = &self.work.snapshot.databases[*index as usize];
            let wanted = super::Wanted::of(self.work.snapshot, database);
            let Some(placement) = super::place::among(&self.work, &wanted, &[]) else {
                self.plan.unplaceable.push(*index);
                continue;
            };
            let (from, to) = (database.owner, placement.server);
            if !self.affords(Reason::Pin) {
                self.skip(Skip::Tokens);
                continue;
            }
            if self.work.room_out[from as usize] == 0 || self.work.room_in[to as usize] == 0 {
                self.skip(Skip::InFlight);
                continue;
            }
            let gain = self.work.terms(database, from).total() - self.work.terms(database, to).total();
            self.apply(Choice { database: *index, to, gain }, Reason::Pin);
        }
    }

    /// Moves databases away from a giver until it carries its share.
    fn relieve(&mut self, giver: &Giver) {
        let server = giver.server;
        let ends = self.plan.limits.ends(self.work.snapshot.servers[server as usize].location);
        let mut left: Vec<giving::Big> = giver.databases.clone();
        while self.work.utilization(server) >= ends {
            let u = self.work.utilization(server);
            let reason = if u > self.plan.limits.urgent { Reason::Urgent } else { Reason::Load };
            if !self.affords(reason) {
                return self.skip(Skip::Tokens);
            }
            if self.work.room_out[server as usize] == 0 {
                return self.skip(Skip::InFlight);
            }
            match self.best(giver, &left) {
                Ok(option) => {
                    left.retain(|big| big.database != option.database);
                    self.apply(option, reason);
                }
                Err(why) => return self.skip(why),
            }
        }
    }

    /// The best move away from a server.
    fn best(&self, giver: &Giver, databases: &[giving::Big]) -> Result<Choice, Skip> {
        let (work, server) = (&self.work, giver.server);
        let hard = work.utilization(server) > self.plan.limits.hard;
        let (mut options, mut allowed, mut warm) = (Vec::new(), false, false);
        let cost = work.settings.move_cost;
        for big in databases.iter().filter(|big| hard || !big.cooling) {
            warm = true;
            let database = &work.snapshot.databases[big.database as usize];
            let here = work.terms(database, server).total();
            for location in 0..work.locations {
                // All servers of a location are equally far.
                let mut distance = None;
                for to in work.targets(location) {
                    if to == server || !self.may(database, to) {
                        continue;
                    }
                    allowed = true;
                    let distance = *distance.get_or_insert_with(|| work.terms(database, to).distance);
                    let gain = here - work.load_term(database, to) - distance - cost;
                    if gain > 0.0 {
                        options.push(Choice { database: big.database, to, gain });
                    }
                }
            }
        }
        let why = match (warm, allowed) {
            (false, _) if giver.left_out || !databases.is_empty() => Skip::CoolingDown,
            (_, true) => Skip::SmallGain,
            (_, false) => Skip::NoTarget,
        };
        best_of(work.snapshot, &options).ok_or(why)
    }

    /// Whether the rules allow a move for load.
    fn may(&self, database: &super::Database, to: u32) -> bool {
        let work = &self.work;
        work.snapshot.allows(database.pin, to)
            && work.room_in[to as usize] > 0
            && against(work, &self.plan.limits, self.memory, database, to, self.now_ms).is_none()
    }

    /// Decides for a move.
    pub fn apply(&mut self, option: Choice, reason: Reason) {
        let work = &mut self.work;
        let database = &work.snapshot.databases[option.database as usize];
        let (from, to) = (database.owner, option.to);
        let before = measure(work, database, from, to, from);
        let after_terms = work.terms(database, to);
        let after_ms = work.mean_ms(database, to);
        work.shift(database, from, to);
        let after = Measure {
            from: work.utilization(from),
            to: work.utilization(to),
            round_trip_ms: after_ms,
            terms: after_terms,
        };
        work.rank();
        for budget in reason.budgets() {
            self.tokens[*budget as usize] -= 1.0;
        }
        let from_id = work.snapshot.servers[from as usize].id;
        let gain = option.gain;
        let Choice { database: index, .. } = option;
        self.plan.moves.push(Move {
            database: index,
            id: database.id,
            from,
            from_id,
            to,
            reason,
            before,
            after,
            gain,
        });
    }
}

fn measure(work: &Work<'_>, database: &super::Database, from: u32, to: u32, at: u32) -> Measure {
    Measure {
        from: work.utilization(from),
        to: work.utilization(to),
        round_trip_ms: work.mean_ms(database, at),
        terms: work.terms(database, at),
    }
}

/// The best one. Among those that are nearly as good, a hash of database and server decides, so that leaders agree and
/// choices stay.
pub(super) fn best_of(snapshot: &Snapshot, options: &[Choice]) -> Option<Choice> {
    let most = options.iter().map(|option| option.gain).fold(f64::NEG_INFINITY, f64::max);
    let near = options.iter().filter(|option| option.gain >= most - NEARLY * most.abs());
    near.max_by_key(|option| {
        let id = snapshot.databases[option.database as usize].id;
        super::tie::tie(id, snapshot.servers[option.to as usize].id)
    })
    .copied()
}

fn without_domain(work: &Work<'_>) -> Option<f64> {
    let mut domains: BTreeMap<u16, f64> = BTreeMap::new();
    let (mut load, mut capacity) = (0.0, 0.0);
    for server in work.weighed() {
        *domains.entry(work.snapshot.servers[server].domain).or_default() += work.capacity[server];
        load += work.load[server];
        capacity += work.capacity[server];
    }
    let largest = domains.values().copied().fold(0.0, f64::max);
    (domains.len() > 1).then(|| load / (capacity - largest))
}

fn too_hot(work: &Work<'_>, limits: &Limits) -> Vec<TooHot> {
    let capacity_max = work.taking().map(|server| work.capacity[server]).fold(0.0, f64::max);
    let most = (limits.hard.min(1.0) * capacity_max) as f32;
    let databases = work.snapshot.databases.iter().enumerate();
    let hot = databases.filter(|(_, database)| database.load > most && capacity_max > 0.0);
    let mut hot: Vec<TooHot> = hot
        .map(|(index, database)| TooHot { database: index as u32, load: expected(database), capacity_max })
        .collect();
    hot.sort_by(|a, b| b.load.total_cmp(&a.load));
    hot.truncate(TOO_HOT_MAX);
    hot
}

/// Most databases that are named as too hot.
const TOO_HOT_MAX: usize = 100;
