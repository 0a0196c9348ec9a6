//! Being told to stop: Ctrl-C, SIGTERM, or a terminal that is closed.

use futures::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

/// Waits until somebody wants this to end.
///
/// # Errors
/// When signals cannot be heard.
pub async fn interrupted() -> std::io::Result<()> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?;
    select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    Ok(())
}
