//! Everything that can have become of a few requests, and what the client is told.

use TransactionStatus::{Failed, Idle, InTransaction};
use bytes::BytesMut;
use wire::backend;

use super::*;

fn answer(status: TransactionStatus) -> Settled {
    let mut bytes = BytesMut::new();
    backend::command_complete(&mut bytes, "OK");
    backend::ready_for_query(&mut bytes, status);
    Settled::Answered(bytes.freeze())
}

/// One letter for each: answered (outside and inside a transaction), done, absent, unknown.
fn settled(letters: &str) -> Vec<Settled> {
    let one = |letter| match letter {
        'A' => answer(Idle),
        'T' => answer(InTransaction),
        'D' => Settled::Done,
        '-' => Settled::Absent,
        '?' => Settled::Unknown,
        other => panic!("{other}"),
    };
    letters.chars().map(one).collect()
}

/// One letter for each request: `q`, or `c` when it may commit; after a space the same for an open series.
fn unanswered(status: TransactionStatus, letters: &str) -> Unanswered {
    let (requests, open) = letters.split_once(' ').map_or((letters, None), |(all, open)| (all, Some(open)));
    Unanswered {
        status,
        commits: requests.chars().map(|letter| letter == 'c').collect(),
        open: open.map(|letter| letter == "c"),
        at_hand: true,
    }
}

/// A plan in short.
fn short(plan: &Plan) -> String {
    let code = |status: TransactionStatus| char::from(status.code());
    let mut words: Vec<String> = plan
        .steps
        .iter()
        .map(|step| match step {
            Step::Answer(_) => "answer".into(),
            Step::Fail(failure, status) => format!("{} {}", failure.code, code(*status)),
        })
        .collect();
    words.push(match &plan.rest {
        Rest::Again => "again".into(),
        Rest::Transaction(Some(failure)) => format!("transaction {}", failure.code),
        Rest::Transaction(None) => "transaction".into(),
        Rest::Series(failure, status) => format!("series {} {}", failure.code, code(*status)),
    });
    words.join(", ")
}

fn plan(unanswered: &Unanswered, letters: &str) -> Plan {
    unanswered.plan(&settled(letters), &failure::completion_unknown("test"), None)
}

#[test]
fn outside_of_a_transaction_what_was_done_is_told_and_the_rest_is_done() {
    for (requests, fates, expected) in [
        ("q", "A", "answer, again"),
        ("q", "-", "again"),
        ("q", "D", "40003 I, again"),
        ("q", "?", "40003 I, again"),
        ("q", "", "40003 I, again"),
        ("qqq", "A--", "answer, again"),
        ("qqq", "AA-", "answer, answer, again"),
        ("qqq", "-A-", "40001 I, answer, again"),
        ("qqq", "A?-", "answer, 40003 I, again"),
        ("qqq", "-?A", "40001 I, 40003 I, answer, again"),
        ("qqq", "--D", "40001 I, 40001 I, 40003 I, again"),
        // What a later COMMIT has kept is not said to have had no effect.
        ("qqc", "--A", "40003 I, 40003 I, answer, again"),
        ("qqcq", "--A-", "40003 I, 40003 I, answer, again"),
        ("qqcq", "---A", "40001 I, 40001 I, 40001 I, answer, again"),
        ("qc", "-?", "40003 I, 40003 I, again"),
        // A transaction that the last done request has begun went with its server.
        ("qq", "T-", "answer, transaction 40001"),
        ("qqc", "T-A", "answer, 40003 E, answer, again"),
        // A series without its Sync keeps nothing, unless it ends a transaction itself.
        ("q q", "A?", "answer, again"),
        ("q q", "??", "40003 I, again"),
        (" c", "-", "again"),
        (" c", "A", "series 40003 I"),
        (" c", "?", "series 40003 I"),
        ("q c", "-D", "40003 I, series 40003 I"),
    ] {
        let unanswered = unanswered(Idle, requests);
        assert_eq!(short(&plan(&unanswered, fates)), expected, "{requests}: {fates}");
    }
}

#[test]
fn in_a_transaction_only_its_commit_can_have_kept_anything() {
    for (requests, fates, expected) in [
        ("c", "A", "answer, again"),
        ("c", "-", "transaction 40001"),
        ("c", "D", "40003 I, again"),
        ("c", "?", "40003 I, again"),
        ("qc", "-A", "40003 E, answer, again"),
        ("qc", "--", "transaction 40001"),
        ("qc", "??", "40003 E, 40003 I, again"),
        ("qcq", "-A-", "40003 E, answer, again"),
        ("qcq", "-AA", "40003 E, answer, answer, again"),
        ("cq", "-A", "40001 E, answer, again"),
        (" c", "A", "series 40003 I"),
        (" c", "-", "transaction 40001"),
    ] {
        let unanswered = unanswered(InTransaction, requests);
        assert_eq!(short(&plan(&unanswered, fates)), expected, "{requests}: {fates}");
    }
    assert_eq!(short(&plan(&unanswered(Failed, "c"), "-")), "transaction 40001");
}

#[test]
fn what_cannot_be_sent_again_is_refused_as_not_done() {
    for (status, requests, fates, expected) in [
        (Idle, "q", "-", "40001 I, again"),
        (Idle, "qqq", "A--", "answer, 40001 I, 40001 I, again"),
        (Idle, "q q", "--", "40001 I, series 40001 I"),
        (InTransaction, "q", "-", "40001 E, transaction"),
        (InTransaction, "qq", "--", "40001 E, 25P02 E, transaction"),
        (InTransaction, "qcq", "---", "40001 E, 25P02 E, 25P02 E, transaction"),
        (InTransaction, " q", "-", "series 40001 E"),
        (InTransaction, "q q", "--", "40001 E, series 25P02 E"),
    ] {
        let unanswered = Unanswered { at_hand: false, ..unanswered(status, requests) };
        let why = Some(NotDone::NotKept);
        let plan = unanswered.plan(&settled(fates), &failure::completion_unknown("test"), why);
        assert_eq!(short(&plan), expected, "{status:?} {requests}: {fates}");
    }
}

#[test]
fn an_answer_that_is_none_is_as_good_as_lost() {
    let unanswered = unanswered(Idle, "q");
    for bytes in [&b""[..], b"C\0\0\0\x07OK\0", b"Z\0\0\0\x05IZ\0\0\0\x05I", b"Z\0\0\0"] {
        let settled = [Settled::Answered(Bytes::copy_from_slice(bytes))];
        let plan = unanswered.plan(&settled, &failure::completion_unknown("test"), None);
        assert_eq!(short(&plan), "40003 I, again", "{bytes:?}");
    }
}

#[test]
fn every_request_gets_exactly_one_word_or_is_done() {
    let letters = ["A", "T", "D", "-", "?"];
    for status in [Idle, InTransaction, Failed] {
        for at_hand in [true, false] {
            for number in 0..5_usize.pow(4) {
                let fates: String = (0..4).map(|at| letters[number / 5_usize.pow(at) % 5]).collect();
                for commits in 0..16_usize {
                    let requests: String =
                        (0..4).map(|at| if commits >> at & 1 == 1 { 'c' } else { 'q' }).collect();
                    let unanswered = Unanswered { at_hand, ..unanswered(status, &requests) };
                    let why = (!at_hand).then_some(NotDone::NotKept);
                    let plan = unanswered.plan(&settled(&fates), &failure::completion_unknown("test"), why);
                    let last_done = fates.rfind(|fate| fate != '-').map_or(0, |at| at + 1);
                    assert!(plan.steps.len() >= last_done && plan.steps.len() <= 4, "{plan:?}");
                    assert!(at_hand || plan.steps.len() == 4, "what is not at hand is not sent: {plan:?}");
                    for (step, fate) in plan.steps.iter().zip(fates.chars()) {
                        let answered = matches!(step, Step::Answer(_));
                        assert_eq!(answered, matches!(fate, 'A' | 'T'), "{fates}: {plan:?}");
                        if let Step::Fail(failure, _) = step {
                            let unknown = failure.code.as_str() == "40003";
                            assert!(fate == '-' || unknown, "{fates}: {plan:?}");
                        }
                    }
                }
            }
        }
    }
}
