//! What a run came to, as it is saved.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use history::{Event, Finding, History, Kind, Process, Verdict};
use serde::{Deserialize, Serialize};

use super::watch::Seen;
use crate::{
    Plan, Work,
    record::{Installed, Outage},
    workload::{EXPECTED, LAST_LOOKS, database_of},
};

/// What a run came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// `valid`, `unknown` or `invalid`: the worst of all findings.
    pub verdict: String,
    /// Each checker's finding.
    pub findings: Vec<Judged>,
    /// What was planned.
    pub plan: Plan,
    /// Versions of what ran.
    pub versions: Vec<String>,
    /// The faults that were made.
    pub faults: Vec<Installed>,
    /// What each fault cost each workload: by its place among the faults.
    pub outages: Vec<(usize, Outage)>,
    /// Workloads that were left out, and why.
    pub left_out: Vec<String>,
    /// Acknowledged operations of each workload.
    pub answered: Vec<(String, u64)>,
    /// What the fleet looked like.
    pub seen: Seen,
    /// Milliseconds from the beginning of histories to that of the faults' clock.
    pub offset_ms: u64,
    /// Milliseconds that it took in all.
    pub took_ms: u64,
    /// Operations of each workload, for the plots.
    pub plots: Vec<Plot>,
}

/// The finding of one checker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// Which.
    pub checker: String,
    /// `valid`, `unknown` or `invalid`.
    pub verdict: String,
    /// What it rests on.
    pub looked_at: String,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// Of each kind of outcome; beyond it points are thinned out: an hour's hundred thousands show nothing more.
const POINTS_MAX: usize = 4_000;

/// Operations of one workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plot {
    /// The workload.
    pub workload: String,
    /// Of each operation: milliseconds since the beginning, microseconds that it took, and `o`, `f` or `i`.
    pub points: Vec<(u64, u64, char)>,
}

impl Judged {
    /// That of a checker.
    pub fn new(checker: &str, finding: Finding) -> Self {
        let Finding { verdict, looked_at, wrong } = finding;
        Self { checker: checker.into(), verdict: verdict.to_string(), looked_at, wrong }
    }
}

impl Summary {
    /// One without findings.
    pub fn new(plan: &Plan, began: Instant, offset: Duration, seen: Seen) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            verdict: Verdict::Unknown.to_string(),
            findings: Vec::new(),
            plan: plan.clone(),
            versions: versions(),
            faults: Vec::new(),
            outages: Vec::new(),
            left_out: Vec::new(),
            answered: Vec::new(),
            seen,
            offset_ms: ms(offset),
            took_ms: ms(began.elapsed()),
            plots: Vec::new(),
        }
    }

    /// Adds the findings; the worst is the verdict.
    pub fn conclude(&mut self, findings: Vec<Judged>) {
        let worst = ["invalid", "unknown"].into_iter().find(|of| findings.iter().any(|f| f.verdict == *of));
        self.verdict = worst.unwrap_or("valid").to_owned();
        self.findings = findings;
    }
}

fn versions() -> Vec<String> {
    let said = std::process::Command::new(::tests::binary()).arg("--version").output();
    let program = said
        .map_or_else(|error| error.to_string(), |said| String::from_utf8_lossy(&said.stdout).trim().into());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        program,
        format!("stationmaster-jepsen {}", env!("CARGO_PKG_VERSION")),
        format!("Linux {}", kernel.trim()),
    ]
}

/// How many operations were acknowledged.
pub fn answered(history: &History) -> u64 {
    history.events.iter().filter(|event| event.kind == Kind::Ok).count() as u64
}

/// Whether a failure is the workload's own: what was expected was not there, or somebody else was faster.
fn is_expected(end: Option<&Event>) -> bool {
    end.is_some_and(|end| end.extra.iter().any(|(key, _)| key == EXPECTED))
}

/// Operations, for a plot: of many some.
pub fn plot(workload: &str, history: &History) -> Plot {
    let operations = history.operations(&[]);
    let points = operations.iter().filter_map(|operation| {
        let end = operation.completion?;
        let letter = match end.kind {
            Kind::Ok => 'o',
            Kind::Fail => 'f',
            Kind::Info | Kind::Invoke => 'i',
        };
        let began = operation.invocation.time;
        let letter = if is_expected(Some(end)) { 'o' } else { letter };
        Some((began / 1_000_000, (end.time - began) / 1_000, letter))
    });
    let (calm, troubled): (Vec<_>, Vec<_>) = points.partition(|(_, _, letter)| *letter == 'o');
    let mut points = [thinned(calm), thinned(troubled)].concat();
    points.sort_unstable();
    Plot { workload: workload.into(), points }
}

fn thinned<T>(points: Vec<T>) -> Vec<T> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    points.into_iter().step_by(every).collect()
}

/// The longest time within a time without any of these moments, which rise.
fn longest_gap(moments: &[u64], within: Range<u64>) -> u64 {
    let at = |end: u64| moments.partition_point(|moment| *moment < end);
    let inside = &moments[at(within.start)..at(within.end).max(at(within.start))];
    let ends = [&[within.start], inside, &[within.end]].concat();
    ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

/// What each fault cost a workload, from its beginning until five seconds after its end or the next one's beginning.
pub fn outages(
    work: &Work,
    history: &History,
    faults: &[Installed],
    offset: Duration,
) -> Vec<(usize, Outage)> {
    let offset = offset.as_nanos() as u64;
    let operations = history.operations(&[]);
    let clients =
        operations.iter().filter(|o| matches!(o.invocation.process, Process::Client(n) if n < LAST_LOOKS));
    let operations: Vec<_> = clients.collect();
    // When each database answered with success.
    let mut answers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for operation in &operations {
        let Process::Client(process) = operation.invocation.process else { continue };
        let of = answers.entry(database_of(work, process)).or_default();
        of.extend(operation.completion.filter(|end| end.kind == Kind::Ok).map(|end| end.time));
    }
    answers.values_mut().for_each(|times| times.sort_unstable());
    let of_fault = |(at, fault): (usize, &Installed)| {
        let from = offset + fault.from_ms * 1_000_000;
        let calm = offset + (fault.to_ms + 5_000) * 1_000_000;
        let to = faults.get(at + 1).map_or(calm, |next| calm.min(offset + next.from_ms * 1_000_000));
        // They stand in the order of their invocations; an hour has hundreds of faults.
        let place = |end: u64| operations.partition_point(|operation| operation.invocation.time < end);
        let within = &operations[place(from)..place(to).max(place(from))];
        let (mut asked, mut failed, mut unknown) = (0, 0, 0);
        for operation in within {
            asked += 1;
            match operation.kind() {
                Kind::Ok | Kind::Invoke => {}
                Kind::Fail if is_expected(operation.completion) => {}
                Kind::Fail => failed += 1,
                Kind::Info => unknown += 1,
            }
        }
        let longest = answers.values().map(|answers| longest_gap(answers, from..to)).max().unwrap_or(0);
        let workload = work.name.clone();
        (at, Outage { workload, asked, failed, unknown, longest_ms: longest / 1_000_000 })
    };
    faults.iter().enumerate().filter(|(_, fault)| fault.made).map(of_fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_that_of_the_database_that_was_silent_longest_c21() {
        // Client 0 works on the first database, client 1 on the second: that one says nothing from 2 s to 9 s.
        let answered = [(0, 1), (1, 2), (0, 3), (0, 5), (0, 7), (1, 9), (0, 10)];
        let line = |(process, second): (u64, u64)| {
            let line = |kind: &str, ns: u64| {
                format!("{{:process {process} :type :{kind} :f :add :value 1 :time {ns}}}")
            };
            line("invoke", second * 1_000_000_000 - 1_000_000) + &line("ok", second * 1_000_000_000)
        };
        let history = History::from_edn(&answered.map(line).concat()).expect("a history");
        let fault =
            Installed { fault: "kill".into(), what: "".into(), made: true, from_ms: 1_500, to_ms: 6_000 };
        let longest = |name: &str| {
            let work = Work { name: name.into(), clients: 2, rate: 1, databases: 2 };
            outages(&work, &history, std::slice::from_ref(&fault), Duration::ZERO)[0].1.longest_ms
        };
        assert_eq!(longest("set"), 7_000);
        // Clients on the map are not tied to a database.
        assert_eq!(longest("names"), 2_000);
    }
}
