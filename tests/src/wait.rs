//! Waiting for a condition, never for a time.

use std::{fmt::Display, time::Duration};

use tokio::time::{Instant, sleep};

/// How long a condition may take to come true. Generous: it bounds a failing test, not a passing one.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Tries until it succeeds; gives what it gave.
///
/// # Panics
/// At the deadline, with what was waited for and the last failure.
pub async fn until<T, E: Display>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let failure = match attempt().await {
            Ok(value) => return value,
            Err(failure) => failure,
        };
        assert!(
            Instant::now() < deadline,
            "waited {} s in vain until {what}; the last state: {failure}",
            DEADLINE.as_secs()
        );
        sleep(PAUSE).await;
    }
}
