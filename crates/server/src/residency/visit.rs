//! A session's presence in a database, and what it may let out of it.

use std::sync::{Arc, atomic::Ordering};

use model::Epoch;
use tokio::{sync::watch, time::Instant};

use super::resident::{Durable, Resident, Signal};
use crate::{
    answers::Ending,
    engine::{CommitSeq, Database},
};

/// A session's presence in a database. It cannot be put away before this is dropped; drop the session first.
pub struct Visit {
    database: Arc<dyn Database>,
    entered: Entered,
}

/// One who has entered.
pub struct Entered(Arc<Resident>);

impl Entered {
    /// The doors have let one in.
    pub(super) fn new(resident: Arc<Resident>) -> Self {
        Self(resident)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.doors().leave(Instant::now());
        self.0.wake();
    }
}

impl Visit {
    pub(super) fn new(database: Arc<dyn Database>, entered: Entered) -> Self {
        Self { database, entered }
    }

    /// The database.
    pub fn database(&self) -> &Arc<dyn Database> {
        &self.database
    }

    /// What the session has to know, now and later.
    pub fn signals(&self) -> watch::Receiver<Signal> {
        self.entered.0.signals()
    }

    /// A step is over: whatever it committed has to go to the journal.
    pub fn stepped(&self) {
        if self.database.committed() > self.entered.0.durable.borrow().through {
            self.entered.0.wake();
        }
    }

    /// Waits until bytes may leave that depend on commits up to `gate`: all of these are durable, and nobody else
    /// owned the database when those bytes were made.
    ///
    /// # Errors
    /// The words to end the session with when they never may.
    pub async fn may_leave(&self, gate: CommitSeq) -> Result<(), Ending> {
        self.settled(gate, |durable| durable.through >= gate).await?;
        if self.entered.0.lease.holds(Instant::now()) {
            return Ok(());
        }
        let mine = self.entered.0.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.entered.0.wake();
        tokio::select! {
            biased;
            settled = self.settled(gate, move |durable| durable.proven >= mine) => settled,
            () = self.entered.0.lease.renewed() => Ok(()),
        }
    }

    /// Waits until `enough`, or until it never will be.
    async fn settled(&self, gate: CommitSeq, enough: impl Fn(&Durable) -> bool) -> Result<(), Ending> {
        let over = |durable: &Durable| enough(durable) || durable.lost.is_some();
        if !over(&self.entered.0.durable.borrow()) {
            let mut durable = self.entered.0.durable.subscribe();
            drop(durable.wait_for(over).await.expect("BUG: the sender is in self"));
        }
        let durable = self.entered.0.durable.borrow();
        match &durable.lost {
            None => Ok(()),
            Some(ending) if durable.through < gate => Err(ending.clone()),
            // It depends on nothing that was lost, but another owner may have gone on meanwhile.
            Some(_) => Err(Ending::NotOwner { epoch: Some(self.entered.0.epoch) }),
        }
    }

    /// The epoch it is served under.
    pub fn epoch(&self) -> Epoch {
        self.entered.0.epoch
    }
}
