//! Where databases' requests come from, and how far servers are from there (R22). Counts by location, faded; no addresses.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{DatabaseId, HandlerId};
use rpc::load::{ClientsOf, ClientsReport};

use super::decayed::{Decayed, HalfLife};

/// All that handlers told. Times are seconds since one beginning.
#[derive(Debug)]
pub struct Clients {
    half_life: HalfLife,
    /// Locations by their index below. Never more than [`LOCATIONS_MAX`].
    locations: Vec<Arc<str>>,
    databases: HashMap<DatabaseId, Vec<(u16, Decayed)>>,
    round_trips: BTreeMap<(HandlerId, Arc<str>), Measured>,
}

/// What one handler measured.
#[derive(Debug)]
struct Measured {
    from: Arc<str>,
    ms: f64,
    at: f64,
}

/// Most locations that are told apart. Requests from further ones count nowhere.
const LOCATIONS_MAX: usize = 1_000;
/// Most locations of one database; one that is new then takes the place of the one with fewest requests.
const LOCATIONS_OF_DATABASE_MAX: usize = 8;
/// What a handler measured counts for so long, in seconds.
const ROUND_TRIP_KEPT: f64 = 120.0;
/// Longest name of a location that is taken, in bytes.
const LOCATION_BYTES_MAX: usize = 63;

impl Clients {
    /// Nothing yet.
    pub fn new(half_life: HalfLife) -> Self {
        Self { half_life, locations: Vec::new(), databases: HashMap::new(), round_trips: BTreeMap::new() }
    }

    /// A handler reported. `exists` tells whether there is such a database.
    pub fn on_report(&mut self, report: &ClientsReport, exists: impl Fn(DatabaseId) -> bool, now: f64) {
        for count in report.counts.iter().filter(|count| exists(count.database)) {
            if let Some(location) = self.location(&count.location) {
                self.count(count.database, location, count.requests as f64, now);
            }
        }
        let Some(from) = self.location(&report.location) else { return };
        let from = self.locations[usize::from(from)].clone();
        for trip in &report.round_trips {
            let Some(to) = self.location(&trip.location) else { continue };
            let to = self.locations[usize::from(to)].clone();
            let ms = trip.round_trip_us as f64 / 1e3;
            self.round_trips.insert((report.handler, to), Measured { from: from.clone(), ms, at: now });
        }
    }

    /// The index of a location; `None` when there are too many, or its name is too long.
    fn location(&mut self, name: &str) -> Option<u16> {
        if let Some(at) = self.locations.iter().position(|known| **known == *name) {
            return u16::try_from(at).ok();
        }
        if self.locations.len() >= LOCATIONS_MAX || name.len() > LOCATION_BYTES_MAX {
            return None;
        }
        self.locations.push(name.into());
        u16::try_from(self.locations.len() - 1).ok()
    }

    fn count(&mut self, database: DatabaseId, location: u16, requests: f64, now: f64) {
        let half_life = self.half_life;
        let known = self.databases.entry(database).or_default();
        match known.iter_mut().find(|(at, _)| *at == location) {
            Some((_, sum)) => sum.add(requests, now, half_life),
            None => {
                let mut sum = Decayed::default();
                sum.add(requests, now, half_life);
                if known.len() >= LOCATIONS_OF_DATABASE_MAX {
                    known.sort_by(|a, b| b.1.sum(now, half_life).total_cmp(&a.1.sum(now, half_life)));
                    known.pop();
                }
                known.push((location, sum));
            }
        }
    }

    /// Forgets what faded, and the round trips of handlers that are silent.
    pub fn forget(&mut self, now: f64) {
        let half_life = self.half_life;
        self.databases.retain(|_, known| {
            known.retain(|(_, sum)| sum.sum(now, half_life) >= 0.5);
            !known.is_empty()
        });
        self.round_trips.retain(|_, measured| now - measured.at <= ROUND_TRIP_KEPT);
    }

    /// Where a database's requests come from: shares of 1, the largest first. Empty below so many requests.
    pub fn shares(&self, database: DatabaseId, sample_min: f64, now: f64) -> Vec<(Arc<str>, f64)> {
        let sums = self.sums(database, now);
        let all: f64 = sums.iter().map(|(_, sum)| sum).sum();
        if all < sample_min || all <= 0.0 {
            return Vec::new();
        }
        sums.into_iter().map(|(location, sum)| (location.clone(), sum / all)).collect()
    }

    /// The same for people, however few requests there were.
    pub fn counts(&self, database: DatabaseId, now: f64) -> Vec<ClientsOf> {
        let sums = self.sums(database, now);
        let all: f64 = sums.iter().map(|(_, sum)| sum).sum();
        let told = |(location, requests): (&Arc<str>, f64)| ClientsOf {
            location: location.to_string(),
            requests,
            share: if all > 0.0 { requests / all } else { 0.0 },
        };
        sums.into_iter().map(told).collect()
    }

    /// Requests of a database by location, most first.
    fn sums(&self, database: DatabaseId, now: f64) -> Vec<(&Arc<str>, f64)> {
        let known = self.databases.get(&database).map_or(&[][..], Vec::as_slice);
        let sum =
            |(at, sum): &(u16, Decayed)| (&self.locations[usize::from(*at)], sum.sum(now, self.half_life));
        let mut sums: Vec<(&Arc<str>, f64)> = known.iter().map(sum).collect();
        sums.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        sums
    }

    /// From each location of handlers to each of servers, in milliseconds: the middle one of what the handlers there
    /// measured.
    pub fn round_trips(&self, now: f64) -> BTreeMap<(Arc<str>, Arc<str>), f64> {
        let mut all: BTreeMap<(Arc<str>, Arc<str>), Vec<f64>> = BTreeMap::new();
        for ((_, to), measured) in &self.round_trips {
            if now - measured.at <= ROUND_TRIP_KEPT {
                all.entry((measured.from.clone(), to.clone())).or_default().push(measured.ms);
            }
        }
        let middle = |mut measured: Vec<f64>| {
            measured.sort_by(f64::total_cmp);
            measured[(measured.len() - 1) / 2]
        };
        all.into_iter().map(|(between, measured)| (between, middle(measured))).collect()
    }
}

#[cfg(test)]
mod tests {
    use rpc::load::{ClientCount, RoundTrip};

    use super::*;

    const HALF_LIFE: HalfLife = HalfLife(1_800.0);
    const DATABASE: DatabaseId = DatabaseId(1);

    fn report(handler: u16, counts: &[(&str, u64)], trips: &[(&str, u64)]) -> ClientsReport {
        let count = |(location, requests): &(&str, u64)| ClientCount {
            database: DATABASE,
            location: (*location).into(),
            requests: *requests,
        };
        let trip = |(location, ms): &(&str, u64)| RoundTrip {
            location: (*location).into(),
            round_trip_us: ms * 1_000,
        };
        ClientsReport {
            handler: HandlerId(handler),
            location: "a".into(),
            counts: counts.iter().map(count).collect(),
            round_trips: trips.iter().map(trip).collect(),
        }
    }

    fn shares(clients: &Clients, now: f64) -> Vec<(String, f64)> {
        let shares = clients.shares(DATABASE, 100.0, now).into_iter();
        shares.map(|(location, share)| (location.to_string(), (share * 100.0).round() / 100.0)).collect()
    }

    #[test]
    fn clients_are_told_by_location_once_there_are_enough_of_them_r22() {
        let mut clients = Clients::new(HALF_LIFE);
        clients.on_report(&report(1, &[("a", 30), ("b", 60)], &[]), |_| true, 0.0);
        assert_eq!(shares(&clients, 0.0), [], "90 requests are too few");
        clients.on_report(&report(2, &[("b", 10)], &[]), |_| true, 0.0);
        assert_eq!(shares(&clients, 0.0), [("b".into(), 0.7), ("a".into(), 0.3)]);
        clients.on_report(&report(2, &[("b", 1_000)], &[]), |_| false, 0.0);
        assert_eq!(shares(&clients, 0.0)[0], ("b".into(), 0.7), "there is no such database");
    }

    #[test]
    fn those_that_left_fade_r22() {
        let mut clients = Clients::new(HALF_LIFE);
        clients.on_report(&report(1, &[("a", 1_000)], &[]), |_| true, 0.0);
        clients.on_report(&report(1, &[("b", 250)], &[]), |_| true, 3_600.0);
        assert_eq!(shares(&clients, 3_600.0), [("a".into(), 0.5), ("b".into(), 0.5)]);
        clients.forget(3_600.0 + 1_800.0 * 11.0);
        assert!(clients.databases.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut clients = Clients::new(HALF_LIFE);
        for n in 0..2_000_u64 {
            let location = format!("l{n}");
            clients.on_report(&report(1, &[(&location, 100 + n)], &[]), |_| true, 0.0);
        }
        let long = "x".repeat(100);
        clients.on_report(&report(1, &[(&long, 100_000)], &[]), |_| true, 0.0);
        assert_eq!(clients.locations.len(), LOCATIONS_MAX);
        assert_eq!(shares(&clients, 0.0).len(), LOCATIONS_OF_DATABASE_MAX);
        assert_eq!(shares(&clients, 0.0)[0].0, "l998", "a, l0, … l998: those with most requests are kept");
    }

    #[test]
    fn round_trips_are_the_middle_of_what_was_measured_lately_r22() {
        let mut clients = Clients::new(HALF_LIFE);
        for (handler, ms) in [(1, 80), (2, 90), (3, 500)] {
            clients.on_report(&report(handler, &[], &[("b", ms), ("a", 1)]), |_| true, 0.0);
        }
        let trips = clients.round_trips(0.0);
        assert_eq!(trips[&("a".into(), "b".into())], 90.0);
        assert_eq!(trips[&("a".into(), "a".into())], 1.0);
        assert_eq!(clients.round_trips(ROUND_TRIP_KEPT + 1.0).len(), 0);
    }
}
