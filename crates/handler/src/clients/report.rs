//! Telling the controllers where clients are and how far servers.

use futures::FutureExt;
use rpc::load::ClientsReport;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval};

use super::RoundTrips;
use crate::handler::Handler;

/// How often it is looked whether there is something to tell.
const EVERY: Duration = Duration::from_secs(1);

/// Reports until dropped. What a report did not tell, the next one does.
pub(crate) async fn report(handler: &Handler) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trips = RoundTrips::default();
    // At once: until it knows which locations there are, what clients say of their own counts for nothing.
    let mut measure_at = Instant::now();
    loop {
        ticks.tick().await;
        let due = Instant::now() >= measure_at;
        if due {
            measure_at = Instant::now() + RoundTrips::pause();
            measure(handler, &mut trips).await;
        }
        let counts = handler.counts.told_next(ClientsReport::COUNTS_MAX);
        if counts.is_empty() && !due {
            continue;
        }
        let report = ClientsReport {
            handler: handler.own.id(),
            location: handler.locations.own().to_string(),
            counts,
            round_trips: trips.told(ClientsReport::ROUND_TRIPS_MAX),
        };
        let sent = report.clone();
        let asked = handler.controllers.leader(move |client, context| {
            let report = sent.clone();
            async move { client.report_clients(context, report).await }.boxed()
        });
        match asked.await {
            Ok(()) => handler.counts.told(&report.counts),
            Err(error) => tracing::debug!(%error, "cannot report on clients yet"),
        }
    }
}

async fn measure(handler: &Handler, trips: &mut RoundTrips) {
    let servers =
        handler.controllers.any(|client, context| async move { client.servers(context).await }.boxed()).await;
    let handlers = handler
        .controllers
        .any(|client, context| async move { client.handlers(context).await }.boxed())
        .await;
    let (Ok(servers), Ok(handlers)) = (servers, handlers) else { return };
    let places = servers.iter().map(|server| server.location.as_str());
    handler.locations.learn(places.chain(handlers.iter().map(|handler| handler.location.as_str())));
    trips.measure(&servers, &*handler.host.dial).await;
    for trip in trips.told(ClientsReport::ROUND_TRIPS_MAX) {
        crate::metrics::round_trip(&trip.location, trip.round_trip_us);
    }
}
