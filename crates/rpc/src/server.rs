//! What a server answers to controllers: load, release, fork, purge.

use model::{DatabaseId, Epoch, FleetId, Fork, Incarnation, Name, RequestId};
use serde::{Deserialize, Serialize};

/// The service. Every call names the life of the server that it is meant for: a restarted one refuses it.
#[tarpc::service]
pub trait ServerApi {
    /// Load a database and serve it under an epoch (R3). Idempotent: loading again what is loaded is success.
    async fn load(request: LoadRequest) -> Result<Loaded, ServerRefusal>;
    /// Stop serving a database: finish what runs, seal the journal, put it away (R27). Idempotent.
    async fn release(request: ReleaseRequest) -> Result<(), ServerRefusal>;
    /// Make a new database's journal a copy of another's. Idempotent; any server can do it, at any time.
    async fn fork(request: ForkRequest) -> Result<Forked, ServerRefusal>;
    /// Delete a dropped database's journal for good. Idempotent; any server can do it.
    async fn purge(request: PurgeRequest) -> Result<(), ServerRefusal>;
    /// How this server is doing.
    async fn status() -> ServerStatus;
}

/// Load this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadRequest {
    /// For the logs.
    pub request: RequestId,
    /// The life of the server that is meant.
    pub incarnation: Incarnation,
    /// Which database.
    pub database: DatabaseId,
    /// Its name, for the sessions to see.
    pub name: Name,
    /// The epoch to fence the journal with.
    pub epoch: Epoch,
}

/// It is loaded.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// Whether it was loaded before.
    pub already: bool,
    /// How long loading took, in microseconds.
    pub took_us: u64,
}

/// Stop serving this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// For the logs.
    pub request: RequestId,
    /// The life of the server that is meant.
    pub incarnation: Incarnation,
    /// Which database.
    pub database: DatabaseId,
    /// Only if it is served under this epoch or an older one.
    pub epoch: Epoch,
    /// How long running work may take to finish, in milliseconds, before it is cut off.
    pub patience_ms: u32,
}

/// Make this a copy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForkRequest {
    /// For the logs.
    pub request: RequestId,
    /// Whose journals.
    pub fleet: FleetId,
    /// Which database; never loaded yet.
    pub database: DatabaseId,
    /// What it is to be a copy of.
    pub fork: Fork,
}

/// It is a copy.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Forked {
    /// The position of the parent's journal that it begins as.
    pub position: u64,
    /// Whether the data were copied; otherwise they are shared until the copy has its own.
    pub copied: bool,
}

/// Delete this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgeRequest {
    /// For the logs.
    pub request: RequestId,
    /// Whose journal.
    pub fleet: FleetId,
    /// Which database.
    pub database: DatabaseId,
    /// The epoch to fence it with for ever.
    pub epoch: Epoch,
    /// What it was to be a copy of when it was dropped: it may hold something there.
    pub parent: Option<DatabaseId>,
}

/// A server says no. Nothing was changed unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ServerRefusal {
    /// The call was meant for another life.
    #[error("this server is in incarnation {incarnation} now")]
    AnotherLife {
        /// Its present life.
        incarnation: Incarnation,
    },
    /// The epoch is used up: the database was put away under it, or somebody holds a newer one. Assign anew.
    #[error("{database} cannot be loaded under epoch {epoch}: the journal is at epoch {journal}")]
    EpochSpent {
        /// Which database.
        database: DatabaseId,
        /// The epoch asked for.
        epoch: Epoch,
        /// The epoch found.
        journal: Epoch,
    },
    /// No room.
    #[error("this server has {loaded} databases loaded and takes no more")]
    Full {
        /// How many.
        loaded: u64,
    },
    /// The journal or the engine failed.
    #[error("{database} failed: {reason}")]
    Failed {
        /// Which database.
        database: DatabaseId,
        /// What went wrong, for the operator.
        reason: String,
    },
    /// What it is to be a copy of cannot be copied, or not as it was then. Trying again does not help.
    #[error("{reason}")]
    CannotFork {
        /// Why.
        reason: String,
    },
    /// It is shutting down or not registered yet.
    #[error("this server is not serving: {reason}")]
    NotServing {
        /// Why.
        reason: String,
    },
}

/// How a server is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: Name,
    /// Its life.
    pub incarnation: Incarnation,
    /// Databases loaded, by id.
    pub databases: Vec<LoadedDatabase>,
}

/// A loaded database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadedDatabase {
    /// Which.
    pub database: DatabaseId,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Client sessions on it.
    pub sessions: u64,
    /// How long nothing was asked of it, in milliseconds.
    pub idle_ms: u64,
    /// It is being put away: nobody enters any more, and nobody inside asks anything any more.
    pub closing: bool,
}
