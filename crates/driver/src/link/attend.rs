//! Looks after a link between the application's calls: says back what became of directives, and moves the session
//! where a directive says so (R67, R75).
//!
//! A move opens the new session first and takes the link's lock then, so that calls wait for a few round trips at most.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use directive::{
    Acknowledgement, Outcome,
    action::{Pinned, SwitchTo},
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::SimpleQueryMessage;

use super::{Limits, Link};
use crate::{
    error::Error,
    processor::target,
    protocol::{Address, addresses},
    session::Session,
};

/// How often what waits for something is looked at again.
const TICK: Duration = Duration::from_millis(50);
/// How often anything is, without a reason.
const IDLE: Duration = Duration::from_secs(1);
/// How long one attempt to make a move may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Ends with the link.
pub(super) async fn attend(link: Weak<Link>) {
    let mut pause = IDLE;
    loop {
        let Some(strong) = link.upgrade() else { return };
        if pause == IDLE {
            // The link must be able to go meanwhile.
            let (shared, woken) = (strong.shared.clone(), Arc::downgrade(&strong));
            drop(strong);
            wait(&woken, pause).await;
            drop(shared);
        } else {
            drop(strong);
            tokio::time::sleep(pause).await;
        }
        let Some(link) = link.upgrade() else { return };
        link.shared.expire(&link);
        let more = link.acknowledge().await;
        let waits = link.follow().await;
        pause = if more || waits { TICK } else { IDLE };
    }
}

/// Until somebody wakes the link, or the time is over.
async fn wait(link: &Weak<Link>, pause: Duration) {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        let Some(strong) = link.upgrade() else { return };
        let woken = timeout(TICK, strong.wake.notified()).await.is_ok();
        if woken {
            return;
        }
    }
}

/// A move that is to be made.
struct Move {
    id: String,
    to: SwitchTo,
    pinned: Pinned,
    left: Duration,
}

impl Link {
    /// Says back what is to be said. Whether there is more.
    async fn acknowledge(&self) -> bool {
        let Ok(slot) = self.slot.try_read() else { return true };
        let Some(session) = slot.as_ref() else { return false };
        timeout(ATTEMPT, session.acknowledge()).await.unwrap_or(false)
    }

    /// Makes a move, if one is to be made. Whether it waits for something.
    async fn follow(self: &Arc<Self>) -> bool {
        let Some(change) = self.wanted() else { return false };
        let pinned = {
            let Ok(slot) = self.slot.try_read() else {
                return change.pinned == Pinned::Wait || self.stay(&change);
            };
            let Some(session) = slot.as_ref().filter(|session| !session.is_ended()) else { return false };
            self.memory().pin().or(session.watch.in_transaction().then_some("an open transaction"))
        };
        match (pinned, change.pinned) {
            (Some(_), Pinned::Wait) => return true,
            (Some(_), Pinned::Stay) => return self.stay(&change),
            (None, _) => {}
        }
        let limits = Limits::from_now(change.left.min(ATTEMPT));
        match self.go(&change, limits).await {
            Ok(true) => self.moved(&change, Ok(())),
            Ok(false) => return true,
            Err(error) => self.moved(&change, Err(error)),
        }
        false
    }

    /// The move that a directive asks for, unless it was tried.
    fn wanted(&self) -> Option<Move> {
        let (address, database) = self.target();
        let change = {
            let (processor, servers, databases) =
                (&self.shared.processor, [address.as_str()], [database.as_str()]);
            let state = processor.state();
            let now = state.switch(&target(&servers, &databases), processor.now())?;
            Move {
                id: now.id.to_owned(),
                to: now.switch.to.clone(),
                pinned: now.switch.pinned,
                left: Duration::from_millis(now.left_ms),
            }
        };
        let tried = self.state().switched.as_ref().is_some_and(|(id, _)| *id == change.id);
        (!tried).then_some(change)
    }

    /// The session is left where it is, and that is said.
    fn stay(&self, change: &Move) -> bool {
        self.moved(change, Err(Error::SessionLost { what: "what pins it, if it were moved" }));
        false
    }

    /// Opens a session there, makes it like this one, and takes it. False if something came in between.
    async fn go(&self, change: &Move, limits: Limits) -> Result<bool, Error> {
        let plan = self.plan()?;
        let own = addresses(&plan.config)?;
        let here = self.target().0;
        let goals: Vec<Address> = match &change.to {
            SwitchTo::Address(address) => Address::parse(address).into_iter().collect(),
            SwitchTo::Handler if own.iter().any(|one| one.to_string() == here) => return Ok(true),
            SwitchTo::Handler => own,
        };
        let mut refused = None;
        for goal in goals {
            if self.pause(&goal, &plan).is_some() {
                continue;
            }
            let new = match self.try_one(&goal, &plan, limits).await {
                Ok(new) => new,
                Err(trial) => {
                    refused = Some(trial.error);
                    continue;
                }
            };
            let lock = timeout_at(limits.deadline, self.slot.write());
            let Ok(mut slot) = lock.await else { return Ok(false) };
            let Some(old) = slot.as_ref().filter(|old| !old.is_ended()) else { return Ok(false) };
            if self.memory().pin().is_some() || old.watch.in_transaction() {
                return Ok(false);
            }
            self.same(old, &new).await?;
            let done = Acknowledgement { id: change.id.clone(), outcome: Outcome::Done };
            old.outbox.push(done);
            // It came in the old session, so it is answered there, as far as the server still listens.
            let _ = timeout(ATTEMPT, old.acknowledge()).await;
            self.settle(&new, &plan);
            self.shared.meter.switched();
            *slot = Some(new);
            return Ok(true);
        }
        refused.map_or(Ok(false), Err)
    }

    /// Makes statements again on a new session, and compares what the application could tell apart.
    async fn same(&self, old: &Session, new: &Session) -> Result<(), Error> {
        let names: Vec<_> =
            self.memory().settings().map(|(name, sql)| (name.to_owned(), sql.to_owned())).collect();
        let restore = |what: &str| {
            let what = what.to_owned();
            move |source| Error::Restore { what, source: Some(source) }
        };
        for (name, sql) in names {
            // Once more, as it may have been made since the new session was opened.
            new.client.batch_execute(&sql).await.map_err(restore(&name))?;
            let shown = format!("SHOW {name}");
            let (before, after) = (show(old, &shown).await, show(new, &shown).await);
            if before.is_some() && before != after {
                return Err(Error::Restore { what: name, source: None });
            }
        }
        for statement in old.in_use() {
            let known = new.known(&statement).await.map_err(restore("a prepared statement"))?;
            if !statement.is_like(&known) {
                return Err(Error::Restore { what: "a prepared statement".to_owned(), source: None });
            }
        }
        Ok(())
    }

    /// Notes how it ended.
    fn moved(&self, change: &Move, result: Result<(), Error>) {
        let how = match &result {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::info!(id = change.id, how, sessions = self.sessions.load(Ordering::Relaxed), "a move");
        if let Err(error) = result
            && let Ok(slot) = self.slot.try_read()
            && let Some(session) = slot.as_ref()
        {
            let about = error.to_string().chars().filter(|one| !one.is_control()).take(60).collect();
            session
                .outbox
                .push(Acknowledgement { id: change.id.clone(), outcome: Outcome::Failed { about } });
        }
        self.state().switched = Some((change.id.clone(), how));
    }
}

/// A setting's value; `None` where the server does not show it.
async fn show(session: &Session, sql: &str) -> Option<String> {
    let messages = session.client.simple_query(sql).await.ok()?;
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}
