//! Asks Prometheus while this controller leads, apart from everything else: one that hangs holds up nobody.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Node;
use crate::{loads::Client, reign::Reign};

impl Node {
    /// Begins to ask for this reign, if Prometheus is among the sources.
    pub(super) fn ask_prometheus(self: &Arc<Self>, reign: &Arc<Reign>) {
        let Some(settings) = self.settings.prometheus.clone() else { return };
        let every = settings.interval.max(Duration::from_millis(100));
        let client = match Client::new(settings, self.host.dial.clone()) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(error, "Prometheus is not asked");
                reign.state(|state| state.loads.cannot_ask(error));
                return;
            }
        };
        let (reign, shutdown) = (Arc::downgrade(reign), self.host.shutdown.clone());
        self.tasks.spawn(shutdown.run_until_cancelled_owned(ask(client, reign, every)));
    }
}

/// Asks until the reign is over.
async fn ask(client: Client, reign: Weak<Reign>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let round = client.round().await;
        let Some(reign) = reign.upgrade() else { return };
        reign.state(|state| state.loads.on_round(round, Instant::now()));
    }
}
