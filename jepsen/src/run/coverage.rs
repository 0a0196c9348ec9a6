//! Whether a run exercised what it was for. One that did not is no evidence: its verdict is unknown.

use history::{Finding, Verdict};

use super::Summary;
use crate::record::Installed;

/// Fewer acknowledged operations of a workload than this say nothing.
const ANSWERED_MIN: u64 = 20;

/// A pause shorter than this is shorter than a lease, and need not cost a server its databases.
const LEASE_MS: u64 = 4_500;

/// Judges what was seen.
pub fn check(faults: &[Installed], summary: &Summary) -> Finding {
    let mut missing = Vec::new();
    for (workload, answered) in &summary.answered {
        if *answered < ANSWERED_MIN {
            missing.push(format!(
                "{workload}: {answered} operations were answered, {ANSWERED_MIN} at least are needed"
            ));
        }
    }
    let made = |names: &[&str]| faults.iter().any(|fault| fault.made && names.contains(&&*fault.fault));
    let paused = |target: &str| {
        let long = |fault: &&Installed| {
            fault.made && fault.fault == target && fault.to_ms - fault.from_ms >= LEASE_MS
        };
        faults.iter().any(|fault| long(&fault))
    };
    let seen = &summary.seen;
    if made(&[
        "kill:leader",
        "pause:leader",
        "kill:all",
        "kill:controllers",
        "partition:leader",
        "power:controllers",
    ]) && seen.terms.len() < 2
    {
        missing.push("leaders were hit, and leadership never changed".into());
    }
    if (made(&["kill:owner", "kill:servers", "kill:all", "move:owner", "drain:owner", "power:journal"])
        || paused("pause:owner"))
        && seen.reassignments() == 0
    {
        missing.push("owners were hit, and no database got another one".into());
    }
    if !faults.is_empty() && faults.iter().all(|fault| !fault.made) {
        missing.push("every fault was skipped".into());
    }
    let looked_at = format!(
        "{} faults made, {} skipped; {} terms, {} new owners",
        faults.iter().filter(|fault| fault.made).count(),
        faults.iter().filter(|fault| !fault.made).count(),
        seen.terms.len(),
        seen.reassignments()
    );
    let mut finding = Finding::of(looked_at, missing);
    if finding.verdict == Verdict::Invalid {
        finding.verdict = Verdict::Unknown;
    }
    finding
}
