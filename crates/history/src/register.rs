//! Registers: each key alone is linearizable (`:read [k v]`, `:write [k v]`, `:cas [k [old new]]`).

use std::collections::BTreeMap;

use crate::{
    Edn, Finding, History, Kind, Operation,
    linearizable::{self, Model},
    looks::Looks,
};

/// What was done with one register.
#[derive(Clone, Copy, Debug)]
enum Done {
    Read(Option<i64>),
    Write(i64),
    /// It held the first, and holds the second.
    Cas(i64, i64),
}

impl Model for Done {
    type State = Option<i64>;

    fn after(&self, state: &Option<i64>) -> Vec<Option<i64>> {
        match *self {
            Self::Write(value) => vec![Some(value)],
            Self::Cas(old, new) if *state == Some(old) => vec![Some(new)],
            Self::Read(value) if *state == value => vec![value],
            Self::Cas(..) | Self::Read(_) => Vec::new(),
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Read(_))
    }
}

/// Judges each register of a history.
pub fn check(history: &History) -> Finding {
    let operations = history.operations(&["read", "write", "cas"]);
    let mut keys: BTreeMap<i64, Vec<linearizable::Operation<Done>>> = BTreeMap::new();
    let mut looks = Looks::default();
    for operation in &operations {
        match done(operation) {
            Some((key, Some(done))) => {
                match operation.kind() {
                    Kind::Ok if done.is_read() => looks.read(key, operation.invoked),
                    Kind::Ok => looks.changed(key, operation.ended),
                    Kind::Invoke | Kind::Fail | Kind::Info => {}
                }
                keys.entry(key).or_default().push(linearizable::Operation {
                    invoked: operation.invoked as u64,
                    returned: operation.ended.map(|ended| ended as u64),
                    what: done,
                });
            }
            Some((_, None)) => {}
            None => {
                let why =
                    format!("operation {} is none on a register: {}", operation.invoked, operation.value());
                return Finding::unknown(format!("{} operations", operations.len()), why);
            }
        }
    }
    linearizable::judge("registers", &keys, Vec::new()).without(looks.missing())
}

/// What it was; without anything when it says nothing: a read that was not answered, and what had no effect.
fn done(operation: &Operation<'_>) -> Option<(i64, Option<Done>)> {
    let [key, value] = operation.value().items()? else { return None };
    let key = key.int()?;
    if operation.kind() == Kind::Fail {
        return Some((key, None));
    }
    let done = match (&*operation.invocation.f, value) {
        ("read", _) if operation.kind() != Kind::Ok => return Some((key, None)),
        ("read", Edn::Nil) => Done::Read(None),
        ("read", Edn::Int(value)) => Done::Read(Some(*value)),
        ("write", Edn::Int(value)) => Done::Write(*value),
        ("cas", Edn::Vector(values)) => match &values[..] {
            [Edn::Int(old), Edn::Int(new)] => Done::Cas(*old, *new),
            _ => return None,
        },
        _ => return None,
    };
    Some((key, Some(done)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Verdict, event::script};

    #[test]
    fn a_stale_read_of_one_key_is_found_whatever_the_others_do() {
        let good = [
            (0, "invoke", "write", "[1 5]"),
            (1, "invoke", "read", "[1 nil]"),
            (0, "ok", "write", "[1 5]"),
            (1, "ok", "read", "[1 nil]"),
            (0, "invoke", "cas", "[1 [5 6]]"),
            (0, "info", "cas", "[1 [5 6]]"),
            (2, "invoke", "write", "[2 9]"),
            (2, "fail", "write", "[2 9]"),
            (1, "invoke", "read", "[1 nil]"),
            (1, "ok", "read", "[1 6]"),
        ];
        assert_eq!(check(&script(&good)).verdict, Verdict::Valid);
        let stale = [&good[..], &[(1, "invoke", "read", "[1 nil]"), (1, "ok", "read", "[1 5]")]].concat();
        assert_eq!(check(&script(&stale)).verdict, Verdict::Invalid);
        let refused = [&good[..], &[(1, "invoke", "read", "[2 nil]"), (1, "ok", "read", "[2 9]")]].concat();
        assert_eq!(check(&script(&refused)).verdict, Verdict::Invalid);
        assert_eq!(check(&script(&[(0, "invoke", "write", "7")])).verdict, Verdict::Unknown);
        let unread = [&good[..], &[(1, "invoke", "write", "[3 1]"), (1, "ok", "write", "[3 1]")]].concat();
        assert_eq!(check(&script(&unread)).verdict, Verdict::Unknown);
    }
}
