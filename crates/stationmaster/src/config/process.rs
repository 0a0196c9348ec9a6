//! What every role has: an admin port, the fleet's secret, a log.

use std::{net::SocketAddr, path::PathBuf};

use super::{
    document::Document,
    reader::{Reader, Resolved},
    setting::{Address, LogFilter, LogFormat},
};

/// Which lines are logged unless said otherwise. openraft warns of a peer that is down several times a
/// second, and tarpc's spans repeat themselves on every line.
pub const LOG_FILTER: &str = "info,openraft=error,tarpc=error";

/// The settings that every process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub admin_listen: SocketAddr,
    /// The file with the fleet's secret, the same in the whole fleet.
    pub secret_file: PathBuf,
    /// How the log is written.
    pub log: Log,
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Text or JSON; default text.
    pub format: LogFormat,
    /// Which lines; default [`LOG_FILTER`].
    pub filter: LogFilter,
}

/// The part of a role's own table that every role has.
pub struct Common {
    /// See [`Process::admin_listen`].
    pub admin_listen: Option<SocketAddr>,
    /// See [`Process::secret_file`].
    pub secret_file: Option<PathBuf>,
}

impl Common {
    /// Reads it from the role's table.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            admin_listen: reader.required("admin_listen", "\"127.0.0.1:9101\""),
            secret_file: reader.required("secret_file", "\"/etc/stationmaster/secret\""),
        }
    }

    /// Together with the log; `None` after a complaint.
    pub fn with(self, log: Log) -> Option<Process> {
        Some(Process { admin_listen: self.admin_listen?, secret_file: self.secret_file?, log })
    }
}

impl Log {
    /// Reads `[log]`.
    pub fn read(document: &mut Document) -> (Self, Vec<Resolved>) {
        let mut reader = Reader::new(document, "log");
        let format = reader.or("format", LogFormat::Text);
        let filter = reader.or("filter", LogFilter(LOG_FILTER.into()));
        (Self { format, filter }, reader.finish())
    }
}

/// The address that others use, which is where we listen unless said otherwise.
pub fn advertised(reader: &mut Reader<'_>, key: &'static str, listen: Option<SocketAddr>) -> Option<String> {
    let given = reader.optional::<Address>(key);
    match (given, listen) {
        (Some(Address(address)), _) => Some(address),
        (None, Some(listen)) if listen.ip().is_unspecified() => {
            let what = format!(
                "is missing: {listen} means every address of this host, so say which one others reach it at"
            );
            reader.complain(key, what);
            None
        }
        (None, Some(listen)) => Some(listen.to_string()),
        (None, None) => None,
    }
}
