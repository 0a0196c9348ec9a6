//! Every bound of the map, in one place, with what happens at it.

/// Longest name of a database, server, handler or user, in bytes: PostgreSQL's identifier limit (`NAMEDATALEN` - 1).
/// A longer one is a [`NameError`](crate::NameError).
pub const NAME_BYTES_MAX: usize = 63;

/// Longest network address kept in the map, in bytes: a DNS name (253), a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 260;

/// Longest SCRAM verifier in its text form, in bytes. PostgreSQL's own are 133.
pub const VERIFIER_BYTES_MAX: usize = 512;

/// How many idempotency keys of created databases are remembered. The oldest is forgotten first, in log order.
pub const IDEMPOTENCY_KEYS_MAX: usize = 65_536;

/// How many changes [`Fleet::changes`](crate::Fleet::changes) can look back. A watcher further behind is told to start anew.
pub const CHANGES_MAX: usize = 65_536;

/// How many events are remembered. The oldest is forgotten first, in log order.
pub const EVENTS_MAX: usize = 65_536;

/// How many bytes the remembered events take, names and evidence included. The oldest is forgotten first.
pub const EVENTS_BYTES_MAX: usize = 16 << 20;

/// Longest evidence of an event, in bytes. More is cut off.
pub const EVIDENCE_BYTES_MAX: usize = 240;

/// Most facts in one command. Further ones are not recorded.
pub const FACTS_MAX: usize = 256;

/// Largest command, in bytes of its log entry. A larger one is rejected before it is proposed: nothing that the map would
/// take comes near it.
pub const COMMAND_BYTES_MAX: usize = 128 << 10;

/// Longest directive, in bytes of its wire form.
pub const DIRECTIVE_BYTES_MAX: usize = 8 << 10;

/// How many directives stand at a time. One more is rejected until one is revoked or its time is over.
pub const DIRECTIVES_MAX: usize = 256;

/// How many users may send directives. One more is rejected.
pub const SENDERS_MAX: usize = 64;

/// How much waits for a second person at a time, with what was taken back lately. More is rejected.
pub const PENDING_MAX: usize = 32;

/// How long something waits for a second person, by the leaders' clocks, in milliseconds. Then it is forgotten.
pub const PENDING_MS: u64 = 600_000;

/// How far the counters of a map jump at least when it is restored: see [`Fleet::restored`](crate::Fleet::restored).
pub const RESTORE_SKIP: u64 = 1 << 32;

/// Highest revision or epoch that a snapshot may hold. No fleet lives long enough to reach it, so more is damage, and
/// what is accepted can always be counted on from.
pub const COUNTER_MAX: u64 = u64::MAX / 2;

const _: () = assert!(NAME_BYTES_MAX < ADDRESS_BYTES_MAX);
const _: () = assert!(FACTS_MAX <= EVENTS_MAX);
// The largest one of our own making: facts with all the evidence that each may have.
const _: () = assert!(FACTS_MAX * (EVIDENCE_BYTES_MAX + 80) < COMMAND_BYTES_MAX);
const _: () = assert!(DIRECTIVE_BYTES_MAX + 16 * NAME_BYTES_MAX < COMMAND_BYTES_MAX);
const _: () = assert!(IDEMPOTENCY_KEYS_MAX > 0 && CHANGES_MAX > 0);
