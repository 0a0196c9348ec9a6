//! What a handler adds to the PostgreSQL wire when it opens a client's session on a server.
//!
//! The handler logs in as [`USER`] by SCRAM-SHA-256 with [`Secret::data_port_password`](crate::Secret::data_port_password),
//! names the database by id, and asserts the client's own user, whom it has authenticated, in a start-up parameter.
//! The client's other start-up parameters follow unchanged.
//!
//! A server that does not serve that database at that epoch answers with an ErrorResponse of SQLSTATE
//! [`NOT_OWNER`]; its detail, if any, is the epoch that the server knows, in decimal. The handler asks a
//! controller again and the client notices nothing. The same error, FATAL, ends a session whose database moves.
//! With it the server promises that nothing which it has not answered was done, so handlers give unanswered requests
//! to the next owner. Where it cannot promise that, it ends the session with SQLSTATE 40003 instead.

use model::Epoch;

/// The role that handlers log in to servers as.
pub const USER: &str = "_stationmaster_handler";

/// Start-up parameter: the client's user.
pub const PARAM_USER: &str = "_stationmaster.user";
/// Start-up parameter: the epoch the handler believes in, in decimal.
pub const PARAM_EPOCH: &str = "_stationmaster.epoch";
/// Start-up parameter: the database's name, as `current_database()` shows it.
pub const PARAM_NAME: &str = "_stationmaster.name";
/// Start-up parameter: the request id, for the logs.
pub const PARAM_REQUEST: &str = "_stationmaster.request";
/// Start-up parameters with this prefix are between handler and server; a client's are refused.
pub const PARAM_PREFIX: &str = "_stationmaster.";

/// SQLSTATE: this server does not serve that database at that epoch.
pub const NOT_OWNER: &str = "SM001";

/// The detail of a [`NOT_OWNER`] error.
pub fn not_owner_detail(epoch: Epoch) -> String {
    epoch.to_string()
}

/// Reads the detail of a [`NOT_OWNER`] error.
pub fn epoch_of(detail: &str) -> Option<Epoch> {
    detail.parse().ok().map(Epoch)
}
