//! Talking to the controllers: registers a life, keeps it alive by heartbeats, begins another when told that it is over.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use conditions::Scope;
use futures::FutureExt;
use model::{FleetId, Incarnation, Registration, Rejection};
use rpc::{
    Controllers, Error as RpcError, Host, Readiness, Refusal,
    controller::{ControllerApiClient, Heartbeat, HeartbeatReply, ServerLoad, ServerRegistered},
};
use sabotage::Sabotage;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::{
    Error,
    lease::Lease,
    life::{Life, Lived},
    limits::{GOODBYE_MAX, LEAVING_HEARTBEAT_MS, NAME_TAKEN_PATIENCE, REGISTER_PAUSE, SHUTDOWN_PATIENCE},
    measures,
    residency::{Residents, Why},
    session::Front,
};

/// What registering and heartbeating need.
pub struct Registrar {
    pub host: Host,
    pub controllers: Controllers,
    pub registration: Registration,
    pub life: Life,
    pub lease: Lease,
    pub front: Arc<Front>,
}

/// How a life went on.
enum Turn {
    /// The controllers say that it is over.
    Over,
    /// The process ends.
    Shutdown,
}

impl Registrar {
    /// Registers a new life, however long it takes. Nothing when the process ends first.
    ///
    /// # Errors
    /// [`Error::NameTaken`] when another live server has the name, and goes on to have it.
    pub async fn register(&self) -> Result<Option<ServerRegistered>, Error> {
        let incarnation = Incarnation(rand::random());
        let mut told = String::new();
        let mut taken_since = None;
        loop {
            let sent = Instant::now();
            let attempt = tokio::select! {
                biased;
                () = self.host.shutdown.cancelled() => return Ok(None),
                attempt = self.attempt(incarnation) => attempt,
            };
            match attempt {
                Ok(registered) => {
                    let lease = Duration::from_millis(registered.lease_ms);
                    let (server, fleet) = (registered.server, registered.fleet);
                    self.life.begin(Lived { server, incarnation, fleet });
                    self.lease.renew(sent, lease);
                    tracing::info!(%server, %incarnation, %fleet, "registered");
                    return Ok(Some(registered));
                }
                Err(error) => {
                    taken_since = says_taken(&error).then(|| taken_since.unwrap_or(sent));
                    if taken_since.is_some_and(|since| since.elapsed() > NAME_TAKEN_PATIENCE) {
                        return Err(Error::NameTaken { name: self.registration.name.clone() });
                    }
                    let reason = crate::chain(&error);
                    // The same trouble again is no news.
                    if reason != told {
                        tracing::warn!(reason, "cannot register yet");
                        self.not_ready(&reason);
                        told = reason;
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.host.shutdown.cancelled() => return Ok(None),
                () = sleep(REGISTER_PAUSE) => {}
            }
        }
    }

    async fn attempt(&self, incarnation: Incarnation) -> Result<ServerRegistered, RpcError> {
        let call = |client: ControllerApiClient, context| {
            let registration = self.registration.clone();
            async move { client.register_server(context, registration, incarnation).await }.boxed()
        };
        self.controllers.leader(call).await
    }

    fn not_ready(&self, reason: &str) {
        self.host.ready.send_replace(Readiness::NotReady(format!("not registered: {reason}")));
    }

    /// Keeps this server alive, in one life after the other, until the process ends.
    ///
    /// # Errors
    /// [`Error::AnotherFleet`], [`Error::NameTaken`].
    pub async fn live(&self, first: ServerRegistered, residents: &Residents) -> Result<(), Error> {
        let fleet = first.fleet;
        let mut registered = first;
        loop {
            self.host.ready.send_replace(Readiness::Ready);
            match self.heartbeats(&registered, residents).await {
                Turn::Shutdown => return Ok(()),
                Turn::Over => assert!(!sabotage::is(Sabotage::Expired), "sabotage: this life is over"),
            }
            tracing::warn!("the controllers say that this server was down; everything is dropped");
            self.not_ready("the last life is over");
            self.lease.end(Instant::now());
            self.life.end();
            residents.drain(Why::Expired, Duration::ZERO).await;
            residents.world().reports.clear();
            registered = match self.register().await? {
                Some(again) => again,
                None => return Ok(()),
            };
            self.check(fleet, &registered)?;
        }
    }

    fn check(&self, own: FleetId, registered: &ServerRegistered) -> Result<(), Error> {
        let found = registered.fleet;
        if found == own { Ok(()) } else { Err(Error::AnotherFleet { own, found }) }
    }

    async fn heartbeats(&self, registered: &ServerRegistered, residents: &Residents) -> Turn {
        tokio::select! {
            biased;
            () = self.host.shutdown.cancelled() => Turn::Shutdown,
            () = self.beat_on(registered.heartbeat_ms, residents) => Turn::Over,
        }
    }

    /// Sends heartbeats until told that this life is over.
    async fn beat_on(&self, every_ms: u64, residents: &Residents) {
        let mut ticks = interval(Duration::from_millis(every_ms.max(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let result = self.beat(residents).await;
            measures::heartbeat(result.is_ok());
            match result {
                Ok(()) => {}
                Err(error) if says_over(&error) => return,
                Err(error) => tracing::warn!(reason = crate::chain(&error), "a heartbeat failed"),
            }
        }
    }

    /// Puts everything away for good, and goes on telling so meanwhile.
    pub async fn leave(&self, residents: &Residents) {
        self.host.ready.send_replace(Readiness::NotReady("ending".into()));
        self.front.environment.measure("ending", Scope::Server, 1.0);
        let telling = async {
            self.beat_on(LEAVING_HEARTBEAT_MS, residents).await;
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = residents.drain(Why::Shutdown, SHUTDOWN_PATIENCE) => {}
            () = telling => {}
        }
        match timeout(GOODBYE_MAX, self.beat(residents)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => tracing::info!("no controller heard that the databases were put away"),
        }
    }

    /// Sends one heartbeat. Does nothing between two lives.
    async fn beat(&self, residents: &Residents) -> Result<(), RpcError> {
        let Some(lived) = self.life.now() else { return Ok(()) };
        let put_away = residents.world().reports.pending();
        let heartbeat = Heartbeat {
            server: lived.server,
            incarnation: lived.incarnation,
            load: self.load(residents),
            put_away: put_away.clone(),
        };
        // The lease counts from the sending of the try that was acknowledged, not from the first.
        let sent = Mutex::new(Instant::now());
        let call = |client: ControllerApiClient, context| {
            *sent.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let heartbeat = heartbeat.clone();
            async move { client.heartbeat(context, heartbeat).await }.boxed()
        };
        let HeartbeatReply { lease_ms, controllers } = self.controllers.leader(call).await?;
        let sent = *sent.lock().unwrap_or_else(PoisonError::into_inner);
        self.lease.renew(sent, Duration::from_millis(lease_ms));
        residents.world().reports.acknowledged(&put_away);
        self.controllers.learn(&controllers);
        Ok(())
    }

    fn load(&self, residents: &Residents) -> ServerLoad {
        ServerLoad {
            databases_loaded: residents.count() as u64,
            sessions: self.front.sessions.load(Ordering::Relaxed) as u64,
            requests_total: self.front.requests.load(Ordering::Relaxed),
            health: self.front.vitals.health(),
        }
    }
}

/// Whether a refused registration means that another live server has the name.
fn says_taken(error: &RpcError) -> bool {
    matches!(error, RpcError::Refused(Refusal::Rejected(Rejection::ServerNameTaken { .. })))
}

/// Whether a refused heartbeat means that this life is over.
fn says_over(error: &RpcError) -> bool {
    matches!(
        error,
        RpcError::Refused(Refusal::Rejected(Rejection::ServerNotUp { .. } | Rejection::ServerUnknown { .. }))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_maps_own_word_ends_a_life() {
        let not_up = Rejection::ServerNotUp { server: model::ServerId(1), incarnation: Incarnation(2) };
        assert!(says_over(&Refusal::from(not_up).into()));
        assert!(!says_over(&Refusal::NotLeader { leader: None }.into()));
        assert!(!says_over(&Refusal::Unavailable { reason: "no quorum".into() }.into()));
    }
}
