//! Every bound of a handler that is not a setting, with what happens at it.

use std::time::Duration;

/// Most bytes taken from a socket at once. The buffer belongs to the thread, not to the session: what cannot be sent
/// on at once, at most this much in each direction, is what a session with a slow peer holds.
pub const CHUNK_BYTES: usize = 16 << 10;

/// Longest frame that is looked into as a whole, in bytes. Of a longer one only the first
/// [`SQL_PREFIX_BYTES`] are read, and it streams through.
pub const INSPECT_BYTES_MAX: usize = 64 << 10;

/// How much of a long statement is read to find out what kind it is, in bytes.
pub const SQL_PREFIX_BYTES: usize = 1 << 10;

/// Most bytes of unanswered requests that a session keeps in order to send them again, where that is proven to be
/// harmless. Past it they are forgotten, and those that a lost server has not done fail with 40001.
pub const REPLAY_BYTES_MAX: usize = 64 << 10;

/// Most bytes of an answer that a session keeps while it is not complete, in order to go on from there when its server is
/// lost. Past it a lost server ends the session with 08006.
pub const FORWARDED_BYTES_MAX: usize = 8 << 10;

/// Prepared statements that a session keeps in order to prepare them again on another server, in bytes of Parse
/// messages. Past it the session is pinned to its server.
pub const STATEMENTS_BYTES_MAX: usize = 1 << 20;

/// Parse, Close and ReadyForQuery that a session waits for. Past it (a very long pipeline) only the number of
/// ReadyForQuery is kept and the session is pinned to its server.
pub const OWED_MAX: usize = 16_384;

/// Settings that a session keeps in order to make them again on another server, in bytes of `SET` statements.
/// Past it the session is pinned to its server.
pub const SETTINGS_BYTES_MAX: usize = 16 << 10;

/// Parameters that a server reports, in bytes of names and values, that a session keeps. What is past it is not kept.
pub const PARAMETERS_BYTES_MAX: usize = 8 << 10;

/// Longest statement that the handler answers itself, in bytes: `CREATE DATABASE` and the admin console.
/// A longer one is refused with 54000.
pub const LOCAL_SQL_BYTES_MAX: usize = 64 << 10;

/// Longest message to the admin console, in bytes. A longer one ends the session.
pub const LOCAL_FRAME_BYTES_MAX: usize = 256 << 10;

/// Prepared statements and portals, each, of an admin session. One more is refused with 53400.
pub const LOCAL_STATEMENTS_MAX: usize = 1_000;

/// Rows of one answer of the admin console. The rest is left out and a warning says so.
pub const LOCAL_ROWS_MAX: usize = 100_000;

/// How long a directive waits for a response that it can be part of. Then it is told between two messages.
pub const DIRECTIVE_PATIENCE: Duration = Duration::from_millis(400);

/// How long a session waits for a server until its database's clients are told to hold.
pub const GATEWAY_PATIENCE: Duration = Duration::from_secs(1);
/// How long they hold, unless they are told sooner that the database is served again. Said anew while it is not.
pub const GATEWAY_HOLD: Duration = Duration::from_secs(10);
/// Over which time they come back afterwards.
pub const GATEWAY_SPREAD: Duration = Duration::from_secs(1);
/// How often the servers of clients that understand directives are asked whether they are there.
pub const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How long each may take to say anything.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(800);
/// Servers that are asked. Silence of further ones is found by those who wait.
pub const PROBED_SERVERS_MAX: usize = 1_024;
/// Databases whose clients are held at a time. Those of further ones find out by waiting.
pub const HELD_DATABASES_MAX: usize = 1_024;

/// How often the controllers are told what became of directives.
pub const DIRECTIVES_REPORTED_EVERY: Duration = Duration::from_millis(1_000);

/// How long a client that must go is given to take the reason.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that such a client may still send. They are thrown away.
pub const FAREWELL_BYTES_MAX: usize = 1 << 20;

/// How long the first bytes of a session on a server may take: connection, login, greeting. Past it the server
/// counts as unreachable.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause before a route is asked for again after it did not work. Doubles up to [`ATTACH_PAUSE_MAX`].
pub const ATTACH_PAUSE_MIN: Duration = Duration::from_millis(5);
/// The longest such pause.
pub const ATTACH_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Sessions that one handler opens at one server at once; the others wait for their turn. Enough to keep a server busy,
/// few enough that a server that takes over a thousand sessions is not stampeded.
pub const ATTACHES_PER_SERVER_MAX: usize = 32;

/// How often a session is made again when each new server goes away at once.
pub const RESTORE_TRIES_MAX: usize = 5;

/// How often the same requests are given to another server, each time because one has said that it did not begin them.
/// Past it they fail with 57P03.
pub const REPLAYS_MAX: u32 = 8;

/// How often the same request is done again after its server was lost over it and the next one has said that it was not
/// done. Past it it fails with 40001: it may be what the servers die of.
pub const RESENDS_MAX: u32 = 3;

/// How long a controller holds a watch open. Shorter than a call may take.
pub const WATCH_WAIT: Duration = Duration::from_secs(2);

/// Pause after a failed watch, and before trying to register again.
pub const CONTROLLERS_PAUSE: Duration = Duration::from_millis(250);

/// Pause after the listener failed: running out of file handles passes.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Users whose verifiers are held. One more cannot log in at this handler, and an error is logged.
pub const USERS_MAX: usize = 100_000;

/// Servers whose login keys are kept: deriving them costs 2 ms. Past it all are forgotten.
pub const SERVER_KEYS_MAX: usize = 4_096;

/// Cancel requests of one source: so many at once, …
pub const CANCEL_BURST: u32 = 100;
/// … and so many per second. More are closed unread, as cancel requests have no answer.
pub const CANCELS_PER_SECOND: u32 = 20;
/// Sources that are counted. Past it the ones that are not at their limit are forgotten.
pub const CANCEL_SOURCES_MAX: usize = 10_000;
/// How long delivering a cancel request may take.
pub const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take to end a request that exceeds its database's time limit, and to say so. Past it the
/// database is given to another server, whose fence ends the request for good.
pub const TERMINATE_PATIENCE: Duration = Duration::from_secs(2);

/// How often the leader is asked for its verdict on one such request while reassigning its database takes long.
pub const REPORTS_MAX: usize = 4;

/// Requests that are answered within this part of the time limit are quick: they show that the server is not to blame
/// for others.
pub const QUICK_SHARE: u32 = 10;

const _: () = assert!(SQL_PREFIX_BYTES < INSPECT_BYTES_MAX);
const _: () =
    assert!(LOCAL_SQL_BYTES_MAX <= INSPECT_BYTES_MAX && LOCAL_SQL_BYTES_MAX < LOCAL_FRAME_BYTES_MAX);
const _: () = assert!(WATCH_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(ATTACH_PAUSE_MIN.as_millis() < ATTACH_PAUSE_MAX.as_millis());
