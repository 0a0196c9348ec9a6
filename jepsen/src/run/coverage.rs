//! Whether a run exercised what it was for. One that did not is no evidence: its verdict is unknown.

use history::Finding;

use super::watch::Seen;
use crate::record::Installed;

/// Fewer acknowledged operations of a workload than this say nothing.
const ANSWERED_MIN: u64 = 20;

/// A pause shorter than this is shorter than a lease, and need not cost a server its databases.
const LEASE_MS: u64 = 4_500;

/// Faults that cost a leader its place.
const ON_LEADERS: &[&str] = &[
    "kill:leader",
    "kill:all",
    "kill:controllers",
    "pause:leader",
    "rolling:all",
    "members:leader",
    "partition:leader",
    "power:controllers",
    "power:leader",
    "power:all",
];

/// Faults that cost a server its databases.
const ON_OWNERS: &[&str] = &[
    "kill:owner",
    "kill:servers",
    "kill:all",
    "rolling:all",
    "move:owner",
    "drain:owner",
    "power:journal",
    "power:all",
];

/// Judges what was seen: the faults, what each workload was answered, and the fleet. `moved` are databases that clients
/// move by themselves, which therefore show nothing of what faults do.
pub fn check(faults: &[Installed], answered: &[(String, u64)], seen: &Seen, moved: &[String]) -> Finding {
    let mut missing = Vec::new();
    for (workload, answered) in answered.iter().filter(|(_, answered)| *answered < ANSWERED_MIN) {
        missing.push(format!(
            "{workload}: {answered} operations were answered, {ANSWERED_MIN} at least are needed"
        ));
    }
    let made: Vec<_> = faults.iter().filter(|fault| fault.made).collect();
    let hit = |names: &[&str]| made.iter().any(|fault| names.contains(&&*fault.fault));
    let paused =
        made.iter().any(|fault| fault.fault == "pause:owner" && fault.to_ms - fault.from_ms >= LEASE_MS);
    let reassignments = seen.reassignments(moved);
    if hit(ON_LEADERS) && seen.terms.len() < 2 {
        missing.push("leaders were hit, and leadership never changed".into());
    }
    if (hit(ON_OWNERS) || paused) && reassignments == 0 {
        missing.push("owners were hit, and no database got another one that clients do not move".into());
    }
    if !faults.is_empty() && made.is_empty() {
        missing.push("every fault was skipped".into());
    }
    let looked_at = format!(
        "{} faults made, {} skipped; {} terms, {reassignments} new owners",
        made.len(),
        faults.len() - made.len(),
        seen.terms.len(),
    );
    Finding::of(looked_at, Vec::new()).without(missing)
}

#[cfg(test)]
mod tests {
    use history::Verdict;

    use super::*;

    /// A fleet in which one database got another owner, and nobody else led.
    fn seen(database: &str) -> Seen {
        let owners = vec![(0, 1, "server-1".into()), (5_000, 2, "server-2".into())];
        Seen { terms: [1].into(), owners: [(database.into(), owners)].into(), leaders: Vec::new() }
    }

    #[test]
    fn a_run_that_shows_nothing_of_its_faults_is_unknown_c21() {
        let fault = |fault: &str, made| {
            vec![Installed { fault: fault.into(), what: "".into(), made, from_ms: 0, to_ms: 5_000 }]
        };
        let (moved, others) = (seen("moved"), seen("other"));
        for (faults, answered, seen, verdict) in [
            (vec![], 20, &others, Verdict::Valid),
            (vec![], 19, &others, Verdict::Unknown),
            (fault("kill:owner", true), 20, &others, Verdict::Valid),
            // Clients had moved it themselves.
            (fault("kill:owner", true), 20, &moved, Verdict::Unknown),
            (fault("pause:owner", true), 20, &moved, Verdict::Unknown),
            (fault("kill:leader", true), 20, &others, Verdict::Unknown),
            (fault("kill:handler", true), 20, &moved, Verdict::Valid),
            (fault("loss:all", false), 20, &others, Verdict::Unknown),
        ] {
            let finding = check(&faults, &[("set".into(), answered)], seen, &["moved".into()]);
            assert_eq!(finding.verdict, verdict, "{faults:?} {answered}");
        }
    }
}
