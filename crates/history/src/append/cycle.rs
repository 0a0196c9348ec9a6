//! Circles among transactions.

use std::{collections::VecDeque, fmt};

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The other wrote the next version.
    WriteWrite,
    /// The other read what it wrote.
    WriteRead,
    /// The other wrote the version after the one that it read.
    ReadWrite,
    /// It had ended before the other was asked for.
    RealTime,
}

impl fmt::Display for Edge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::WriteWrite => "-ww->",
            Self::WriteRead => "-wr->",
            Self::ReadWrite => "-rw->",
            Self::RealTime => "-rt->",
        })
    }
}

/// A circle: transactions, each with the reason why it comes before the next.
pub struct Cycle {
    pub steps: Vec<(usize, Edge)>,
}

impl Cycle {
    /// Adya's name for it.
    pub fn name(&self) -> String {
        let count = |of: Edge| self.steps.iter().filter(|(_, edge)| *edge == of).count();
        let name = match (count(Edge::ReadWrite), count(Edge::WriteRead)) {
            (0, 0) => "G0",
            (0, _) => "G1c",
            (1, _) => "G-single",
            (_, _) => "G2",
        };
        format!("{name}{}", if count(Edge::RealTime) > 0 { "-realtime" } else { "" })
    }
}

/// Transactions, moments, and which comes before which.
///
/// The order in real time goes through a chain of moments, one for each end, so that it takes no edge for each pair.
pub struct Graph {
    txns: usize,
    next: Vec<Vec<(usize, Edge)>>,
}

impl Graph {
    pub fn new(txns: usize) -> Self {
        Self { txns, next: vec![Vec::new(); txns] }
    }

    pub fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to {
            self.next[from].push((to, edge));
        }
    }

    /// Each transaction's invocation and end, as places in the history.
    pub fn add_real_time(&mut self, times: impl Iterator<Item = (usize, Option<usize>)>) {
        let mut moments = Vec::new();
        for (txn, (invoked, ended)) in times.enumerate() {
            moments.push((invoked, txn, false));
            moments.extend(ended.map(|ended| (ended, txn, true)));
        }
        moments.sort_unstable();
        let mut latest = None;
        for (_, txn, ends) in moments {
            if ends {
                let moment = self.next.len();
                self.next.push(Vec::new());
                self.next[txn].push((moment, Edge::RealTime));
                if let Some(before) = latest {
                    let before: usize = before;
                    self.next[before].push((moment, Edge::RealTime));
                }
                latest = Some(moment);
            } else if let Some(before) = latest {
                self.next[before].push((txn, Edge::RealTime));
            }
        }
    }

    /// A shortest circle of each knot of transactions that all come before one another.
    pub fn cycles(&self) -> Vec<Cycle> {
        let knots = self.knots();
        let mut of = vec![usize::MAX; self.next.len()];
        for (number, knot) in knots.iter().enumerate() {
            knot.iter().for_each(|node| of[*node] = number);
        }
        knots
            .iter()
            .filter_map(|knot| {
                let txns = knot.iter().filter(|node| **node < self.txns);
                // Shorter ones say more; a knot of thousands needs no search from each.
                txns.take(200).filter_map(|start| self.shortest(*start, &of)).min_by_key(|cycle| {
                    let weak = cycle.steps.iter().filter(|(_, edge)| *edge == Edge::RealTime).count();
                    (cycle.steps.len(), weak)
                })
            })
            .collect()
    }

    /// The shortest way from a node back to itself, moments left out.
    fn shortest(&self, start: usize, of: &[usize]) -> Option<Cycle> {
        let mut came: Vec<Option<(usize, Edge)>> = vec![None; self.next.len()];
        let mut open = VecDeque::from([start]);
        while let Some(node) = open.pop_front() {
            for (to, edge) in self.next[node].iter().filter(|(to, _)| of[*to] == of[start]) {
                if *to == start {
                    return Some(self.way(start, node, *edge, &came));
                }
                if came[*to].is_none() {
                    came[*to] = Some((node, *edge));
                    open.push_back(*to);
                }
            }
        }
        None
    }

    fn way(&self, start: usize, last: usize, edge: Edge, came: &[Option<(usize, Edge)>]) -> Cycle {
        let (mut steps, mut node, mut edge) = (Vec::new(), last, edge);
        loop {
            if node < self.txns {
                steps.push((node, edge));
            }
            if node == start {
                steps.reverse();
                return Cycle { steps };
            }
            let (before, by) = came[node].expect("BUG: every node on the way was come to");
            // Through a moment, what counts is that there was one.
            edge = if node < self.txns { by } else { Edge::RealTime };
            node = before;
        }
    }

    /// Strongly connected components of more than one node (Tarjan, without recursion).
    fn knots(&self) -> Vec<Vec<usize>> {
        const NEW: usize = usize::MAX;
        let count = self.next.len();
        let (mut index, mut low, mut on) = (vec![NEW; count], vec![0; count], vec![false; count]);
        let (mut stack, mut knots, mut counter) = (Vec::new(), Vec::new(), 0);
        for root in 0..count {
            if index[root] != NEW {
                continue;
            }
            let mut work = vec![(root, 0)];
            while let Some((node, edge)) = work.pop() {
                if edge == 0 {
                    (index[node], low[node], on[node]) = (counter, counter, true);
                    counter += 1;
                    stack.push(node);
                }
                match self.next[node].get(edge) {
                    Some((to, _)) => {
                        work.push((node, edge + 1));
                        if index[*to] == NEW {
                            work.push((*to, 0));
                        } else if on[*to] {
                            low[node] = low[node].min(index[*to]);
                        }
                    }
                    None => {
                        if low[node] == index[node] {
                            let from =
                                stack.iter().rposition(|of| *of == node).expect("BUG: it is on the stack");
                            let knot = stack.split_off(from);
                            knot.iter().for_each(|of| on[*of] = false);
                            if knot.len() > 1 {
                                knots.push(knot);
                            }
                        }
                        if let Some((parent, _)) = work.last() {
                            low[*parent] = low[*parent].min(low[node]);
                        }
                    }
                }
            }
        }
        knots
    }
}
