//! What a leader does of its own accord, and how a reign begins and ends.

use std::sync::Arc;

use model::{Cause, Command, DatabaseId, Epoch, Fact, FleetId, RequestId, Tenure, What};
use openraft::{ServerState as RaftState, async_runtime::watch::WatchReceiver};
use rpc::server::PurgeRequest;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Node;
use crate::{
    balance::Mode,
    decide::{Errand, Facts},
    limits::{PURGE_RETRY, PURGES_IN_FLIGHT_MAX},
    meter,
    reign::Reign,
};

impl Node {
    /// Follows the engine: begins a reign when this controller becomes the leader, ends it when it ceases to be, and
    /// does the leader's duties meanwhile. Returns when told to stop, or with the reason when the engine stopped.
    pub async fn attend(self: &Arc<Self>, stop: &CancellationToken) -> Result<(), String> {
        let mut metrics = self.raft.server_metrics();
        let mut stalled = self.stalled.subscribe();
        let mut ticks = interval(self.settings.heartbeat.min(self.settings.lease / 8));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            drop(metrics.borrow_and_update());
            self.metrics().running_state.map_err(|fatal| fatal.to_string())?;
            self.succeed().await;
            self.listen().await;
            self.show_readiness();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Its sender is this controller itself.
                _ = stalled.changed() => {}
                changed = metrics.changed() => if changed.is_err() { return Err(self.epitaph()) },
                _ = ticks.tick() => self.tick(),
            }
        }
        self.depose();
        Ok(())
    }

    /// What the engine said last.
    fn epitaph(&self) -> String {
        self.metrics().running_state.err().map_or_else(|| "it is gone".into(), |fatal| fatal.to_string())
    }

    fn show_readiness(&self) {
        let now = self.readiness();
        self.host.ready.send_if_modified(|shown| {
            let changed = *shown != now;
            *shown = now;
            changed
        });
    }

    /// Ends the reign.
    fn depose(&self) {
        meter::brake(false);
        meter::loads(&crate::loads::Gauges::default());
        meter::plans_nothing();
        *self.reign.write().expect("BUG: nothing panics while holding this lock") = None;
        // The next leader finds out by itself.
        *self.facts.lock().expect("BUG: nothing panics while holding this lock") = Facts::default();
    }

    /// Begins or ends a reign as the engine says.
    async fn succeed(self: &Arc<Self>) {
        let metrics = self.metrics();
        let leads = metrics.state == RaftState::Leader
            && metrics.current_leader == Some(metrics.id)
            && self.successor().is_none();
        let reign = self.reign.read().expect("BUG: nothing panics while holding this lock").clone();
        let reigning = reign.map(|reign| reign.term);
        match (leads, reigning) {
            (false, None) => {}
            (false, Some(term)) => {
                tracing::info!(term, "no longer the leader");
                self.depose();
            }
            (true, Some(term)) if term == metrics.current_term => {}
            (true, _) => {
                self.depose();
                // Everything that earlier leaders committed must be in the map before anything is decided by it.
                if self.read_index().await.is_ok() {
                    let term = metrics.current_term;
                    tracing::info!(term, revision = %self.view.revision(), "this controller leads now");
                    let reign = Reign::new(term, &self.settings, Instant::now());
                    reign.state(|state| state.emptied = self.emptied_before());
                    let reign = Arc::new(reign);
                    meter::balance_held(self.settings.balance.mode == Mode::Off);
                    self.ask_prometheus(&reign);
                    *self.reign.write().expect("BUG: nothing panics while holding this lock") = Some(reign);
                    let evidence = format!("controller {}, term {term}", self.settings.id);
                    self.note(Fact::new(What::LeaderElected).evidence(evidence));
                    self.tick();
                }
            }
        }
    }

    pub(super) fn tick(self: &Arc<Self>) {
        self.measure();
        let Some(reign) = self.reign_if_any() else { return };
        self.found_fleet();
        self.record_facts();
        self.look_after_members(&reign);
        let now = Instant::now();
        self.raise_level(&reign, now);
        let up = self.servers_up();
        self.judge_silence(&reign, &up, now);
        self.weigh(&reign, &up, now);
        self.look_after(&reign, &up, now);
        self.survey(&reign, &up);
        self.fail_over(&reign);
        self.clean_up(&reign, &up, now);
        self.make_copies(&reign, &up, now);
        self.look_after_slow(&reign, now);
        self.drain_servers(&reign);
        self.balance(&reign, now);
        self.end_directives_in_time(&reign);
    }

    pub(super) fn servers_up(&self) -> Vec<Tenure> {
        self.view.read(|state| {
            let up = state.fleet().servers().filter(|(_, server)| server.state.is_alive());
            up.map(|(server, record)| Tenure { server, incarnation: record.incarnation }).collect()
        })
    }

    /// Gives a new fleet its id. Proposed again and again until there is one; only the first counts.
    fn found_fleet(self: &Arc<Self>) {
        if self.view.read(|state| state.fleet().id().is_some()) {
            return;
        }
        let node = self.clone();
        self.tasks.spawn(async move {
            let fleet = FleetId(rand::random());
            match node.propose_because(Cause::Started, Command::Found { fleet }).await {
                Ok(proposed) if proposed.outcome.is_ok() => {
                    tracing::info!(%fleet, "fleet founded");
                    node.begin_level().await;
                }
                // Somebody else was first.
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot found the fleet yet"),
            }
        });
    }

    fn clean_up(self: &Arc<Self>, reign: &Arc<Reign>, up: &[Tenure], now: Instant) {
        let purges = self.view.read(|state| {
            let fleet = state.fleet();
            let parent = |id| fleet.fork(id).map(|fork| fork.parent);
            let dropped = fleet.dropped().map(|(id, epoch)| (id, (epoch, parent(id))));
            reign.state(|known| known.cleanup.begin(dropped, up, PURGES_IN_FLIGHT_MAX, now))
        });
        for purge in purges {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let done = node.purge(purge).await;
                reign.state(|state| {
                    state.cleanup.ended(purge.database, done, PURGE_RETRY, Instant::now());
                });
            });
        }
    }

    /// Purges one dropped database and forgets it; tells whether that is done.
    async fn purge(&self, purge: Errand<(Epoch, Option<DatabaseId>)>) -> bool {
        let Errand { database, what: (epoch, parent), on } = purge;
        let facts = self.view.read(|state| {
            Some((state.fleet().id()?, state.fleet().server(on.server)?.control_address.clone()))
        });
        let Some((fleet, address)) = facts else { return false };
        let request = PurgeRequest { request: RequestId(rand::random()), fleet, database, epoch, parent };
        if let Err(error) = self.servers.purge(&address, request).await {
            tracing::warn!(%database, server = %on.server, %error, "cannot purge a dropped database");
            return false;
        }
        match self.propose_because(Cause::CleanUp, Command::ForgetDatabase { database }).await {
            Ok(_) => {
                tracing::info!(%database, "dropped database purged");
                true
            }
            Err(error) => {
                tracing::warn!(%database, %error, "purged, but not forgotten yet");
                false
            }
        }
    }

    fn measure(&self) {
        let metrics = self.metrics();
        let (databases, up) = self.view.read(|state| {
            (
                state.fleet().databases_len(),
                state.fleet().servers().filter(|(_, server)| server.state.is_alive()).count(),
            )
        });
        let leads = metrics.state == RaftState::Leader;
        meter::standing(leads, metrics.current_term, self.view.revision().0, databases, up);
    }
}
