//! Every bound on what a sender may say, in one place. Part of the wire form: changing one needs a new version.

use std::ops::RangeInclusive;

use crate::Kind;

/// Longest directive, in bytes of JSON. Far below what libpq takes for a lost synchronisation (30,000).
pub const DIRECTIVE_BYTES_MAX: usize = 8 * 1024;

/// Longest list of acknowledgements in one message, in bytes of JSON.
pub const ACKNOWLEDGEMENTS_BYTES_MAX: usize = 8 * 1024;

/// Most acknowledgements in one message.
pub const ACKNOWLEDGEMENTS_MAX: usize = 16;

/// Longest announcement, in bytes. It travels in a start-up packet of at most 10,000.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 1024;

/// How deep objects and lists may stand in each other. The deepest directive needs 5.
pub const DEPTH_MAX: usize = 6;

/// Largest number anywhere, in JSON's common denominator: what a double holds exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Longest id or name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Longest text: reasons, values, keys of a cache or a view, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// Longest address, in bytes: a host name of 253, a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 259;

/// Longest database name, in bytes: PostgreSQL's identifiers.
pub const DATABASE_BYTES_MAX: usize = 63;

/// Length of a session's token, in characters. 16 of 64 different ones are 96 bits.
pub const SESSION_BYTES: RangeInclusive<usize> = 16..=64;

/// Widest window over which clients spread what they were held back from, in milliseconds.
pub const SPREAD_MS_MAX: u64 = 60_000;

/// Most tries that a directive may ask for.
pub const ATTEMPTS: RangeInclusive<u64> = 0..=10;

/// Longest pause between tries, in milliseconds.
pub const DELAY_MS_MAX: u64 = 60_000;

/// Most entries in an error policy.
pub const ERROR_RULES_MAX: usize = 32;

/// Most entries in a map of texts: an information's values, a routine's parameters.
pub const VALUES_MAX: usize = 16;

/// How often a collection may report, in milliseconds.
pub const INTERVAL_MS: RangeInclusive<u64> = 100..=3_600_000;

/// How long a collection's report may be, in bytes.
pub const REPORT_BYTES: RangeInclusive<u64> = 256..=1_048_576;

/// A share in thousandths.
pub const PER_MILLE: RangeInclusive<u64> = 1..=1_000;

/// Operations a second. Zero would be a hold in disguise.
pub const PER_SECOND: RangeInclusive<u64> = 1..=1_000_000;

/// Most keys of a flush.
pub const KEYS_MAX: usize = 64;

/// Most parts of a fan-out map.
pub const PARTS_MAX: usize = 256;

/// Longest expression of a rule, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 1024;

/// The longest lifetime of a directive, in milliseconds.
///
/// What holds a client up has to be said again before long, so that a lost sender frees everybody;
/// what describes the world may stand longer.
pub const fn lifetime_ms_max(kind: Kind) -> u64 {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match kind {
        Kind::Hold | Kind::Resume => 10 * MINUTE,
        Kind::Retry | Kind::Switch | Kind::Rate => HOUR,
        Kind::Flush | Kind::Refresh | Kind::Revoke => HOUR,
        Kind::ErrorPolicy | Kind::Information | Kind::Rule => DAY,
        Kind::Collect | Kind::StopCollecting | Kind::Upload => DAY,
        Kind::Activate | Kind::Deactivate => DAY,
        Kind::FanOut | Kind::DataSource | Kind::Update => 7 * DAY,
    }
}

// A sender's own text must fit with everything else a directive has.
const _: () = assert!(EXPRESSION_BYTES_MAX * 4 < DIRECTIVE_BYTES_MAX);
// Announcement and acknowledgements stay below what drivers and servers take in one piece.
const _: () = assert!(ANNOUNCEMENT_BYTES_MAX < 10_000 && DIRECTIVE_BYTES_MAX < 30_000);
