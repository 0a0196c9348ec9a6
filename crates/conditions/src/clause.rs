//! One comparison of a rule: a source against a threshold, and another threshold for the way back.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Source,
    window::{Folded, Window},
};

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Of what.
    pub source: Source,
    /// Which of the recent samples count.
    pub take: Take,
    /// How far back; without meaning for [`Take::Last`].
    pub over: Duration,
    /// Against what.
    pub bound: Bound,
    /// With fewer samples it does not hold.
    pub samples_min: usize,
}

/// How several samples become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The last one.
    Last,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their sum: for what is counted. No samples are zero.
    Sum,
}

impl Take {
    /// All of them, with their names in files.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Last, "last"),
        (Self::Mean, "mean"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Sum, "sum"),
    ];
}

/// A threshold with hysteresis: past `raise` it holds, and back at `clear` it holds no more. Between them it stays as it
/// was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Too much is bad.
    Above {
        /// More than this.
        raise: f64,
        /// Not more than this; not above `raise`.
        clear: f64,
    },
    /// Too little is bad.
    Below {
        /// Less than this.
        raise: f64,
        /// Not less than this; not below `raise`.
        clear: f64,
    },
}

/// How a clause stands at a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It holds, and this is why.
    Holds(String),
    /// Between its two thresholds.
    Between,
    /// It does not hold.
    Clear,
}

impl Clause {
    /// How it stands. Too few samples, or only old ones, are as good as clear: nobody knows anything bad.
    pub fn stands(&self, window: Option<&Window>, fresh: Duration, now: Instant) -> Standing {
        let empty = Window::default();
        let folded = window.unwrap_or(&empty).fold(self.take, self.over, fresh, now);
        let Some(folded) = folded.filter(|folded| folded.samples >= self.samples_min) else {
            return Standing::Clear;
        };
        match self.bound.of(folded.value) {
            Some(true) => Standing::Holds(self.evidence(folded)),
            Some(false) => Standing::Clear,
            None => Standing::Between,
        }
    }

    fn evidence(&self, folded: Folded) -> String {
        let Self { source, over, bound, .. } = self;
        let value = Short(folded.value);
        match self.take {
            Take::Last => format!("{source} {value} {bound}"),
            take => {
                let (name, samples) = (take.to_string(), folded.samples);
                format!("{source} {name} {value} of {samples} in {} s {bound}", over.as_secs_f64())
            }
        }
    }
}

impl Bound {
    /// Whether a value is past it, is back, or is in between.
    fn of(self, value: f64) -> Option<bool> {
        let (raised, cleared) = match self {
            Self::Above { raise, clear } => (value > raise, value <= clear),
            Self::Below { raise, clear } => (value < raise, value >= clear),
        };
        if raised { Some(true) } else { cleared.then_some(false) }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above { raise, .. } => write!(f, "above {}", Short(*raise)),
            Self::Below { raise, .. } => write!(f, "below {}", Short(*raise)),
        }
    }
}

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(take, _)| take == self).map(|(_, name)| *name);
        f.write_str(name.expect("BUG: all are in the list"))
    }
}

/// A value for people: four digits say enough.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.abs() >= 100.0 || value.fract() == 0.0 => write!(f, "{value:.0}"),
            value => write!(f, "{value:.3}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_the_thresholds_nothing_changes() {
        let above = Bound::Above { raise: 0.9, clear: 0.7 };
        let below = Bound::Below { raise: 0.1, clear: 0.3 };
        for (bound, value, expected) in [
            (above, 0.91, Some(true)),
            (above, 0.9, None),
            (above, 0.71, None),
            (above, 0.7, Some(false)),
            (below, 0.09, Some(true)),
            (below, 0.1, None),
            (below, 0.3, Some(false)),
        ] {
            assert_eq!(bound.of(value), expected, "{bound} {value}");
        }
    }

    #[test]
    fn evidence_says_what_was_seen_and_where_the_limit_is() {
        let now = Instant::now();
        let mut clause = Clause {
            source: "memory_used_ratio".parse().expect("a name"),
            take: Take::Last,
            over: Duration::from_secs(10),
            bound: Bound::Above { raise: 0.9, clear: 0.8 },
            samples_min: 1,
        };
        let mut window = Window::default();
        window.add(now, 0.9512, Duration::MAX);
        let stands = |clause: &Clause| clause.stands(Some(&window), Duration::from_secs(1), now);
        assert_eq!(stands(&clause), Standing::Holds("memory_used_ratio 0.951 above 0.900".into()));
        clause.take = Take::Mean;
        let text = "memory_used_ratio mean 0.951 of 1 in 10 s above 0.900";
        assert_eq!(stands(&clause), Standing::Holds(text.into()));
        clause.samples_min = 2;
        assert_eq!(stands(&clause), Standing::Clear, "too few samples");
    }
}
