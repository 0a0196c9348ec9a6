//! What Prometheus said of each server, and whether it may be used.
//!
//! A sample counts when the load is a finite number within its limit, its age is told by Prometheus's own clock (which may
//! be another than ours) and small, the rate's window has enough samples, and all that has been so for a while: after a
//! start or a stall of Prometheus, rates are too low until their window has filled.

use std::collections::BTreeMap;

use super::{PrometheusSettings, reading::Values};

/// One round of queries. Times are seconds since one beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// The load of each server: the share of its capacity that it uses.
    pub load: Result<Values, String>,
    /// How old that is, in seconds, by Prometheus's clock.
    pub age: Result<Values, String>,
    /// How many samples the rate's window has; none where that is not asked.
    pub coverage: Option<Result<Values, String>>,
}

/// A value that may be used once it has been good for long enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The share of its capacity that the server uses.
    pub utilization: f64,
    /// How old it was when it came, in seconds.
    age: f64,
    came: f64,
    /// Since when there were good ones without a gap.
    since: f64,
}

impl Sample {
    /// How old it is now, in seconds.
    pub fn age(&self, now: f64) -> f64 {
        self.age + (now - self.came).max(0.0)
    }
}

/// All samples, by the server's name.
#[derive(Debug, Default)]
pub struct Samples {
    good: BTreeMap<String, Sample>,
    bad: BTreeMap<String, String>,
    /// What was wrong with the last round as a whole.
    trouble: Option<String>,
    asked: bool,
}

/// How far before the present a sample may claim to be of the future, in seconds. More is a wrong clock.
const AHEAD_MAX: f64 = 1.0;

impl Samples {
    /// A round of queries was answered, or not.
    pub fn on_round(&mut self, round: Round, settings: &PrometheusSettings, now: f64) {
        self.asked = true;
        self.bad.clear();
        let parts = || {
            let coverage = round.coverage.as_ref().map(|coverage| whole("coverage", coverage)).transpose()?;
            Ok((whole("server_load", &round.load)?, whole("age", &round.age)?, coverage))
        };
        let (load, age, coverage) = match parts() {
            Ok(parts) => parts,
            Err(trouble) => {
                self.trouble = Some(trouble);
                return;
            }
        };
        self.trouble = None;
        for (server, load) in load {
            let told = (|| {
                let load = within("load", load, 0.0..=settings.limit)?;
                let age = of(age, server, "age")?;
                let age = within("age in seconds", age, -AHEAD_MAX..=f64::INFINITY)
                    .map_err(|why| format!("{why}: is the clock of what is scraped right?"))?
                    .max(0.0);
                if let Some(coverage) = coverage {
                    let samples = within("coverage", of(coverage, server, "coverage")?, 0.0..=f64::MAX)?;
                    if samples < settings.coverage_min {
                        let wanted = settings.coverage_min;
                        return Err(format!("its window has {samples} samples, of {wanted} at least"));
                    }
                }
                Ok((load, age))
            })();
            match told {
                Ok((utilization, age)) => self.take(server, utilization, age, settings, now),
                Err(reason) => {
                    self.good.remove(server);
                    self.bad.insert(server.clone(), reason);
                }
            }
        }
        // A series that is gone is an answer: its target is not scraped any more.
        self.good.retain(|server, _| load.contains_key(server));
    }

    fn take(&mut self, server: &str, utilization: f64, age: f64, settings: &PrometheusSettings, now: f64) {
        let max_age = settings.max_age.as_secs_f64();
        let before = self.good.get(server).filter(|before| before.age(now) <= max_age && age <= max_age);
        let since = before.map_or(now, |before| before.since);
        self.good.insert(server.into(), Sample { utilization, age, came: now, since });
    }

    /// A server's sample.
    ///
    /// # Errors
    /// Why it may not be used, with the sample where there is one all the same.
    pub fn of(
        &self,
        server: &str,
        settings: &PrometheusSettings,
        now: f64,
    ) -> Result<Sample, (String, Option<Sample>)> {
        let Some(sample) = self.good.get(server) else {
            let unknown = || match (&self.trouble, self.asked) {
                (Some(trouble), _) => trouble.clone(),
                (None, true) => "Prometheus has no series of it".into(),
                (None, false) => "Prometheus has not answered yet".into(),
            };
            return Err((self.bad.get(server).cloned().unwrap_or_else(unknown), None));
        };
        let age = sample.age(now);
        if age > settings.max_age.as_secs_f64() {
            let trouble = self.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
            return Err((format!("{age:.0} s old{trouble}"), Some(*sample)));
        }
        let good_for = now - sample.since;
        if good_for < settings.warmup.as_secs_f64() {
            let warmup = settings.warmup;
            return Err((format!("good for {good_for:.0} s only, of {warmup:?}"), Some(*sample)));
        }
        Ok(*sample)
    }

    /// What was wrong with the last round, or with the first server that something was wrong with.
    pub fn trouble(&self) -> Option<String> {
        let of_server = || self.bad.iter().next().map(|(server, why)| format!("server {server}: {why}"));
        self.trouble.clone().or_else(of_server)
    }
}

fn whole<'a>(query: &str, values: &'a Result<Values, String>) -> Result<&'a Values, String> {
    values.as_ref().map_err(|why| format!("query {query}: {why}"))
}

fn of<'a>(values: &'a Values, server: &str, what: &str) -> Result<&'a Result<f64, String>, String> {
    values.get(server).ok_or_else(|| format!("its {what} is not told"))
}

fn within(
    what: &str,
    value: &Result<f64, String>,
    bounds: std::ops::RangeInclusive<f64>,
) -> Result<f64, String> {
    let value = value.clone()?;
    if bounds.contains(&value) && value.is_finite() {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(match most.is_finite() && most < f64::MAX {
        true => format!("its {what} is {value}, and must be between {least} and {most}"),
        false => format!("its {what} is {value}, and must be {least} at least"),
    })
}

#[cfg(test)]
mod tests;
