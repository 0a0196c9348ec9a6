//! How the set of controllers changes: one step at a time, none of which loses the quorum.
//!
//! | wanted | steps |
//! |---|---|
//! | add | the new one becomes a learner, is sent everything, and becomes a voter once it has caught up |
//! | remove | one that leads hands over first; then it is taken off the list, if those that remain can do without it |
//! | replace | the new one is added, and takes the old one's place in one change |
//! | nothing | what a dead leader left half done is finished, and a voter that lost its disk is added again |
//!
//! Every learner is on its way to become a voter, so that any leader can go on. Each wish may be repeated at any time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::formation::Newcomer;

/// The controllers, as the leader sees them.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// The leader itself.
    pub me: u64,
    /// The addresses of all.
    pub addresses: BTreeMap<u64, String>,
    /// Those that vote.
    pub voters: BTreeSet<u64>,
    /// Whether the list is committed and not in between two others.
    pub settled: bool,
    /// Whether it is committed, and in between two others: somebody has to finish that.
    pub halfway: bool,
    /// Those that answer, the leader included.
    pub answering: BTreeSet<u64>,
    /// Those that have nearly everything.
    pub caught_up: BTreeSet<u64>,
    /// Those that say that their disk is new.
    pub joining: BTreeSet<u64>,
    /// A newcomer, and whose place it takes.
    pub replacing: Option<(u64, u64)>,
}

/// One change of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends everything to one more.
    AddLearner {
        /// Its id.
        id: u64,
        /// Its address.
        address: String,
    },
    /// Lets it vote.
    Promote {
        /// Who.
        id: u64,
        /// Who leaves for it.
        instead_of: Option<u64>,
    },
    /// Counts on it no more until it has caught up.
    Demote {
        /// Who.
        id: u64,
    },
    /// Takes it off the list.
    Remove {
        /// Who.
        id: u64,
    },
    /// Finishes what is halfway.
    Finish,
}

/// In the words that events keep.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLearner { id, address } => write!(f, "{id} at {address} added as a learner"),
            Self::Promote { id, instead_of: None } => write!(f, "{id} votes"),
            Self::Promote { id, instead_of: Some(old) } => write!(f, "{id} votes in the place of {old}"),
            Self::Demote { id } => write!(f, "{id} is a learner until it has caught up"),
            Self::Remove { id } => write!(f, "{id} removed"),
            Self::Finish => f.write_str("what was halfway is done"),
        }
    }
}

/// What follows from a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is so.
    Done,
    /// This is to be done, and then the wish repeated.
    Do(Step),
    /// Leadership goes there first.
    HandOver(u64),
    /// It is on its way.
    Wait,
    /// It will not be done.
    Refuse(String),
}

impl Members {
    /// What the leader does without being asked.
    pub fn of_its_own_accord(&self) -> Option<Step> {
        if self.halfway {
            return Some(Step::Finish);
        }
        if !self.settled {
            return None;
        }
        let lost = self.voters.iter().find(|id| self.joining.contains(id) && self.can_do_without(**id));
        if let Some(id) = lost {
            return Some(Step::Demote { id: *id });
        }
        let mut learners = self.addresses.keys().filter(|id| !self.voters.contains(id));
        let ready = learners.find(|id| self.caught_up.contains(id) && self.answering.contains(id))?;
        let old = self.replacing.filter(|(new, _)| new == ready).map(|(_, old)| old);
        // A leader that is replaced hands over first, when it is asked again.
        let instead_of = old.filter(|old| *old != self.me && self.voters.contains(old));
        Some(Step::Promote { id: *ready, instead_of })
    }

    /// Adds one.
    pub fn add(&self, newcomer: &Newcomer) -> Answer {
        self.add_beside(newcomer, None)
    }

    fn add_beside(&self, newcomer: &Newcomer, leaving: Option<u64>) -> Answer {
        let Newcomer { id, address, joining, .. } = newcomer;
        match self.addresses.get(id) {
            Some(listed) if listed == address && self.voters.contains(id) => return Answer::Done,
            Some(listed) if listed == address => return Answer::Wait,
            Some(listed) => {
                return Answer::Refuse(format!(
                    "controller {id} is a member already, at {listed}; give the one at {address} an id of its own, or \
                     replace {id} by it"
                ));
            }
            None => {}
        }
        if let Some((other, _)) = self.addresses.iter().find(|(_, listed)| *listed == address) {
            return Answer::Refuse(format!(
                "{address} is the address of controller {other}, but controller {id} answers there"
            ));
        }
        if !joining {
            return Answer::Refuse(format!(
                "controller {id} at {address} has data of an earlier membership, which must not be used again; stop it, \
                 empty its data directory, and start it anew"
            ));
        }
        let mut learners =
            self.addresses.keys().filter(|id| !self.voters.contains(id) && Some(**id) != leaving);
        if let Some(other) = learners.next() {
            return Answer::Refuse(format!(
                "controller {other} ({}) is being added and not done yet; wait for it, or remove it",
                self.addresses[other]
            ));
        }
        match self.settled {
            true => Answer::Do(Step::AddLearner { id: *id, address: address.clone() }),
            false => Answer::Wait,
        }
    }

    /// Removes one.
    pub fn remove(&self, id: u64) -> Answer {
        let Some(address) = self.addresses.get(&id) else { return Answer::Done };
        if !self.settled {
            return Answer::Wait;
        }
        if !self.voters.contains(&id) {
            return Answer::Do(Step::Remove { id });
        }
        if self.voters.len() == 1 {
            return Answer::Refuse(format!("controller {id} ({address}) is the only one that votes"));
        }
        if !self.can_do_without(id) {
            return Answer::Refuse(format!(
                "without controller {id} ({address}), {} of the other {} are needed, and there is no answer from {}; \
                 bring that back, or remove or replace it first",
                (self.voters.len() - 1) / 2 + 1,
                self.voters.len() - 1,
                self.silent_but(id)
            ));
        }
        if id == self.me { self.hand_over_to_any() } else { Answer::Do(Step::Remove { id }) }
    }

    /// Replaces one by another.
    pub fn replace(&self, old: u64, newcomer: &Newcomer) -> Answer {
        let moved = newcomer.id == old;
        match self.addresses.get(&old) {
            None if moved || self.addresses.contains_key(&newcomer.id) => self.add(newcomer),
            None => Answer::Refuse(format!("there is no controller {old}; to have one more, add it")),
            Some(address) if moved && *address == newcomer.address => self.add(newcomer),
            Some(_) if moved && !newcomer.joining => Answer::Refuse(format!(
                "controller {old} at {} has data of an earlier membership, which must not be used again; stop it, empty \
                 its data directory, and start it anew",
                newcomer.address
            )),
            // One id stands for one place at a time.
            Some(_) if moved => self.remove(old),
            Some(_) => match self.add_beside(newcomer, Some(old)) {
                Answer::Done => self.remove(old),
                unfinished @ (Answer::Do(_) | Answer::HandOver(_) | Answer::Wait | Answer::Refuse(_)) => {
                    unfinished
                }
            },
        }
    }

    /// Makes another one lead.
    pub fn transfer(&self, to: u64) -> Answer {
        match self.addresses.get(&to) {
            _ if to == self.me => Answer::Done,
            None => Answer::Refuse(format!("there is no controller {to}")),
            Some(address) if !self.voters.contains(&to) => {
                Answer::Refuse(format!("controller {to} ({address}) does not vote yet"))
            }
            Some(address) if !self.answering.contains(&to) => {
                Answer::Refuse(format!("controller {to} ({address}) does not answer"))
            }
            Some(_) => Answer::HandOver(to),
        }
    }

    fn hand_over_to_any(&self) -> Answer {
        let mut others = self.voters.iter().filter(|id| **id != self.me && self.answering.contains(id));
        let ready = others.clone().find(|id| self.caught_up.contains(id));
        match ready.or_else(|| others.next()) {
            Some(to) => Answer::HandOver(*to),
            None => Answer::Wait,
        }
    }

    /// Whether a majority of the other voters answers.
    fn can_do_without(&self, id: u64) -> bool {
        let others = self.voters.iter().filter(|other| **other != id);
        let (of, answering) = (others.clone().count(), others.filter(|other| self.counts(**other)).count());
        of > 0 && answering > of / 2
    }

    fn counts(&self, id: u64) -> bool {
        self.answering.contains(&id) && !self.joining.contains(&id)
    }

    fn silent_but(&self, id: u64) -> String {
        let silent = self.voters.iter().filter(|other| **other != id && !self.counts(**other));
        let named = silent.map(|id| match self.addresses.get(id) {
            Some(address) => format!("controller {id} ({address})"),
            None => format!("controller {id}"),
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
