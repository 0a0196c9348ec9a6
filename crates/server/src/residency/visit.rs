//! A session's presence in a database, and what it may let out of it.

use std::{
    ops::RangeInclusive,
    sync::{Arc, atomic::Ordering},
};

use journal::{Position, Settled};
use model::{Epoch, SessionId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attachments::Attached,
    resident::{Durable, Resident, Signal},
    signals::Signals,
};
use crate::{
    answers::Ending,
    engine::{CommitSeq, Database},
    usage::Used,
};

/// A session's presence in a database. It cannot be put away before this is dropped; drop the session first.
pub struct Visit {
    database: Arc<dyn Database>,
    /// The client's session, if it has an id.
    attached: Option<Attached>,
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
        Self { database, attached: None, entered }
    }

    /// The database.
    pub fn database(&self) -> &Arc<dyn Database> {
        &self.database
    }

    /// What the session has to know, now and later.
    pub fn signals(&self) -> Signals {
        let replaced = self.attached.as_ref().map_or_else(CancellationToken::new, |a| a.replaced().clone());
        Signals::new(self.entered.0.signals(), replaced)
    }

    /// Goes on with a client's session: ends its older connections, and waits until the journal has whatever they
    /// published. Nothing more comes of them.
    ///
    /// # Errors
    /// The words to end this connection with: a newer one has come, or the database is left or lost.
    pub async fn attach(&mut self, session: SessionId) -> Result<(), Ending> {
        let resident = Arc::clone(&self.entered.0);
        let mut left = resident.signals();
        let attached = tokio::select! {
            biased;
            attached = resident.attachments.attach(session) => attached.map_err(|_| Ending::Replaced)?,
            _cut = left.wait_for(|signal| matches!(signal, Signal::Cut(_))) => {
                return Err(Ending::NotOwner { epoch: Some(resident.epoch) });
            }
        };
        self.attached = Some(attached);
        let published = self.database.committed();
        resident.wake();
        self.settled(published, |durable| durable.through >= published).await
    }

    /// What became of requests of the session that was attached.
    ///
    /// # Errors
    /// The words to end this connection with when nobody here can say any more.
    pub async fn settle(
        &self,
        session: SessionId,
        numbers: RangeInclusive<u64>,
        begun: Option<Position>,
    ) -> Result<Vec<Settled>, Ending> {
        let resident = &self.entered.0;
        let answer = resident.questions.ask(session, numbers, begun);
        resident.wake();
        // Unanswered means lost.
        let lost = || resident.durable.borrow().lost.clone();
        answer.await.map_err(|_| lost().unwrap_or(Ending::NotOwner { epoch: Some(resident.epoch) }))
    }

    /// Whether this is a client's session with an id.
    pub fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// Up to where the journal is durable.
    pub fn position(&self) -> Position {
        self.entered.0.durable.borrow().position
    }

    /// A step is over: whatever it committed has to go to the journal. May block the calling thread, unless the next
    /// writer waits for it.
    pub fn stepped(&self, awaited: bool) {
        self.entered.0.commit(&*self.database, awaited);
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

    /// What the database has used, to be counted on.
    pub fn used(&self) -> &Used {
        &self.entered.0.used
    }

    /// The epoch it is served under.
    pub fn epoch(&self) -> Epoch {
        self.entered.0.epoch
    }
}
