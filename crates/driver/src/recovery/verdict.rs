//! What becomes of a call that failed (R68, R72, S2).
//!
//! A policy, the driver's own or a directive's, says how to react to an error. It is a permission, not a proof:
//! what may have had an effect is not sent again, whatever a policy says.

/// What the application said or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// Doing it twice is the same as doing it once: it only reads, or the application says so.
    pub(crate) repeatable: bool,
    /// It belongs to a transaction that the application began.
    pub(crate) in_transaction: bool,
    /// It may end one.
    pub(crate) commits: bool,
}

/// What is known of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts<'a> {
    /// The SQLSTATE, if a server gave one.
    pub(crate) code: Option<&'a str>,
    /// The session is at its end.
    pub(crate) broken: bool,
    /// Some request of the session was handed over and has no answer.
    pub(crate) under_way: bool,
}

/// What may be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It had no effect, or repeating it repeats nothing: the policy decides.
    Harmless,
    /// It failed within a transaction, which is the application's to repeat.
    InTransaction,
    /// The transaction is gone with its session.
    TransactionLost,
    /// Nobody knows whether it had an effect.
    Unknown,
}

/// The SQLSTATE by which a broken connection is looked up in a policy: connection failure.
pub(crate) const BROKEN: &str = "08006";

/// The SQLSTATE by which a request of unknown outcome is looked up where repeating it repeats nothing: serialization failure.
pub(crate) const REPEATABLE: &str = "40001";

/// Decides.
pub(crate) fn verdict(request: Request, facts: Facts<'_>) -> Verdict {
    match request {
        Request { commits: true, .. } if may_have_effect(facts) => Verdict::Unknown,
        Request { in_transaction: true, .. } if facts.broken => Verdict::TransactionLost,
        Request { in_transaction: true, .. } => Verdict::InTransaction,
        Request { repeatable: false, .. } if may_have_effect(facts) => Verdict::Unknown,
        Request { .. } => Verdict::Harmless,
    }
}

/// Whether the request may have taken effect although it failed.
pub(crate) fn may_have_effect(facts: Facts<'_>) -> bool {
    match facts.code {
        // Statement completion unknown, transaction resolution unknown.
        Some("40003" | "08007") => true,
        // The front door lost the server; what it could not settle counts as under way.
        Some(code) if code.starts_with("08") => facts.under_way || !facts.broken,
        // Terminated while it ran: PostgreSQL may say so after a commit.
        Some("57P01" | "57P02" | "57P05") | None => facts.broken && facts.under_way,
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Request = Request { repeatable: false, in_transaction: false, commits: false };
    const READ: Request = Request { repeatable: true, ..WRITE };

    fn facts(code: Option<&str>, broken: bool, under_way: bool) -> Facts<'_> {
        Facts { code, broken, under_way }
    }

    #[test]
    fn r72_only_what_had_no_effect_may_be_sent_again() {
        let (cut, unsent) = (facts(None, true, true), facts(None, true, false));
        let within = Request { in_transaction: true, ..READ };
        let commit = Request { in_transaction: true, commits: true, ..WRITE };
        for (request, facts, expected) in [
            (WRITE, cut, Verdict::Unknown),
            (READ, cut, Verdict::Harmless),
            (WRITE, unsent, Verdict::Harmless),
            (WRITE, facts(Some("40001"), false, false), Verdict::Harmless),
            (WRITE, facts(Some("23505"), false, false), Verdict::Harmless),
            (WRITE, facts(Some("40003"), false, false), Verdict::Unknown),
            (READ, facts(Some("40003"), false, false), Verdict::Harmless),
            (WRITE, facts(Some("08006"), false, false), Verdict::Unknown),
            (WRITE, facts(Some("57P01"), true, true), Verdict::Unknown),
            (WRITE, facts(Some("57P01"), true, false), Verdict::Harmless),
            (within, cut, Verdict::TransactionLost),
            (commit, cut, Verdict::Unknown),
            (commit, unsent, Verdict::TransactionLost),
            (commit, facts(Some("40003"), false, false), Verdict::Unknown),
            (commit, facts(Some("40001"), false, false), Verdict::InTransaction),
            (within, facts(Some("40001"), false, false), Verdict::InTransaction),
        ] {
            assert_eq!(verdict(request, facts), expected, "{request:?} {facts:?}");
        }
    }
}
