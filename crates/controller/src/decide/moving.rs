//! A planned change of owner, step by step: who lets go when, and what the map is told then (R27).
//!
//! A conversation like that of a route: [`Moving::next`] says the next step for the map as it is now. Rules:
//! - Nothing is taken from an owner before the one who is to get it has answered.
//! - The map changes only after the owner has let go, under the very epoch that it had it: until then it is the
//!   owner in the map, so that a leader that dies anywhere in between leaves a map that is right.
//! - Somebody else may be faster (the owner puts it away, or dies); then the step is taken again for the map as it is.

use model::{Epoch, Tenure};

use super::{Found, Trouble};

/// Where a database is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To this server.
    To(Tenure),
    /// Away from whoever has it; the next request assigns it.
    Away,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Find out whether that server answers.
    Probe(Tenure),
    /// Make the owner finish with it and put it away.
    Release(Tenure),
    /// Give it to that server in the map.
    Assign(Tenure),
    /// Take it from its owner in the map.
    Unassign,
    /// The map is as it should be.
    Done,
    /// It cannot be done; the owner in the map still has it, or may have it again.
    Fail(Trouble),
}

/// One change of owner.
#[derive(Clone, Debug)]
pub struct Moving {
    aim: Aim,
    answered: bool,
    /// The epoch under which the owner has let go.
    released: Option<Epoch>,
    failed: Option<Trouble>,
}

impl Moving {
    /// Not begun yet.
    pub fn new(aim: Aim) -> Self {
        Self { aim, answered: false, released: None, failed: None }
    }

    /// The next step.
    pub fn next(&self, found: &Found) -> Move {
        if let Some(trouble) = &self.failed {
            return Move::Fail(trouble.clone());
        }
        match (self.aim, found.owner) {
            (Aim::To(to), Some(owner)) if owner == to => Move::Done,
            (Aim::To(to), _) if !self.answered => Move::Probe(to),
            (Aim::Away, None) => Move::Done,
            (Aim::To(_) | Aim::Away, Some(owner)) if self.released != Some(found.epoch) => {
                Move::Release(owner)
            }
            (Aim::To(to), _) => Move::Assign(to),
            (Aim::Away, Some(_)) => Move::Unassign,
        }
    }

    /// Who is to get it answers.
    pub fn on_answered(&mut self) {
        self.answered = true;
    }

    /// The owner has let go under this epoch, or is dead.
    pub fn on_released(&mut self, epoch: Epoch) {
        self.released = Some(epoch);
    }

    /// Who is to get it cannot.
    pub fn on_failed(&mut self, to: Tenure, reason: String) {
        self.failed = Some(Trouble { server: to.server, reason });
    }
}

#[cfg(test)]
mod tests {
    use model::{Incarnation, ServerId};

    use super::*;

    const OWNER: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };
    const TARGET: Tenure = Tenure { server: ServerId(2), incarnation: Incarnation(2) };
    const THIRD: Tenure = Tenure { server: ServerId(3), incarnation: Incarnation(3) };

    fn found(epoch: u64, owner: Option<Tenure>) -> Found {
        Found { epoch: Epoch(epoch), owner, loaded: true }
    }

    fn answered() -> Moving {
        let mut moving = Moving::new(Aim::To(TARGET));
        moving.on_answered();
        moving
    }

    #[test]
    fn the_target_answers_before_the_owner_lets_go_and_the_map_changes_last_r27() {
        let mut moving = Moving::new(Aim::To(TARGET));
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Probe(TARGET));
        moving.on_answered();
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Release(OWNER));
        moving.on_released(Epoch(1));
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Assign(TARGET));
        assert_eq!(moving.next(&found(2, Some(TARGET))), Move::Done);
    }

    #[test]
    fn a_database_that_is_where_it_should_be_is_left_alone() {
        assert_eq!(Moving::new(Aim::To(TARGET)).next(&found(4, Some(TARGET))), Move::Done);
        assert_eq!(Moving::new(Aim::Away).next(&found(4, None)), Move::Done);
    }

    #[test]
    fn a_database_without_an_owner_is_just_assigned() {
        assert_eq!(answered().next(&found(2, None)), Move::Assign(TARGET));
    }

    #[test]
    fn a_server_that_does_not_answer_gets_nothing_and_the_owner_keeps_it() {
        let mut moving = Moving::new(Aim::To(TARGET));
        moving.on_failed(TARGET, "no answer".into());
        let trouble = Trouble { server: TARGET.server, reason: "no answer".into() };
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Fail(trouble));
    }

    #[test]
    fn a_new_owner_in_between_has_to_let_go_as_well() {
        let mut moving = answered();
        moving.on_released(Epoch(1));
        assert_eq!(moving.next(&found(2, Some(THIRD))), Move::Release(THIRD));
        assert_eq!(moving.next(&found(2, None)), Move::Assign(TARGET), "put away in between");
    }

    #[test]
    fn what_is_taken_away_is_released_first() {
        let mut moving = Moving::new(Aim::Away);
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Release(OWNER));
        moving.on_released(Epoch(1));
        assert_eq!(moving.next(&found(1, Some(OWNER))), Move::Unassign);
        assert_eq!(moving.next(&found(2, None)), Move::Done);
    }
}
