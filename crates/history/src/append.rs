//! Strict serializability of transactions that append to lists and read them.
//!
//! Every element is appended once, so a list that was read tells the order of its appends, and from the orders of all
//! lists follow the orders of transactions. A circle among these, with the order of real time, is an anomaly
//! (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from Experimental Observations*, 2020).
//! A transaction is `[[:append 1 7] [:r 2 [3 4]]]`: key 1 gets element 7, and key 2 was read.

mod cycle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Edn, Finding, History, Kind, Operation, looks::Looks};
use cycle::{Edge, Graph};

/// The functions whose operations are transactions.
const TXN: &str = "txn";

/// A part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Append(i64, i64),
    /// What was found; `None` when nobody was told.
    Read(i64, Option<Vec<i64>>),
}

/// A transaction that was done, or may have been.
struct Txn<'a> {
    operation: &'a Operation<'a>,
    steps: Vec<Step>,
}

/// Judges all transactions of a history.
pub fn check(history: &History) -> Finding {
    let operations = history.operations(&[TXN]);
    let mut txns = Vec::new();
    let mut failed = BTreeSet::new();
    for operation in &operations {
        let Some(steps) = steps(operation.value()) else {
            let why = format!("operation {} is no transaction: {}", operation.invoked, operation.value());
            return Finding::unknown(format!("{} transactions", operations.len()), why);
        };
        match operation.kind() {
            Kind::Fail => failed.extend(steps.iter().filter_map(|step| match step {
                Step::Append(key, element) => Some((*key, *element)),
                Step::Read(..) => None,
            })),
            Kind::Invoke | Kind::Ok | Kind::Info => txns.push(Txn { operation, steps }),
        }
    }
    let done = txns.iter().filter(|txn| txn.done()).count();
    let looked_at = format!("{done} transactions done, {} that may have been", txns.len() - done);
    if done == 0 {
        return Finding::unknown(looked_at, "no transaction was answered".into());
    }
    let mut judge = Judge { txns: &txns, failed, wrong: Vec::new() };
    judge.judge();
    Finding::of(looked_at, judge.wrong).without(looks(&txns).missing())
}

/// Which lists were read after they had been appended to.
fn looks(txns: &[Txn<'_>]) -> Looks {
    let mut looks = Looks::default();
    for txn in txns.iter().filter(|txn| txn.done()) {
        txn.appends().for_each(|(key, _)| looks.changed(key, txn.operation.ended));
        txn.reads().for_each(|(key, _)| looks.read(key, txn.operation.invoked));
    }
    looks
}

fn steps(value: &Edn) -> Option<Vec<Step>> {
    let step = |step: &Edn| match step.items()? {
        [f, key, Edn::Int(element)] if f.name() == Some("append") => Some(Step::Append(key.int()?, *element)),
        [f, key, Edn::Nil] if f.name() == Some("r") => Some(Step::Read(key.int()?, None)),
        [f, key, Edn::Vector(found)] if f.name() == Some("r") => {
            Some(Step::Read(key.int()?, Some(found.iter().map(Edn::int).collect::<Option<_>>()?)))
        }
        _ => None,
    };
    value.items()?.iter().map(step).collect()
}

impl Txn<'_> {
    fn done(&self) -> bool {
        self.operation.kind() == Kind::Ok
    }

    /// What it found in lists; nothing when nobody was told how it ended. A read of nothing is an empty list.
    fn reads(&self) -> impl Iterator<Item = (i64, &[i64])> {
        let done = self.done();
        self.steps.iter().filter_map(move |step| match step {
            Step::Read(key, found) if done => Some((*key, found.as_deref().unwrap_or_default())),
            _ => None,
        })
    }

    fn appends(&self) -> impl Iterator<Item = (i64, i64)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Append(key, element) => Some((*key, *element)),
            Step::Read(..) => None,
        })
    }
}

/// The search for anomalies.
struct Judge<'a> {
    txns: &'a [Txn<'a>],
    failed: BTreeSet<(i64, i64)>,
    wrong: Vec<String>,
}

impl Judge<'_> {
    fn judge(&mut self) {
        let mut writers = BTreeMap::new();
        for (at, txn) in self.txns.iter().enumerate() {
            for append in txn.appends() {
                if writers.insert(append, at).is_some() {
                    self.wrong
                        .push(format!("the history appends {append:?} twice: nothing can be told of it"));
                }
            }
        }
        self.within_transactions();
        let orders = self.orders();
        self.single_reads(&writers);
        let graph = self.graph(&writers, &orders);
        for found in graph.cycles() {
            self.wrong.push(self.describe(&found));
        }
    }

    /// Each transaction sees what it did itself, and sees the same twice.
    fn within_transactions(&mut self) {
        for txn in self.txns.iter().filter(|txn| txn.done()) {
            let mut expected: BTreeMap<i64, (Option<Vec<i64>>, Vec<i64>)> = BTreeMap::new();
            for step in &txn.steps {
                match step {
                    Step::Append(key, element) => expected.entry(*key).or_default().1.push(*element),
                    Step::Read(key, found) => {
                        let found = found.clone().unwrap_or_default();
                        let (before, own) = expected.entry(*key).or_default();
                        let fits = match before {
                            Some(before) => found == [&before[..], &own[..]].concat(),
                            None => found.ends_with(own),
                        };
                        if !fits {
                            self.wrong.push(format!(
                                "internal: {} does not see its own work",
                                txn.operation.value()
                            ));
                        }
                        *before = Some(found);
                        own.clear();
                    }
                }
            }
        }
    }

    /// The order of each list: its longest read. The others must be beginnings of it.
    fn orders(&mut self) -> BTreeMap<i64, Vec<i64>> {
        let mut orders: BTreeMap<i64, &[i64]> = BTreeMap::new();
        for (key, found) in self.txns.iter().flat_map(Txn::reads) {
            let longest = orders.entry(key).or_default();
            if found.len() > longest.len() {
                *longest = found;
            }
        }
        for txn in self.txns {
            for (key, found) in txn.reads() {
                if !orders[&key].starts_with(found) {
                    let order = orders[&key];
                    self.wrong
                        .push(format!("incompatible order: key {key} was read as {found:?} and {order:?}"));
                }
            }
        }
        orders.into_iter().map(|(key, order)| (key, order.to_vec())).collect()
    }

    /// What one read alone proves.
    fn single_reads(&mut self, writers: &BTreeMap<(i64, i64), usize>) {
        for (reader, txn) in self.txns.iter().enumerate() {
            for (key, found) in txn.reads() {
                let said = || format!("{}, operation {}", txn.operation.value(), txn.operation.invoked);
                let different: BTreeSet<_> = found.iter().collect();
                if different.len() < found.len() {
                    self.wrong
                        .push(format!("duplicate: an element of key {key} is there twice in {}", said()));
                }
                for element in found {
                    if self.failed.contains(&(key, *element)) {
                        self.wrong.push(format!(
                            "aborted read: {element} of key {key} was refused, and is in {}",
                            said()
                        ));
                    } else if !writers.contains_key(&(key, *element)) {
                        self.wrong.push(format!(
                            "invented: nobody appended {element} to key {key}, which is in {}",
                            said()
                        ));
                    }
                }
                let Some(last) = found.last() else { continue };
                let Some(writer) = writers.get(&(key, *last)).copied().filter(|writer| *writer != reader)
                else {
                    continue;
                };
                let of_key = self.txns[writer].appends().filter(|(of, _)| *of == key);
                if of_key.last().is_some_and(|(_, element)| element != *last) {
                    self.wrong.push(format!(
                        "intermediate read: {} saw half of operation {}",
                        said(),
                        self.txns[writer].operation.invoked
                    ));
                }
            }
        }
    }

    fn graph(&self, writers: &BTreeMap<(i64, i64), usize>, orders: &BTreeMap<i64, Vec<i64>>) -> Graph {
        let mut graph = Graph::new(self.txns.len());
        let writer = |key: i64, element: i64| writers.get(&(key, element)).copied();
        // Those that were acknowledged and are in no read come after everything that is.
        let mut unseen: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (at, txn) in self.txns.iter().enumerate().filter(|(_, txn)| txn.done()) {
            for (key, element) in txn.appends() {
                if !orders.get(&key).is_some_and(|order| order.contains(&element)) {
                    unseen.entry(key).or_default().push(at);
                }
            }
        }
        for (key, order) in orders {
            for pair in order.windows(2) {
                if let (Some(from), Some(to)) = (writer(*key, pair[0]), writer(*key, pair[1])) {
                    graph.add(from, to, Edge::WriteWrite);
                }
            }
            let last = order.last().and_then(|last| writer(*key, *last));
            for (from, to) in
                last.iter().flat_map(|from| unseen.get(key).into_iter().flatten().map(move |to| (from, to)))
            {
                graph.add(*from, *to, Edge::WriteWrite);
            }
        }
        for (reader, txn) in self.txns.iter().enumerate() {
            for (key, found) in txn.reads() {
                if let Some(from) = found.last().and_then(|last| writer(key, *last)) {
                    graph.add(from, reader, Edge::WriteRead);
                }
                let next = orders[&key].get(found.len()).and_then(|next| writer(key, *next));
                let unseen = unseen.get(&key).into_iter().flatten().copied();
                for to in next.into_iter().chain(unseen) {
                    graph.add(reader, to, Edge::ReadWrite);
                }
            }
        }
        graph.add_real_time(self.txns.iter().map(|txn| (txn.operation.invoked, txn.operation.ended)));
        graph
    }

    fn describe(&self, found: &cycle::Cycle) -> String {
        let steps = found.steps.iter().map(|(at, edge)| {
            let operation = self.txns[*at].operation;
            format!("operation {} {} {edge}", operation.invoked, operation.value())
        });
        format!("{}: {} back to the first", found.name(), steps.collect::<Vec<_>>().join(" "))
    }
}
