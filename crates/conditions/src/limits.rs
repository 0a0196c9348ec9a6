//! Every limit of what is remembered and taken, with its unit and what happens at it.

use std::time::Duration;

/// Longest name of a source or a condition, in bytes. A longer one is refused.
pub const NAME_BYTES_MAX: usize = 63;

/// Samples of one source that are kept, the newest.
pub const SAMPLES_MAX: usize = 1024;

/// Sources, each for the server or for one database, that samples are kept of. Events of further ones are dropped.
pub const WINDOWS_MAX: usize = 4096;

/// Longest time that a rule may look back or wait, a day is more than any event is good for.
pub const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// Rules at a time. A file with more is refused.
pub const RULES_MAX: usize = 256;

/// Clauses of one rule. A rule with more is refused.
pub const CLAUSES_MAX: usize = 16;

/// Conditions that others have declared, at a time. Further ones are refused.
pub const DECLARED_MAX: usize = 256;

/// Longest text that comes with a condition, in bytes. A longer one is cut.
pub const EVIDENCE_BYTES_MAX: usize = 256;

/// Events or alerts in one post. A post with more is refused.
pub const POSTED_MAX: usize = 256;

/// Longest body of a post, in bytes. A longer one is refused.
pub const POST_BYTES_MAX: usize = 256 << 10;

/// How long a condition stays that was declared without an end. Longer than Alertmanager's usual pause between two
/// notifications of an alert that goes on, which is four hours.
pub const DECLARED_FOR: Duration = Duration::from_secs(5 * 3600);

/// How old the last sample of a source may be to be believed, unless the rules say otherwise.
pub const FRESH: Duration = Duration::from_secs(15);

/// Changes of one condition that are told to the fleet at once. More wait, and are told together.
pub const TOLD_ONE: u32 = 4;

/// How often one more change of a condition may be told after that.
pub const TOLD_ONE_EVERY: Duration = Duration::from_secs(300);

/// Changes of all conditions of a process that are told at once. More wait.
pub const TOLD_ALL: u32 = 32;

/// How often one more may be told after that.
pub const TOLD_ALL_EVERY: Duration = Duration::from_secs(10);

/// Conditions that are kept for telling. Further ones are in the process's own log only.
pub const TOLD_KEPT_MAX: usize = 1024;
