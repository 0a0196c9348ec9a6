//! What openraft is instantiated with.

use openraft::alias::{CommittedLeaderIdOf, EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, VoteOf};

use super::{Applied, Proposal};
use crate::machine::{Image, Machine};

openraft::declare_raft_types!(
    /// Log entries are [`Proposal`]s, controllers are known by number and address.
    pub TypeConfig:
        D = Proposal,
        R = Applied,
        NodeId = u64,
        Node = openraft::BasicNode,
);

/// The consensus engine of one controller.
pub type Raft = openraft::Raft<TypeConfig, Machine>;
/// A place in the log: who led when it was written, and its number.
pub type LogId = LogIdOf<TypeConfig>;
/// Whom a controller voted for or follows.
pub type Vote = VoteOf<TypeConfig>;
/// One entry of the log.
pub type LogEntry = EntryOf<TypeConfig>;
/// Who the controllers are.
pub type Membership = openraft::Membership<u64, openraft::BasicNode>;
/// Who the controllers are, and the entry that says so.
pub type StoredMembership =
    openraft::StoredMembership<CommittedLeaderIdOf<TypeConfig>, u64, openraft::BasicNode>;
/// What a snapshot is a snapshot of.
pub type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
/// A snapshot and its description.
pub type Snapshot = SnapshotOf<TypeConfig, Image>;
