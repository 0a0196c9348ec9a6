//! The figures as tables that people read, in Markdown.

use super::{Measure, Report, Summary};
use crate::{policy::Kind, workload::Workload};

const HEAD: &str = "\
| policy | overload, min/day (seeds) | > 100 % | p99 server | hottest/mean, p99 | round trip, ms | moves/h | load moved/h | A-B-A/day (of moves) | of bounded loads | of LPT | decision, ms |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// A table for each workload, then the gates.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for workload in report.workloads() {
        let described = workload.parse::<Workload>().map(Workload::describe).unwrap_or_default();
        let Report { databases, servers, days, .. } = report;
        let seeds = report.bounds.iter().filter(|bound| bound.workload == workload).count();
        text += &format!(
            "{workload}: {described}; {databases} databases, {servers} servers, {days} day(s), {seeds} seed(s)\n\n"
        );
        text += HEAD;
        for kind in Kind::ALL {
            text += &row(report, &workload, kind).unwrap_or_default();
        }
        let bound = report.bound_ms(&workload).unwrap_or_default();
        text += &format!("\nleast possible round trip (transport bound): {bound:.1} ms\n\n");
    }
    for gate in &report.gates {
        let verdict = if gate.passed { "passed" } else { "MISSED" };
        text += &format!(
            "{verdict}  {}: {} = {:.4}, at most {:.4}\n",
            gate.workload, gate.name, gate.value, gate.most
        );
    }
    text
}

fn row(report: &Report, workload: &str, kind: Kind) -> Option<String> {
    let policy = kind.name();
    let of = |measure| report.summary(workload, policy, measure);
    let mean = |measure| of(measure).map_or(0.0, |summary| summary.mean);
    let Summary { mean: overload, least, most } = of(Measure::Overload)?;
    let ratio = |other: Kind| {
        let other = report.summary(workload, other.name(), Measure::Overload);
        other
            .filter(|other| other.mean > 0.0)
            .map_or("".into(), |other| format!("{:.2}", overload / other.mean))
    };
    Some(format!(
        "| {policy} | {overload:.0} ({least:.0}-{most:.0}) | {:.0} | {:.0} | {:.2}, {:.2} | {:.1} | {:.0} | {:.1} % | {:.0} ({:.2} %) | {} | {} | {:.2} |\n",
        mean(Measure::OverloadFull),
        mean(Measure::OverloadP99Server),
        mean(Measure::Hottest),
        mean(Measure::HottestP99),
        mean(Measure::RoundTripMs),
        mean(Measure::MovesPerHour),
        100.0 * mean(Measure::LoadMovedPerHour),
        mean(Measure::BackAndForth),
        100.0 * mean(Measure::BackAndForthShare),
        ratio(Kind::Bounded),
        ratio(Kind::Lpt),
        mean(Measure::DecisionMs),
    ))
}
