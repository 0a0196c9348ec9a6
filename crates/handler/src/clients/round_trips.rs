//! How far servers are: for each of their locations the shortest of the last times that connecting to one of them took.
//!
//! Connecting takes one round trip, and is done anyway by whoever attaches; nothing is said on the connection. The
//! shortest of several tells the distance, as everything that comes between only adds to it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use rand::{Rng, seq::IndexedRandom};
use rpc::{Dial, controller::ServerInfo, load::RoundTrip};
use tokio::time::{Instant, timeout};

/// How many measurements count.
const KEPT: usize = 6;
/// How long connecting may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two measurements of the same location; half of it more or less, so that handlers do not march in step.
const EVERY: Duration = Duration::from_secs(10);

/// What was measured of each location.
#[derive(Debug, Default)]
pub(crate) struct RoundTrips(BTreeMap<String, VecDeque<Duration>>);

impl RoundTrips {
    /// How long to wait until the next measurement.
    pub(crate) fn pause() -> Duration {
        EVERY.mul_f64(rand::rng().random_range(0.5..1.5))
    }

    /// Connects to one living server of each location, to all at the same time.
    pub(crate) async fn measure(&mut self, servers: &[ServerInfo], dial: &dyn Dial) {
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for server in servers.iter().filter(|server| server.state.is_alive()) {
            places.entry(&server.location).or_default().push(&server.data_address);
        }
        let measured = places.into_iter().map(|(location, addresses)| async move {
            let address = addresses.choose(&mut rand::rng()).copied()?;
            let began = Instant::now();
            let stream = timeout(TIMEOUT, dial.dial(address)).await.ok()?.ok()?;
            let took = began.elapsed();
            drop(stream);
            Some((location, took))
        });
        for (location, took) in futures::future::join_all(measured).await.into_iter().flatten() {
            self.note(location, took);
        }
        self.0.retain(|known, _| servers.iter().any(|server| server.location == *known));
    }

    fn note(&mut self, location: &str, took: Duration) {
        let kept = self.0.entry(location.into()).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(took);
    }

    /// What is known, for a report.
    pub(crate) fn told(&self, most: usize) -> Vec<RoundTrip> {
        let told = self.0.iter().filter_map(|(location, kept)| {
            let least = kept.iter().min()?;
            let round_trip_us = u64::try_from(least.as_micros()).unwrap_or(u64::MAX);
            Some(RoundTrip { location: location.clone(), round_trip_us })
        });
        told.take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_of_the_last_ones_counts_r22() {
        let mut trips = RoundTrips::default();
        let told = |trips: &RoundTrips| trips.told(9).first().map(|trip| trip.round_trip_us / 1_000);
        for ms in [90, 80, 200, 85, 85, 85] {
            trips.note("west", Duration::from_millis(ms));
        }
        assert_eq!(told(&trips), Some(80));
        for _ in 0..2 {
            trips.note("west", Duration::from_millis(120));
        }
        assert_eq!(told(&trips), Some(85), "the network has changed, and the old ones are forgotten");
    }
}
