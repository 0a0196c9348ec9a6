//! A set that only grows, in a table without a key: what was acknowledged is there once, and nothing else is.
//!
//! `:add token` and, at the end, `:read [token …]`.

use std::collections::BTreeMap;

use crate::{Edn, Finding, History, Kind, looks::Looks};

/// Judges the last read against all adds that ended before it began. Reads before it are held to what they must hold.
pub fn check(history: &History) -> Finding {
    let adds = history.operations(&["add"]);
    let reads = history.operations(&["read"]);
    let looked_at = |reads: usize| format!("{} adds, {reads} reads", adds.len());
    let mut wrong = Vec::new();
    let (mut answered, mut looks) = (0, Looks::default());
    for add in adds.iter().filter(|add| add.kind() == Kind::Ok) {
        looks.changed(0, add.ended);
    }
    for read in reads.iter().filter(|read| read.kind() == Kind::Ok) {
        answered += 1;
        looks.read(0, read.invoked);
        let Some(found) = read.value().items() else {
            return Finding::unknown(looked_at(answered), format!("operation {} shows no set", read.invoked));
        };
        let mut there: BTreeMap<&Edn, u64> = BTreeMap::new();
        for token in found {
            *there.entry(token).or_default() += 1;
        }
        let ended = read.ended.unwrap_or(usize::MAX);
        let mut tried = BTreeMap::new();
        for add in adds.iter().filter(|add| add.invoked < ended) {
            let acknowledged = add.kind() == Kind::Ok && add.ended.is_some_and(|end| end < read.invoked);
            tried.insert(&add.invocation.value, add.kind());
            if acknowledged && !there.contains_key(&add.invocation.value) {
                wrong.push(format!("lost: {} of operation {}", add.invocation.value, add.invoked));
            }
        }
        for (token, count) in &there {
            match tried.get(*token) {
                None => wrong.push(format!("invented: {token}")),
                Some(Kind::Fail) => wrong.push(format!("refused and there all the same: {token}")),
                Some(_) if *count > 1 => wrong.push(format!("doubled: {token} is there {count} times")),
                Some(_) => {}
            }
        }
    }
    match (adds.len(), answered) {
        (0, _) => Finding::unknown(looked_at(answered), "nobody added anything".into()),
        (_, 0) => Finding::unknown(looked_at(0), "nobody could read the set at the end".into()),
        _ => Finding::of(looked_at(answered), wrong).without(looks.missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    /// One token of each fate, then this read.
    fn finding(read: &str) -> Finding {
        let add = |token: i64, kind: &str| {
            format!(
                "{{:type :invoke :process {token} :f :add :value {token}}} {{:type :{kind} :process {token} :f :add :value {token}}}"
            )
        };
        let text = [add(1, "ok"), add(2, "info"), add(3, "fail")].concat()
            + &format!(
                "{{:type :invoke :process 9 :f :read :value nil}} {{:type :ok :process 9 :f :read :value {read}}}"
            );
        check(&History::from_edn(&text).expect("a good script"))
    }

    #[test]
    fn lost_doubled_invented_and_refused_tokens_are_told_apart() {
        assert_eq!(finding("[1]").verdict, Verdict::Valid);
        assert_eq!(finding("[2 1]").verdict, Verdict::Valid);
        for (read, wrong) in [
            ("[2]", "lost"),
            ("[1 1]", "doubled"),
            ("[1 2 2]", "doubled"),
            ("[1 3]", "refused"),
            ("[1 4]", "invented"),
        ] {
            let finding = finding(read);
            assert_eq!((finding.verdict, finding.wrong.len()), (Verdict::Invalid, 1), "{read}");
            assert!(finding.wrong[0].starts_with(wrong), "{:?}", finding.wrong);
        }
        assert_eq!(check(&History::default()).verdict, Verdict::Unknown);
    }
}
