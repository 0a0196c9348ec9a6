//! What the log may say, and what the map answers.
//!
//! Commands carry decisions, not policies: the leader computes a placement, the command holds the result, and
//! [`Fleet::apply`](crate::Fleet::apply) checks that it still fits (expected epoch, server still up) and nothing else.
//! Variants and fields are only ever added at the end: their order is their number on disk (see [`codec`](crate::codec)).

use serde::{Deserialize, Serialize};

use crate::{
    DatabaseId, DatabaseOption, Directive, Epoch, Fact, FleetId, HandlerId, IdempotencyKey, Incarnation,
    Level, Name, NameError, Person, PinnedTo, SenderRole, ServerId, Tenure, TimestampMs, Why, Wish,
};

/// One log entry: a command, and when the leader read its clock for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The leader's wall clock when it proposed this.
    pub at: TimestampMs,
    /// What to change.
    pub command: Command,
    /// Why, for those who ask afterwards. Never decided by.
    pub why: Option<Why>,
}

impl Entry {
    /// An entry that does not say why.
    pub fn new(at: TimestampMs, command: Command) -> Self {
        Self { at, command, why: None }
    }

    /// The oldest level that can say this.
    pub fn level(&self) -> Level {
        let why = self.why.as_ref().map_or(Level::FIRST, |why| why.cause.level());
        why.max(self.command.level())
    }
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
    /// Makes a database that is to be a copy of another as that is or was. It is *forming*, and nobody's, until its
    /// journal says what it is a copy of.
    ForkDatabase {
        /// Its name; must be free.
        name: Name,
        /// What it is to be a copy of.
        fork: Fork,
        /// As with [`Command::CreateDatabase`].
        key: Option<IdempotencyKey>,
    },
    /// The copy's journal says what it is a copy of: from now on it is a database like any other.
    FormDatabase {
        /// Which.
        database: DatabaseId,
    },
    /// The copy cannot be made: drops it, unless it was made meanwhile.
    AbandonDatabase {
        /// Which.
        database: DatabaseId,
    },
    /// Changes some options of a database (R20, R21) and leaves the others.
    SetDatabaseOptions {
        /// Which.
        database: DatabaseId,
        /// The new values; of one that is there twice, the last.
        options: Vec<DatabaseOption>,
    },
    /// Remembers what the leader found out, and changes nothing else.
    RecordEvents {
        /// Facts, oldest first; at most [`FACTS_MAX`](crate::FACTS_MAX) are taken.
        facts: Vec<Fact>,
    },
    /// Every controller knows this level: from now on the log and the snapshots may say what it allows.
    RaiseLevel {
        /// The new level. One that is not above the map's own changes nothing.
        level: Level,
    },
    /// Gives away a database id without a database: for a journal that is to be filled before anybody can ask for it.
    ReserveDatabase {
        /// Makes repeating it harmless: the same key gives the same id.
        key: IdempotencyKey,
    },
    /// Makes a database of a journal that is there already, under the id that it has. Whoever proposes it has looked:
    /// the journal is no dropped database's. Repeating it is harmless.
    AdoptDatabase {
        /// The journal's id; given before, if only by a map that was lost.
        database: DatabaseId,
        /// Its name; must be free.
        name: Name,
        /// The newest epoch in the journal: the first owner gets the next one.
        epoch: Epoch,
    },
    /// An administrator sends a directive to clients, or sends one that stands to others (R92). Repeating it is harmless.
    PutDirective {
        /// Its id.
        id: Name,
        /// What it says, and whom it is for.
        directive: Box<Directive>,
    },
    /// A directive is revoked, or its time is over.
    EndDirective {
        /// Which.
        id: Name,
    },
    /// Says where a database must be, or that it may be anywhere. Moves nothing by itself.
    PinDatabase {
        /// Which.
        database: DatabaseId,
        /// Where.
        to: Option<PinnedTo>,
    },
    /// Stops moving databases for load and distance, or goes on. Repeating it is harmless.
    PauseBalancing {
        /// Who says so.
        by: Name,
        /// Whether to stop.
        paused: bool,
    },
    /// Gives a user a right to send directives, or takes it away, on the word of whoever has the fleet's secret (R92).
    PutSender {
        /// Whose.
        user: Name,
        /// The right; `None` takes it away.
        role: Option<SenderRole>,
        /// Who says so, by the sender's own word.
        by: Name,
    },
    /// A person wants something of directives (R92). The leader has made sure who it is; what that person may do is
    /// decided here.
    Administer {
        /// Who.
        by: Person,
        /// What.
        wish: Wish,
    },
}

impl Command {
    /// The level that introduced it.
    pub fn level(&self) -> Level {
        match self {
            Self::Found { .. }
            | Self::CreateDatabase { .. }
            | Self::RenameDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::ForgetDatabase { .. }
            | Self::AssignDatabase { .. }
            | Self::UnassignDatabase { .. }
            | Self::RegisterServer { .. }
            | Self::ExpireServer { .. }
            | Self::RegisterHandler { .. }
            | Self::PutUser { .. }
            | Self::DropUser { .. }
            | Self::DrainServer { .. } => Level::FIRST,
            Self::ForkDatabase { .. }
            | Self::FormDatabase { .. }
            | Self::AbandonDatabase { .. }
            | Self::SetDatabaseOptions { .. }
            | Self::ReserveDatabase { .. }
            | Self::AdoptDatabase { .. } => Level::EVENTS,
            Self::RecordEvents { facts } => facts.iter().map(Fact::level).max().unwrap_or(Level::EVENTS),
            Self::PutDirective { .. } | Self::EndDirective { .. } => Level::DIRECTIVES,
            Self::PinDatabase { .. } | Self::PauseBalancing { .. } => Level::PLACEMENT,
            Self::PutSender { .. } | Self::Administer { .. } => Level::SENDERS,
            // Only those are asked to read it that know that level.
            Self::RaiseLevel { level } => *level,
        }
    }
}

/// What a copy is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The database to copy.
    pub parent: DatabaseId,
    /// As it is, or as it was when.
    pub at: ForkPoint,
}

/// The moment of a database's life that a copy begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForkPoint {
    /// With everything that was acknowledged when it was asked for.
    Newest,
    /// At this position of its journal.
    Position(u64),
    /// With everything that was committed by then.
    Time(TimestampMs),
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
    /// The database is a copy that is still being made.
    #[error("database {database} is a copy that is still being made")]
    DatabaseForming {
        /// Which.
        database: DatabaseId,
    },
    /// The database is not being made any more.
    #[error("database {database} is made already")]
    DatabaseFormed {
        /// Which.
        database: DatabaseId,
    },
    /// A copy of the database is being made.
    #[error("database {database} is being copied to {copy}; wait for that, or drop the copy")]
    DatabaseCopied {
        /// Which.
        database: DatabaseId,
        /// The copy.
        copy: DatabaseId,
    },
    /// Not every controller is of a release that knows this. Said by the leader; nothing was proposed.
    #[error("the fleet is at {level}, and this takes {needed}: upgrade all controllers first")]
    LevelLow {
        /// What all controllers know.
        level: Level,
        /// What it takes.
        needed: Level,
    },
    /// No journal can have that id, or its database is being dropped.
    #[error("{database} cannot be adopted: its id was never given, or it is just being dropped")]
    CannotAdopt {
        /// Which.
        database: DatabaseId,
    },
    /// The database is in the map already, under another name.
    #[error("{database} is there already, and its name is \"{name}\"")]
    DatabaseKnown {
        /// Which.
        database: DatabaseId,
        /// Its name.
        name: Name,
    },
    /// No such directive; its time may be over.
    #[error("directive {id} does not exist; its time may be over")]
    DirectiveUnknown {
        /// The id asked for.
        id: Name,
    },
    /// Another directive has that id.
    #[error("directive {id} says something else already")]
    DirectiveKnown {
        /// The id.
        id: Name,
    },
    /// As many directives stand as may.
    #[error("{directives_max} directives stand, and no more may: revoke one")]
    DirectivesFull {
        /// How many may.
        directives_max: usize,
    },
    /// The user has not the right.
    #[error("user \"{user}\" may not do this with directives: that is for a user with the right \"{role}\"")]
    NotAllowed {
        /// Who.
        user: Name,
        /// The least that it takes.
        role: SenderRole,
    },
    /// Nobody approves of what he asked for himself.
    #[error("this takes a second person's approval, and \"{user}\" is the first")]
    SecondPerson {
        /// Who.
        user: Name,
    },
    /// Nothing waits under that id.
    #[error("nothing waits for approval as {id}; it may have waited for too long")]
    PendingUnknown {
        /// The id.
        id: Name,
    },
    /// As much waits as may.
    #[error("{pending_max} things wait for approval, and no more may: approve or revoke one")]
    PendingFull {
        /// How much may.
        pending_max: usize,
    },
    /// As many users have a right as may.
    #[error("{senders_max} users may send directives, and no more may")]
    SendersFull {
        /// How many may.
        senders_max: usize,
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
    /// A command as a whole.
    Command,
    /// A directive's text.
    Directive,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Address => "the address",
            Self::Location => "the location",
            Self::Verifier => "the verifier",
            Self::Command => "the change",
            Self::Directive => "the directive",
        })
    }
}
