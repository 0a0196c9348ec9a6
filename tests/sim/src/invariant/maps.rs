//! All controllers have the same map at the same revision (C14), at any time.
//!
//! Catches `replay`.

use std::collections::BTreeMap;

use history::{Edn, Finding, History, Kind};

/// `:digest [revision fingerprint]`.
pub fn check(history: &History) -> Finding {
    let mut seen: BTreeMap<i64, &Edn> = BTreeMap::new();
    let mut wrong = Vec::new();
    let answers = history.operations(&["digest"]);
    for answer in answers.iter().filter(|answer| answer.kind() == Kind::Ok) {
        let Some([Edn::Int(revision), digest]) = answer.value().items() else {
            return Finding::unknown("maps".into(), format!("operation {} shows no map", answer.invoked));
        };
        let first = seen.entry(*revision).or_insert(digest);
        if *first != digest {
            wrong.push(format!("revision {revision} is {first} and {digest}"));
        }
    }
    Finding::of(format!("{} fingerprints of {} revisions", answers.len(), seen.len()), wrong)
}

#[cfg(test)]
mod tests {
    use history::Verdict;

    use super::*;

    #[test]
    fn two_maps_at_one_revision_are_found() {
        let verdict = |digests: &[&str]| {
            let pair = |(number, found): (usize, &&str)| {
                let entry =
                    |kind: &str| format!("{{:process {number} :type :{kind} :f :digest :value {found}}}");
                entry("invoke") + &entry("ok")
            };
            let text: String = digests.iter().enumerate().map(pair).collect();
            check(&History::from_edn(&text).expect("a good script")).verdict
        };
        assert_eq!(verdict(&["[1 \"a\"]", "[2 \"b\"]", "[1 \"a\"]"]), Verdict::Valid);
        assert_eq!(verdict(&["[1 \"a\"]", "[2 \"b\"]", "[1 \"b\"]"]), Verdict::Invalid);
    }
}
