//! Looks after servers that answer but are slow: empties them as an operator would, and lets them work again once they
//! are well. See [`Grey`](crate::decide::Grey) for when.

use std::{collections::BTreeSet, sync::Arc};

use model::{Cause, Command, Event, ServerState, Tenure, What, Why};
use tokio::time::Instant;

use super::Node;
use crate::{
    decide::{Care, Patient, Slowness, Treatment},
    meter,
    reign::Reign,
};

impl Node {
    /// Looks at all servers that live.
    pub(super) fn look_after_slow(self: &Arc<Self>, reign: &Arc<Reign>, now: Instant) {
        let slowness = Slowness::default();
        let alive: Vec<(Tenure, ServerState)> = self.view.read(|state| {
            let alive = state.fleet().servers().filter(|(_, server)| server.state.is_alive());
            alive
                .map(|(server, record)| (Tenure { server, incarnation: record.incarnation }, record.state))
                .collect()
        });
        let treatment = reign.state(|state| {
            state.emptied.retain(|tenure| alive.contains(&(*tenure, ServerState::Draining)));
            let fresh = |tenure| {
                let seen = state.liveness.seen(tenure)?;
                (now.saturating_duration_since(seen.at) <= self.settings.lease).then_some(seen.load.health)
            };
            let patients: Vec<Patient> = alive
                .iter()
                .map(|(tenure, server)| Patient {
                    tenure: *tenure,
                    care: care(*server, state.emptied.contains(tenure)),
                    slow: fresh(*tenure).map(|health| slowness.shows(&health)),
                })
                .collect();
            state.grey.tick(&patients, now)
        });
        if let Some(treatment) = treatment {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move { node.treat(&reign, treatment).await });
        }
    }

    /// Servers that an earlier leader has emptied because they were slow. When that is forgotten, they stay drained until
    /// an operator says otherwise.
    pub(super) fn emptied_before(&self) -> BTreeSet<Tenure> {
        self.view.read(|state| {
            let last = |server| {
                let about = |event: &&Event| {
                    event.from == Some(server)
                        && matches!(event.what, What::ServerDraining | What::ServerUndrained)
                };
                state.fleet().events().iter().rev().find(about)
            };
            let draining =
                state.fleet().servers().filter(|(_, record)| record.state == ServerState::Draining);
            draining
                .filter(|(server, _)| {
                    last(*server).is_some_and(|event| event.cause == Some(Cause::SlowServer))
                })
                .map(|(server, record)| Tenure { server, incarnation: record.incarnation })
                .collect()
        })
    }

    async fn treat(&self, reign: &Reign, treatment: Treatment) {
        let (tenure, draining) = match treatment {
            Treatment::Empty(tenure) => (tenure, true),
            Treatment::Restore(tenure) => (tenure, false),
        };
        let Tenure { server, incarnation } = tenure;
        let health = reign.state(|state| state.liveness.seen(tenure)).map(|seen| seen.load.health);
        let health = health.unwrap_or_default();
        let why = Why::new(Cause::SlowServer, format!("{health}"));
        let command = Command::DrainServer { server, incarnation, draining };
        match self.propose_because(why, command).await {
            Ok(proposed) if proposed.outcome.is_ok() => {
                if draining {
                    reign.state(|state| state.emptied.insert(tenure));
                }
                let name = self.called(server);
                if draining {
                    tracing::warn!(server = %name, %health, "a server answers but is slow: it is emptied");
                } else {
                    tracing::info!(server = %name, %health, "a slow server is well again: it takes databases");
                }
                meter::slow_server(draining);
            }
            Ok(_) => tracing::debug!(%server, "a slow server was gone before it could be treated"),
            Err(error) => {
                tracing::warn!(%server, %error, "a slow server could not be treated");
                reign.state(|state| state.grey.not_done());
            }
        }
    }
}

fn care(server: ServerState, emptied: bool) -> Care {
    match (server, emptied) {
        (ServerState::Draining, true) => Care::Emptied,
        (ServerState::Draining, false) => Care::Drained,
        (ServerState::Up | ServerState::Down, _) => Care::Up,
    }
}
