//! Every limit of the server role outside its engines, with its unit and what happens at it.

use std::time::Duration;

/// Worker threads for each core. Statements occupy a thread while they compute, never while they wait for a client,
/// for the journal or for the writer's turn; more threads than cores keep short ones going beside long ones.
pub const WORKERS_PER_CORE: usize = 4;

/// Most worker threads for each core, while long statements hold all others.
pub const WORKERS_MAX_PER_CORE: usize = 64;

/// How long nobody may have taken a waiting job before another thread is started.
pub const WORKERS_STUCK: Duration = Duration::from_millis(10);

/// After how long without work a thread that was started in need ends again.
pub const WORKER_IDLE: Duration = Duration::from_secs(10);

/// Bytes read from a client in one go. Idle sessions hold none: each thread has one buffer to read into.
pub const READ_BYTES: usize = 16 << 10;

/// Bytes of whole messages that a session keeps while it works on earlier ones. Past it the socket is not read,
/// so that the client's own send buffer fills.
pub const READ_AHEAD_BYTES: usize = 64 << 10;

/// Longest message a client may send, in bytes. A longer one ends the session with 08P01 before room is made for it.
/// Above the largest value an engine takes, so that such a value arrives and is refused by the engine in its own words.
pub const MESSAGE_BYTES_MAX: usize = 96 << 20;

/// Output bytes that stay in memory while a batch of messages is worked on, before they are sent.
/// Equals the engine's own bound, at which it hands over with the statement open.
pub const OUTPUT_BYTES: usize = crate::engine::OUTPUT_BYTES;

/// Buffers that grew above this many bytes are given back after use.
pub const KEPT_BUFFER_BYTES: usize = 16 << 10;

/// How long a connection may take from its first byte to the end of its authentication; then it is closed.
pub const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that have not authenticated yet, at a time. Further ones wait in the listener's queue.
pub const UNAUTHENTICATED_MAX: usize = 512;

/// Records that the journal has had since a handler was told its position, from which on it is told again.
pub const POSITIONS_UNTOLD: u64 = 64;

/// How long a client may take nothing of what is sent to it. Then its session is closed: it holds a statement open.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(300);

/// How long a session waits for its turn to write before its statement fails with 57014.
pub const WRITER_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long the last words to a client may take when its session is closed.
pub const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// How long a loaded database may be without sessions before its working copy is closed. Opening it again takes about
/// half a millisecond; open it costs some 200 KiB and two file handles.
pub const COOL_AFTER: Duration = Duration::from_secs(30);

/// Working copies open at a time, above which those that nobody uses are closed at once.
pub const OPEN_COPIES_MAX: usize = 2000;

/// Databases being loaded at a time. Further loads wait; each holds one image and a few segments in memory.
pub const LOADS_AT_ONCE: usize = 32;

/// How long cut-off sessions may take to end before the server complains. They are interrupted, so this is short.
pub const CUT_PATIENCE: Duration = Duration::from_secs(5);

/// How long running work may take to finish when the process ends.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Milliseconds between heartbeats while a server ends: what it has put away should be served elsewhere at once.
pub const LEAVING_HEARTBEAT_MS: u64 = 100;

/// How often a server measures what shows that it is slow itself: its timers, its threads, the store.
pub const HEALTH_EVERY: Duration = Duration::from_millis(250);

/// What was measured longer ago than this is no news. Slowness that lasts for half of it shows.
pub const HEALTH_WINDOW: Duration = Duration::from_secs(4);

/// Measurements of one kind that are kept at most, the newest.
pub const HEALTH_SAMPLES_MAX: usize = 64;

/// How long nobody may have appended to a journal before the store is looked into instead.
pub const JOURNAL_IDLE: Duration = Duration::from_secs(1);

/// How often a little is written to the disk of the working copies, to see how long that takes.
pub const DISK_PROBE_EVERY: Duration = Duration::from_secs(2);

/// Counts of errors that are kept between two looks. Errors of further databases count for the server only.
pub const ERRORS_KEPT_MAX: usize = 4096;

/// Directives that wait for one client. At the limit the oldest goes: what holds is said again.
pub const DIRECTIVES_WAITING_MAX: usize = 32;

/// Directives that a client was sent and has not answered for good, of which is known that they were sent.
pub const DIRECTIVES_UNANSWERED_MAX: usize = 64;

/// Longest statement, in bytes, that is looked at for what a client says of directives.
pub const SAID_BYTES_MAX: usize = 20 << 10;

/// Longest report of a client's measurements, in bytes, that is read: what directives may ask for, with its quotes doubled.
pub const REPORT_BYTES_MAX: usize = 2 << 20;

/// Clients whose reports are kept. Of the database that has most of them, the one that has been silent for longest makes
/// room.
pub const REPORTING_CLIENTS_MAX: usize = 4_096;

/// Clients of one database whose reports are kept, so that no tenant takes the others' room.
pub const REPORTING_CLIENTS_MAX_EACH: usize = 512;

/// Reports that are kept of each.
pub const REPORTS_KEPT_EACH: usize = 16;

/// How long reports are kept.
pub const REPORTS_KEPT: Duration = Duration::from_secs(3_600);

/// Longest text of a client's about itself, in bytes, that is kept.
pub const TOLD_TEXT_BYTES_MAX: usize = 64;

/// Kinds of errors that are told apart in what a client tells.
pub const ERRORS_TOLD_MAX: usize = 16;

/// Idle databases put away in one go while the server protects itself.
pub const UNLOAD_AT_ONCE: usize = 50;

/// Pause between two such goes.
pub const UNLOAD_PAUSE: Duration = Duration::from_secs(1);

/// How long a database must have been without sessions to be put away then.
pub const UNLOAD_IDLE_MIN: Duration = Duration::from_millis(100);

/// How long a statement must have run to be cancelled while the server protects itself.
pub const CANCEL_AFTER: Duration = Duration::from_secs(2);

/// Pause between two such cancels.
pub const CANCEL_PAUSE: Duration = Duration::from_secs(5);

/// Logs beside working copies that are folded in one go while the server protects itself.
pub const CHECKPOINTS_AT_ONCE: usize = 20;

/// Pause between two such goes.
pub const CHECKPOINT_PAUSE: Duration = Duration::from_secs(5);

/// Most databases in one heartbeat's list of those put away; the rest follow with the next.
pub const PUT_AWAY_REPORTS_MAX: usize = 10_000;

/// Bytes in the log beside an image from which on it is folded into the image, when nobody is in the way.
pub const CHECKPOINT_BYTES: u64 = 16 << 20;

/// Bytes of commits up to which they are taken from the log in the commit task itself: they were written a moment ago and
/// are in memory, so that reading them is sooner done than handed to another thread.
pub const TAKE_INLINE_BYTES: u64 = 64 << 10;

/// How many times as long as a snapshot took to copy and store none begins after it: they take a tenth of the time at most,
/// however fast the journal grows. Loads then have more to replay.
pub const SNAPSHOT_PAUSE: u32 = 9;

/// Commits that sessions' threads may append before the owner looks whether a snapshot or a checkpoint is due.
pub const COMMITS_UNSEEN_MAX: u32 = 64;

/// Groups that a thread may append for the owner before the owner looks at the same.
pub const GROUPS_UNSEEN_MAX: u32 = 16;

/// How long the owner waits for a thread that appends before it says so, again and again.
pub const LINE_PATIENCE: Duration = Duration::from_secs(10);

/// Pause before a look into a store that failed is tried again. Who waits for it goes on waiting, or until the lease is
/// renewed.
pub const PROBE_PAUSE: Duration = Duration::from_millis(200);

/// Pause before a failed registration is tried again.
pub const REGISTER_PAUSE: Duration = Duration::from_millis(500);

/// How long another live server may have this one's name before this one ends. Longer than a lease usually is: the other
/// may be this one's own last life, on another machine, that nobody has found dead yet.
pub const NAME_TAKEN_PATIENCE: Duration = Duration::from_secs(15);

/// Pause before a failed accept is tried again: the process is out of file handles, which passes.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Names of other databases that a session can see in `pg_database`. Beyond it the list is cut.
pub const DIRECTORY_NAMES_MAX: u32 = 1000;

/// How old the list of names may be before a new session has it fetched again.
pub const DIRECTORY_AGE: Duration = Duration::from_secs(5);

/// File handles that a session needs: its socket, and the image and log of its own connection to them.
pub const FILES_PER_SESSION: u64 = 3;

/// Bytes that SQLite may allocate in the whole process. A statement that needs more fails with 53200.
pub const SQLITE_MEMORY_BYTES_MAX: u64 = 2 << 30;

/// How often the controllers are told of conditions that were raised or cleared.
pub const CONDITIONS_TOLD_EVERY: Duration = Duration::from_millis(500);

/// How many of those wait for controllers that cannot be told. Later changes of the same condition are told together.
pub const CONDITIONS_UNTOLD_MAX: usize = 256;

/// How often the controllers are told what databases use.
pub const USAGE_TOLD_EVERY: Duration = Duration::from_secs(1);

/// How long that may take. What was not told is told with the next report.
pub const USAGE_TIMEOUT: Duration = Duration::from_secs(5);

const _: () = assert!(DISK_PROBE_EVERY.as_millis() < HEALTH_WINDOW.as_millis());
const _: () = assert!(WORKERS_PER_CORE <= WORKERS_MAX_PER_CORE);
const _: () = assert!(READ_BYTES <= READ_AHEAD_BYTES);
const _: () =
    assert!(READ_AHEAD_BYTES < MESSAGE_BYTES_MAX && MESSAGE_BYTES_MAX <= wire::limits::FRAME_LEN_MAX);
const _: () = assert!(KEPT_BUFFER_BYTES <= OUTPUT_BYTES);

/// How long a starting server tries a journals' store that fails for the moment, before it ends and says why.
pub const STORE_PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits between two tries.
pub const STORE_PAUSE: Duration = Duration::from_secs(1);
