//! Every limit an engine keeps, with its unit and what happens at it.

use std::time::Duration;

/// Output bytes after which a session hands over to its shell with the statement still open.
pub const OUTPUT_BYTES: usize = 64 * 1024;

/// Limits of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes the database may grow to; a statement that needs more fails with 53100.
    pub size_bytes_max: u64,
    /// Bytes of one value, one row and one SQL text; more fails with 54000.
    pub value_bytes_max: u32,
    /// Sessions at a time; one more is refused with 53300.
    pub sessions_max: usize,
    /// Time a statement may run unless the session sets its own, which may not exceed this. Zero: no limit. Then 57014.
    pub statement_timeout: Duration,
    /// Prepared statements that a session keeps compiled.
    pub cached_statements_max: usize,
    /// Bytes of page cache for each session.
    pub session_cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size_bytes_max: 10 << 30,
            value_bytes_max: 64 << 20,
            sessions_max: 1000,
            statement_timeout: Duration::ZERO,
            cached_statements_max: 100,
            session_cache_bytes: 2 << 20,
        }
    }
}
