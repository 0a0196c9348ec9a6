//! What to do about one request for a route: answer, load, assign, probe or give up.
//!
//! A conversation: [`Routing::next`] says the next step for the map as it is now, the caller takes it and tells the
//! result, and so on until there is an answer. Rules:
//! - A report about an older epoch moves nothing (R19): the present route is the answer.
//! - A route is an answer only once its owner has loaded the database under that epoch.
//! - An owner is given up only when it said that it cannot serve, or when its process is proved dead. One that merely
//!   does not answer keeps the database until its lease lapses, because it may still be answering reads: the request
//!   waits for that.
//! - A silent owner that the brake against mass expiry holds keeps it for longer than anybody waits: the request is
//!   refused, and told why.

use std::collections::BTreeSet;

use model::{Epoch, ServerId, Tenure};
use rpc::controller::{RouteFailed, WhyFailed};

use super::Cause;

/// What the map says of the database now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its epoch.
    pub epoch: Epoch,
    /// Who owns it, in a life that goes on.
    pub owner: Option<Tenure>,
    /// Whether the owner is known to have loaded it under this epoch.
    pub loaded: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell the route.
    Answer,
    /// Tell the owner to load it.
    Load(Tenure),
    /// Give it to a server, but to none of these.
    Assign {
        /// Servers that could not serve it.
        avoid: BTreeSet<ServerId>,
    },
    /// Find out whether the owner's process lives.
    Probe(Tenure),
    /// The owner's life is over: say so in the map, and why.
    Expire(Tenure, Cause),
    /// Wait until the owner answers again or is declared dead.
    Await(Tenure),
    /// Tell that it cannot be done, and why.
    Fail(Trouble),
}

/// Why a server did not serve a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which server.
    pub server: ServerId,
    /// What it said, or that it said nothing.
    pub reason: String,
}

/// Why a load failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadFailure {
    /// The epoch is used up: put away under it, or fenced by a newer one.
    EpochSpent,
    /// The server cannot do it: full, failing, or not ready.
    Unable,
    /// That life of the server is over: it said so, or nothing listens at its address any more.
    Dead(Cause),
    /// No answer.
    Silent,
}

/// One request's way to its route.
#[derive(Clone, Debug)]
pub struct Routing {
    hint: Option<RouteFailed>,
    owners_left: u32,
    avoid: BTreeSet<ServerId>,
    /// The epoch under which the database was loaded just now.
    loaded: Option<Epoch>,
    /// The epoch under which it cannot be loaded any more.
    spent: Option<Epoch>,
    /// The epoch that this request made, under which nobody has been served yet.
    fresh: Option<Epoch>,
    dead: Option<(Tenure, Cause)>,
    /// The owner that gave no answer.
    silent: Option<Tenure>,
    /// A silent owner has answered again: that is believed once.
    answered: bool,
    trouble: Option<Trouble>,
    failed: bool,
}

impl Routing {
    /// For a caller that reports this failure, if any, and with at most so many assignments.
    pub fn new(hint: Option<RouteFailed>, owners_max: u32) -> Self {
        Self {
            hint,
            owners_left: owners_max,
            avoid: BTreeSet::new(),
            loaded: None,
            spent: None,
            fresh: None,
            dead: None,
            silent: None,
            answered: false,
            trouble: None,
            failed: false,
        }
    }

    /// The next step.
    pub fn next(&self, found: &Found) -> Step {
        if let Some(trouble) = self.trouble.clone().filter(|_| self.failed) {
            return Step::Fail(trouble);
        }
        let Some(owner) = found.owner else { return self.assign() };
        if let Some((_, cause)) = self.dead.filter(|(dead, _)| *dead == owner) {
            return Step::Expire(owner, cause);
        }
        if self.silent == Some(owner) {
            return Step::Await(owner);
        }
        if self.spent == Some(found.epoch) {
            return self.assign();
        }
        if self.loaded == Some(found.epoch) {
            return Step::Answer;
        }
        match self.hint.filter(|hint| hint.epoch == found.epoch).map(|hint| hint.why) {
            Some(WhyFailed::Refused) => Step::Load(owner),
            Some(WhyFailed::Unreachable) => Step::Probe(owner),
            None if found.loaded => Step::Answer,
            None => Step::Load(owner),
        }
    }

    /// What the last server said that could not serve it.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.clone()
    }

    fn assign(&self) -> Step {
        match &self.trouble {
            Some(trouble) if self.owners_left == 0 => Step::Fail(trouble.clone()),
            Some(_) | None => Step::Assign { avoid: self.avoid.clone() },
        }
    }

    /// The map took the assignment.
    pub fn on_assigned(&mut self, epoch: Epoch) {
        self.owners_left = self.owners_left.saturating_sub(1);
        self.fresh = Some(epoch);
    }

    /// The owner has it loaded.
    pub fn on_loaded(&mut self, epoch: Epoch) {
        self.loaded = Some(epoch);
    }

    /// The owner has not.
    pub fn on_load_failed(&mut self, epoch: Epoch, owner: Tenure, why: LoadFailure, reason: String) {
        self.trouble = Some(Trouble { server: owner.server, reason });
        match why {
            LoadFailure::EpochSpent => self.spent = Some(epoch),
            LoadFailure::Unable => {
                self.spent = Some(epoch);
                self.avoid.insert(owner.server);
            }
            LoadFailure::Dead(cause) => self.dead = Some((owner, cause)),
            // Nobody was ever sent there under an epoch of our own making, so nobody reads there.
            LoadFailure::Silent if self.fresh == Some(epoch) => {
                self.spent = Some(epoch);
                self.avoid.insert(owner.server);
            }
            LoadFailure::Silent if self.answered => self.failed = true,
            LoadFailure::Silent => self.silent = Some(owner),
        }
    }

    /// The owner that was waited for answers again: ask it about this database.
    pub fn on_answered(&mut self, epoch: Epoch) {
        (self.silent, self.answered) = (None, true);
        self.on_alive(epoch);
    }

    /// The owner is silent, and will not be declared dead soon.
    pub fn on_held(&mut self, epoch: Epoch, owner: Tenure, reason: String) {
        self.answered = true;
        self.on_load_failed(epoch, owner, LoadFailure::Silent, reason);
    }

    /// The owner's process answered after all: ask it about this database.
    pub fn on_alive(&mut self, epoch: Epoch) {
        self.hint = Some(RouteFailed { epoch, why: WhyFailed::Refused });
    }

    /// The owner's life is over in the map as well.
    pub fn on_expired(&mut self) {
        self.dead = None;
    }
}

#[cfg(test)]
mod tests;
