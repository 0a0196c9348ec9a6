//! A bank: whoever looks at all accounts sees the same sum.
//!
//! `:transfer [from to amount]` and `:read {account balance …}`. A balance may fall below zero.

use crate::{Edn, Finding, History, Kind, looks::Looks};

/// Judges every read of a history; all must show this sum.
pub fn check(history: &History, total: i64) -> Finding {
    let reads = history.operations(&["read"]);
    let reads: Vec<_> = reads.iter().filter(|read| read.kind() == Kind::Ok).collect();
    let transfers = history.operations(&["transfer"]);
    let transfers: Vec<_> = transfers.iter().filter(|transfer| transfer.kind() == Kind::Ok).collect();
    let looked_at =
        format!("{} reads beside {} transfers, each to show {total}", reads.len(), transfers.len());
    if reads.is_empty() {
        return Finding::unknown(looked_at, "nobody could read the bank".into());
    }
    let mut wrong = Vec::new();
    for read in &reads {
        let Edn::Map(balances) = read.value() else {
            let why = format!("operation {} is no read of a bank: {}", read.invoked, read.value());
            return Finding::unknown(looked_at, why);
        };
        let sum: i64 = balances.iter().filter_map(|(_, balance)| balance.int()).sum();
        if sum != total {
            wrong.push(format!("operation {} saw {sum} instead of {total}: {}", read.invoked, read.value()));
        }
    }
    // Which of several banks it is does not show in the history: they count as one.
    let mut looks = Looks::default();
    transfers.iter().for_each(|transfer| looks.changed(0, transfer.ended));
    reads.iter().for_each(|read| looks.read(0, read.invoked));
    Finding::of(looked_at, wrong).without(looks.missing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Verdict, event::script};

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

    #[test]
    fn a_bank_that_nobody_read_after_the_last_transfer_is_unknown() {
        let read = |kind| [(0, "invoke", "read", "nil"), (0, kind, "read", "{0 10, 1 10}")];
        let transfer = [(1, "invoke", "transfer", "[0 1 5]"), (1, "ok", "transfer", "[0 1 5]")];
        for (lines, expected) in [
            (vec![], Verdict::Unknown),
            (vec![transfer, read("fail")], Verdict::Unknown),
            (vec![read("ok"), transfer, read("fail")], Verdict::Unknown),
            (vec![transfer, read("ok")], Verdict::Valid),
        ] {
            assert_eq!(check(&script(&lines.concat()), 20).verdict, expected, "{lines:?}");
        }
    }
}
