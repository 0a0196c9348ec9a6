//! Raft: the types it is built from, how controllers speak it to each other, and what goes over the wire.

mod admission;
pub mod arrivals;
mod network;
mod peers;
mod proposal;
pub mod service;
mod types;
pub mod wire;

pub use admission::Admission;
pub use network::Network;
pub use peers::Peers;
pub use proposal::{Applied, Proposal};
pub use service::RaftServer;
pub use types::{
    LogEntry, LogId, Membership, Raft, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};
