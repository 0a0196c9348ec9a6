//! What the log may say, and what the map answers.
//!
//! Commands carry decisions, not policies: the leader computes a placement, the command holds the result, and
//! [`Fleet::apply`](crate::Fleet::apply) checks that it still fits (expected epoch, server still up) and nothing else.
//! Variants and fields are only ever added at the end: their order is their number on disk (see [`codec`](crate::codec)).

use serde::{Deserialize, Serialize};

use crate::{
    DatabaseId, Epoch, FleetId, HandlerId, IdempotencyKey, Incarnation, Name, NameError, ServerId, Tenure,
    TimestampMs,
};

/// One log entry: a command, and when the leader read its clock for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The leader's wall clock when it proposed this.
    pub at: TimestampMs,
    /// What to change.
    pub command: Command,
}

/// A change of the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Gives the fleet its id. Only the first one counts.
    Found {
        /// Random, chosen by the first leader.
        fleet: FleetId,
    },
    /// Makes a database (R6-R8), already assigned where a server is up.
    CreateDatabase {
        /// Its name; must be free.
        name: Name,
        /// Where it goes.
        owner: Option<Tenure>,
        /// Makes a repeated create harmless: it answers with the database that the first one made, renamed or not, and
        /// is rejected when that was dropped since.
        key: Option<IdempotencyKey>,
    },
    /// Gives a database another name. The id stays.
    RenameDatabase {
        /// Which.
        database: DatabaseId,
        /// The new name; must be free.
        name: Name,
    },
    /// Takes a database out of the map. Its journal is purged afterwards.
    DropDatabase {
        /// Which.
        database: DatabaseId,
    },
    /// The dropped database's journal is gone; forget it.
    ForgetDatabase {
        /// Which.
        database: DatabaseId,
    },
    /// Gives a database to a server and raises its epoch: the one entry that a change of owner is.
    AssignDatabase {
        /// Which.
        database: DatabaseId,
        /// The epoch that the decision was made at.
        epoch_expected: Epoch,
        /// The new owner.
        to: Tenure,
    },
    /// Takes a database from its owner and raises its epoch.
    UnassignDatabase {
        /// Which.
        database: DatabaseId,
        /// The epoch that the decision was made at.
        epoch_expected: Epoch,
    },
    /// A server starts a life (R15, R17).
    RegisterServer {
        /// Who it is.
        registration: Registration,
        /// The life that the leader knows to be over.
        supersedes: Option<Incarnation>,
        /// Its new life.
        incarnation: Incarnation,
    },
    /// A server's life is over: everything it owned counts as unassigned, in this one entry.
    ExpireServer {
        /// Which.
        server: ServerId,
        /// Which life.
        incarnation: Incarnation,
    },
    /// A handler is there, under this name and address.
    RegisterHandler {
        /// Its name.
        name: Name,
        /// Where clients reach it, `host:port`.
        address: String,
        /// Free text: region, zone or rack.
        location: String,
    },
    /// Makes a user or changes its verifier.
    PutUser {
        /// Its name.
        name: Name,
        /// PostgreSQL's text form of a SCRAM-SHA-256 verifier. Never a password.
        verifier: String,
    },
    /// Takes a user away.
    DropUser {
        /// Its name.
        name: Name,
    },
    /// Begins to empty a server, or leaves that be: while it drains it gets nothing new. A new life is not drained.
    DrainServer {
        /// Which.
        server: ServerId,
        /// Which life.
        incarnation: Incarnation,
        /// Whether to.
        draining: bool,
    },
}

/// What a server says of itself when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The operator's name for it: its identity across restarts.
    pub name: Name,
    /// Where handlers reach its PostgreSQL port, `host:port`.
    pub data_address: String,
    /// Where controllers reach its control port, `host:port`.
    pub control_address: String,
    /// Free text: region, zone or rack.
    pub location: String,
    /// How much it can carry, relative to the others. At least 1.
    pub capacity: u32,
}

/// What an applied command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done; nothing to tell.
    Done,
    /// The database made, or found again by its idempotency key.
    Database {
        /// Which.
        database: DatabaseId,
        /// Its epoch now.
        epoch: Epoch,
    },
    /// The server registered.
    Server {
        /// Its id, the same in all its lives.
        server: ServerId,
    },
    /// The handler registered.
    Handler {
        /// Its id.
        handler: HandlerId,
    },
}

/// The fleet said no. A value: the same on every controller, and nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Rejection {
    /// The fleet has its id already.
    #[error("the fleet is founded already, as {fleet}")]
    Founded {
        /// Its id.
        fleet: FleetId,
    },
    /// Another database has that name.
    #[error("database \"{name}\" already exists as {database}")]
    NameTaken {
        /// The name.
        name: Name,
        /// Who has it.
        database: DatabaseId,
    },
    /// The name is kept for the product itself.
    #[error(
        "database name \"{name}\" is reserved: `stationmaster` is the admin console and `db-…` are database ids"
    )]
    NameReserved {
        /// The name.
        name: Name,
    },
    /// The text is no name.
    #[error(transparent)]
    NameInvalid(#[from] NameError),
    /// No such database; it may have been dropped.
    #[error("database {database} does not exist")]
    DatabaseUnknown {
        /// The id asked for.
        database: DatabaseId,
    },
    /// Somebody else changed the owner first.
    #[error("database {database} is at epoch {epoch}, not {epoch_expected}")]
    EpochStale {
        /// Which.
        database: DatabaseId,
        /// What the proposer believed.
        epoch_expected: Epoch,
        /// What is true.
        epoch: Epoch,
    },
    /// No such server.
    #[error("server {server} does not exist")]
    ServerUnknown {
        /// The id asked for.
        server: ServerId,
    },
    /// The server is down, or in another life.
    #[error("server {server} is not up in incarnation {incarnation}")]
    ServerNotUp {
        /// Which.
        server: ServerId,
        /// The life that was meant.
        incarnation: Incarnation,
    },
    /// A live server has that name.
    #[error("server \"{name}\" is up already in incarnation {incarnation}; two servers cannot share a name")]
    ServerNameTaken {
        /// The name.
        name: Name,
        /// The life of the one that is up.
        incarnation: Incarnation,
    },
    /// All ids of that kind are given.
    #[error("no {what} id is left")]
    IdsExhausted {
        /// Which kind.
        what: IdKind,
    },
    /// No such user.
    #[error("user \"{name}\" does not exist")]
    UserUnknown {
        /// The name.
        name: Name,
    },
    /// A field does not fit the map's limits.
    #[error("{what} has {bytes} bytes, at most {bytes_max} are allowed")]
    TooLong {
        /// Which field.
        what: Field,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A server must be able to carry something.
    #[error("capacity must be at least 1")]
    CapacityZero,
    /// The server is being emptied.
    #[error("server {server} is being drained and takes no databases")]
    ServerDraining {
        /// Which.
        server: ServerId,
    },
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdKind {
    /// Servers.
    Server,
    /// Handlers.
    Handler,
    /// Databases.
    Database,
}

impl std::fmt::Display for IdKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Handler => "handler",
            Self::Database => "database",
        })
    }
}

/// A field with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// A network address.
    Address,
    /// A location.
    Location,
    /// A SCRAM verifier.
    Verifier,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Address => "the address",
            Self::Location => "the location",
            Self::Verifier => "the verifier",
        })
    }
}
