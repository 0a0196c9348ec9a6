//! Every bound of the transport, with what happens at it.

use std::time::Duration;

/// Largest message, in bytes. A larger one closes the connection. Snapshots travel in smaller chunks.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// How far away the deadline of a call may be. A caller with a later one is cut off.
pub const DEADLINE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// How long a peer may take to prove itself before its connection is closed.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent before the system asks whether the other end is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// How long after an unanswered question it asks again.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// After so many unanswered questions the connection is broken.
pub const KEEPALIVE_PROBES: u32 = 3;

/// How many requests of one connection are worked on at a time; further ones wait in the socket.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1024;

/// How long one call to a controller may take before the next controller is tried, as long as that one answers at all.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long connecting to a controller may take, the handshake included, before the next one is tried.
pub const REACH_TIMEOUT: Duration = Duration::from_millis(1_000);
/// After how long without an answer a controller is asked how it is, and how often from then on.
pub const ASK_AFTER: Duration = Duration::from_millis(600);
/// How long it may take to say so. Then it is taken to hang, and the next one is tried: together with [`ASK_AFTER`]
/// about as long as the others take to elect a new leader.
pub const PONG_TIMEOUT: Duration = Duration::from_millis(700);
/// A leader that no majority has confirmed for longer than this is not waited for: the others elect another about then.
/// One that is well is confirmed several times in that time.
pub const QUORUM_SILENCE_MAX: Duration = Duration::from_millis(1_000);
/// How long a controller that was found to hang is asked only after all others.
pub const HUNG_MEMORY: Duration = Duration::from_millis(1_000);

/// How often somebody who is not told asks who the controllers are.
pub const MEMBERS_PAUSE: Duration = Duration::from_secs(2);

/// How long [`Controllers`](crate::Controllers) goes on looking for a leader before it gives up.
pub const LEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause before the controllers are tried again, after all of them failed. Doubles up to [`RETRY_PAUSE_MAX`].
pub const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest such pause: what it adds to the waiting for a new leader.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_millis(150);

/// Most databases on one page of a listing.
pub const PAGE_MAX: u32 = 10_000;

/// Most events in one answer.
pub const EVENTS_PAGE_MAX: u32 = 10_000;

const _: () = assert!(RETRY_PAUSE_MIN.as_millis() < RETRY_PAUSE_MAX.as_millis());
const _: () = assert!(ASK_AFTER.as_millis() + PONG_TIMEOUT.as_millis() < CALL_TIMEOUT.as_millis());
const _: () = assert!(CALL_TIMEOUT.as_millis() < LEADER_TIMEOUT.as_millis());
