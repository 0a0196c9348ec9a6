//! Where blocking work (files, compression) runs: beside the async workers, or in the task itself in a simulation.

/// Chosen once for a [`crate::Store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On the runtime's blocking threads.
    Pool,
    /// In the calling task. For simulations, where every interleaving comes from the seed.
    Inline,
}

impl Threads {
    /// Runs `work` and gives its result. A panic in it goes on in the caller.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Inline => work(),
            Self::Pool => match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is going down and dropped the work before it began: nobody will poll us again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
