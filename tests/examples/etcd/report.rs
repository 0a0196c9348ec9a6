//! The table.

use std::time::Duration;

use crate::{KEYS, Kind, load::Round};

/// The heads of the columns.
pub fn head() {
    println!(
        "\nmedians of the rounds; CPU is the user and system time of all three members for each operation"
    );
    println!(
        "{:<13} {:>7} | {:>9} {:>7} {:>7} {:>7} | {:>9} {:>7} {:>7} {:>7} | {:>6} {:>9}  reach",
        "",
        "clients",
        "ours/s",
        "p50 ms",
        "p99 ms",
        "CPU us",
        "etcd/s",
        "p50 ms",
        "p99 ms",
        "CPU us",
        "ratio",
        "CPU ratio"
    );
    kept(KEYS, KEYS);
}

/// All rounds of one kind of work.
pub struct Compared {
    /// What clients did.
    pub kind: Kind,
    /// How many there were.
    pub clients: usize,
    /// Our rounds.
    pub ours: Vec<Round>,
    /// As many of etcd's, each right after one of ours.
    pub theirs: Vec<Round>,
}

impl Compared {
    /// One line, with what the ratio of rates should reach.
    pub fn row(&self, reach: &str) {
        let ratio = |of: &dyn Fn(&Round, &Round) -> f64| {
            median(self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| of(ours, theirs)).collect())
        };
        let name = match self.kind {
            Kind::Write => "writes",
            Kind::Linearizable => "linearizable",
            Kind::Serializable => "serializable",
        };
        println!(
            "{name:<13} {:>7} |{} |{} | {:>6.2} {:>9.2}  {reach}",
            self.clients,
            side(&self.ours),
            side(&self.theirs),
            ratio(&|ours, theirs| ours.rate() / theirs.rate()),
            ratio(&|ours, theirs| theirs.cpu_each() / ours.cpu_each()),
        );
    }
}

/// What the look-ups that follow are made beside.
pub fn kept(databases: u64, keys: u64) {
    println!("with {databases} databases, and {keys} keys in etcd:");
}

/// The line of watchers, in milliseconds.
pub fn watchers(watchers: usize, ours: &mut [f64], theirs: &mut [f64]) {
    let [(our_half, ours_most), (their_half, theirs_most)] = [ours, theirs].map(|times| {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
        (at(0.5), at(0.99))
    });
    println!("\na write until {watchers} watchers have heard of it, one write after the other");
    println!(
        "ours p50 {our_half:.2} ms, p99 {ours_most:.2} ms; etcd p50 {their_half:.2} ms, p99 {theirs_most:.2} ms"
    );
    println!("ratio {:.2} (p50), {:.2} (p99)", their_half / our_half, theirs_most / ours_most);
}

/// The line of handlers: so many look-ups took so much CPU time.
pub fn cached(found: u64, cpu: Duration) {
    let rate = found as f64 / cpu.as_secs_f64() / 1e6;
    println!("\nfrom a handler's cache: {rate:.2} M/s for each core, reach 1");
}

fn side(rounds: &[Round]) -> String {
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    format!(
        " {:>9.0} {:>7.2} {:>7.2} {:>7.1}",
        of(&Round::rate),
        of(&|round| round.latency(0.5)),
        of(&|round| round.latency(0.99)),
        of(&Round::cpu_each),
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
