//! A bank: whoever looks at all accounts sees the same sum.
//!
//! `:transfer [from to amount]` and `:read {account balance …}`. A balance may fall below zero.

use crate::{Edn, Finding, History, Kind};

/// Judges every read of a history; all must show this sum.
pub fn check(history: &History, total: i64) -> Finding {
    let reads = history.operations(&["read"]);
    let reads: Vec<_> = reads.iter().filter(|read| read.kind() == Kind::Ok).collect();
    let transfers = history.operations(&["transfer"]).iter().filter(|o| o.kind() == Kind::Ok).count();
    let mut wrong = Vec::new();
    for read in &reads {
        let Edn::Map(balances) = read.value() else {
            let why = format!("operation {} is no read of a bank: {}", read.invoked, read.value());
            return Finding::unknown(format!("{} reads", reads.len()), why);
        };
        let sum: i64 = balances.iter().filter_map(|(_, balance)| balance.int()).sum();
        if sum != total {
            wrong.push(format!("operation {} saw {sum} instead of {total}: {}", read.invoked, read.value()));
        }
    }
    Finding::of(format!("{} reads beside {transfers} transfers, each to show {total}", reads.len()), wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    #[test]
    fn a_read_with_another_sum_is_found() {
        let read = |balances: &str| {
            let text = format!(
                "{{:type :invoke :process 0 :f :read :value nil}} {{:type :ok :process 0 :f :read :value {balances}}}"
            );
            check(&History::from_edn(&text).expect("a good script"), 20).verdict
        };
        assert_eq!(read("{0 10, 1 10}"), Verdict::Valid);
        assert_eq!(read("{0 25, 1 -5}"), Verdict::Valid);
        assert_eq!(read("{0 9, 1 10}"), Verdict::Invalid);
        assert_eq!(read("[9]"), Verdict::Unknown);
    }
}
