//! Sudden load: spikes of single databases, and events that hit many at once.

use super::fleet::DAY;
use crate::random::Random;

/// Load that is multiplied for a while.
#[derive(Clone, Copy, Debug)]
struct Surge {
    begins: u32,
    minutes: u32,
    factor: f32,
}

/// How long a surge takes to rise and to fall, in minutes.
const RAMP: u32 = 3;

/// Spikes of a database a day.
const A_DAY: f64 = 0.5;

/// Events a day.
const EVENTS_A_DAY: u32 = 6;

/// An event hits one in so many databases.
const GROUPS: usize = 50;

/// A database's load at most, in small servers: more than one processor's worth never gets through its single writer.
pub(crate) const DATABASE_MAX: f32 = 1.5;

impl Surge {
    /// What load is multiplied with; `None` when it is over.
    fn at(&self, minute: u32) -> Option<f32> {
        let (since, left) = (minute - self.begins, (self.begins + self.minutes).checked_sub(minute)?);
        let part = (since + 1).min(left).min(RAMP) as f32 / RAMP as f32;
        (left > 0).then_some(1.0 + (self.factor - 1.0) * part)
    }
}

/// All surges of a run.
pub struct Surges {
    /// Of single databases, the earliest last.
    spikes: Vec<(Surge, u32)>,
    /// Of every database of a group.
    events: Vec<(Surge, usize)>,
    now: Vec<(Surge, u32)>,
}

impl Surges {
    /// Half a spike for each database and day, of 5 times its load (median) up to 40 times; six events a day.
    pub(crate) fn new(databases: usize, days: u32, random: &mut Random) -> Self {
        let minutes = days * DAY;
        let mut spikes: Vec<(Surge, u32)> = Vec::new();
        for _ in 0..(databases as f64 * A_DAY * f64::from(days)) as usize {
            let surge = Surge {
                begins: random.below(minutes as usize) as u32,
                minutes: 2 * RAMP + random.exponential(15.0) as u32,
                factor: (5.0 * (0.7 * random.normal()).exp()).clamp(1.5, 40.0) as f32,
            };
            spikes.push((surge, random.below(databases) as u32));
        }
        spikes.sort_by_key(|(surge, database)| std::cmp::Reverse((surge.begins, *database)));
        let events = (0..EVENTS_A_DAY * days).map(|_| {
            let surge = Surge {
                begins: random.below(minutes as usize) as u32,
                minutes: random.between(10.0, 60.0) as u32,
                factor: random.between(1.5, 4.0) as f32,
            };
            (surge, random.below(GROUPS))
        });
        let events = events.collect();
        Self { spikes, events, now: Vec::new() }
    }

    /// Multiplies what surges in this minute.
    pub(crate) fn apply(&mut self, minute: u32, loads: &mut [f32]) {
        for (event, group) in self.events.iter().filter(|(event, _)| event.begins <= minute) {
            if let Some(factor) = event.at(minute) {
                loads.iter_mut().skip(*group).step_by(GROUPS).for_each(|load| *load *= factor);
            }
        }
        while let Some(spike) = self.spikes.pop_if(|(surge, _)| surge.begins <= minute) {
            self.now.push(spike);
        }
        self.now.retain(|(surge, database)| {
            let factor = surge.at(minute);
            if let Some(factor) = factor {
                let load = &mut loads[*database as usize];
                *load = (*load * factor).min(DATABASE_MAX);
            }
            factor.is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surge_rises_stays_falls_and_ends() {
        let surge = Surge { begins: 100, minutes: 10, factor: 4.0 };
        let course: Vec<Option<f32>> = (100..112).map(|minute| surge.at(minute)).collect();
        assert_eq!(course[..3], [Some(2.0), Some(3.0), Some(4.0)]);
        assert_eq!(course[7..], [Some(4.0), Some(3.0), Some(2.0), None, None]);
    }

    #[test]
    fn no_spike_carries_a_database_above_what_it_can_do() {
        let mut surges = Surges::new(1_000, 1, &mut Random::new(1, 1));
        for minute in 0..DAY {
            let mut loads = vec![0.25; 1_000];
            surges.apply(minute, &mut loads);
            assert!(loads.iter().all(|load| *load <= DATABASE_MAX));
        }
    }
}
