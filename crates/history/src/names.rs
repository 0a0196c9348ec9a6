//! The map of names: look-ups, creates and drops of each name are linearizable.
//!
//! `:create [name id]`, `:drop [name nil]`, `:look-up [name id]`, with nil where there is no database of that name. Names
//! and ids are numbers; an id is given once. Of a create that was not answered nobody knows the id.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Edn, Finding, History, Kind, Operation,
    linearizable::{self, Model},
};

/// What was done with one name.
#[derive(Clone, Debug)]
enum Done {
    /// It got one of these ids.
    Create(Vec<i64>),
    Drop,
    LookUp(Option<i64>),
}

impl Model for Done {
    type State = Option<i64>;

    fn after(&self, state: &Option<i64>) -> Vec<Option<i64>> {
        match (self, state) {
            (Self::Create(ids), None) => ids.iter().copied().map(Some).collect(),
            (Self::Drop, Some(_)) => vec![None],
            (Self::LookUp(seen), state) if seen == state => vec![*state],
            (Self::Create(_), Some(_)) | (Self::Drop, None) | (Self::LookUp(_), _) => Vec::new(),
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::LookUp(_))
    }
}

/// Judges each name of a history.
pub fn check(history: &History) -> Finding {
    let operations = history.operations(&["create", "drop", "look-up"]);
    let looked_at = format!("{} operations", operations.len());
    let mut names: BTreeMap<i64, Vec<&Operation<'_>>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| operation.kind() != Kind::Fail) {
        let Some([Edn::Int(name), Edn::Int(_) | Edn::Nil]) = operation.value().items() else {
            let why = format!("operation {} is none on a name: {}", operation.invoked, operation.value());
            return Finding::unknown(looked_at, why);
        };
        names.entry(*name).or_default().push(operation);
    }
    let histories = names.iter().map(|(name, operations)| (*name, of_name(operations))).collect();
    linearizable::judge("names", &histories, ids(&names))
}

/// Where an id was given twice: by two creates, or to two names.
fn ids(names: &BTreeMap<i64, Vec<&Operation<'_>>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut created: BTreeMap<i64, usize> = BTreeMap::new();
    let mut of: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for (name, operations) in names {
        for operation in operations.iter().filter(|operation| operation.kind() == Kind::Ok) {
            let Some(id) = id(operation) else { continue };
            of.entry(id).or_default().insert(*name);
            if operation.invocation.f == "create"
                && let Some(other) = created.insert(id, operation.invoked)
            {
                wrong.push(format!("operations {other} and {} both made id {id}", operation.invoked));
            }
        }
    }
    let shared = of.iter().filter(|(_, names)| names.len() > 1);
    wrong.extend(shared.map(|(id, names)| format!("id {id} was seen under the names {names:?}")));
    wrong
}

fn id(operation: &Operation<'_>) -> Option<i64> {
    operation.value().items()?.get(1)?.int()
}

fn of_name(operations: &[&Operation<'_>]) -> Vec<linearizable::Operation<Done>> {
    let of = |f: &str, kind: Kind| {
        let fits = move |o: &&&Operation<'_>| o.invocation.f == f && o.kind() == kind;
        operations.iter().filter(fits).filter_map(|operation| id(operation)).collect::<BTreeSet<i64>>()
    };
    // What was looked up and is of no acknowledged create can be of one that nobody heard of.
    let mut unheard: Vec<i64> =
        of("look-up", Kind::Ok).difference(&of("create", Kind::Ok)).copied().collect();
    // Or of a database that nobody looked at.
    unheard.push(-1);
    let done = operations.iter().filter_map(|operation| {
        let what = match (&*operation.invocation.f, operation.kind()) {
            ("create", Kind::Ok) => Done::Create(id(operation).into_iter().collect()),
            ("create", _) => Done::Create(unheard.clone()),
            ("drop", _) => Done::Drop,
            (_, Kind::Ok) => Done::LookUp(id(operation)),
            _ => return None,
        };
        let returned = operation.ended.map(|ended| ended as u64);
        Some(linearizable::Operation { invoked: operation.invoked as u64, returned, what })
    });
    done.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Verdict, event::script};

    #[test]
    fn look_ups_of_what_is_gone_or_was_never_made_are_found() {
        let made = [(0, "invoke", "create", "[1 nil]"), (0, "ok", "create", "[1 7]")];
        let dropped = [(0, "invoke", "drop", "[1 nil]"), (0, "ok", "drop", "[1 nil]")];
        let unheard = [(0, "invoke", "create", "[1 nil]"), (0, "info", "create", "[1 nil]")];
        let seen = |id| [(1, "invoke", "look-up", "[1 nil]"), (1, "ok", "look-up", id)];
        for (lines, expected) in [
            (vec![made, seen("[1 7]"), dropped, seen("[1 nil]")], Verdict::Valid),
            (vec![unheard, seen("[1 9]"), seen("[1 9]")], Verdict::Valid),
            (vec![unheard, seen("[1 nil]"), seen("[1 9]")], Verdict::Valid),
            (vec![made, seen("[1 nil]")], Verdict::Invalid),
            (vec![made, dropped, seen("[1 7]")], Verdict::Invalid),
            (vec![made, seen("[1 8]")], Verdict::Invalid),
            (vec![unheard, seen("[1 9]"), seen("[1 8]")], Verdict::Invalid),
            // Of another workload.
            (vec![seen("[1 [2 3]]")], Verdict::Unknown),
        ] {
            assert_eq!(check(&script(&lines.concat())).verdict, expected, "{lines:?}");
        }
    }

    #[test]
    fn an_id_that_is_given_twice_is_found() {
        let made = |value| [(0, "invoke", "create", "[1 nil]"), (0, "ok", "create", value)];
        let dropped = [(0, "invoke", "drop", "[1 nil]"), (0, "ok", "drop", "[1 nil]")];
        let seen = |value| [(1, "invoke", "look-up", "[1 nil]"), (1, "ok", "look-up", value)];
        let unheard = [(2, "invoke", "create", "[2 nil]"), (2, "info", "create", "[2 nil]")];
        for (lines, expected) in [
            (vec![made("[1 7]"), dropped, made("[1 8]")], Verdict::Valid),
            (vec![made("[1 7]"), dropped, made("[1 7]")], Verdict::Invalid),
            (vec![made("[1 7]"), unheard, seen("[2 8]")], Verdict::Valid),
            (vec![made("[1 7]"), unheard, seen("[2 7]")], Verdict::Invalid),
        ] {
            assert_eq!(check(&script(&lines.concat())).verdict, expected, "{lines:?}");
        }
    }
}
