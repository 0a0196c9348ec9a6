//! Ceilings and bands of a round. They float with the fleet's mean: where everybody is above a fixed limit, a fixed limit
//! would stop every move.

use super::{Settings, work::Work};

/// What utilisations mean in this round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The mean over servers that take databases.
    pub mean: f64,
    /// The mean of each location, at least half the fleet's.
    pub means: Vec<f64>,
    /// Above it the rules against moving back and forth are suspended.
    pub hard: f64,
    /// Above it a server gives at once.
    pub urgent: f64,
    /// No target goes above it.
    pub ceiling: f64,
    /// How far above its location's mean a server begins to give.
    pub high: f64,
    /// And how far above it stops.
    pub low: f64,
    /// How long it has to be above the band, in milliseconds.
    pub sustain_ms: u64,
    floor: f64,
}

impl Limits {
    pub(super) fn new(work: &Work<'_>, settings: &Settings) -> Self {
        let (mean, means) = means(work);
        let narrow = if settings.adapt_band { ((0.85 - mean) / 0.4).clamp(0.4, 1.0) } else { 1.0 };
        let (high, low) = (settings.band_high * narrow, settings.band_low * narrow);
        let floating = if settings.float_limits { mean } else { 0.0 };
        let hard = settings.hard_limit.max(floating * (1.0 + high));
        let sustain = if mean > 0.6 { settings.sustain / 3 } else { settings.sustain };
        Self {
            mean,
            means,
            hard,
            urgent: settings.urgent_limit.max(floating * (1.0 + high)),
            ceiling: (hard - 0.05).max(floating * (1.0 + low)),
            high,
            low,
            sustain_ms: super::memory::ms(sustain),
            floor: settings.activity_floor,
        }
    }

    /// Where a server of this location begins to give.
    pub fn begins(&self, location: u16) -> f64 {
        (self.local(location) * (1.0 + self.high)).max(self.floor)
    }

    /// And where it stops.
    pub fn ends(&self, location: u16) -> f64 {
        (self.local(location) * (1.0 + self.low)).max(self.floor * 0.9)
    }

    fn local(&self, location: u16) -> f64 {
        self.means.get(usize::from(location)).copied().unwrap_or(self.mean)
    }
}

fn means(work: &Work<'_>) -> (f64, Vec<f64>) {
    let mut sums = vec![(0.0, 0.0); work.locations];
    for server in work.weighed() {
        let (load, capacity) = &mut sums[work.location(server)];
        *load += work.load[server];
        *capacity += work.capacity[server];
    }
    let ratio = |load: f64, capacity: f64| if capacity > 0.0 { load / capacity } else { 0.0 };
    let (load, capacity) = sums.iter().fold((0.0, 0.0), |(a, b), (load, capacity)| (a + load, b + capacity));
    let mean = ratio(load, capacity);
    (mean, sums.iter().map(|(load, capacity)| ratio(*load, *capacity).max(mean / 2.0)).collect())
}
