//! The settings that exist, with their defaults and what they accept.

use wire::sqlstate;

use super::super::super::sql_error::SqlError;

/// The PostgreSQL version whose behaviour and catalogs clients are told to expect.
pub(in super::super::super) const SERVER_VERSION: &str = "15.0 (Stationmaster)";

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fixed,
    Text,
    Bool,
    Integer,
    /// Milliseconds, or a number with a unit.
    Duration,
    Isolation,
    /// Only UTF-8.
    Encoding,
    /// Must stay on.
    On,
    DateStyle,
}

pub(super) struct Known {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    /// Whether a change is sent as ParameterStatus.
    pub reported: bool,
    pub about: &'static str,
}

const fn known(name: &'static str, default: &'static str, kind: Kind) -> Known {
    Known { name, default, kind, reported: false, about: "" }
}

const fn reported(name: &'static str, default: &'static str, kind: Kind) -> Known {
    Known { name, default, kind, reported: true, about: "" }
}

const fn described(known: Known, about: &'static str) -> Known {
    Known { about, ..known }
}

pub(super) const KNOWN: &[Known] = &[
    reported("application_name", "", Kind::Text),
    reported("client_encoding", "UTF8", Kind::Encoding),
    reported("DateStyle", "ISO, MDY", Kind::DateStyle),
    reported("default_transaction_read_only", "off", Kind::Bool),
    reported("in_hot_standby", "off", Kind::Fixed),
    reported("integer_datetimes", "on", Kind::Fixed),
    reported("IntervalStyle", "postgres", Kind::Text),
    reported("is_superuser", "off", Kind::Fixed),
    reported("server_encoding", "UTF8", Kind::Fixed),
    reported("server_version", SERVER_VERSION, Kind::Fixed),
    reported("session_authorization", "", Kind::Text),
    reported("standard_conforming_strings", "on", Kind::On),
    described(reported("TimeZone", "UTC", Kind::Text), "Kept and shown; times are always written in UTC."),
    known("array_nulls", "on", Kind::Bool),
    known("backslash_quote", "safe_encoding", Kind::Text),
    known("block_size", "8192", Kind::Fixed),
    known("bytea_output", "hex", Kind::Text),
    known("check_function_bodies", "on", Kind::Bool),
    known("client_min_messages", "notice", Kind::Text),
    known("constraint_exclusion", "partition", Kind::Text),
    known("cursor_tuple_fraction", "0.1", Kind::Text),
    known("data_checksums", "off", Kind::Fixed),
    known("deadlock_timeout", "1s", Kind::Duration),
    known("debug_print_plan", "off", Kind::Bool),
    known("default_statistics_target", "100", Kind::Integer),
    known("default_table_access_method", "heap", Kind::Text),
    known("default_tablespace", "", Kind::Text),
    known("default_text_search_config", "pg_catalog.english", Kind::Text),
    known("default_toast_compression", "pglz", Kind::Text),
    known("default_transaction_deferrable", "off", Kind::Bool),
    known("default_transaction_isolation", "read committed", Kind::Isolation),
    known("effective_cache_size", "4GB", Kind::Text),
    known("enable_bitmapscan", "on", Kind::Bool),
    known("enable_hashjoin", "on", Kind::Bool),
    known("enable_indexscan", "on", Kind::Bool),
    known("enable_mergejoin", "on", Kind::Bool),
    known("enable_nestloop", "on", Kind::Bool),
    known("enable_seqscan", "on", Kind::Bool),
    known("enable_sort", "on", Kind::Bool),
    known("escape_string_warning", "on", Kind::Bool),
    known("extra_float_digits", "1", Kind::Integer),
    known("force_parallel_mode", "off", Kind::Text),
    known("geqo", "on", Kind::Bool),
    known("idle_in_transaction_session_timeout", "0", Kind::Duration),
    known("idle_session_timeout", "0", Kind::Duration),
    known("jit", "off", Kind::Bool),
    known("lc_collate", "C", Kind::Fixed),
    known("lc_ctype", "C", Kind::Fixed),
    known("lc_messages", "C", Kind::Text),
    known("lc_monetary", "C", Kind::Text),
    known("lc_numeric", "C", Kind::Text),
    known("lc_time", "C", Kind::Text),
    described(known("lock_timeout", "0", Kind::Duration), "How long a statement waits to become the writer."),
    known("log_statement", "none", Kind::Text),
    known("log_min_duration_statement", "-1", Kind::Text),
    known("maintenance_work_mem", "64MB", Kind::Text),
    known("max_connections", "1000", Kind::Fixed),
    known("max_identifier_length", "63", Kind::Fixed),
    known("max_index_keys", "32", Kind::Fixed),
    known("password_encryption", "scram-sha-256", Kind::Text),
    known("plan_cache_mode", "auto", Kind::Text),
    known("port", "5432", Kind::Fixed),
    known("quote_all_identifiers", "off", Kind::Bool),
    known("random_page_cost", "4", Kind::Text),
    known("role", "none", Kind::Text),
    known("row_security", "on", Kind::Bool),
    known("search_path", "\"$user\", public", Kind::Text),
    known("seq_page_cost", "1", Kind::Text),
    known("server_version_num", "150000", Kind::Fixed),
    known("session_replication_role", "origin", Kind::Text),
    known("shared_buffers", "128MB", Kind::Fixed),
    known("ssl", "off", Kind::Fixed),
    described(known("statement_timeout", "0", Kind::Duration), "How long a statement may run."),
    known("synchronize_seqscans", "on", Kind::Bool),
    known("synchronous_commit", "on", Kind::Text),
    known("tcp_keepalives_idle", "0", Kind::Integer),
    known("temp_buffers", "8MB", Kind::Text),
    known("transaction_deferrable", "off", Kind::Bool),
    known("transaction_isolation", "read committed", Kind::Isolation),
    known("transaction_read_only", "off", Kind::Bool),
    known("vacuum_cost_delay", "0", Kind::Text),
    known("wal_level", "replica", Kind::Fixed),
    known("work_mem", "4MB", Kind::Text),
    known("xmlbinary", "base64", Kind::Text),
    known("xmloption", "content", Kind::Text),
];

impl Kind {
    /// The value as it is kept, or 22023.
    pub fn check(self, name: &str, value: &str) -> Result<String, SqlError> {
        let refused = || {
            let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
            SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
        };
        let lower = value.trim().to_lowercase();
        match self {
            Kind::Fixed | Kind::Text => Ok(value.to_owned()),
            Kind::Bool | Kind::On => {
                let on = super::super::super::types::input::boolean(lower.as_bytes()).ok_or_else(refused)?;
                if self == Kind::On && !on {
                    return Err(refused());
                }
                Ok(if on { "on" } else { "off" }.to_owned())
            }
            Kind::Integer => lower.parse::<i64>().map(|_| value.to_owned()).map_err(|_| refused()),
            Kind::Duration => milliseconds(value).map(|_| value.to_owned()).ok_or_else(refused),
            Kind::Isolation => match lower.as_str() {
                "read uncommitted" | "read committed" | "repeatable read" | "serializable" => Ok(lower),
                _unknown => Err(refused()),
            },
            Kind::Encoding => {
                let squeezed: String = lower.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
                match squeezed.as_str() {
                    "utf8" | "unicode" => Ok("UTF8".to_owned()),
                    // ASCII is a part of UTF-8, and SQL_ASCII asks for no conversion.
                    "sqlascii" => Ok("SQL_ASCII".to_owned()),
                    _other => Err(refused()),
                }
            }
            Kind::DateStyle => date_style(&lower).ok_or_else(refused),
        }
    }
}

/// Only ISO is written; the order of day and month is kept for show.
fn date_style(lower: &str) -> Option<String> {
    let mut order = "MDY";
    for word in lower.split(',').map(str::trim) {
        match word {
            "iso" | "default" => {}
            "mdy" | "us" | "noneuro" | "noneuropean" => order = "MDY",
            "dmy" | "euro" | "european" => order = "DMY",
            "ymd" => order = "YMD",
            _other => return None,
        }
    }
    Some(format!("ISO, {order}"))
}

/// `250`, `5s`, `1min`; negative numbers are none.
pub(super) fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match value[digits.len()..].trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1e3,
        "min" => 60e3,
        "h" => 3600e3,
        "d" => 86_400e3,
        _unknown => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && (-1.0..1e12).contains(&number)).then_some((number * unit).max(0.0).round() as u64)
}
