//! What the leader knows of loads, and how far it may be trusted: the input of placement by load and location (R22, R25).
//!
//! Servers report what they and their databases use. All of it is kept as a decayed average, in memory: a new leader
//! begins with nothing, and says that it is *stale* until it has heard enough. [`Loads::picture`] is all that placement
//! looks at; what has no fresh and complete sample is left out of it, never taken for idle.
//!
//! Pure: time comes as an argument, and nothing here waits for anything.

mod clients;
mod decayed;
mod picture;
mod prometheus;
mod settings;
mod usage;

use std::{collections::BTreeMap, time::Duration};

use model::{DatabaseId, Incarnation, Name, ServerId, Tenure};
use rpc::load::{ClientsOf, ClientsReport, DatabaseUsage, LoadSource, ServerUsage, SourceInfo};
use tokio::time::Instant;

pub use self::{
    picture::{DatabasePicture, Picture, ServerPicture},
    prometheus::{Client, Place, PrometheusSettings, Round},
    settings::LoadSettings,
};

use self::{clients::Clients, decayed::HalfLife, prometheus::Samples, usage::Usage};

/// How often what is not used any more is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// All that is known.
#[derive(Debug)]
pub struct Loads {
    settings: LoadSettings,
    began: Instant,
    forgot: Instant,
    up: BTreeMap<ServerId, (Incarnation, Name)>,
    usage: Usage,
    clients: Clients,
    prometheus: Option<Prometheus>,
    /// Every server that is up has had a sample once, or time enough for one.
    warm: bool,
}

/// The second source.
#[derive(Debug)]
struct Prometheus {
    settings: PrometheusSettings,
    samples: Samples,
}

/// What one source says of one server.
#[derive(Clone, Debug, PartialEq)]
enum Sample {
    /// It can be used.
    Good(ServerPicture),
    /// It cannot, for this reason; what it says all the same, if anything.
    Bad { reason: String, picture: Option<ServerPicture> },
}

impl Loads {
    /// Nothing yet.
    pub fn new(settings: LoadSettings, prometheus: Option<PrometheusSettings>, now: Instant) -> Self {
        let usage = Usage::new(HalfLife(settings.half_life.as_secs_f64()));
        let clients = Clients::new(HalfLife(settings.clients_half_life.as_secs_f64()));
        let prometheus = prometheus.map(|settings| Prometheus { settings, samples: Samples::default() });
        let up = BTreeMap::new();
        Self { settings, began: now, forgot: now, up, usage, clients, prometheus, warm: false }
    }

    /// Whether it has listened for long enough.
    pub fn is_warm(&self) -> bool {
        self.warm
    }

    fn seconds(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.began).as_secs_f64()
    }

    /// A server reported. `owned` tells of a database whether it is this server's by the map, under this epoch.
    pub fn on_usage(&mut self, report: &ServerUsage, owned: impl Fn(&DatabaseUsage) -> bool, now: Instant) {
        let now = self.seconds(now);
        self.usage.on_report(report, owned, now);
    }

    /// A handler reported. `exists` tells whether there is such a database.
    pub fn on_clients(&mut self, report: &ClientsReport, exists: impl Fn(DatabaseId) -> bool, now: Instant) {
        let now = self.seconds(now);
        self.clients.on_report(report, exists, now);
    }

    /// Prometheus was asked.
    pub fn on_round(&mut self, round: Round, now: Instant) {
        let now = self.seconds(now);
        if let Some(Prometheus { settings, samples }) = &mut self.prometheus {
            samples.on_round(round, settings, now);
        }
    }

    /// Prometheus cannot be asked at all, for this reason.
    pub fn cannot_ask(&mut self, reason: String) {
        let round = Round { load: Err(reason.clone()), age: Err(reason), coverage: None };
        self.on_round(round, self.began);
    }

    /// Where a database's requests come from, most first.
    pub fn clients_of(&self, database: DatabaseId, now: Instant) -> Vec<ClientsOf> {
        self.clients.counts(database, self.seconds(now))
    }

    /// What is wrong with what Prometheus says, if it is asked and something is.
    pub fn prometheus_trouble(&self) -> Option<String> {
        self.prometheus.as_ref()?.samples.trouble()
    }

    /// A database was moved: its load is counted at the new owner from now on.
    pub fn moved(&mut self, database: DatabaseId, to: Tenure, now: Instant) {
        let now = self.seconds(now);
        self.usage.moved(database, to, now);
    }

    /// Time goes on, and these are up. To be called often.
    pub fn tick(&mut self, up: impl IntoIterator<Item = (Tenure, Name)>, now: Instant) {
        self.up = up.into_iter().map(|(tenure, name)| (tenure.server, (tenure.incarnation, name))).collect();
        if now.saturating_duration_since(self.forgot) >= FORGET_EVERY {
            self.forgot = now;
            let seconds = self.seconds(now);
            let up = &self.up;
            let lives = |server, life| up.get(&server).is_some_and(|(incarnation, _)| *incarnation == life);
            self.usage.forget(lives, seconds);
            self.clients.forget(seconds);
        }
        if !self.warm && !self.up.is_empty() {
            let watched = now.saturating_duration_since(self.began);
            let complete = || self.up.keys().all(|server| self.best(*server, now).is_some());
            self.warm =
                watched >= self.settings.warmup && (watched >= self.settings.warmup_max || complete());
        }
    }

    /// All loads now.
    pub fn picture(&self, now: Instant) -> Picture {
        let servers: BTreeMap<ServerId, ServerPicture> =
            self.up.keys().filter_map(|server| Some((*server, self.best(*server, now)?))).collect();
        let seconds = self.seconds(now);
        let mut databases: Vec<DatabasePicture> = Vec::new();
        databases.extend(self.usage.databases(seconds).map(|level| DatabasePicture {
            id: level.id,
            cores: level.cores,
            requests_per_second: level.requests_per_second,
            clients: self.clients.shares(level.id, self.settings.clients_min as f64, seconds),
        }));
        databases.sort_unstable_by_key(|database| database.id);
        let stale = self.stale(servers.len(), now);
        let round_trips = self.clients.round_trips(seconds);
        Picture { databases, round_trips, stale, servers }
    }

    /// Why nothing may be moved for load, when so many servers have a good sample.
    fn stale(&self, covered: usize, now: Instant) -> Option<String> {
        let up = self.up.len();
        if !self.warm {
            return Some(format!("warming up: {covered} of {up} servers have a sample"));
        }
        if covered * 2 > up {
            return None;
        }
        let why = self.up.keys().find_map(|server| {
            let (source, sample) = self.samples(*server, now).into_iter().next()?;
            match sample {
                Sample::Bad { reason, .. } => Some(format!("; {source}: {reason}")),
                Sample::Good(_) => None,
            }
        });
        let why = why.unwrap_or_default();
        Some(format!("only {covered} of {up} servers have a fresh and complete sample{why}"))
    }

    /// The preferred good sample of a server.
    fn best(&self, server: ServerId, now: Instant) -> Option<ServerPicture> {
        self.samples(server, now).into_iter().find_map(|(_, sample)| match sample {
            Sample::Good(picture) => Some(picture),
            Sample::Bad { .. } => None,
        })
    }

    /// What each source says of a server, those preferred first.
    fn samples(&self, server: ServerId, now: Instant) -> Vec<(LoadSource, Sample)> {
        let sample = |source: &LoadSource| match source {
            LoadSource::Heartbeat => (*source, self.heartbeat(server, now)),
            LoadSource::Prometheus => (*source, self.of_prometheus(server, now)),
        };
        self.settings.sources.iter().map(sample).collect()
    }

    fn heartbeat(&self, server: ServerId, now: Instant) -> Sample {
        let tenure = self.tenure(server);
        let heard = tenure.and_then(|tenure| self.usage.server(tenure, self.seconds(now)));
        let Some(heard) = heard else { return bad("no report yet") };
        let picture = ServerPicture {
            utilization: heard.utilization,
            capacity_cores: heard.capacity_cores,
            source: LoadSource::Heartbeat,
            age_seconds: heard.age,
        };
        if heard.age > self.settings.max_age.as_secs_f64() {
            return Sample::Bad { reason: format!("silent for {:.0} s", heard.age), picture: Some(picture) };
        }
        if heard.watched < self.settings.warmup.as_secs_f64() / 2.0 {
            return Sample::Bad { reason: "just begun to report".into(), picture: Some(picture) };
        }
        Sample::Good(picture)
    }

    fn tenure(&self, server: ServerId) -> Option<Tenure> {
        let (incarnation, _) = self.up.get(&server)?;
        Some(Tenure { server, incarnation: *incarnation })
    }

    fn of_prometheus(&self, server: ServerId, now: Instant) -> Sample {
        let Some(Prometheus { settings, samples }) = &self.prometheus else { return bad("it is not asked") };
        let Some((_, name)) = self.up.get(&server) else { return bad("it is not up") };
        let seconds = self.seconds(now);
        let tenure = self.tenure(server);
        let heard = tenure.and_then(|tenure| self.usage.server(tenure, seconds));
        let settling = tenure.map_or(0.0, |tenure| self.usage.settling(tenure, seconds));
        let picture = |sample: &prometheus::Sample, capacity_cores| ServerPicture {
            utilization: (sample.utilization + settling).max(0.0),
            capacity_cores,
            source: LoadSource::Prometheus,
            age_seconds: sample.age(seconds),
        };
        match (samples.of(name, settings, seconds), heard) {
            (Ok(sample), Some(heard)) => Sample::Good(picture(&sample, heard.capacity_cores)),
            (Ok(_), None) => bad("the server has not said its capacity yet"),
            (Err((reason, sample)), heard) => {
                let capacity = heard.map_or(1.0, |heard| heard.capacity_cores);
                Sample::Bad { reason, picture: sample.map(|sample| picture(&sample, capacity)) }
            }
        }
    }

    /// For the metrics: how many servers each source counts for, and how old the oldest sample is; and by how much the
    /// sources differ where both are good, at most.
    pub fn gauges(&self, now: Instant) -> Gauges {
        let mut gauges = Gauges { stale: self.picture_stale(now), ..Gauges::default() };
        for server in self.up.keys() {
            let samples = self.samples(*server, now);
            let good: Vec<ServerPicture> = samples
                .into_iter()
                .filter_map(|(_, sample)| match sample {
                    Sample::Good(picture) => Some(picture),
                    Sample::Bad { .. } => None,
                })
                .collect();
            match good.first() {
                None => gauges.without += 1,
                Some(used) => {
                    let (servers, age) = gauges.used.entry(used.source).or_default();
                    *servers += 1;
                    *age = age.max(used.age_seconds);
                }
            }
            if let [one, other] = good[..] {
                gauges.disagreement = gauges.disagreement.max((one.utilization - other.utilization).abs());
            }
        }
        gauges
    }

    fn picture_stale(&self, now: Instant) -> bool {
        let covered = self.up.keys().filter(|server| self.best(**server, now).is_some()).count();
        self.stale(covered, now).is_some()
    }

    /// What each source says of a server, for people, and which one counts.
    pub fn explained(&self, server: ServerId, now: Instant) -> (Option<LoadSource>, Vec<SourceInfo>) {
        let samples = self.samples(server, now);
        let good =
            |(source, sample): &(LoadSource, Sample)| matches!(sample, Sample::Good(_)).then_some(*source);
        let uses = samples.iter().find_map(good);
        let told = samples.into_iter().map(|(source, sample)| {
            let (picture, refused) = match sample {
                Sample::Good(picture) => (Some(picture), None),
                Sample::Bad { reason, picture } => (picture, Some(reason)),
            };
            SourceInfo {
                source,
                utilization: picture.map(|picture| picture.utilization),
                age_ms: picture.map(|picture| (picture.age_seconds.max(0.0) * 1e3) as u64),
                refused,
            }
        });
        (uses, told.collect())
    }

    /// How many cores a server could use, if it said so.
    pub fn capacity_cores(&self, tenure: Tenure, now: Instant) -> Option<f64> {
        Some(self.usage.server(tenure, self.seconds(now))?.capacity_cores)
    }
}

/// See [`Loads::gauges`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Whether nothing may be moved by what is known.
    pub stale: bool,
    /// Servers, and the age of their oldest sample in seconds.
    pub used: BTreeMap<LoadSource, (u64, f64)>,
    /// Servers that nobody knows the load of.
    pub without: u64,
    /// In shares of a capacity.
    pub disagreement: f64,
}

fn bad(reason: &str) -> Sample {
    Sample::Bad { reason: reason.into(), picture: None }
}

#[cfg(test)]
mod tests;
