//! One database's journal: a fenced log and snapshots in an object store. It knows no SQL, only pages and outcomes.
//!
//! Records stand at consecutive positions, each put only if its position is free, so that of two who believe they own a
//! database one finds out before it acknowledges anything. That is the whole of the fence: no clock, no lock, no lease.
//! [`Store::open`] makes a [`Writer`] and a [`Recovery`]; [`Writer::append`] makes a [`Group`] of transactions durable.
//!
//! Nothing here lets a caller see that today one put serves one database: a log that many databases share can take the
//! place of what is behind [`Writer`].

/// For the simulated disk, which the integration tests share.
#[cfg(test)]
extern crate self as journal;

mod damage;
mod drop;
mod fork;
mod gc;
#[cfg(test)]
mod golden;
mod ids;
pub mod limits;
mod log;
#[cfg(test)]
mod model_check;
mod names;
pub mod objects;
mod offline;
mod open;
mod outcomes;
mod own;
mod pin;
mod place;
pub mod policy;
mod record;
mod recovery;
mod replay;
mod snapshot;
mod state;
mod store;
mod threads;
mod writer;

pub use damage::{Damage, Damaged, Object};
pub use drop::DropError;
pub use fork::{Fork, ForkError};
pub use gc::{CollectError, Collected, Collection};
pub use ids::{Nonce, Position, RecordHash};
pub use objects::{Faults, Faulty, Local, Memory, ObjectError, Objects};
pub use offline::{Archive, Entry, OfflineError, To, Verified};
pub use open::OpenError;
pub use outcomes::{Outcome, OutcomeTable, Response, Settled};
pub use own::Patience;
pub use pin::Pin;
pub use place::{Place, PlaceError};
pub use record::{Base, Encoding, Header, Kind, Record};
pub use recovery::{ImageError, Recovery};
pub use snapshot::{PackedSnapshot, SnapshotDraft, SnapshotError, Taken};
pub use state::{KeptFence, State};
pub use store::{Store, StoreError};
pub use threads::Threads;
pub use writer::{AppendError, BadGroup, Effect, Group, Sealed, Writer};
