//! Tells the leading controller which conditions were raised and cleared here, so that they stand among the fleet's
//! events (S10). Which of them, the [`Chronicle`] decides; what does not arrive is told again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use conditions::{Change, Chronicle, Scope, Told};
use futures::FutureExt;
use rpc::{
    Controllers,
    conditions::{ConditionChange, ConditionsReport},
    controller::ControllerApiClient,
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Sink;
use crate::{
    life::Life,
    limits::{CONDITIONS_TOLD_EVERY, CONDITIONS_UNTOLD_MAX, USAGE_TIMEOUT},
};

/// What is to be told. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telling(Arc<Mutex<Chronicle>>);

impl Sink for Telling {
    fn changed(&self, change: &Change) {
        let now = Instant::now().into_std();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).on(change, now);
    }
}

impl Telling {
    /// Tells until dropped.
    pub async fn tell(self, controllers: Controllers, life: Life) {
        let mut ticks = interval(CONDITIONS_TOLD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Numbered, so that what is told again is not counted twice.
        let (mut first, mut waiting) = (0, VecDeque::new());
        loop {
            ticks.tick().await;
            if waiting.len() < CONDITIONS_UNTOLD_MAX {
                let now = Instant::now().into_std();
                let due = self.0.lock().unwrap_or_else(PoisonError::into_inner).due(now);
                waiting.extend(due.into_iter().map(told));
            }
            let Some(lived) = life.now() else { continue };
            let changes: Vec<ConditionChange> =
                waiting.iter().take(ConditionsReport::CHANGES_MAX).cloned().collect();
            let count = changes.len();
            let report =
                ConditionsReport { server: lived.server, incarnation: lived.incarnation, first, changes };
            if count > 0 && arrives(&controllers, report).await {
                waiting.drain(..count);
                first += count as u64;
            }
        }
    }
}

async fn arrives(controllers: &Controllers, report: ConditionsReport) -> bool {
    let call = |client: ControllerApiClient, context| {
        let report = report.clone();
        async move { client.report_conditions(context, report).await }.boxed()
    };
    match timeout(USAGE_TIMEOUT, controllers.leader(call)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "cannot tell of conditions yet");
            false
        }
        Err(_) => false,
    }
}

fn told(told: Told) -> ConditionChange {
    let Told { kind, scope, raised, evidence, lasted } = told;
    let database = match scope {
        Scope::Server => None,
        Scope::Database(database) => Some(database),
    };
    let lasted_us = lasted.map(|lasted| u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX));
    ConditionChange { condition: kind.to_string(), database, raised, evidence, lasted_us }
}
