//! Being told to stop: Ctrl-C, SIGTERM, or a terminal that is closed.

use futures::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

/// From now on nobody who wants this to end ends it at once; what is given waits for that.
///
/// # Errors
/// When signals cannot be heard.
pub fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?;
    Ok(async move {
        select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    })
}
