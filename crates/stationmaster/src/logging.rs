//! The log of a process: `tracing` to stderr, as text or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFilter, LogFormat};

/// Starts logging. Call once.
pub fn start(log: &Log) {
    let LogFilter(filter) = &log.filter;
    let filter = EnvFilter::try_new(filter).expect("BUG: the configuration has checked the filter");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => builder.with_ansi(colourful()).init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
    }
}

fn colourful() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
