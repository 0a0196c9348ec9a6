//! Raft: the types it is built from, how controllers speak it to each other, and what goes over the wire.

pub mod arrivals;
mod network;
mod proposal;
pub mod service;
mod types;
pub mod wire;

pub use network::Network;
pub use proposal::{Applied, Proposal};
pub use service::RaftServer;
pub use types::{
    LogEntry, LogId, Membership, Raft, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};
