//! The one task that owns a database from its loading to its end. Everybody else holds a handle.
//!
//! It waits, commits, and asks the doors what to do. In whatever way it ends, even by a panic, the database leaves the
//! table, so that it can be loaded again.

use std::sync::Arc;

use journal::AppendError;
use rpc::server::ServerRefusal;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::{
    Shared,
    commit::{CommitError, Committer},
    doors::{Next, Why},
    load::load,
    resident::{Phase, Resident},
};
use crate::{answers::Ending, limits::CUT_PATIENCE, measures};

/// The task of a database that was just entered into the table.
pub fn own(shared: Arc<Shared>, resident: Arc<Resident>) -> impl Future<Output = ()> {
    // Not within the load that began it: it goes on long after.
    let span =
        tracing::info_span!(parent: None, "database", database = %resident.id, epoch = %resident.epoch);
    live(shared, resident).instrument(span)
}

async fn live(shared: Arc<Shared>, resident: Arc<Resident>) {
    let mut end = End { refusal: failed(&resident, "its owner task ended early"), shared, resident };
    let (world, resident) = (Arc::clone(&end.shared.world), Arc::clone(&end.resident));
    let started = Instant::now();
    let mut committer = match load(&world, &resident).await {
        Ok(committer) => committer,
        Err(refusal) => {
            measures::load_failed();
            end.refusal = refusal;
            return;
        }
    };
    tracing::debug!(took_us = started.elapsed().as_micros(), "loaded");
    let _loaded = measures::loaded(started.elapsed());
    let why = serve(&mut committer).await;
    end.refusal =
        ServerRefusal::EpochSpent { database: resident.id, epoch: resident.epoch, journal: resident.epoch };
    put_away(committer, why).await;
}

/// Serves until the database is to be left and nobody is inside.
async fn serve(committer: &mut Committer) -> Why {
    let resident = Arc::clone(&committer.resident);
    let mut lost = false;
    loop {
        let next = if lost {
            resident.next(committer.world.patience())
        } else {
            work(committer).await.unwrap_or_else(|error| {
                lost = true;
                committer.world.environment.journal_failed();
                lose(&resident, &error)
            })
        };
        match next {
            Next::Leave(why) => return if lost { Why::Lost } else { why },
            Next::Cut => resident.cut(Ending::NotOwner { epoch: Some(resident.epoch) }),
            // Of a copy that is lost there is nothing to open or close; who waits for it is told so.
            Next::Wait(None) | Next::Warm | Next::Cool => wait(&resident).await,
            Next::Wait(Some(until)) => tokio::select! {
                biased;
                () = resident.woken() => {}
                () = sleep_until(until) => {}
            },
        }
    }
}

/// Does what there is to do now, and tells what to do then: never [`Next::Warm`] or [`Next::Cool`].
async fn work(committer: &mut Committer) -> Result<Next, CommitError> {
    loop {
        committer.commit_and_prove().await?;
        if committer.resident.takes_checkpoint() {
            committer.checkpoint().await;
        }
        match committer.resident.next(committer.world.patience()) {
            Next::Warm => committer.warm().await?,
            Next::Cool => committer.cool().await?,
            next @ (Next::Wait(_) | Next::Cut | Next::Leave(_)) => return Ok(next),
        }
    }
}

async fn wait(resident: &Resident) {
    if !resident.is_cut() {
        return resident.woken().await;
    }
    if timeout(CUT_PATIENCE, resident.woken()).await.is_err() {
        tracing::warn!(
            sessions = resident.doors().sessions(),
            "sessions do not end though they were cut off"
        );
    }
}

/// Nothing more becomes durable: everybody out.
fn lose(resident: &Resident, error: &CommitError) -> Next {
    match error {
        CommitError::Append(AppendError::Fenced { .. }) | CommitError::Superseded => {
            tracing::warn!(reason = crate::chain(error), "another owner has the database");
        }
        CommitError::Append(_) | CommitError::Abandoned | CommitError::Engine(_) => {
            tracing::error!(reason = crate::chain(error), "commits are lost; the database is dropped here");
        }
    }
    measures::commit_failed();
    let ending = error.ending(resident);
    resident.lose(ending.clone());
    resident.cut(ending);
    resident.close(Why::Lost, Instant::now());
    Next::Wait(Some(Instant::now()))
}

/// Seals the journal, closes the engine and removes the working copy. Nobody is inside.
async fn put_away(mut committer: Committer, why: Why) {
    let started = Instant::now();
    if why != Why::Lost
        && let Err(error) = committer.seal().await
    {
        // An unsealed journal is as safe; the next owner's fence is only kept longer.
        tracing::warn!(reason = crate::chain(&error), "the journal was not sealed");
    }
    let Committer { world, resident, mut copy, .. } = committer;
    if let Err(error) = copy.close().await {
        tracing::warn!(reason = crate::chain(&error), "the working copy was not closed well");
    }
    world.remove_copy(&resident).await;
    match why {
        Why::Idle | Why::Room | Why::Lost | Why::Shutdown | Why::Pressure => {
            world.reports.add(resident.id, resident.epoch)
        }
        // The controllers know already.
        Why::Released | Why::Expired => {}
    }
    measures::put_away(why);
    tracing::info!(?why, took_us = started.elapsed().as_micros(), "put away");
}

fn failed(resident: &Resident, reason: &str) -> ServerRefusal {
    ServerRefusal::Failed { database: resident.id, reason: reason.into() }
}

/// Takes the database from the table, whatever happens.
struct End {
    refusal: ServerRefusal,
    shared: Arc<Shared>,
    resident: Arc<Resident>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.shared.forget(&self.resident);
        // If the task ended in the middle of a put, that may have landed.
        self.resident.lose(Ending::Unknown);
        self.resident.cut(Ending::NotOwner { epoch: Some(self.resident.epoch) });
        self.resident.set_phase(Phase::Gone(self.refusal.clone()));
    }
}
