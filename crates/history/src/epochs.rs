//! Owners: what look-ups and moves say of a database's epoch and owner.
//!
//! `:look-up [database [epoch owner]]` and `:move [database [epoch owner]]`, the owner a number or nil. The fleet changes
//! owners by itself, so the history does not hold all changes; but whatever the changes were, an epoch has one owner, and
//! who asks after somebody's answer sees no lower epoch.

use std::collections::BTreeMap;

use crate::{Edn, Finding, History, Kind, Operation};

/// What was seen of one database.
struct Seen {
    invoked: usize,
    ended: usize,
    epoch: i64,
    owner: Option<i64>,
}

/// Judges each database of a history.
pub fn check(history: &History) -> Finding {
    let mut databases: BTreeMap<i64, Vec<Seen>> = BTreeMap::new();
    let mut count = 0;
    for operation in history.operations(&["look-up", "move"]).iter().filter(|o| o.kind() == Kind::Ok) {
        let Some((database, seen)) = seen(operation) else {
            let why = format!("operation {} shows no owner: {}", operation.invoked, operation.value());
            return Finding::unknown("owners".into(), why);
        };
        databases.entry(database).or_default().push(seen);
        count += 1;
    }
    if count == 0 {
        return Finding::unknown("owners".into(), "no look-up and no move was answered".into());
    }
    let epochs: usize = databases.values().map(|seen| epochs(seen)).sum();
    let wrong = databases.iter().flat_map(|(database, seen)| of_database(*database, seen)).collect();
    Finding::of(format!("{count} answers on {} databases, {epochs} epochs seen", databases.len()), wrong)
}

fn seen(operation: &Operation<'_>) -> Option<(i64, Seen)> {
    let [database, found] = operation.value().items()? else { return None };
    let [epoch, owner] = found.items()? else { return None };
    let owner = match owner {
        Edn::Nil => None,
        owner => Some(owner.int()?),
    };
    let seen = Seen { invoked: operation.invoked, ended: operation.ended?, epoch: epoch.int()?, owner };
    Some((database.int()?, seen))
}

fn epochs(seen: &[Seen]) -> usize {
    seen.iter().map(|seen| seen.epoch).collect::<std::collections::BTreeSet<_>>().len()
}

fn of_database(database: i64, seen: &[Seen]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners: BTreeMap<i64, (i64, usize)> = BTreeMap::new();
    for Seen { invoked, epoch, owner, .. } in seen {
        let Some(owner) = owner else { continue };
        let (first, at) = *owners.entry(*epoch).or_insert((*owner, *invoked));
        if first != *owner {
            wrong.push(format!(
                "database {database}, epoch {epoch}: operation {at} saw owner {first}, operation {invoked} {owner}"
            ));
        }
    }
    // By their ends, the highest epoch that had been answered by then.
    let mut answered: Vec<(usize, i64)> = seen.iter().map(|seen| (seen.ended, seen.epoch)).collect();
    answered.sort_unstable();
    let mut highest = i64::MIN;
    for (_, epoch) in &mut answered {
        highest = highest.max(*epoch);
        *epoch = highest;
    }
    for Seen { invoked, epoch, .. } in seen {
        let before = answered.partition_point(|(ended, _)| ended < invoked);
        let Some((ended, highest)) = before.checked_sub(1).map(|at| answered[at]) else { continue };
        if highest > *epoch {
            wrong.push(format!(
                "database {database}: operation {invoked} saw epoch {epoch}, though {highest} had been answered at {ended}"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    fn verdict(script: &[(i64, &str, &str)]) -> Verdict {
        let line = |(process, kind, value): &(i64, &str, &str)| {
            format!("{{:process {process} :type :{kind} :f :look-up :value {value}}}")
        };
        check(&History::from_edn(&script.iter().map(line).collect::<String>()).expect("a good script"))
            .verdict
    }

    #[test]
    fn two_owners_of_an_epoch_and_epochs_that_fall_are_found() {
        let saw = |found| [(0, "invoke", "[1 nil]"), (0, "ok", found)];
        let meanwhile = [(9, "invoke", "[1 nil]")];
        for (script, expected) in [
            (
                vec![&saw("[1 [1 2]]")[..], &saw("[1 [2 3]]"), &saw("[2 [1 1]]"), &saw("[1 [2 nil]]")],
                Verdict::Valid,
            ),
            // Overlapping: it may have been seen before.
            (vec![&meanwhile, &saw("[1 [2 3]]"), &[(9, "ok", "[1 [1 2]]")]], Verdict::Valid),
            (vec![&saw("[1 [2 3]]"), &saw("[1 [1 2]]")], Verdict::Invalid),
            (vec![&saw("[1 [1 2]]"), &saw("[1 [1 3]]")], Verdict::Invalid),
            (vec![&saw("[1 7]")], Verdict::Unknown),
            (vec![&meanwhile], Verdict::Unknown),
        ] {
            assert_eq!(verdict(&script.concat()), expected, "{script:?}");
        }
    }
}
