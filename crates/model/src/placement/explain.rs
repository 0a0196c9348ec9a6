//! What every server would mean for one database, term by term, and why it stays where it is or does not (R23, S10).

use std::time::Duration;

use super::{
    Limits, Memory, Pin, Settings, Snapshot, State, Terms, Wanted, giving,
    place::{Placement, placement},
    rules::against,
    work::Work,
};

/// All that decides about one database.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Every server, the present one first, then from the best to the worst.
    pub offers: Vec<Offer>,
    /// The ceilings now.
    pub limits: Limits,
    /// How the present server stands.
    pub giving: Giving,
    /// For how long it still stays because it was moved lately.
    pub cooling: Duration,
}

/// How a database's server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giving {
    /// It carries no more than its share.
    No,
    /// It is above its band, and gives if that lasts for so much longer.
    Soon(Duration),
    /// It gives.
    Yes,
}

/// What a server would mean for the database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// The index of the server, its utilisation with and without the database, and what that adds to the objective.
    pub placement: Placement,
    /// By how much the objective would fall, the cost of moving taken off; 0 for the present server.
    pub gain: f64,
    /// What speaks for or against it.
    pub verdict: Verdict,
}

impl Offer {
    /// What the database adds to the objective there.
    pub fn terms(&self) -> Terms {
        self.placement.terms
    }
}

/// What speaks for or against a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The database is there.
    Current,
    /// The best of those that are allowed and better than the present one.
    Best,
    /// Better than the present one, but not the best.
    Better,
    /// Not better by what a move costs.
    NotWorthIt,
    /// It would go over the ceiling.
    OverCeiling,
    /// It would become hotter than the present one.
    HotSpot,
    /// The database came from there lately.
    NoReturn,
    /// Not enough of the requests come from closer to it, or it saves them too little, and nothing else speaks for a move.
    TooFewCloser,
    /// Nobody knows what it carries.
    Unknown,
    /// The database is pinned elsewhere.
    Pinned,
    /// It is being emptied.
    Draining,
    /// It is down.
    Down,
}

/// Explains one database, by its index.
pub fn explain(
    snapshot: &Snapshot,
    settings: &Settings,
    memory: &Memory,
    database: u32,
    now_ms: u64,
) -> Option<Explanation> {
    let record = snapshot.databases.get(database as usize)?;
    let work = Work::new(snapshot, settings);
    let limits = Limits::new(&work, settings);
    let wanted = Wanted::of(snapshot, record);
    let current = snapshot.server(record.owner).map(|_| placement(&work, &wanted, record.owner));
    let offer = |server: u32| {
        let placement = placement(&work, &wanted, server);
        let cost = if current.is_some() { settings.move_cost } else { 0.0 };
        let here = current.map_or(f64::INFINITY, |current| current.terms.total());
        let gain = here - placement.terms.total() - cost;
        let verdict = judge(&work, &limits, memory, record, &placement, gain, now_ms);
        let gain = if verdict == Verdict::Current || gain.is_infinite() { 0.0 } else { gain };
        Offer { placement, gain, verdict }
    };
    let mut offers: Vec<Offer> = (0..snapshot.servers.len() as u32).map(offer).collect();
    let rank =
        |offer: &Offer| (offer.verdict != Verdict::Current, offer.verdict as u8 > Verdict::NotWorthIt as u8);
    offers.sort_by(|a, b| {
        let order = rank(a).cmp(&rank(b));
        order.then(a.terms().total().total_cmp(&b.terms().total()))
    });
    if let Some(best) = offers.iter_mut().find(|offer| offer.verdict == Verdict::Better) {
        best.verdict = Verdict::Best;
    }
    let cooling = memory.cooling(record.id, settings, now_ms);
    Some(Explanation {
        offers,
        giving: stands(snapshot, record.owner, memory, &limits, now_ms),
        limits,
        cooling,
    })
}

fn judge(
    work: &Work<'_>,
    limits: &Limits,
    memory: &Memory,
    record: &super::Database,
    placement: &Placement,
    gain: f64,
    now_ms: u64,
) -> Verdict {
    let snapshot = work.snapshot;
    let to = &snapshot.servers[placement.server as usize];
    if record.owner == placement.server {
        return Verdict::Current;
    }
    match to.state {
        State::Down => return Verdict::Down,
        State::Draining => return Verdict::Draining,
        State::Up => {}
    }
    if !snapshot.allows(record.pin, placement.server) {
        return Verdict::Pinned;
    }
    let misplaced = record.pin != Pin::Anywhere && !snapshot.allows(record.pin, record.owner);
    let owner = snapshot.server(record.owner).filter(|_| !misplaced);
    if owner.is_none_or(|owner| owner.state != State::Up) {
        return Verdict::Better;
    }
    if !work.is_known(placement.server as usize) {
        return Verdict::Unknown;
    }
    let here_ms = work.mean_ms(record, record.owner);
    let closer = super::location::clearly_closer(work, record, here_ms, to.location);
    let gives = owner.is_some_and(|owner| memory.gives(owner.id));
    match against(work, limits, memory, record, placement.server, now_ms) {
        Some(rule) if rule != Verdict::HotSpot => rule,
        Some(_) | None if gain <= 0.0 => Verdict::NotWorthIt,
        // What goes to its clients may make their server the hotter one.
        Some(_) | None if closer => Verdict::Better,
        Some(_) | None if !gives && placement.round_trip_ms < here_ms => Verdict::TooFewCloser,
        rule => rule.unwrap_or(Verdict::Better),
    }
}

fn stands(snapshot: &Snapshot, owner: u32, memory: &Memory, limits: &Limits, now_ms: u64) -> Giving {
    let Some(server) = snapshot.server(owner) else { return Giving::No };
    match memory.giving.get(&server.id) {
        Some(giving) if giving.gives => Giving::Yes,
        Some(_) => giving::waits(memory, server.id, limits, now_ms).map_or(Giving::No, Giving::Soon),
        None => Giving::No,
    }
}
