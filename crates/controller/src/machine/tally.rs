//! How many databases each server owns, counted as entries are applied: walking a million databases for each
//! placement would be too slow. And which servers' lives ended lately, so that whoever leads next goes on with what
//! they left (C17).

use std::collections::{BTreeMap, VecDeque};

use model::{Command, DatabaseId, Entry, Fleet, Outcome, Rejection, Revision, Tenure};
use sabotage::Sabotage;
use tokio::time::Instant;

use crate::limits::FALLEN_MAX;

/// Databases by owner. A life that is over stays in it while databases are that nobody has been given since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    owned: BTreeMap<Tenure, u64>,
    fallen: VecDeque<Fallen>,
    /// Up to here entries are older than this process. When they were new cannot be told without a wall clock.
    history: Revision,
}

/// A life that ended without letting go of what it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Which.
    pub tenure: Tenure,
    /// When this controller heard of it.
    pub heard: Instant,
}

impl Tally {
    /// Counts a whole map.
    pub fn of(fleet: &Fleet) -> Self {
        let mut tally = Self::default();
        for (_, database) in fleet.databases() {
            tally.add(database.owner);
        }
        tally
    }

    /// How many databases a server owns in that life.
    pub fn owned(&self, tenure: Tenure) -> u64 {
        self.owned.get(&tenure).copied().unwrap_or(0)
    }

    /// Entries up to this one are repeated from before a restart: what fell then is left to requests.
    pub fn begin_after(&mut self, history: Revision) {
        self.history = history;
    }

    /// The lives that ended last, oldest first: those whose end this controller heard of in this life of its own.
    pub fn fallen(&self) -> impl Iterator<Item = Fallen> {
        self.fallen.iter().copied()
    }

    /// Applies an entry to the map and keeps the counts.
    pub fn apply(
        &mut self,
        fleet: &mut Fleet,
        revision: Revision,
        entry: &Entry,
    ) -> Result<Outcome, Rejection> {
        if sabotage::is(Sabotage::Replay) && revision <= self.history {
            fleet.advance(revision);
            return Ok(Outcome::Done);
        }
        let known = concerned(&entry.command);
        let before = known.and_then(|id| owner(fleet, id));
        let ended = ended(fleet, &entry.command);
        let given = fleet.database_last();
        let outcome = fleet.apply(revision, entry);
        match &entry.command {
            // A create that only found what an earlier one had made must not count twice.
            Command::CreateDatabase { .. } => {
                let new = made(&outcome).filter(|id| *id > given);
                self.add(new.and_then(|id| owner(fleet, id)));
            }
            Command::AssignDatabase { .. }
            | Command::UnassignDatabase { .. }
            | Command::DropDatabase { .. } => {
                self.remove(before);
                self.add(known.and_then(|id| owner(fleet, id)));
            }
            Command::ExpireServer { .. } | Command::RegisterServer { .. } => {
                if let Some(tenure) = ended.filter(|_| outcome.is_ok() && revision > self.history) {
                    self.fall(Fallen { tenure, heard: Instant::now() });
                }
            }
            Command::Found { .. }
            | Command::RenameDatabase { .. }
            | Command::ForgetDatabase { .. }
            | Command::RegisterHandler { .. }
            | Command::PutUser { .. }
            | Command::DropUser { .. }
            | Command::DrainServer { .. }
            | Command::SetDatabaseOptions { .. }
            | Command::RecordEvents { .. }
            | Command::RaiseLevel { .. }
            // An id is no database, and what is adopted is nobody's yet.
            | Command::ReserveDatabase { .. }
            | Command::AdoptDatabase { .. }
            | Command::PutDirective { .. }
            | Command::EndDirective { .. }
            | Command::PinDatabase { .. }
            | Command::PauseBalancing { .. }
            | Command::PutSender { .. }
            | Command::Administer { .. }
            // A copy that forms is nobody's.
            | Command::ForkDatabase { .. }
            | Command::FormDatabase { .. }
            | Command::AbandonDatabase { .. } => {}
        }
        outcome
    }

    fn add(&mut self, tenure: Option<Tenure>) {
        if let Some(tenure) = tenure {
            *self.owned.entry(tenure).or_default() += 1;
        }
    }

    fn remove(&mut self, tenure: Option<Tenure>) {
        let Some(tenure) = tenure else { return };
        if let Some(count) = self.owned.get_mut(&tenure) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.owned.remove(&tenure);
            }
        }
    }

    fn fall(&mut self, fallen: Fallen) {
        if self.fallen.len() == FALLEN_MAX {
            self.fallen.pop_front();
        }
        self.fallen.push_back(fallen);
    }
}

/// The database that a command speaks of by its number.
fn concerned(command: &Command) -> Option<DatabaseId> {
    match command {
        Command::RenameDatabase { database, .. }
        | Command::DropDatabase { database }
        | Command::ForgetDatabase { database }
        | Command::AssignDatabase { database, .. }
        | Command::UnassignDatabase { database, .. }
        | Command::SetDatabaseOptions { database, .. } => Some(*database),
        Command::Found { .. }
        | Command::CreateDatabase { .. }
        | Command::RegisterServer { .. }
        | Command::ExpireServer { .. }
        | Command::RegisterHandler { .. }
        | Command::PutUser { .. }
        | Command::DropUser { .. }
        | Command::RecordEvents { .. }
        | Command::RaiseLevel { .. }
        | Command::DrainServer { .. }
        | Command::ForkDatabase { .. }
        | Command::FormDatabase { .. }
        | Command::AbandonDatabase { .. }
        | Command::ReserveDatabase { .. }
        | Command::AdoptDatabase { .. }
        | Command::PutDirective { .. }
        | Command::EndDirective { .. }
        | Command::PinDatabase { .. }
        | Command::PauseBalancing { .. }
        | Command::PutSender { .. }
        | Command::Administer { .. } => None,
    }
}

/// The life that a command ends if the map takes it.
fn ended(fleet: &Fleet, command: &Command) -> Option<Tenure> {
    match command {
        Command::ExpireServer { server, incarnation } => {
            Some(Tenure { server: *server, incarnation: *incarnation })
        }
        Command::RegisterServer { registration, incarnation, .. } => {
            let (server, record) = fleet.server_named(&registration.name)?;
            let ends = record.state.is_alive() && record.incarnation != *incarnation;
            ends.then_some(Tenure { server, incarnation: record.incarnation })
        }
        Command::Found { .. }
        | Command::CreateDatabase { .. }
        | Command::RenameDatabase { .. }
        | Command::DropDatabase { .. }
        | Command::ForgetDatabase { .. }
        | Command::AssignDatabase { .. }
        | Command::UnassignDatabase { .. }
        | Command::SetDatabaseOptions { .. }
        | Command::RegisterHandler { .. }
        | Command::PutUser { .. }
        | Command::DropUser { .. }
        | Command::RecordEvents { .. }
        | Command::RaiseLevel { .. }
        | Command::DrainServer { .. }
        | Command::ForkDatabase { .. }
        | Command::FormDatabase { .. }
        | Command::AbandonDatabase { .. }
        | Command::ReserveDatabase { .. }
        | Command::AdoptDatabase { .. }
        | Command::PutDirective { .. }
        | Command::EndDirective { .. }
        | Command::PinDatabase { .. }
        | Command::PauseBalancing { .. }
        | Command::PutSender { .. }
        | Command::Administer { .. } => None,
    }
}

fn made(outcome: &Result<Outcome, Rejection>) -> Option<DatabaseId> {
    match outcome {
        Ok(Outcome::Database { database, .. }) => Some(*database),
        Ok(Outcome::Done | Outcome::Server { .. } | Outcome::Handler { .. }) | Err(_) => None,
    }
}

/// Who it was given to last, whether or not that life goes on.
fn owner(fleet: &Fleet, database: DatabaseId) -> Option<Tenure> {
    fleet.database(database).and_then(|database| database.owner)
}

#[cfg(test)]
mod tests {
    use model::{Epoch, IdempotencyKey, Incarnation, Name, Registration, Revision, ServerId, TimestampMs};

    use super::*;

    const FIRST: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };
    const SECOND: Tenure = Tenure { server: ServerId(2), incarnation: Incarnation(2) };

    fn register(name: &str, incarnation: Incarnation) -> Command {
        let registration = Registration {
            name: Name::new(name).expect("a name"),
            data_address: format!("{name}:1"),
            control_address: format!("{name}:2"),
            location: String::new(),
            capacity: 1,
        };
        Command::RegisterServer { registration, supersedes: None, incarnation }
    }

    fn create(name: &str, key: u128, owner: Tenure) -> Command {
        let name = Name::new(name).expect("a name");
        Command::CreateDatabase { name, owner: Some(owner), key: Some(IdempotencyKey(key)) }
    }

    /// Applies all and compares the running counts with counting anew.
    fn run(commands: Vec<Command>) -> (Fleet, Tally) {
        let (mut fleet, mut tally) = (Fleet::default(), Tally::default());
        for (revision, command) in (1..).map(Revision).zip(commands) {
            let entry = Entry::new(TimestampMs(0), command);
            // Rejections are part of the test: they must count nothing.
            drop(tally.apply(&mut fleet, revision, &entry));
        }
        (fleet, tally)
    }

    #[test]
    fn running_counts_equal_counting_anew() {
        let (id, epoch_expected) = (DatabaseId(1), Epoch(1));
        let (fleet, tally) = run(vec![
            register("s1", Incarnation(1)),
            register("s2", Incarnation(2)),
            create("a", 1, FIRST),
            create("a", 1, FIRST),
            create("a", 2, FIRST),
            create("b", 3, FIRST),
            create("c", 4, SECOND),
            Command::AssignDatabase { database: id, epoch_expected, to: SECOND },
            Command::AssignDatabase { database: id, epoch_expected, to: FIRST },
            Command::UnassignDatabase { database: DatabaseId(3), epoch_expected },
            Command::UnassignDatabase { database: DatabaseId(3), epoch_expected },
            Command::DropDatabase { database: DatabaseId(9) },
        ]);
        assert_eq!((tally.owned(FIRST), tally.owned(SECOND)), (1, 1));
        assert_eq!((Tally::of(&fleet).owned(FIRST), Tally::of(&fleet).owned(SECOND)), (1, 1));
    }

    #[test]
    fn dropping_and_expiring_count_down() {
        let (_, tally) = run(vec![
            register("s1", Incarnation(1)),
            create("a", 1, FIRST),
            create("b", 2, FIRST),
            Command::DropDatabase { database: DatabaseId(1) },
        ]);
        assert_eq!(tally.owned(FIRST), 1);
    }

    #[test]
    fn a_life_that_ends_leaves_what_it_had_until_that_is_given_to_others_c17() {
        let again = Tenure { incarnation: Incarnation(9), ..FIRST };
        let Command::RegisterServer { registration, .. } = register("s1", again.incarnation) else {
            unreachable!("just made")
        };
        let supersedes = Some(FIRST.incarnation);
        let restart = Command::RegisterServer { registration, supersedes, incarnation: again.incarnation };
        let expire = Command::ExpireServer { server: ServerId(1), incarnation: Incarnation(1) };
        for ends in [restart, expire.clone()] {
            let (fleet, tally) = run(vec![
                register("s1", Incarnation(1)),
                register("s2", Incarnation(2)),
                create("a", 1, FIRST),
                create("b", 2, FIRST),
                ends.clone(),
                // Rejected: it is over already.
                expire.clone(),
                Command::AssignDatabase { database: DatabaseId(1), epoch_expected: Epoch(1), to: SECOND },
            ]);
            assert_eq!((tally.owned(FIRST), tally.owned(SECOND)), (1, 1));
            assert_eq!(Tally::of(&fleet).owned, tally.owned);
            let fallen: Vec<Tenure> = tally.fallen().map(|fallen| fallen.tenure).collect();
            assert_eq!(fallen, [FIRST], "{ends:?}");
        }
    }

    #[test]
    fn what_fell_before_a_restart_is_left_to_requests() {
        let expire = Command::ExpireServer { server: ServerId(1), incarnation: Incarnation(1) };
        for (history, expected) in [(Revision(2), 0), (Revision(1), 1)] {
            let (mut fleet, mut tally) = (Fleet::default(), Tally::default());
            tally.begin_after(history);
            for (revision, command) in [(1, register("s1", Incarnation(1))), (2, expire.clone())] {
                let applied =
                    tally.apply(&mut fleet, Revision(revision), &Entry::new(TimestampMs(0), command));
                applied.expect("it is possible");
            }
            assert_eq!(tally.fallen().count(), expected);
        }
    }
}
