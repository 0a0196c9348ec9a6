//! Every limit of the journal, and what happens at it.

use std::time::Duration;

/// Most bytes that the pages and outcomes of one record have before compression.
///
/// A larger group is refused as [`crate::AppendError::Refused`]; the one large transaction in it cannot be committed.
/// A record travels as one put and is held in memory two or three times, so this is also a bound on memory.
pub const RECORD_RAW_MAX: usize = 512 << 20;

/// Raw bytes of one chunk of a snapshot. Chunks are compressed, checked and fetched one by one.
pub const SNAPSHOT_CHUNK: usize = 1 << 20;

/// Most bytes of a snapshot's description (outcomes, fences, index of chunks) before compression.
/// The index of the largest image takes 25 bytes for each of its chunks.
pub const SNAPSHOT_META_MAX: usize = 16 << 20;

/// Largest image of a database, in bytes. A larger one is refused when a snapshot of it is due, and when it is loaded.
/// A snapshot travels as one put: its compressed bytes are in memory while it is made.
pub const IMAGE_MAX: u64 = 16 << 30;

/// Smallest and largest size of a page, in bytes; a power of two between them.
pub const PAGE_SIZE_MIN: u32 = 512;
/// See [`PAGE_SIZE_MIN`].
pub const PAGE_SIZE_MAX: u32 = 64 << 10;

/// Longest response kept with an outcome, in bytes. Of a longer one only the length is kept: the request is known to
/// have been committed, its response is not.
pub const RESPONSE_MAX: usize = 1 << 10;

/// Outcomes kept for one session. The oldest leaves first; asked for it, the journal answers *unknown*, never *absent*.
pub const OUTCOMES_PER_SESSION: usize = 64;

/// Sessions whose outcomes are kept. The session that was quiet for the most log positions leaves first.
pub const OUTCOME_SESSIONS: usize = 4096;

/// Bytes that all kept outcomes of a database may take, in memory and in each of its snapshots.
pub const OUTCOME_BYTES: usize = 512 << 10;

/// Most outcomes in one record. More transactions than this do not queue during one put.
pub const OUTCOMES_PER_RECORD: usize = 64 << 10;

/// Longest name of a pin, in bytes.
pub const PIN_NAME_MAX: usize = 64;

/// How long a fence that followed no seal is kept after its position was garbage.
///
/// A put of the owner that it fenced off may still be on its way and aims exactly there.
/// The time is the log's own (the time in its records), so that every owner decides alike.
pub const FENCE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Records with more bytes are encoded and decoded beside the async workers.
pub const INLINE_MAX: usize = 128 << 10;

/// Copies of copies that may share data before a fork copies instead.
pub const FORK_DEPTH_MAX: u32 = 8;

/// Gets under way at once while a database is loaded.
pub const READS_AT_ONCE: usize = 32;

/// Chunks of a snapshot being fetched and unpacked at once while a database is loaded; bounds its memory.
pub const CHUNKS_AT_ONCE: usize = 4;

/// How often an opening starts over because the log moved under it, before it reports what it found.
pub const OPEN_ATTEMPTS: u32 = 10;

/// Longest pause between two attempts of a put or of an opening.
pub const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// Shortest pause between two attempts of a put or of an opening.
pub const BACKOFF_MIN: Duration = Duration::from_millis(5);

const _: () = assert!(PAGE_SIZE_MIN.is_power_of_two() && PAGE_SIZE_MAX.is_power_of_two());
const _: () = assert!(SNAPSHOT_CHUNK.is_multiple_of(PAGE_SIZE_MAX as usize), "a chunk holds whole pages");
const _: () = assert!(
    OUTCOMES_PER_SESSION * (RESPONSE_MAX + 64) < OUTCOME_BYTES,
    "evicting all other sessions always makes room for one"
);
const _: () = assert!(RECORD_RAW_MAX < u32::MAX as usize / 2, "lengths in a record are 32 bits");
const _: () = assert!(IMAGE_MAX / SNAPSHOT_CHUNK as u64 * 25 < SNAPSHOT_META_MAX as u64);
