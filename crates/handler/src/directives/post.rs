//! One directive that stands, and its bytes for one session.

use bytes::BytesMut;
use directive::{
    Action, Directive,
    postgres::{MIRROR, notice},
};
use model::{Name, Targets};
use tokio::time::{Duration, Instant};
use wire::{
    SqlState,
    backend::{self, Fields, Severity},
};

/// A directive that stands.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: Name,
    pub(crate) directive: Directive,
    pub(crate) targets: Targets,
    /// When its time is over.
    pub(crate) until: Instant,
    pub(crate) from: From,
}

/// Who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// An administrator, through the controllers.
    Controllers,
    /// This handler, which has found out something about a database.
    Gateway(Name),
    /// This handler, about those who are connected to a server of that database themselves.
    Leaving(Name),
    /// This handler; it takes back a directive that was given to some sessions: for those only.
    Revoking(Name),
}

impl Post {
    /// Takes back a directive. `number` makes its id.
    pub(crate) fn revoking(revoked: &Self, number: u64) -> Option<Self> {
        let id = format!("revoke-{number:016x}");
        let name = Name::new(&id).ok()?;
        let directive = Directive {
            id,
            action: Action::Revoke(directive::action::Revoke { directive: revoked.directive.id.clone() }),
            reason: "revoked".into(),
            ..revoked.directive.clone()
        };
        let longest = directive::limits::lifetime_ms_max(directive.kind());
        let until = revoked.until.min(Instant::now() + Duration::from_millis(longest));
        let from = From::Revoking(revoked.id.clone());
        Some(Self { id: name, directive, targets: Targets::default(), until, from })
    }

    /// Appends it as a notice, and its mirror, with what is left of its lifetime at `now`.
    pub(crate) fn write(&self, session: Option<&str>, now: Instant, out: &mut BytesMut) {
        let left = u64::try_from(self.until.duration_since(now).as_millis()).unwrap_or(u64::MAX);
        let directive = Directive {
            session: session.map(str::to_owned),
            lifetime_ms: left.min(self.directive.lifetime_ms),
            ..self.directive.clone()
        };
        let notice = match notice(&directive) {
            Ok(notice) => notice,
            Err(refusal) => {
                tracing::warn!(directive = %self.id, %refusal, "a directive has no room for its session: not sent");
                return;
            }
        };
        let code = SqlState::new(notice.sqlstate).expect("BUG: the code has five characters");
        let fields =
            Fields { detail: Some(&notice.detail), ..Fields::new(Severity::Notice, code, &notice.message) };
        backend::notice_response(out, &fields);
        let mirrored = backend::parameter_status(out, MIRROR, &notice.detail);
        debug_assert!(mirrored.is_ok(), "BUG: a directive has no NUL");
    }
}
