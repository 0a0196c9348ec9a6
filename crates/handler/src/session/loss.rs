//! What becomes of a session whose server is gone.
//!
//! The rule: what may have taken effect is never sent again before the next owner has said that it did not, and what
//! cannot have taken effect is never reported as lost. Before a request is complete, nothing of it can have been
//! committed; a server that says that it is not the owner has not begun what it did not answer.

use wire::backend::TransactionStatus;

use crate::{failure, failure::Failure, sql::Pin};

/// How the server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It said that it does not own the database any more, and did not begin what it had not answered.
    Moved,
    /// It said that it ends, or the connection broke.
    Gone,
}

/// How things stood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// Requests without an answer.
    pub(super) requests: u64,
    /// Nothing is under way.
    pub(super) quiet: bool,
    /// What the last ReadyForQuery said.
    pub(super) status: TransactionStatus,
    /// So much of an answer has gone to the client that nobody knows what it was.
    pub(super) beyond: bool,
    /// What is under way may end a transaction and keep its work.
    pub(super) may_commit: bool,
    /// Everything unanswered is at hand.
    pub(super) replayable: bool,
    /// What cannot be made again elsewhere.
    pub(super) pin: Option<Pin>,
    /// A message to the client is cut in the middle.
    pub(super) mid_answer: bool,
    /// A message from the client is cut in the middle.
    pub(super) mid_request: bool,
}

/// What becomes of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It gets another server with its next request. The client notices nothing.
    Reattach,
    /// It gets another server now and what is unanswered is sent there. The client notices nothing.
    Replay,
    /// Its transaction has failed: 40001, then 25P02 until the client ends it.
    FailTransaction,
    /// It gets another server now, which is asked what became of the unanswered requests.
    Settle,
    /// The unanswered requests were not done, and cannot be sent again.
    Refuse,
    /// What is unanswered fails with this; then it goes on outside a transaction.
    FailRequests(Failure),
    /// It ends.
    End(Failure),
}

impl Fate {
    /// For the metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Reattach => "reattached",
            Self::Replay => "replayed",
            Self::FailTransaction => "transaction_failed",
            Self::Settle => "settled",
            Self::Refuse | Self::FailRequests(_) => "request_failed",
            Self::End(_) => "ended",
        }
    }
}

/// Decides.
pub(super) fn fate(cut: Cut, scene: &Scene) -> Fate {
    let idle = scene.status == TransactionStatus::Idle;
    let nothing_sent = scene.quiet && !scene.mid_request;
    if (scene.beyond && !scene.quiet) || (scene.mid_answer && (nothing_sent || !idle)) {
        return Fate::End(failure::connection_lost());
    }
    // Nothing can have been kept: it was not begun, or not complete, or is in a transaction that nothing ends.
    let harmless = cut == Cut::Moved || (!scene.may_commit && (scene.requests == 0 || !idle)) || nothing_sent;
    match scene.pin {
        Some(pin) if harmless => return Fate::End(failure::pinned(pin)),
        Some(_) => return Fate::Settle,
        None => {}
    }
    match (idle, harmless) {
        (true, _) if nothing_sent => Fate::Reattach,
        (true, true) if scene.replayable => Fate::Replay,
        (false, true) if scene.replayable || nothing_sent => Fate::FailTransaction,
        (_, true) => Fate::Refuse,
        (_, false) => Fate::Settle,
    }
}

#[cfg(test)]
mod tests {
    use TransactionStatus::{Failed, Idle, InTransaction};

    use super::*;

    const QUIET: Scene = Scene {
        requests: 0,
        quiet: true,
        status: Idle,
        beyond: false,
        may_commit: false,
        replayable: true,
        pin: None,
        mid_answer: false,
        mid_request: false,
    };
    const ASKED: Scene = Scene { requests: 1, quiet: false, ..QUIET };
    const SERIES: Scene = Scene { quiet: false, ..QUIET };

    /// The outcome in one word: the SQLSTATE where there is one.
    fn outcome(cut: Cut, scene: Scene) -> String {
        match fate(cut, &scene) {
            Fate::Reattach => "reattach".into(),
            Fate::Replay => "replay".into(),
            Fate::FailTransaction => "transaction".into(),
            Fate::Settle => "settle".into(),
            Fate::Refuse => "refuse".into(),
            Fate::FailRequests(failure) => format!("fail {}", failure.code),
            Fate::End(failure) => format!("end {}", failure.code),
        }
    }

    #[test]
    fn a_lost_server_costs_the_client_as_little_as_is_safe() {
        let transaction = |scene: Scene| Scene { status: InTransaction, ..scene };
        let pinned = |scene: Scene| Scene { pin: Some(Pin::Temporary), ..scene };
        let not_kept = |scene: Scene| Scene { replayable: false, ..scene };
        let commit = |scene: Scene| Scene { may_commit: true, ..scene };
        let mid_answer = |scene: Scene| Scene { mid_answer: true, ..scene };
        for (moved, gone, scene) in [
            ("reattach", "reattach", QUIET),
            ("replay", "settle", ASKED),
            ("replay", "replay", SERIES),
            ("replay", "settle", commit(SERIES)),
            ("replay", "replay", Scene { mid_request: true, ..QUIET }),
            ("transaction", "transaction", transaction(QUIET)),
            ("transaction", "transaction", Scene { status: Failed, ..QUIET }),
            ("transaction", "transaction", transaction(ASKED)),
            ("transaction", "transaction", transaction(SERIES)),
            ("transaction", "settle", commit(transaction(ASKED))),
            ("transaction", "settle", commit(transaction(SERIES))),
            ("end 57P01", "end 57P01", pinned(QUIET)),
            ("end 57P01", "settle", pinned(ASKED)),
            ("end 57P01", "end 57P01", pinned(transaction(ASKED))),
            ("end 57P01", "settle", pinned(commit(transaction(ASKED)))),
            ("end 08006", "end 08006", Scene { beyond: true, ..ASKED }),
            ("end 08006", "end 08006", Scene { beyond: true, ..transaction(ASKED) }),
            ("end 08006", "end 08006", mid_answer(QUIET)),
            ("replay", "settle", mid_answer(ASKED)),
            ("end 08006", "end 08006", mid_answer(transaction(ASKED))),
            ("refuse", "settle", not_kept(ASKED)),
            ("refuse", "refuse", not_kept(SERIES)),
            ("refuse", "refuse", not_kept(transaction(ASKED))),
            ("refuse", "settle", not_kept(commit(transaction(ASKED)))),
            ("reattach", "reattach", not_kept(QUIET)),
            ("transaction", "transaction", not_kept(transaction(QUIET))),
        ] {
            assert_eq!(outcome(Cut::Moved, scene), moved, "moved: {scene:?}");
            assert_eq!(outcome(Cut::Gone, scene), gone, "gone: {scene:?}");
        }
    }
}
