//! What is done about a request that takes longer than its database allows (R20, R21).
//!
//! The server is told to end it. Once that is confirmed, or the server has had its time, the leader judges who is to
//! blame. If the database has another server then, the request is provided there again; else it has failed.

use std::time::Duration;

use futures::FutureExt as _;
use model::RequestId;
use rand::Rng;
use rpc::{
    Refusal,
    controller::Route,
    time_limit::{Blame, Overrun, Verdict},
};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use wire::backend::TransactionStatus;

use super::{
    Session,
    deadline::{Late, may_repeat},
    loss::Cut,
    settling::Step,
};
use crate::{
    cancel,
    connection::End,
    failure,
    handler::Handler,
    limits::{REPORTS_MAX, TERMINATE_PATIENCE},
    metrics,
};

impl Session<'_> {
    /// The request in front takes too long: has the server end it. When that was done already, the server has not
    /// confirmed it in time.
    pub(super) async fn overdue(&mut self, late: Late) -> Result<(), End> {
        if self.deadline.is_ending() {
            return self.unconfirmed(late).await;
        }
        info!(
            database = self.client.login.database,
            limit_ms = late.limit.as_millis(),
            "a request exceeds the time limit and is ended"
        );
        self.deadline.end(self.tracker.answers(), late, Instant::now());
        self.down.ending();
        let Some(target) = self.client.entry.handle.target() else { return self.unconfirmed(late).await };
        match timeout(TERMINATE_PATIENCE, cancel::terminate(self.handler, &target)).await {
            Ok(true) => Ok(()),
            // It may come late and must not hit another request: the connection is not used any more.
            Ok(false) | Err(_) => self.unconfirmed(late).await,
        }
    }

    /// The server has ended the request, and says how things stand after it.
    pub(super) async fn ended(&mut self, after: TransactionStatus) -> Result<(), End> {
        let Some(late) = self.deadline.ended() else {
            // Somebody else has it ended at the same moment.
            return self.step(Step::Fail(failure::canceled(), after));
        };
        let scene = self.tracker.scene();
        let repeatable = may_repeat(&scene, !self.tracker.forwarded.is_preamble(), after);
        let verdict = self.report(&late, true, repeatable).await;
        let again = repeatable && verdict.route.is_some();
        metrics::time_limit(if again { "repeated" } else { "canceled" });
        if again {
            self.take_verdict(verdict);
            return self.lost(Cut::Moved, "it exceeded the time limit and another one is to do it").await;
        }
        self.step(Step::Fail(failure::time_limit(late.limit, &verdict.evidence), after))
    }

    /// The server does not confirm the end of the request. With the next owner's fence nothing of it can be kept any
    /// more, and that one says what has become of it.
    async fn unconfirmed(&mut self, late: Late) -> Result<(), End> {
        self.deadline.ended();
        let verdict = self.report(&late, false, true).await;
        let moved = verdict.route.is_some();
        metrics::time_limit(if moved { "fenced" } else { "unconfirmed" });
        // Of a transaction that is open nothing can be kept, unless it is just being committed.
        if moved || self.tracker.ledger.status() != TransactionStatus::Idle {
            self.take_verdict(verdict);
            return self.lost(Cut::Gone, "it exceeded the time limit and does not confirm its end").await;
        }
        warn!(evidence = verdict.evidence, "a request that was not ended has no other server");
        self.abandon(failure::time_limit_unconfirmed(late.limit, &verdict.evidence)).await
    }

    fn take_verdict(&mut self, verdict: Verdict) {
        if let Some(route) = verdict.route {
            self.handler.router.learn(route);
        }
        self.deadline.repeat(self.tracker.answers());
    }

    /// Has the leader judge.
    fn report(
        &self,
        late: &Late,
        confirmed: bool,
        repeatable: bool,
    ) -> impl Future<Output = Verdict> + Send + use<'_> {
        let (handler, route, late) = (self.handler, self.route.clone(), *late);
        async move {
            match route {
                Some(route) => report(handler, &route, &late, confirmed, repeatable).await,
                None => unjudged("the session has no server"),
            }
        }
    }
}

async fn report(handler: &Handler, route: &Route, late: &Late, confirmed: bool, repeatable: bool) -> Verdict {
    let overrun = Overrun {
        request: RequestId(rand::rng().random()),
        database: route.database,
        epoch: route.epoch,
        limit_ms: millis(late.limit),
        elapsed_ms: millis(late.elapsed),
        repeats: late.repeats,
        confirmed,
        repeatable,
        quick: late.quick,
    };
    let mut last = String::new();
    for _ in 0..REPORTS_MAX {
        let told = handler.controllers.leader(move |client, context| {
            async move { client.report_time_limit(context, overrun).await }.boxed()
        });
        match told.await {
            Ok(verdict) => return verdict,
            Err(error) => {
                let pending = matches!(error, rpc::Error::Refused(Refusal::Lost { .. }));
                last = error.to_string();
                if !pending {
                    break;
                }
            }
        }
    }
    unjudged(&last)
}

/// The leader could not be asked: nothing speaks against the server.
fn unjudged(why: &str) -> Verdict {
    Verdict { blame: Blame::Query, evidence: format!("no controller could judge: {why}"), route: None }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
