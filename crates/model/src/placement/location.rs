//! Databases whose clients are mostly closer to another location go there (R22-R24).
//!
//! Each round looks at a part of all databases. What is found has to be found again when its turn comes next.

use super::{
    Database, Pin, Reason, Skip,
    memory::ms,
    round::{Choice, Round, best_of},
    work::Work,
};

/// Each round looks at one in so many databases.
const PARTS: usize = 30;

/// But at no fewer than this, if there are so many.
const PART_MIN: usize = 1_000;

/// Looks at the next part. `flying` are the databases that are being moved already, in order.
pub(super) fn pass(round: &mut Round<'_>, flying: &[u32]) {
    let snapshot = round.work.snapshot;
    let count = snapshot.databases.len();
    let mut planned: Vec<u32> = round.plan.moves.iter().map(|planned| planned.database).collect();
    planned.sort_unstable();
    let from = if round.memory.cursor < count { round.memory.cursor } else { 0 };
    let part = count.div_ceil(PARTS).max(PART_MIN.min(count));
    for index in from..(from + part).min(count) {
        let database = &snapshot.databases[index];
        if database.clients_len == 0 || snapshot.server(database.owner).is_none() {
            round.memory.not_nearer(database.id);
            continue;
        }
        let index = index as u32;
        if flying.binary_search(&index).is_ok() || planned.binary_search(&index).is_ok() {
            continue;
        }
        consider(round, index, database);
    }
    if from + part < count {
        round.memory.cursor = from + part;
    } else {
        round.memory.cursor = 0;
        round.memory.pass_ends();
    }
}

fn consider(round: &mut Round<'_>, index: u32, database: &Database) {
    let work = &round.work;
    let owner = database.owner as usize;
    if !work.takes(owner) || !work.is_known(owner) || matches!(database.pin, Pin::Server(_)) {
        return round.memory.not_nearer(database.id);
    }
    let Some(choice) = nearer(round, index, database) else {
        return round.memory.not_nearer(database.id);
    };
    let location = work.snapshot.servers[choice.to as usize].location;
    let settings = work.settings;
    if !round.memory.cooling(database.id, settings, round.now_ms).is_zero() {
        return round.skip(Skip::CoolingDown);
    }
    if !round.memory.found_nearer(database.id, location) {
        return;
    }
    if !round.affords(Reason::Location) {
        return round.skip(Skip::Tokens);
    }
    if round.work.room_out[owner] == 0 {
        return round.skip(Skip::InFlight);
    }
    round.apply(choice, Reason::Location);
}

/// The best server that is clearly closer to most of a database's clients, if the objective falls with it.
fn nearer(round: &Round<'_>, index: u32, database: &Database) -> Option<Choice> {
    let (work, settings) = (&round.work, round.work.settings);
    let here_ms = work.mean_ms(database, database.owner);
    if here_ms <= worth(work, here_ms) {
        return None;
    }
    let mut choices = Vec::new();
    let mut terms = None;
    for location in 0..work.locations {
        if !clearly_closer(work, database, here_ms, location as u16) {
            continue;
        }
        let here = *terms.get_or_insert_with(|| work.terms(database, database.owner).total());
        let fits = |to: &u32| {
            work.snapshot.allows(database.pin, *to)
                && work.with_added(*to, database) <= round.plan.limits.ceiling
                && !round.memory.returns(
                    database.id,
                    work.snapshot.servers[*to as usize].id,
                    settings,
                    round.now_ms,
                )
        };
        choices.extend(work.targets(location).filter(fits).map(|to| {
            let gain = here - work.terms(database, to).total() - settings.move_cost;
            Choice { database: index, to, gain }
        }));
    }
    choices.retain(|choice| choice.gain > 0.0);
    best_of(work.snapshot, &choices)
}

/// What a move for distance must save of a mean round trip.
fn worth(work: &Work<'_>, here_ms: f64) -> f64 {
    (ms(work.settings.min_rtt_gain) as f64).max(work.settings.min_rtt_gain_ratio * here_ms)
}

/// Whether a location is so much closer, to so many of the clients, that the database may go there for that.
pub(super) fn clearly_closer(work: &Work<'_>, database: &Database, here_ms: f64, there: u16) -> bool {
    let here = work.snapshot.servers[database.owner as usize].location;
    let there_ms = work.snapshot.round_trips.mean_ms(work.snapshot.clients_of(database), there);
    there != here && here_ms - there_ms >= worth(work, here_ms) && substantial(work, database, here, there)
}

/// Whether a substantial part of the requests comes from closer to `there` than to `here`, as far as it was measured.
fn substantial(work: &Work<'_>, database: &Database, here: u16, there: u16) -> bool {
    let trips = &work.snapshot.round_trips;
    let clients = work.snapshot.clients_of(database).iter();
    let closer = clients.filter(|part| {
        let known = trips.knows(part.location, here) && trips.knows(part.location, there);
        known && trips.ms(part.location, there) < trips.ms(part.location, here)
    });
    let share: f64 = closer.map(|part| f64::from(part.share)).sum();
    share >= work.settings.location_threshold
}
