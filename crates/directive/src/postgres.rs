//! Directives on PostgreSQL's wire: the only part of this crate that knows a carrier.
//!
//! * A client announces itself when it connects: `options=-c stationmaster.directives=1;session=…` ([`Announcement`]).
//!   Who does not is never sent anything (S9).
//! * A directive is a NoticeResponse ([`Notice`]), at any place where PostgreSQL allows one: before the end of a response,
//!   or while the session is idle. The newest is mirrored as ParameterStatus for clients that can only look.
//! * A client acknowledges by `SET stationmaster.acknowledge = '…'` ([`Statement`]): one statement without a result,
//!   in any driver and either protocol, and harmless where nobody recognises it, because PostgreSQL lets
//!   anybody set a parameter with a dot in its name.

mod announcement;
mod statement;

pub use announcement::{Announcement, split_options};
pub use statement::{Statement, acknowledge, announce, read_report, report, statement};

use crate::{Directive, Refusal, Unreadable, codec};

/// The SQLSTATE of a notice that carries a directive of version 1.
///
/// Classes that begin with 5 to 9 or I to Z are left to implementations by the SQL standard (ISO/IEC 9075-2, section 24.1;
/// so says the head of PostgreSQL's `errcodes.txt`). PostgreSQL has none that begins with S.
pub const SQLSTATE: &str = "SM001";

/// The start-up parameter, or `SET` parameter, by which a client announces itself.
pub const ANNOUNCE: &str = "stationmaster.directives";

/// The `SET` parameter by which a client acknowledges.
pub const ACKNOWLEDGE: &str = "stationmaster.acknowledge";

/// The `SET` parameter by which a client hands over what it collected, in OTLP's JSON form, to the server of its session.
pub const REPORT: &str = "stationmaster.report";

/// The name of the ParameterStatus that mirrors the newest directive.
pub const MIRROR: &str = "stationmaster.directive";

/// The fields of a NoticeResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Fields `S` and `V`.
    pub severity: &'static str,
    /// Field `C`.
    pub sqlstate: &'static str,
    /// Field `M`: for people, should they see it.
    pub message: String,
    /// Field `D`: the directive.
    pub detail: String,
}

/// The notice for a directive.
///
/// # Errors
/// What a reader would refuse.
pub fn notice(directive: &Directive) -> Result<Notice, Refusal> {
    let detail = codec::encode(directive)?;
    let Directive { reason, .. } = directive;
    let message = match reason.is_empty() {
        true => format!("directive: {}", directive.kind()),
        false => format!("directive: {} ({reason})", directive.kind()),
    };
    Ok(Notice { severity: "NOTICE", sqlstate: SQLSTATE, message, detail })
}

/// Whether a notice of that SQLSTATE is for the driver, in this or a later version, and not for the application.
pub fn is_directive(sqlstate: &str) -> bool {
    sqlstate.len() == 5 && sqlstate.starts_with("SM")
}

/// What a notice carries. `None` for a notice of another kind and for a later version of this one, which is ignored.
pub fn read_notice(sqlstate: &str, detail: &str) -> Option<Result<Directive, Unreadable>> {
    (sqlstate == SQLSTATE).then(|| codec::decode(detail.as_bytes()))
}
