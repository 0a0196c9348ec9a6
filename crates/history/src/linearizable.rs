//! Whether a recorded history could have happened one operation after the other, each at some moment between its
//! invocation and its response (linearizability).
//!
//! Wing and Gong's search with Lowe's memory of what was tried (*Testing for linearizability*, 2017), for one key at a
//! time. An operation whose outcome nobody knows may have happened at any moment after its invocation, or never.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    hash::Hash,
};

use crate::Finding;

/// Most steps of one search. Beyond it there is no verdict.
const STEPS_MAX: usize = 5_000_000;

/// What operations do to one key.
pub trait Model {
    /// What the key holds. Its default is what it holds at first.
    type State: Clone + Debug + Default + Eq + Hash;

    /// The states that this operation may leave behind, with the answer that it had; none when it cannot have had it.
    fn after(&self, state: &Self::State) -> Vec<Self::State>;

    /// Whether it never changes anything.
    fn is_read(&self) -> bool;
}

/// One operation on the key. Moments are numbers that only rise.
#[derive(Clone, Debug)]
pub struct Operation<M> {
    /// When it was asked for.
    pub invoked: u64,
    /// When it was answered; `None` when nobody knows what became of it.
    pub returned: Option<u64>,
    /// What it was, and what was answered.
    pub what: M,
}

/// What is to be said of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It could have happened one after the other.
    Linearizable,
    /// It could not: here is how far the best attempt came.
    Violated(String),
    /// The search was given up.
    Unknown,
}

/// Judges the histories of many keys; `what` names them, and `wrong` is what is known to be wrong already.
pub fn judge<K: Debug, M: Model + Debug>(
    what: &str,
    keys: &BTreeMap<K, Vec<Operation<M>>>,
    mut wrong: Vec<String>,
) -> Finding {
    let count: usize = keys.values().map(Vec::len).sum();
    let mut missing = Vec::new();
    for (key, history) in keys {
        match check(history) {
            Verdict::Linearizable => {}
            Verdict::Violated(how) => wrong.push(format!("key {key:?}: {how}")),
            Verdict::Unknown => missing.push(format!("key {key:?}: the search was given up")),
        }
    }
    if keys.values().flatten().all(|operation| operation.returned.is_none()) {
        missing.push("no operation was answered".into());
    }
    Finding::of(format!("{count} operations on {} {what}", keys.len()), wrong).without(missing)
}

/// Operations that have been put in order, one bit each.
type Set = Vec<u64>;

/// Judges the history of one key.
pub fn check<M: Model + Debug>(history: &[Operation<M>]) -> Verdict {
    let mut history: Vec<&Operation<M>> = history.iter().collect();
    history.sort_by_key(|operation| operation.invoked);
    let none: Set = vec![0; history.len() / 64 + 1];
    let mut tried: HashSet<(Set, M::State)> = HashSet::new();
    let mut open = vec![(none, M::State::default())];
    let mut best = (0, Set::new(), M::State::default());
    while let Some((done, state)) = open.pop() {
        let left = || (0..history.len()).filter(|at| !has(&done, *at));
        // Whatever was invoked after somebody's answer cannot have come before that one.
        let Some(horizon) = left().filter_map(|at| history[at].returned).min() else {
            return Verdict::Linearizable;
        };
        let count = done.iter().map(|word| word.count_ones()).sum();
        if count >= best.0 {
            best = (count, done.clone(), state.clone());
        }
        // The stack turns the order round: those that were answered are tried first, the earliest answer before others.
        let mut next: Vec<usize> = left().take_while(|at| history[*at].invoked < horizon).collect();
        // A read that fits now may as well come now: it takes no choice from the others.
        let fits = |at: &usize| history[*at].what.is_read() && !history[*at].what.after(&state).is_empty();
        if let Some(read) = next.iter().copied().find(fits) {
            next = vec![read];
        }
        next.sort_by_key(|at| std::cmp::Reverse(history[*at].returned.unwrap_or(u64::MAX)));
        for at in next {
            let mut with = done.clone();
            with[at / 64] |= 1 << (at % 64);
            for after in history[at].what.after(&state) {
                let reached = (with.clone(), after);
                if tried.insert(reached.clone()) {
                    open.push(reached);
                }
            }
        }
        if tried.len() > STEPS_MAX {
            return Verdict::Unknown;
        }
    }
    Verdict::Violated(stuck(&history, &best.1, &best.2))
}

fn has(set: &Set, at: usize) -> bool {
    set[at / 64] >> (at % 64) & 1 == 1
}

/// Where the best attempt ended, in words.
fn stuck<M: Model + Debug>(history: &[&Operation<M>], done: &Set, state: &M::State) -> String {
    let left: Vec<String> = (0..history.len())
        .filter(|at| !has(done, *at))
        .take(8)
        .map(|at| format!("{:?}", history[at]))
        .collect();
    format!(
        "after {} operations, at {state:?}, none of these can follow:\n{}",
        done_len(done),
        left.join("\n")
    )
}

fn done_len(done: &Set) -> u32 {
    done.iter().map(|word| word.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register of numbers.
    #[derive(Clone, Copy, Debug)]
    enum Register {
        Write(u32),
        Read(u32),
    }

    impl Model for Register {
        type State = u32;

        fn after(&self, state: &u32) -> Vec<u32> {
            match *self {
                Self::Write(value) => vec![value],
                Self::Read(value) => Vec::from_iter((*state == value).then_some(value)),
            }
        }

        fn is_read(&self) -> bool {
            matches!(self, Self::Read(_))
        }
    }

    use Register::{Read, Write};

    fn verdict(history: &[(u64, Option<u64>, Register)]) -> Verdict {
        let operation = |(invoked, returned, what): &(u64, Option<u64>, Register)| Operation {
            invoked: *invoked,
            returned: *returned,
            what: *what,
        };
        check(&history.iter().map(operation).collect::<Vec<_>>())
    }

    #[test]
    fn histories_that_could_have_happened_are_good() {
        for history in [
            &[][..],
            &[(1, Some(2), Write(1)), (3, Some(4), Read(1))],
            // Overlapping: either order will do.
            &[(1, Some(5), Write(1)), (2, Some(3), Read(0)), (4, Some(6), Read(1))],
            &[(1, Some(5), Write(1)), (2, Some(6), Write(2)), (7, Some(8), Read(1))],
            // Of unknown outcome: it happened late, or never.
            &[(1, None, Write(1)), (2, Some(3), Read(0)), (4, Some(5), Read(0)), (6, Some(7), Read(1))],
            &[(1, None, Write(1)), (2, Some(3), Read(0))],
            &[(1, None, Write(1)), (2, Some(3), Write(2)), (4, Some(5), Read(1))],
        ] {
            assert_eq!(verdict(history), Verdict::Linearizable, "{history:?}");
        }
    }

    #[test]
    fn where_nothing_was_answered_nothing_is_judged() {
        let judged = |returned| {
            let operation = Operation { invoked: 1, returned, what: Write(1) };
            judge("registers", &BTreeMap::from([(7, vec![operation])]), Vec::new()).verdict
        };
        assert_eq!(judged(Some(2)), crate::Verdict::Valid);
        assert_eq!(judged(None), crate::Verdict::Unknown);
        let none: BTreeMap<i64, Vec<Operation<Register>>> = BTreeMap::new();
        assert_eq!(judge("registers", &none, Vec::new()).verdict, crate::Verdict::Unknown);
        assert_eq!(judge("registers", &none, vec!["lost".into()]).verdict, crate::Verdict::Invalid);
    }

    #[test]
    fn histories_that_cannot_have_happened_are_bad() {
        for history in [
            // A stale read.
            &[(1, Some(2), Write(1)), (3, Some(4), Read(0))][..],
            // Going back.
            &[(1, Some(9), Write(1)), (2, Some(3), Read(1)), (4, Some(5), Read(0))],
            // A lost write.
            &[(1, Some(2), Write(1)), (3, Some(4), Write(2)), (5, Some(6), Read(1))],
            // Nobody wrote that.
            &[(1, Some(2), Write(1)), (3, Some(4), Read(7))],
            // Of unknown outcome, but not before it was asked for, and not twice.
            &[(1, Some(2), Read(1)), (3, None, Write(1))],
            &[
                (1, None, Write(1)),
                (2, Some(3), Read(1)),
                (4, Some(5), Write(2)),
                (6, Some(7), Read(2)),
                (8, Some(9), Read(1)),
            ],
        ] {
            assert!(matches!(verdict(history), Verdict::Violated(_)), "{history:?}");
        }
    }

    /// Good by construction: every operation takes effect in the middle of its time. One stale read among them is found.
    #[test]
    fn long_histories_of_many_clients_are_judged_in_time() {
        use rand::{Rng, SeedableRng, rngs::StdRng};
        for seed in 0..10 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut value, mut history) = (0, Vec::new());
            for at in 0..400_u64 {
                let (before, after) = (random.random_range(1..40), random.random_range(1..40));
                let write = random.random_bool(0.3);
                let what = match write {
                    true => {
                        value = u32::try_from(at + 1).expect("small");
                        Write(value)
                    }
                    false => Read(value),
                };
                // A write that nobody was told of, now and then.
                let returned = (!write || random.random_bool(0.95)).then_some(100 + 10 * at + after);
                history.push((100 + 10 * at - before, returned, what));
            }
            assert_eq!(verdict(&history), Verdict::Linearizable, "seed {seed}");
            history.push((100_000, Some(100_001), Read(0)));
            assert!(matches!(verdict(&history), Verdict::Violated(_)), "seed {seed}");
        }
    }
}
