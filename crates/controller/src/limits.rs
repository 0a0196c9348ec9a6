//! Every bound of a controller, in one place, with what happens at it.

use std::time::Duration;

/// Shortest time between heartbeats that a server may be asked for. Below it the leader would do nothing else.
pub const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// How many heartbeats a lease must last at least. A shorter one would expire a server for one lost message.
pub const LEASE_HEARTBEATS_MIN: u32 = 2;

/// How differently a leader's and a server's clock may run, in millionths: twice the most that NTP slews a clock by. A server
/// is given so much less of the lease than the leader waits for.
pub const CLOCK_DRIFT_PPM: u32 = 1_000;

/// Fewest log entries between two snapshots. Fewer would write the map more often than the log.
pub const SNAPSHOT_EVERY_MIN: u64 = 16;

/// How often a controller looks whether it is to make a snapshot.
pub const SNAPSHOT_LOOK: Duration = Duration::from_millis(100);

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

/// Most bytes of entries that share one value of the database, unless a single entry is larger. Its pages hold 16 values
/// and are rewritten for every tenth that is added: a larger one would make them outgrow its segments.
pub const FRAME_BYTES_MAX: usize = 4 << 10;

/// Most values of the database with nothing but purged entries that are removed along with one batch. The rest goes with
/// the batches after it.
pub const PURGED_VALUES_MAX: usize = 64;
/// How much of a snapshot goes to the disk at a time, with a pause as long as that took. Syncs of the log go in between,
/// so a larger piece would hold them up for longer.
pub const IMAGE_PIECE_BYTES: usize = 256 << 10;
/// How much lower the priority of the thread is that writes snapshots. Where processors are short, they wait.
pub const NICENESS: i32 = 10;

/// Most entries applied under one hold of the map's lock. Look-ups wait for no longer than that takes.
pub const APPLY_ENTRIES_MAX: usize = 256;

/// Largest piece of a snapshot in one message, in bytes.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;
/// Copies of the map for backups that one controller keeps at a time. A further one takes the oldest's place.
pub const BACKUPS_MAX: usize = 2;
/// How long such a copy is kept while nobody reads it.
pub const BACKUP_KEPT: Duration = Duration::from_secs(30);

/// Largest snapshot taken from a leader, in bytes. A larger one is refused before it fills the memory.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// Snapshots on their way in at a time, one from each leader. Of more, one has to begin anew.
pub const ARRIVALS_MAX: usize = 4;

/// Most bytes of entries in one append request, unless the first one alone is larger. The rest follows in the next.
pub const APPEND_BYTES_MAX: usize = 4 << 20;

/// Append requests on their way to one follower at a time: one that it syncs, and one that it syncs next. Entries that
/// come meanwhile share the request after them, so that one sync carries many.
pub const APPENDS_IN_FLIGHT_MAX: usize = 2;

/// How long a follower may take to answer an append, or one piece of a snapshot, before its connection is given up.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a follower may take to install any snapshot after its last piece.
pub const INSTALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes of one it installs per second at the slowest, on a busy machine: large ones may take longer.
pub const INSTALL_BYTES_PER_SECOND: u64 = 8 << 20;
/// How long connecting to another controller may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the controllers are asked which level they know, while the map is not at the newest.
pub const LEVELS_ASKED_EVERY: Duration = Duration::from_secs(1);

/// How long a change may take until its caller is told that its outcome is unknown. Shorter than a caller waits.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a look-up waits for the revision that its caller has seen already.
pub const BEHIND_WAIT: Duration = Duration::from_millis(1_000);
/// How long a linearizable look-up waits for a quorum.
pub const READ_INDEX_TIMEOUT: Duration = Duration::from_secs(2);

/// How long handlers may take to say how many sessions a directive would reach. They report every second.
pub const COUNT_TIMEOUT: Duration = Duration::from_millis(4_000);
/// How often it is looked whether all have.
pub const COUNT_PAUSE: Duration = Duration::from_millis(50);

/// Most changes in one answer to a watcher. The rest comes with the next call.
pub const WATCH_CHANGES_MAX: usize = 4_096;
/// Facts that may wait to be recorded as events. Further ones are only counted.
pub const FACTS_WAITING_MAX: usize = 2_048;
/// How long leadership is kept for recording them before it is handed over. A quorum that works takes some milliseconds.
pub const FACTS_WAIT: Duration = Duration::from_millis(500);
/// Pause between looks at whether they are recorded.
pub const FACTS_PAUSE: Duration = Duration::from_millis(5);
/// How many of the newest events are looked through for the one that explains a decision.
pub const EVENTS_LOOKED_AT: usize = 4_096;
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
/// What a server says that has not registered yet, or not again.
pub const BETWEEN_LIVES: model::Incarnation = model::Incarnation(0);
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
/// Pause between looks at whether an owner that should let go has died meanwhile.
pub const OUTLIVED_PAUSE: Duration = Duration::from_millis(50);
/// Databases taken from one draining server at a time. More would only make them wait for each other's loads.
pub const DRAINS_IN_FLIGHT_MAX: usize = 8;
/// Databases of the map looked at in one go for those of a draining server. Look-ups wait for no longer than that takes.
pub const DRAIN_PAGE: usize = 4_096;
/// Pause before those that a draining server still has are tried again, doubled each time in vain.
pub const DRAIN_RETRY: Duration = Duration::from_millis(500);
/// It never is longer than this.
pub const DRAIN_RETRY_MAX: Duration = Duration::from_secs(8);
/// How often a request that took too long is provided again, each time by another server. A poison query must not
/// walk through the fleet.
pub const REPEATS_MAX: u32 = 2;
/// For how long an overrun counts as evidence for those after it.
pub const OVERRUN_WINDOW: Duration = Duration::from_secs(30);
/// Overruns kept as evidence at most, the newest.
pub const OVERRUNS_MAX: usize = 4_096;
/// So many other databases that timed out on a server lately speak against the server.
pub const OVERRUN_CROWD_MIN: usize = 2;
/// A server whose journals take so long is slow. An append takes milliseconds, on cloud stores some tens of them.
pub const SLOW_JOURNAL: Duration = Duration::from_millis(500);
/// A server is slow whose threads take so long for a job that is nothing. It takes some tens of microseconds.
pub const SLOW_WORKERS: Duration = Duration::from_millis(250);
/// A server is slow whose timers are late by so much. They are late by less than a millisecond.
pub const SLOW_TIMERS: Duration = Duration::from_millis(250);
/// Moves of the placement policy whose effect is remembered. The oldest is forgotten first.
pub const BALANCE_RECORDS_MAX: usize = 1_024;
/// How long after a move its effect is looked at. A decayed average takes about that long to show it.
pub const EFFECT_AFTER: Duration = Duration::from_secs(30);
/// How long trouble with loads and pins must be gone before it is news again.
pub const BALANCE_CALM: Duration = Duration::from_secs(60);
/// Most databases that one round tells of by name, for each kind of trouble.
pub const TROUBLED_TOLD_MAX: usize = 20;
/// Most moves that are listed as made or to be made.
pub const PLACEMENT_LISTED_MAX: usize = 1_000;
/// Lives of servers remembered that ended lately, for the background failover of what they had. Of older ones the
/// databases are loaded by the next request.
pub const FALLEN_MAX: usize = 64;
/// How long after it heard of a server's end a new leader goes on with its background failover. Later the databases that
/// anybody uses have been loaded by requests.
pub const FAILOVER_FRESH: Duration = Duration::from_secs(60);
/// Databases of one dead server that are loaded elsewhere in the background. The rest waits for requests.
pub const FAILOVER_DATABASES_MAX: usize = 10_000;
/// The same, when it is not known which of them were in use, because the leader died with the server.
pub const FAILOVER_UNKNOWN_MAX: usize = 1_000;

/// How many times as long as it takes to be emptied an emptied server must be well until it takes databases again.
pub const GREY_WELL_TIMES: u32 = 2;
/// How many times as long nobody else is emptied after one was.
pub const GREY_PAUSE_TIMES: u32 = 10;

/// How long a server may take to purge a dropped database.
pub const PURGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Dropped databases purged at a time.
pub const PURGES_IN_FLIGHT_MAX: usize = 4;
/// How long to leave a dropped database alone whose purge failed.
pub const PURGE_RETRY: Duration = Duration::from_secs(10);

/// How long a server may take to make a copy of a database. One of something older is copied byte by byte.
pub const FORK_TIMEOUT: Duration = Duration::from_secs(300);
/// How long an operator waits for a copy. The work goes on without it, and the next call joins it.
pub const FORK_WAIT: Duration = Duration::from_millis(4_500);
/// Copies being made at a time. Further ones wait.
pub const FORKS_IN_FLIGHT_MAX: usize = 4;
/// How long to leave a copy alone that could not be made for now.
pub const FORK_RETRY: Duration = Duration::from_secs(1);
/// Copies of which it is remembered why they could not be made. The oldest is forgotten first.
pub const FORKS_FAILED_MAX: usize = 256;

/// How long one write of the log may take on a leader's disk, until it hands leadership to somebody whose disk works.
/// A sync takes some milliseconds, and on busy disks some hundreds.
pub const DISK_STALL_MAX: Duration = Duration::from_millis(1_000);
/// How often that is looked at.
pub const DISK_LOOK: Duration = Duration::from_millis(100);

/// Pause before the other founders are asked again whether they are up.
pub const FORM_PAUSE: Duration = Duration::from_millis(100);
/// How long a founder waits after all have met, so that the others find out as well.
pub const FORM_SETTLE: Duration = Duration::from_millis(250);
/// A learner that is no further behind, in log entries, may vote. At thousands of changes a second it never is closer.
pub const LEARNER_LAG_MAX: u64 = 1_000;
/// How long controllers may take to answer before one is taken off the list, if the election time-out is not shorter.
pub const HEAR_WAIT_MAX: Duration = Duration::from_millis(700);
/// Pause between looks at whether they have.
pub const HEAR_PAUSE: Duration = Duration::from_millis(10);
/// How long an operator waits for one change of the list of controllers. It goes on without, and the next call asks.
pub const MEMBERS_STEP_WAIT: Duration = Duration::from_secs(2);
/// How long one that is to be added may take to answer: it may just be starting.
pub const NEWCOMER_WAIT: Duration = Duration::from_millis(2_200);
/// Pause before it is asked again.
pub const NEWCOMER_PAUSE: Duration = Duration::from_millis(100);

/// How long handing leadership over may take, before this controller just stops or goes on.
pub const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long work on servers may go on at shutdown, before it is left to the next leader.
pub const TASKS_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause after a failed accept: running out of file handles passes.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections answered at a time. Further ones wait in the listener until one closes.
pub const CONNECTIONS_MAX: usize = 20_000;

const _: () = assert!(PROPOSE_TIMEOUT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(ROUTE_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(FORK_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(FORM_SETTLE.as_millis() > 2 * FORM_PAUSE.as_millis());
const _: () = assert!(
    MEMBERS_STEP_WAIT.as_millis() + NEWCOMER_WAIT.as_millis() + HEAR_WAIT_MAX.as_millis()
        < rpc::limits::CALL_TIMEOUT.as_millis()
);
const _: () = assert!(MOVE_WAIT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
// A look-up may wait for the confirmation before its own.
const _: () = assert!(2 * READ_INDEX_TIMEOUT.as_millis() < rpc::limits::CALL_TIMEOUT.as_millis());
const _: () = assert!(RELEASE_TIMEOUT.as_millis() + PROPOSE_TIMEOUT.as_millis() < 8_000);
const _: () = assert!(RELEASE_PATIENCE.as_millis() < RELEASE_TIMEOUT.as_millis());
const _: () = assert!(model::COMMAND_BYTES_MAX < APPEND_BYTES_MAX);
const _: () = assert!((APPEND_BYTES_MAX + model::COMMAND_BYTES_MAX) * 2 < rpc::limits::MESSAGE_BYTES_MAX);
const _: () = assert!(SNAPSHOT_CHUNK_BYTES * 2 < rpc::limits::MESSAGE_BYTES_MAX);
