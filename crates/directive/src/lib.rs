//! Directives: what servers tell clients to do, so that applications get over failures by themselves.
//!
//! A [`Directive`] is one action out of a closed set, with an id, an order, a lifetime, a reason and a scope.
//! [`decode`] and [`encode`] are its JSON form, which the README specifies and `vectors/` makes testable in any language.
//! [`acknowledgement`] is what comes back, [`postgres`] how both travel on PostgreSQL's wire.
//! A [`Receiver`] is a client's state under its owner's [`Policy`], and answers what follows from it.
//!
//! Pure: no IO, no async, no SQL, no clock and no randomness. Any two peers with sessions can use it.

pub mod acknowledgement;
pub mod action;
mod codec;
mod directive;
pub mod draft;
mod fields;
mod jitter;
mod kind;
pub mod limits;
mod moment;
pub mod policy;
pub mod postgres;
pub mod receiver;
mod refusal;
#[cfg(feature = "rules")]
pub mod rule;
pub mod signature;

pub use acknowledgement::{Acknowledgement, Outcome};
pub use action::{Action, Values};
pub use codec::{Unreadable, VERSION, decode, encode};
pub use directive::{Directive, Order, Scope, Slot, Target};
pub use draft::Draft;
pub use kind::{Kind, Kinds};
pub use moment::Moment;
pub use policy::Policy;
pub use receiver::Receiver;
pub use refusal::{Refusal, Why};

/// The connection parameters that a data source may set, by libpq's names.
/// No secrets, and nothing that could weaken TLS: those are the client owner's.
pub const PARAMETERS: [&str; 7] =
    ["host", "port", "dbname", "user", "application_name", "connect_timeout", "target_session_attrs"];
