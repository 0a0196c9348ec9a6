//! What is told of runs: figures of all seeds together, the gates that ours has to pass, and figures to compare with.

pub mod chart;
pub mod table;

use serde::{Deserialize, Serialize};

use crate::{
    policy::Kind,
    tally::{Figures, mean},
};

/// The version of [`Report`]'s form.
pub const VERSION: u32 = 1;

/// Everything that came of some runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// How many databases; of recorded load, as many as were recorded.
    pub databases: usize,
    /// How many servers.
    pub servers: usize,
    /// How many days were measured, after one to settle in.
    pub days: u32,
    /// One for each workload, seed and policy.
    pub runs: Vec<Figures>,
    /// One for each workload and seed.
    pub bounds: Vec<Bound>,
    /// What is required of ours, as far as what it is compared with was run.
    pub gates: Vec<Gate>,
}

/// The least mean round trip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// The workload's name.
    pub workload: String,
    /// The seed.
    pub seed: u64,
    /// In milliseconds.
    pub round_trip_ms: f64,
}

/// What is required of ours, on the means over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// The workload's name.
    pub workload: String,
    /// What is required.
    pub name: &'static str,
    /// What it is.
    pub value: f64,
    /// What it may be at most.
    pub most: f64,
    /// Whether it is.
    pub passed: bool,
}

/// One figure of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Server-minutes a day above 90 %.
    Overload,
    /// Above 100 %.
    OverloadFull,
    /// Of the server that one in a hundred surpasses, above 90 %.
    OverloadP99Server,
    /// The hottest server by the mean.
    Hottest,
    /// Its 99th percentile.
    HottestP99,
    /// Mean round trip.
    RoundTripMs,
    /// Voluntary moves.
    MovesPerHour,
    /// The share of load they carry.
    LoadMovedPerHour,
    /// Moves back within an hour, a day.
    BackAndForth,
    /// As a share of all moves.
    BackAndForthShare,
    /// Time to decide.
    DecisionMs,
}

/// One measure over all seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Figures that were stored, to see whether they are still about the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// What is expected.
    pub expect: Vec<Expected>,
}

/// The range that a mean over all seeds should be in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The workload's name.
    pub workload: String,
    /// The policy's name.
    pub policy: String,
    /// Which figure.
    pub measure: Measure,
    /// The least that is as expected. Default 0.
    #[serde(default)]
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Measure {
    fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::Overload => figures.overload,
            Self::OverloadFull => figures.overload_full,
            Self::OverloadP99Server => figures.overload_p99_server,
            Self::Hottest => figures.hottest,
            Self::HottestP99 => figures.hottest_p99,
            Self::RoundTripMs => figures.round_trip_ms,
            Self::MovesPerHour => figures.moves_per_hour,
            Self::LoadMovedPerHour => figures.load_moved_per_hour,
            Self::BackAndForth => figures.back_and_forth,
            Self::BackAndForthShare => figures.back_and_forth_share,
            Self::DecisionMs => figures.decision_ms,
        }
    }
}

impl Report {
    /// A measure over all seeds; `None` when that was not run.
    pub fn summary(&self, workload: &str, policy: &str, measure: Measure) -> Option<Summary> {
        let runs = self.runs.iter().filter(|run| run.workload == workload && run.policy == policy);
        let values: Vec<f64> = runs.map(|run| measure.of(run)).collect();
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        Some(Summary { mean: mean(&values), least, most })
    }

    /// The bound's mean over all seeds; `None` when the workload was not run.
    pub fn bound_ms(&self, workload: &str) -> Option<f64> {
        let bounds = self.bounds.iter().filter(|bound| bound.workload == workload);
        let values: Vec<f64> = bounds.map(|bound| bound.round_trip_ms).collect();
        (!values.is_empty()).then(|| mean(&values))
    }

    /// The workloads there are, in the order of being run.
    pub fn workloads(&self) -> Vec<String> {
        let mut workloads: Vec<String> = self.bounds.iter().map(|bound| bound.workload.clone()).collect();
        workloads.dedup();
        workloads
    }

    /// Looks at what is required, from the runs that are there.
    pub fn judge(&mut self) {
        let workloads = self.workloads();
        self.gates = workloads.iter().flat_map(|workload| self.gates_of(workload)).collect();
    }

    fn gates_of(&self, workload: &str) -> Vec<Gate> {
        let of = |kind: Kind, measure| Some(self.summary(workload, kind.name(), measure)?.mean);
        let ours = |measure| of(Kind::Stationmaster, measure);
        let overload = |kind| of(kind, Measure::Overload);
        let half_full = workload != "w2";
        let near = if workload == "w1" { self.bound_ms(workload).map(|ms| 1.7 * ms) } else { None };
        let gates = [
            (
                "overload, 0.5 of bounded loads",
                Measure::Overload,
                overload(Kind::Bounded).map(|most| 0.5 * most),
            ),
            ("overload, LPT every 5 min", Measure::Overload, overload(Kind::Lpt)),
            ("moves an hour, 2 % of databases", Measure::MovesPerHour, Some(0.02 * self.databases as f64)),
            ("load moved an hour, 25 %", Measure::LoadMovedPerHour, Some(0.25)),
            ("back and forth, 0.3 % of moves", Measure::BackAndForthShare, Some(0.003)),
            ("round trip, 1.7 of the bound", Measure::RoundTripMs, near),
            (
                "overload of the p99 server, 60 min a day",
                Measure::OverloadP99Server,
                half_full.then_some(60.0),
            ),
        ];
        let gate = |(name, measure, most): (&'static str, Measure, Option<f64>)| {
            let (value, most) = (ours(measure)?, most?);
            Some(Gate { workload: workload.into(), name, value, most, passed: value <= most })
        };
        gates.into_iter().filter_map(gate).collect()
    }
}

impl Stored {
    /// What is not as expected, each in a line; what was not run is not.
    pub fn check(&self, report: &Report) -> Vec<String> {
        let wrong = self.expect.iter().filter_map(|expected| {
            let Expected { workload, policy, measure, least, most } = expected;
            let what = format!("{workload}, {policy}: {measure:?}");
            match report.summary(workload, policy, *measure) {
                None => Some(format!("{what} was not run, though figures are stored for it")),
                Some(Summary { mean, .. }) if (*least..=*most).contains(&mean) => None,
                Some(Summary { mean, .. }) => {
                    Some(format!("{what} is {mean:.4}, and not within {least} to {most}"))
                }
            }
        });
        wrong.collect()
    }
}

#[cfg(test)]
mod tests;
