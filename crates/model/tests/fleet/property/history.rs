//! A history in the making: the map, a replica that never restarts, and what was seen so far.

use model::{Command, Entry, Fleet, Level, Outcome, Rejection, Revision, Tenure, TimestampMs, codec};

use super::{
    action::Action,
    invariants::Check,
    seen::{Moment, Past, Seen, changes},
    step::Step,
};

/// A history and the rules it is held to.
pub struct History<'a> {
    checks: &'a [Check],
    fleet: Fleet,
    replica: Fleet,
    seen: Seen,
    past: Past,
    lives: u64,
}

impl<'a> History<'a> {
    pub fn new(checks: &'a [Check]) -> Self {
        let fleet = newest();
        let seen = Seen::of(&fleet);
        Self { checks, replica: fleet.clone(), seen, past: Past::default(), fleet, lives: 0 }
    }

    /// What an action means now.
    pub fn resolve(&mut self, action: &Action) -> Step {
        action.resolve(&self.fleet, &mut self.lives)
    }

    /// Goes one step on; says which rule it broke.
    pub fn take(&mut self, step: &Step) -> Result<(), String> {
        let answer = advance(&mut self.fleet, step);
        if *step == Step::Snapshot {
            self.fleet = restore(&self.fleet);
        }
        let replica_answer = advance(&mut self.replica, step);
        let after = Seen::of(&self.fleet);
        let restored = restore(&self.fleet);
        let same_bytes = codec::encode_snapshot(&restored) == codec::encode_snapshot(&self.fleet);
        let moment = Moment {
            past: &self.past,
            before: &self.seen,
            step,
            answer: answer.clone(),
            after: &after,
            changes: changes(&self.fleet, self.seen.revision),
            replica: (&Seen::of(&self.replica), replica_answer),
            restored: (&Seen::of(&restored), same_bytes),
        };
        self.checks.iter().try_for_each(|check| check(&moment))?;
        self.past.remember(&self.seen, step, answer.as_ref(), &after);
        self.seen = after;
        Ok(())
    }
}

/// A new map that keeps everything this release knows of.
fn newest() -> Fleet {
    let mut fleet = Fleet::default();
    let raise = Entry::new(TimestampMs(0), Command::RaiseLevel { level: Level::NEWEST });
    fleet.apply(Revision(1), &raise).expect("raised");
    fleet
}

fn restore(fleet: &Fleet) -> Fleet {
    codec::decode_snapshot(&codec::encode_snapshot(fleet)).expect("our own snapshot")
}

fn advance(fleet: &mut Fleet, step: &Step) -> Option<Result<Outcome, Rejection>> {
    let next = Revision(fleet.revision().0 + 1);
    match step {
        Step::Entry(entry) => Some(fleet.apply(next, entry)),
        Step::Empty => {
            fleet.advance(next);
            None
        }
        Step::Snapshot => None,
    }
}

impl Past {
    fn remember(
        &mut self,
        before: &Seen,
        step: &Step,
        answer: Option<&Result<Outcome, Rejection>>,
        after: &Seen,
    ) {
        self.epochs.extend(after.databases.iter().map(|(id, database)| (*id, database.epoch)));
        for (server, (incarnation, state)) in &before.servers {
            let tenure = Tenure { server: *server, incarnation: *incarnation };
            if state.is_alive() && !after.is_alive(tenure) {
                self.ended.push(tenure);
            }
        }
        let (Step::Entry(Entry { command, .. }), Some(Ok(outcome))) = (step, answer) else { return };
        if let (
            Command::CreateDatabase { key: Some(key), .. } | Command::ForkDatabase { key: Some(key), .. },
            Outcome::Database { database, .. },
        ) = (command, outcome)
        {
            self.made.entry(*key).or_insert(*database);
        }
    }
}
