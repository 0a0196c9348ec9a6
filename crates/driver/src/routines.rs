//! Routines that are built in and can be switched on by name (R91), where the client's owner allows them by
//! `policy.routines`. A directive brings no code: it only names one of these.

/// Errors go to the application at once: nothing is sent again, whatever policies say.
pub const FAIL_FAST: &str = "fail_fast";

/// The driver's state is written to the log, at level INFO: when it is switched on, and with each call that fails meanwhile.
pub const DIAGNOSTICS: &str = "diagnostics";

/// All of them.
pub const ROUTINES: [&str; 2] = [FAIL_FAST, DIAGNOSTICS];
