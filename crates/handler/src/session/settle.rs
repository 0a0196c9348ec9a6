//! Asking the next owner what became of the requests whose server was lost, and telling the client.
//!
//! What follows from the answers, [`super::settling`] decides.

use bytes::BytesMut;
use rpc::session::Settled;
use tracing::{debug, info};
use wire::backend::{TransactionStatus, ready_for_query};

use super::{
    Session,
    down::Heard,
    settling::{Plan, Rest, Step, Unanswered},
};
use crate::{
    backend::{Backend, Denied},
    connection::End,
    failure::{self, Failure, NotDone},
    metrics,
    sessions::Order,
};

impl Session<'_> {
    /// The server is gone and requests have no answer: finds out what became of each, and goes on.
    pub(super) async fn settle(&mut self) -> Result<(), End> {
        let unanswered = self.cut_short().await?;
        let numbers = unanswered.numbers();
        let (first, last) = (self.tracker.number, self.tracker.number + numbers - 1);
        // These have been used. Where the next server begins, it says itself: see `Told::begin`.
        self.next_number = last + 1;
        let (settled, unknown, backend) = match self.attach(Some((first, last)), Order::End).await? {
            Ok(backend) => {
                let settled: Vec<Settled> = (first..=last)
                    .map(|number| backend.told.settled.get(&number).cloned())
                    .map(known)
                    .collect();
                let unknown = failure::completion_unknown("the server that took over cannot tell");
                (settled, unknown, Some(backend))
            }
            Err(denied) => (
                Vec::new(),
                failure::completion_unknown(&format!("nobody could be asked, {}", why(&denied))),
                None,
            ),
        };
        let database = &self.client.login.database;
        info!(database, first, last, answers = labels(&settled), "unanswered requests were settled");
        metrics::settled(settled.iter().map(label));
        let not_again = if self.client.entry.handle.is_canceled() {
            Some(NotDone::Canceled)
        } else if !unanswered.at_hand {
            Some(NotDone::NotKept)
        } else {
            (!self.tracker.may_resend()).then_some(NotDone::TooOften)
        };
        self.carry_out(unanswered.plan(&settled, &unknown, not_again), backend).await
    }

    /// What is unanswered was certainly not done, and cannot be sent again.
    pub(super) async fn refuse(&mut self) -> Result<(), End> {
        let unanswered = self.cut_short().await?;
        self.next_number = self.tracker.number + unanswered.numbers();
        let absent: Vec<Settled> = (0..unanswered.numbers()).map(|_| Settled::Absent).collect();
        // Nothing is left to be unknown.
        let unknown = failure::completion_unknown("nobody was asked");
        self.carry_out(unanswered.plan(&absent, &unknown, Some(NotDone::NotKept)), None).await
    }

    /// What has no answer. A message that is cut in the middle and not kept is taken to its end, to be thrown away.
    async fn cut_short(&mut self) -> Result<Unanswered, End> {
        let unanswered = self.tracker.unanswered();
        if unanswered.at_hand || !self.tracker.mid_request {
            return Ok(unanswered);
        }
        let left = self.up.left();
        let client = &mut *self.client;
        tokio::select! {
            thrown = client.link.throw_away(left) => thrown.map_err(|_| End::Quietly)?,
            _ = client.entry.handle.ordered(Order::End) => return Err(End::Because(failure::shutting_down())),
        }
        self.up.thrown_away(&mut self.tracker);
        Ok(self.tracker.unanswered())
    }

    async fn carry_out(&mut self, plan: Plan, backend: Option<Backend>) -> Result<(), End> {
        self.down.reset();
        for step in plan.steps {
            self.step(step)?;
        }
        if let Some(pin) = self.tracker.memory.pin() {
            return Err(End::Because(failure::pinned(pin)));
        }
        let local_answers = plan.rest != Rest::Again;
        match plan.rest {
            Rest::Again => {}
            Rest::Transaction(told) => {
                self.local();
                let Self { local: Some(local), tracker, .. } = self else { unreachable!("BUG: made above") };
                match told {
                    Some(failure) => local.fail_transaction(failure, tracker.memory.committing()),
                    None => local.transaction_has_failed(tracker.memory.committing()),
                }
            }
            Rest::Series(failure, status) => self.fail_series(&failure, status)?,
        }
        self.unsend();
        if let Some(backend) = backend {
            self.go_on(backend).await?;
        }
        if local_answers {
            self.tracker.forwarded.clear();
            return self.answer().await;
        }
        Ok(())
    }

    /// Gives the client an answer, and follows it as if its server had given it.
    pub(super) fn step(&mut self, step: Step) -> Result<(), End> {
        let bytes = match step {
            Step::Answer(bytes) => bytes,
            Step::Fail(failure, status) => {
                let mut bytes = BytesMut::new();
                self.may_be_told(&failure)?;
                failure.error(&mut bytes, None);
                ready_for_query(&mut bytes, status);
                bytes.freeze()
            }
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let read = self.down.scan(rest, &mut self.tracker, false);
            let answering = self.tracker.ledger.answering();
            let passed = self.tracker.forwarded.pass(&rest[..read.forward], read.since, answering);
            let (Ok(known), Heard::End | Heard::Private) = (passed, &read.heard) else {
                debug!(heard = ?read.heard, "a stored answer does not fit");
                return Err(End::Because(failure::connection_lost()));
            };
            self.client.link.outbox.extend_from_slice(&rest[known..read.forward]);
            self.handler.traffic.answered(read.answered);
            rest = &rest[read.used..];
        }
        Ok(())
    }

    /// An error can be told between two messages only; then it is the end of what was told before.
    fn may_be_told(&mut self, failure: &Failure) -> Result<(), End> {
        if self.tracker.client_is_mid() {
            return Err(End::Because(failure::connection_lost()));
        }
        self.tracker.forwarded.clear();
        metrics::refused(failure.code);
        Ok(())
    }

    fn fail_series(&mut self, failure: &Failure, status: TransactionStatus) -> Result<(), End> {
        self.may_be_told(failure)?;
        self.local();
        let Self { local: Some(local), tracker, client, .. } = self else { unreachable!("BUG: made above") };
        if status == TransactionStatus::Failed {
            local.transaction_has_failed(tracker.memory.committing());
        }
        local.fail_open_series(failure, status, &mut client.link.outbox);
        Ok(())
    }
}

/// What a server did not mention, nobody can tell.
fn known(settled: Option<Settled>) -> Settled {
    settled.unwrap_or(Settled::Unknown)
}

fn why(denied: &Denied) -> String {
    match denied {
        Denied::Failure(failure) => {
            let detail = failure.detail.as_deref().unwrap_or_default();
            format!("{}: {}", failure.message, detail.trim_end_matches('.'))
        }
        Denied::Told(_) => "because the server that took over refused the session".into(),
    }
}

fn label(settled: &Settled) -> &'static str {
    match settled {
        Settled::Answered(_) => "answered",
        Settled::Done => "done",
        Settled::Absent => "absent",
        Settled::Unknown => "unknown",
    }
}

fn labels(settled: &[Settled]) -> String {
    settled.iter().map(label).collect::<Vec<_>>().join(" ")
}
