//! What can go wrong between the server and its engine. A failed statement is not here: the session answers it on the wire.

use std::path::PathBuf;

/// An engine could not do what the server asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The working copy could not be opened or prepared.
    #[error("cannot open the image {path}: {reason}")]
    Open {
        /// The image.
        path: PathBuf,
        /// The engine's own words.
        reason: String,
    },
    /// The working copy's log could not be read or moved. Drop the copy and load the database again.
    #[error("cannot {action}: {reason}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// The engine's own words.
        reason: String,
    },
    /// A file next to the image failed.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The client broke the protocol in a way no session survives.
    #[error("protocol violation: {reason}")]
    Protocol {
        /// SQLSTATE for the last ErrorResponse.
        sqlstate: &'static str,
        /// Text for it.
        reason: String,
    },
    /// The database is closed, or has reached its number of sessions.
    #[error("the database refuses sessions: {reason}")]
    Refused {
        /// SQLSTATE for the client.
        sqlstate: &'static str,
        /// Text for the client.
        reason: String,
    },
}
