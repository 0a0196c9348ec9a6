//! What becomes of a server that is not heard of: the leader's own probe, the brake, and the verdict that requests wait
//! for.

use std::sync::Arc;

use model::{Fact, Tenure, What};
use tokio::time::{Instant, timeout};

use super::Node;
use crate::{
    decide::{Cause, LoadFailure, Turn, Verdict},
    meter,
    reign::Reign,
};

/// What waiting for a verdict came to.
pub(super) enum Fate {
    /// That life is over in the map.
    Over,
    /// It is silent, and the brake holds it; in words for whoever asked.
    Held(String),
    /// It answers again.
    Answers,
}

impl Node {
    /// Declares those dead that were silent for too long, unless the brake says that they are too many.
    pub(super) fn judge_silence(self: &Arc<Self>, reign: &Arc<Reign>, up: &[Tenure], now: Instant) {
        let (expired, turn, engaged) = reign.state(|state| {
            let standing = state.liveness.tick(up.iter().copied(), now);
            let Verdict { expire, turn } = state.brake.tick(&standing, now);
            let expired: Vec<Tenure> =
                expire.into_iter().filter(|tenure| state.expiring.insert(*tenure)).collect();
            (expired, turn, state.brake.engaged())
        });
        match (turn, engaged) {
            (Some(Turn::Engaged), Some(engaged)) => tracing::error!(
                silent = engaged.silent,
                of = engaged.of,
                "brake engaged: too many servers are silent at once, none is declared dead for it; look at the \
                 network and at this controller, or say `stationmaster servers release-brake`"
            ),
            (Some(Turn::Released(after)), _) => tracing::warn!(?after, "brake released"),
            (Some(Turn::Engaged), None) => unreachable!("BUG: what has just been engaged is engaged"),
            (None, _) => {}
        }
        if let Some(turn) = turn {
            let of = engaged.map_or_else(String::new, |on| format!("{} of {} servers", on.silent, on.of));
            self.tell_of_brake(turn, of);
        }
        meter::brake(engaged.is_some());
        reign.speak();
        for tenure in expired {
            self.declare_dead(reign, tenure, Cause::Silent);
        }
    }

    fn tell_of_brake(&self, turn: Turn, silent: String) {
        let fact = match turn {
            Turn::Engaged => Fact::new(What::BrakeOn).evidence(format!("{silent} are silent at once")),
            Turn::Released(after) => Fact::new(What::BrakeOff).took(after),
        };
        self.note(fact.cause(model::Cause::MassExpiry));
    }

    /// Probes the servers whose heartbeats are missing: one whose process is gone need not wait for its lease, nor for
    /// a request.
    pub(super) fn look_after(self: &Arc<Self>, reign: &Arc<Reign>, up: &[Tenure], now: Instant) {
        let overdue: Vec<Tenure> = reign.state(|state| {
            state.answered.retain(|tenure, _| up.contains(tenure));
            let overdue = up.iter().filter(|tenure| state.liveness.overdue(**tenure, now));
            let mut overdue: Vec<Tenure> = overdue.copied().collect();
            overdue.retain(|tenure| !state.expiring.contains(tenure) && state.probing.insert(*tenure));
            overdue
        });
        for tenure in overdue {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let probed = node.probe(tenure).await;
                reign.state(|state| {
                    state.probing.remove(&tenure);
                    if probed.is_ok() {
                        state.answered.insert(tenure, Instant::now());
                    }
                });
                match probed {
                    Ok(()) => reign.speak(),
                    Err((LoadFailure::Dead(cause), _)) => node.declare_dead(&reign, tenure, cause),
                    Err((LoadFailure::Silent | LoadFailure::Unable | LoadFailure::EpochSpent, reason)) => {
                        tracing::debug!(server = %tenure.server, reason, "a silent server was probed")
                    }
                }
            });
        }
    }

    fn declare_dead(self: &Arc<Self>, reign: &Arc<Reign>, tenure: Tenure, cause: Cause) {
        let (node, reign) = (self.clone(), reign.clone());
        self.tasks.spawn(async move {
            if let Err(error) = node.expire(&reign, tenure, cause).await {
                tracing::warn!(server = %tenure.server, %cause, %error, "cannot declare a server dead");
            }
        });
    }

    /// Waits until it is decided that nothing is to be expected of a server: its life is over, or the brake holds it.
    pub(super) async fn lost(&self, reign: &Reign, tenure: Tenure) -> Fate {
        let (mut revisions, mut words) = (self.view.revisions(), reign.words());
        loop {
            revisions.borrow_and_update();
            words.borrow_and_update();
            if self.still_up(tenure).is_err() {
                return Fate::Over;
            }
            if let Some(reason) = self.held_back(reign, tenure) {
                return Fate::Held(reason);
            }
            tokio::select! {
                biased;
                _ = revisions.changed() => {}
                _ = words.changed() => {}
            }
        }
    }

    /// Waits for the verdict on a silent server; nothing when there is none in time.
    pub(super) async fn verdict(&self, reign: &Reign, tenure: Tenure) -> Option<Fate> {
        let since = Instant::now();
        let answers = async {
            let mut words = reign.words();
            loop {
                words.borrow_and_update();
                let answered = |state: &mut crate::reign::State| {
                    let heard = state.liveness.seen(tenure).map(|seen| seen.at);
                    heard.max(state.answered.get(&tenure).copied()).is_some_and(|at| at > since)
                };
                if reign.state(answered) {
                    return Fate::Answers;
                }
                if words.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let fate = async {
            tokio::select! {
                biased;
                fate = self.lost(reign, tenure) => fate,
                fate = answers => fate,
            }
        };
        timeout(self.settings.lease * 2, fate).await.ok()
    }

    /// Why a silent server is not declared dead, in words for whoever asked.
    fn held_back(&self, reign: &Reign, tenure: Tenure) -> Option<String> {
        let engaged = reign.state(|state| {
            state.brake.engaged().filter(|_| state.brake.holds(tenure)).map(|on| (on.silent, on.of))
        });
        engaged.map(|(silent, of)| {
            format!(
                "it is silent, and {silent} of {of} servers are, so the brake against mass expiry is on; \
                 automatic failover stops until some are heard of again or an operator releases the brake"
            )
        })
    }
}
