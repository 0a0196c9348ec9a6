//! What a controller answers: look-ups, watching, registrations, and the operator's changes.

use model::{
    DatabaseId, DatabaseOption, DatabaseOptions, Digest, Epoch, FleetId, ForkPoint, HandlerId,
    IdempotencyKey, Incarnation, Name, Registration, RequestId, Revision, SenderRole, ServerId, ServerState,
    Targets, Tenure,
};
use serde::{Deserialize, Serialize};

pub use crate::health::ServerHealth;

use crate::{
    Refusal,
    backup::{BackupPiece, BackupRequest},
    conditions::ConditionsReport,
    directives::{
        DirectiveInfo, DirectiveTally, DirectivesReport, Proven, Question, SendersInfo, TargetsCount, Wish,
    },
    events::{EventsPage, EventsRequest},
    load::{ClientsOf, ClientsReport, LoadsInfo, ServerUsage},
    placement::{PinTarget, PlacementAnswer, PlacementRequest},
    time_limit::{Overrun, Verdict},
};

/// The service. Any controller answers the reading calls; only the leader answers the others.
#[tarpc::service]
pub trait ControllerApi {
    /// How this controller is doing.
    async fn status() -> ControllerStatus;
    /// Where a database is, without changing anything (R12).
    async fn look_up(request: LookUp) -> Result<DatabaseInfo, Refusal>;
    /// Where to send a request: assigns and loads the database if need be (R10, R12, R19). Leader only.
    async fn route(request: RouteRequest) -> Result<Route, Refusal>;
    /// What changed after a revision. Waits up to `wait_ms` for something to change.
    async fn watch(since: Revision, wait_ms: u32) -> Watched;
    /// An operator's change, or a client's `CREATE DATABASE`. Leader only.
    async fn operate(request: RequestId, operation: Operation) -> Result<Operated, Refusal>;
    /// A page of databases by name, at most [`PAGE_MAX`](crate::limits::PAGE_MAX).
    async fn databases(after: Option<Name>, limit: u32) -> DatabasePage;
    /// All servers.
    async fn servers() -> Vec<ServerInfo>;
    /// All handlers.
    async fn handlers() -> Vec<HandlerInfo>;
    /// The controllers, as this one knows them.
    async fn controllers() -> Vec<ControllerInfo>;
    /// The fingerprint of this controller's map (C14).
    async fn digest() -> Digest;
    /// A user's SCRAM verifier, in PostgreSQL's text form.
    async fn verifier(user: String) -> Option<String>;
    /// The names of all users.
    async fn users() -> Vec<Name>;
    /// What happened, and why (S10). Any controller answers.
    async fn events(request: EventsRequest) -> Result<EventsPage, Refusal>;
    /// A server starts a life (R15). Leader only.
    async fn register_server(
        registration: Registration,
        incarnation: Incarnation,
    ) -> Result<ServerRegistered, Refusal>;
    /// A server lives. Leader only.
    async fn heartbeat(heartbeat: Heartbeat) -> Result<HeartbeatReply, Refusal>;
    /// A request took longer than its database's limit: judges who is to blame, and reassigns the database when it is its
    /// server (R20, R21). Leader only; repeating it is harmless.
    async fn report_time_limit(overrun: Overrun) -> Result<Verdict, Refusal>;
    /// A handler starts. Leader only.
    async fn register_handler(
        name: Name,
        address: String,
        location: String,
    ) -> Result<HandlerRegistered, Refusal>;
    /// The whole map as this controller has it, piece by piece: see [`crate::backup`]. Nothing when the backup that is
    /// asked for is not kept any more; begin a new one then.
    async fn backup(request: BackupRequest) -> Option<BackupPiece>;
    /// Gives away a database id without a database, so that a journal can be filled before
    /// [`Operation::AdoptDatabase`] makes it one. The same key gives the same id. Leader only.
    async fn reserve_database(request: RequestId, key: IdempotencyKey) -> Result<DatabaseId, Refusal>;
    /// The directives of administrators that stand. Any controller answers.
    async fn directives() -> Vec<DirectiveInfo>;
    /// A handler tells what became of directives, and learns what it is asked: see [`crate::directives`]. Leader only.
    async fn report_directives(report: DirectivesReport) -> Result<Vec<Question>, Refusal>;
    /// How many sessions a directive would reach, without sending it (R92). Waits for the handlers to say. Leader only.
    async fn count_targets(directive: Name, targets: Targets) -> Result<TargetsCount, Refusal>;
    /// What became of the directives that stand, as far as handlers have told. Leader only.
    async fn directive_tallies() -> Result<Vec<DirectiveTally>, Refusal>;
    /// A server tells what its databases use (R25). Leader only; a lost one changes nothing.
    async fn report_usage(usage: ServerUsage) -> Result<(), Refusal>;
    /// A handler tells where the clients of databases are, and how far the servers (R22). Leader only; a lost one
    /// changes nothing.
    async fn report_clients(report: ClientsReport) -> Result<(), Refusal>;
    /// What is known of all loads, and from where. Leader only.
    async fn loads() -> Result<LoadsInfo, Refusal>;
    /// What placement does and why (R23, S10): see [`crate::placement`]. Leader only.
    async fn placement(request: PlacementRequest) -> Result<PlacementAnswer, Refusal>;
    /// Where a database's requests come from, most first, as far as it was used lately (R22). Leader only.
    async fn clients_of(database: DatabaseRef) -> Result<Vec<ClientsOf>, Refusal>;
    /// Who may send directives, and what waits for a second person. Any controller answers.
    async fn senders() -> SendersInfo;
    /// A server tells of conditions that were raised or cleared, for the events (S10). Leader only; repeating it is
    /// harmless to one leader.
    async fn report_conditions(report: ConditionsReport) -> Result<(), Refusal>;
}

/// A database, named either way (R9, R14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatabaseRef {
    /// By id: always the same database.
    Id(DatabaseId),
    /// By its name now.
    Name(String),
}

impl DatabaseRef {
    /// What a client typed as `dbname`: an id when it has the form of one, else a name.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.into()), Self::Id)
    }
}

impl std::fmt::Display for DatabaseRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    /// This controller's applied state, but not older than the revision given (C16).
    AtLeast(Revision),
    /// The newest there is: confirmed with a quorum (read index). Leader only.
    Linearizable,
}

/// A look-up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookUp {
    /// Which database.
    pub database: DatabaseRef,
    /// How fresh.
    pub consistency: Consistency,
}

/// A request for a route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteRequest {
    /// For the logs.
    pub request: RequestId,
    /// Which database.
    pub database: DatabaseRef,
    /// The highest revision the handler has seen.
    pub at_least: Revision,
    /// The route that just failed, if any: a hint, compared by epoch, so a stale one moves nothing (R19).
    pub failed: Option<RouteFailed>,
}

/// A route that did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFailed {
    /// The epoch it had.
    pub epoch: Epoch,
    /// What happened there.
    pub why: WhyFailed,
}

/// What happened on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhyFailed {
    /// The server said that it does not serve this database at this epoch.
    Refused,
    /// The server could not be reached.
    Unreachable,
}

/// Where to send requests for a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Which database.
    pub database: DatabaseId,
    /// Its name now.
    pub name: Name,
    /// The epoch that the server serves it under.
    pub epoch: Epoch,
    /// The owner.
    pub owner: Tenure,
    /// The owner's PostgreSQL port.
    pub address: String,
    /// The database's options.
    pub options: DatabaseOptions,
    /// The map's revision that this is true at.
    pub revision: Revision,
}

/// What is known of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseInfo {
    /// Its id.
    pub database: DatabaseId,
    /// Its name.
    pub name: Name,
    /// How many owners it has had.
    pub epoch: Epoch,
    /// Who owns it now, if anybody.
    pub owner: Option<Owner>,
    /// Its options.
    pub options: DatabaseOptions,
    /// The map's revision that this is true at.
    pub revision: Revision,
}

/// The owner of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The server and its life.
    pub tenure: Tenure,
    /// The server's name.
    pub server: Name,
    /// The server's PostgreSQL port.
    pub address: String,
}

/// A page of databases, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabasePage {
    /// The databases.
    pub databases: Vec<DatabaseInfo>,
    /// Whether more follow after the last one.
    pub more: bool,
    /// How many there are in all.
    pub total: u64,
}

/// What changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watched {
    /// Watch from here next.
    pub revision: Revision,
    /// What to look at again.
    pub changes: WatchedChanges,
}

/// The changes themselves. Each shows the state now, not then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum WatchedChanges {
    /// Too far behind: forget every cached thing.
    Reset,
    /// Oldest first.
    Since(Vec<WatchedChange>),
}

/// One change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum WatchedChange {
    /// This database is now like this.
    Database(DatabaseInfo),
    /// This database is gone.
    DatabaseDropped(DatabaseId),
    /// This server is now in this life, up or not: routes to its other lives are void.
    Server {
        /// Which.
        server: ServerId,
        /// Its present or last life.
        incarnation: Incarnation,
        /// Whether that life goes on.
        state: ServerState,
    },
    /// A handler came or changed its address.
    Handler(HandlerInfo),
    /// A user was made, changed or dropped.
    User(Name),
    /// A directive was sent, changed or ended: [`ControllerApi::directives`] has those that stand.
    Directives,
}

/// An operator's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Make a database and assign it (R6-R8).
    CreateDatabase {
        /// Its name.
        name: String,
        /// Makes repeating it harmless.
        key: IdempotencyKey,
    },
    /// Drop a database and purge its journal.
    DropDatabase {
        /// Which.
        database: DatabaseRef,
    },
    /// Rename a database.
    RenameDatabase {
        /// Which.
        database: DatabaseRef,
        /// Its new name.
        name: String,
    },
    /// Give a database to a server, by name; without one, to the best.
    AssignDatabase {
        /// Which.
        database: DatabaseRef,
        /// To whom.
        server: Option<String>,
    },
    /// Take a database from its owner.
    UnassignDatabase {
        /// Which.
        database: DatabaseRef,
    },
    /// Declare a server dead.
    ExpireServer {
        /// Its name.
        server: String,
    },
    /// Make a user or change its verifier.
    PutUser {
        /// Its name.
        name: String,
        /// A SCRAM-SHA-256 verifier in PostgreSQL's text form.
        verifier: String,
    },
    /// Take a user away.
    DropUser {
        /// Its name.
        name: String,
    },
    /// Move a database to a server, by name, and have it loaded there: its owner finishes what runs and lets go, its
    /// clients go on at the new one (R27). Repeating it is harmless.
    MoveDatabase {
        /// Which.
        database: DatabaseRef,
        /// To whom.
        server: String,
    },
    /// Change some options of a database and leave the others. Handlers learn of it by the watch.
    SetDatabaseOptions {
        /// Which.
        database: DatabaseRef,
        /// The new values.
        options: Vec<DatabaseOption>,
    },
    /// Begin to empty a server, or leave that be. The leader moves what it has elsewhere, and goes on until it has
    /// nothing; the number of its databases tells how far that is.
    DrainServer {
        /// Its name.
        server: String,
        /// Whether to.
        draining: bool,
    },
    /// Let go of the brake against mass expiry: the servers that it holds back now are declared dead. Does nothing
    /// when it is off.
    ReleaseBrake,
    /// Make a database that is a copy of another as it is or was (PITR), and wait until it is made.
    ForkDatabase {
        /// Which to copy.
        database: DatabaseRef,
        /// The copy's name.
        name: String,
        /// When.
        at: ForkPoint,
        /// Makes repeating it harmless.
        key: IdempotencyKey,
    },
    /// Take the next step towards another set of controllers. It is reached when [`ControllerApi::controllers`] of the
    /// leader says so; until then this is to be repeated, at whatever controller leads then.
    ChangeControllers(ControllersChange),
    /// Make a database of a journal that is there already, under the id that it has. Whoever asks for it has looked
    /// into that journal. Repeating it is harmless.
    AdoptDatabase {
        /// The journal's id.
        database: DatabaseId,
        /// Its name.
        name: String,
        /// The newest epoch in the journal.
        epoch: Epoch,
    },
    /// Of an earlier release, which proved nothing of who sends: refused since [`Operation::Administer`].
    SendDirective {
        /// Its id, chosen by the sender. A text in which the id is another is refused.
        id: String,
        /// Its wire form. Its order is the controllers' to give: what stands there is replaced.
        text: String,
        /// Whom it is for.
        targets: Targets,
        /// Who sends it.
        by: String,
    },
    /// Of an earlier release, like [`Operation::SendDirective`]: refused.
    EndDirectives {
        /// Which.
        id: Option<String>,
        /// Who revokes.
        by: String,
    },
    /// Say where a database must be, or that it may be anywhere. The next round moves it there.
    PinDatabase {
        /// Which.
        database: DatabaseRef,
        /// Where.
        to: Option<PinTarget>,
    },
    /// Stop moving databases for load, distance and pins, or go on.
    PauseBalancing {
        /// Whether to stop.
        paused: bool,
        /// Who says so.
        by: String,
    },
    /// What an administrator wants of directives, with a proof of who it is (R92).
    Administer {
        /// Who.
        by: Proven,
        /// What.
        wish: Wish,
    },
    /// Give a user the right to send directives, or take it away, without a second person: for whoever has the fleet's
    /// secret, who is told of in the event. Taken from [`Role::Operator`](crate::handshake::Role::Operator) only.
    PutSender {
        /// Whose.
        user: String,
        /// The right; `None` takes it away.
        role: Option<SenderRole>,
        /// Who says so, by his own word.
        by: String,
    },
}

/// How the set of controllers is to change, or who is to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllersChange {
    /// One more, which runs already and waits to be added.
    Add {
        /// Where it is, `host:port`.
        address: String,
    },
    /// One less.
    Remove {
        /// Which.
        controller: model::ControllerId,
    },
    /// One instead of another.
    Replace {
        /// Which one goes.
        controller: model::ControllerId,
        /// Where the new one is, `host:port`.
        address: String,
    },
    /// Another leader.
    TransferLeadership {
        /// Who is to lead.
        to: model::ControllerId,
    },
}

/// What an operator's change did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operated {
    /// The map's revision with the change in it.
    pub revision: Revision,
    /// The database concerned, as it is now; `None` when it is gone or none was.
    pub database: Option<DatabaseInfo>,
}

/// How a controller is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControllerStatus {
    /// Which one answers.
    pub controller: model::ControllerId,
    /// The fleet's id, once founded.
    pub fleet: Option<FleetId>,
    /// Leader, follower, learner or candidate, in openraft's words.
    pub state: String,
    /// The leader it knows.
    pub leader: Option<model::ControllerId>,
    /// Its Raft term.
    pub term: u64,
    /// The last applied revision.
    pub revision: Revision,
    /// The last log index it holds.
    pub log_last: u64,
    /// The last log index in its newest snapshot.
    pub snapshot_last: u64,
    /// Milliseconds since a quorum last confirmed the leader, on the leader only. More than a lease means quorum lost.
    pub quorum_confirmed_ms_ago: Option<u64>,
    /// Databases in its map.
    pub databases: u64,
    /// The brake against mass expiry, when it is on; known on the leader only.
    pub brake: Option<BrakeEngaged>,
    /// The release it is, like `0.1.0`.
    pub release: String,
    /// The newest level of the log's contents that it knows.
    pub level_known: model::Level,
    /// The level that its map is at: what all controllers know.
    pub level: model::Level,
}

/// Why no server is declared dead for its silence at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakeEngaged {
    /// Servers that are silent, or were declared dead for it lately.
    pub silent: u64,
    /// Of how many.
    pub of: u64,
    /// Since when, in milliseconds.
    pub ms_ago: u64,
}

/// A controller, as another one knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControllerInfo {
    /// Its id.
    pub controller: model::ControllerId,
    /// Its address, `host:port`.
    pub address: String,
    /// Whether it votes.
    pub voter: bool,
    /// Whether it leads.
    pub leader: bool,
    /// The last log index known to be on it; known on the leader only.
    pub matched: Option<u64>,
}

/// A server, as an operator wants to see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Its id.
    pub server: ServerId,
    /// Its name.
    pub name: Name,
    /// Its PostgreSQL port.
    pub data_address: String,
    /// Its control port.
    pub control_address: String,
    /// Region, zone or rack.
    pub location: String,
    /// Relative capacity.
    pub capacity: u32,
    /// Its present or last life.
    pub incarnation: Incarnation,
    /// Whether that life goes on.
    pub state: ServerState,
    /// Databases assigned to it.
    pub databases: u64,
    /// Its last heartbeat; known on the leader only.
    pub heartbeat: Option<HeartbeatSeen>,
}

/// A heartbeat as the leader saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeartbeatSeen {
    /// How long ago, in milliseconds.
    pub ms_ago: u64,
    /// What it said.
    pub load: ServerLoad,
}

/// A handler, as an operator wants to see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandlerInfo {
    /// Its id.
    pub handler: HandlerId,
    /// Its name.
    pub name: Name,
    /// Where clients reach it.
    pub address: String,
    /// Region, zone or rack.
    pub location: String,
}

/// A server was registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerRegistered {
    /// Its id.
    pub server: ServerId,
    /// The fleet: its journals live under this id.
    pub fleet: FleetId,
    /// How long an acknowledged heartbeat lets it serve, in milliseconds.
    pub lease_ms: u64,
    /// How often to send one, in milliseconds.
    pub heartbeat_ms: u64,
}

/// A server lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Which server.
    pub server: ServerId,
    /// In which life.
    pub incarnation: Incarnation,
    /// How busy it is.
    pub load: ServerLoad,
    /// Databases that it put away on its own, with the epoch they had; repeated until acknowledged.
    pub put_away: Vec<(DatabaseId, Epoch)>,
}

/// How busy a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerLoad {
    /// Databases loaded.
    pub databases_loaded: u64,
    /// Client sessions.
    pub sessions: u64,
    /// Requests since its start.
    pub requests_total: u64,
    /// Whether it feels well.
    pub health: ServerHealth,
}

/// A heartbeat was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// How long it lets the server serve, in milliseconds from its sending.
    pub lease_ms: u64,
    /// Addresses of all controllers, for the next heartbeat's way.
    pub controllers: Vec<String>,
}

/// A handler was registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandlerRegistered {
    /// Its id: the upper part of its cancel keys.
    pub handler: HandlerId,
}
