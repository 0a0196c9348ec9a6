//! How the program ends when something goes wrong: one readable block on stderr, and a number that scripts can use.

use std::process::ExitCode;

use crate::config::Problems;

/// Something failed.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// This controller was removed from its fleet: to start it again is of no use (`EX_UNAVAILABLE`).
pub const REMOVED: u8 = 69;

/// The command line makes no sense, although it parses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Says what went wrong, each cause on its own line, and gives the exit code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("{}", block(error));
    code(error)
}

/// The exit code for it.
pub fn code(error: &anyhow::Error) -> ExitCode {
    let usage = error.is::<Usage>() || error.is::<Problems>() || error.is::<conditions::Problems>();
    let removed = matches!(error.downcast_ref(), Some(controller::Error::Removed { .. }));
    ExitCode::from(match (usage, removed) {
        (true, _) => USAGE,
        (false, true) => REMOVED,
        (false, false) => FAILED,
    })
}

/// The error and its causes. A cause that the line above has said already is left out.
fn block(error: &anyhow::Error) -> String {
    format!("stationmaster: {}", joined(error, "\n  because: "))
}

/// The error and its causes on one line, for a log.
pub fn causes(error: &anyhow::Error) -> String {
    joined(error, ": ")
}

fn joined(error: &anyhow::Error, separator: &str) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.ends_with(&cause) {
            said = said + separator + &cause;
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_chain_of_causes_is_told_once_each() {
        let error =
            anyhow!("no route to host").context("cannot connect: no route to host").context("no answer");
        assert_eq!(block(&error), "stationmaster: no answer\n  because: cannot connect: no route to host");
    }
}
