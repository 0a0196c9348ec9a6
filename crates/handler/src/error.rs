//! Why a handler ends before it is told to.

/// A handler could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No controller will ever take its registration: another fleet's secret, or a name or address it refuses.
    #[error("the controllers did not take the registration of handler \"{name}\"")]
    Register {
        /// The handler's name.
        name: model::Name,
        /// What they said.
        #[source]
        source: rpc::Error,
    },
}
