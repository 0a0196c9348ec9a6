//! Every bound of a controller, in one place, with what happens at it.

use std::time::Duration;

/// Shortest time between heartbeats that a server may be asked for. Below it the leader would do nothing else.
pub const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// How many heartbeats a lease must last at least. A shorter one would expire a server for one lost message.
pub const LEASE_HEARTBEATS_MIN: u32 = 2;

/// Fewest log entries between two snapshots. Fewer would write the map more often than the log.
pub const SNAPSHOT_EVERY_MIN: u64 = 16;

/// How many log entries stay after a snapshot took them in, so that a follower that was away for a moment catches up
/// from the log. Never more than half of the distance between snapshots.
pub const LOG_KEPT_MAX: u64 = 1_000;

/// How long a process that used the data directory before may take to let go of it.
pub const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Pause between looking whether it has.
pub const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Memory for the database's pages. The log is read from our own memory, so little is enough.
pub const DISK_CACHE_BYTES: u64 = 16 << 20;

/// Most writes that one disk flush carries. Further ones wait for the next.
pub const BATCH_WRITES_MAX: usize = 4_096;
/// Most bytes that one disk flush carries, unless a single write is larger.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Most entries applied under one hold of the map's lock. Look-ups wait for no longer than that takes.
pub const APPLY_ENTRIES_MAX: usize = 256;

/// Largest piece of a snapshot in one message, in bytes.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;
/// Largest snapshot taken from a leader, in bytes. A larger one is refused before it fills the memory.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// Append requests on their way to one follower at a time. Further ones wait.
pub const APPENDS_IN_FLIGHT_MAX: usize = 16;

/// How long a follower may take to answer an append, or one piece of a snapshot, before its connection is given up.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a follower may take to install a snapshot after its last piece.
pub const INSTALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long connecting to another controller may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a change may take until its caller is told that its outcome is unknown. Shorter than a caller waits.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a look-up waits for the revision that its caller has seen already.
pub const BEHIND_WAIT: Duration = Duration::from_millis(1_000);
/// How long a linearizable look-up waits for a quorum.
pub const READ_INDEX_TIMEOUT: Duration = Duration::from_secs(2);

/// Most changes in one answer to a watcher. The rest comes with the next call.
pub const WATCH_CHANGES_MAX: usize = 4_096;
/// Longest that a watcher is kept waiting for a change.
pub const WATCH_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a caller of `route` waits. The work goes on without it, and the next call joins it.
pub const ROUTE_WAIT: Duration = Duration::from_millis(4_500);
/// How many owners are tried for one route request.
pub const ROUTE_OWNERS_MAX: u32 = 4;

/// Most steps of one route. Each owner takes a few; more means that others keep overtaking it.
pub const ROUTE_STEPS_MAX: u32 = 8 * ROUTE_OWNERS_MAX;
/// How often a create is placed anew when the chosen server dies meanwhile.
pub const CREATE_PLACEMENTS_MAX: u32 = 4;

/// How long a server may take to load a database.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to answer a probe.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an owner may finish what runs when a database is taken from it by an operator.
pub const RELEASE_PATIENCE: Duration = Duration::from_millis(1_000);
/// How long an owner may take to answer a release in all.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an operator waits for a move. The work goes on without it, and the next call joins it.
pub const MOVE_WAIT: Duration = Duration::from_millis(4_500);
/// Most steps of one change of owner. It takes four; more means that others keep overtaking it.
pub const MOVE_STEPS_MAX: u32 = 16;
/// Databases taken from one draining server at a time. More would only make them wait for each other's loads.
pub const DRAINS_IN_FLIGHT_MAX: usize = 8;
/// Databases of the map looked at in one go for those of a draining server. Look-ups wait for no longer than that takes.
pub const DRAIN_PAGE: usize = 4_096;
/// Pause before those that a draining server still has are tried again.
pub const DRAIN_RETRY: Duration = Duration::from_millis(500);
/// How long a server may take to purge a dropped database.
pub const PURGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Dropped databases purged at a time.
pub const PURGES_IN_FLIGHT_MAX: usize = 4;
/// How long to leave a dropped database alone whose purge failed.
pub const PURGE_RETRY: Duration = Duration::from_secs(10);

/// How long handing leadership over may take at shutdown, before this controller just stops.
pub const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long work on servers may go on at shutdown, before it is left to the next leader.
pub const TASKS_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause after a failed accept: running out of file handles passes.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections answered at a time. Further ones wait in the listener until one closes.
pub const CONNECTIONS_MAX: usize = 20_000;

const _: () = assert!(PROPOSE_TIMEOUT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(ROUTE_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(MOVE_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(READ_INDEX_TIMEOUT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(RELEASE_TIMEOUT.as_millis() + PROPOSE_TIMEOUT.as_millis() < 8_000);
const _: () = assert!(RELEASE_PATIENCE.as_millis() < RELEASE_TIMEOUT.as_millis());
const _: () = assert!(SNAPSHOT_CHUNK_BYTES * 2 < rpc::limits::MESSAGE_BYTES_MAX);
