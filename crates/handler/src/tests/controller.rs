//! A controller made of a table: enough of one for a handler.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use model::*;
use rpc::{
    Refusal,
    controller::*,
    directives::{DirectiveInfo, DirectiveTally, DirectivesReport, Question, TargetsCount},
    session::Settled,
    tarpc::context::Context,
    time_limit::{Blame, Overrun, Verdict},
};
use tokio::sync::watch;

/// The map.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) revision: u64,
    changes: Vec<(u64, WatchedChange)>,
    /// Changes before this revision are not known.
    oldest: u64,
    pub(crate) databases: BTreeMap<String, Entry>,
    next_database: u64,
    pub(crate) users: BTreeMap<String, String>,
    pub(crate) handlers: Vec<HandlerInfo>,
    /// Addresses of servers that are up, by number.
    pub(crate) servers: BTreeMap<u32, String>,
    keys: BTreeMap<IdempotencyKey, u64>,
    /// Every request for a route.
    pub(crate) routed: Vec<RouteRequest>,
    /// Changes are not shown to watchers while set.
    pub(crate) silent: bool,
    /// Everything that servers have committed, in order: what a journal would hold.
    pub(crate) rows: Vec<String>,
    /// What became of requests, by session and number.
    pub(crate) outcomes: BTreeMap<(String, u64), Settled>,
    /// Nobody is told a route while set.
    pub(crate) speechless: bool,
    /// How many have asked for one meanwhile.
    pub(crate) unheard: usize,
    /// Servers do not settle while set.
    pub(crate) forgetful: bool,
    /// Every request that took too long.
    pub(crate) overruns: Vec<Overrun>,
    /// Servers are to blame for them while set.
    pub(crate) blames_servers: bool,
    /// The directives that stand.
    directives: Vec<DirectiveInfo>,
    /// What handlers reported of them last.
    pub(crate) reported: Option<DirectivesReport>,
    /// What the next report is answered with.
    pub(crate) questions: Vec<Question>,
}

/// A database.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) epoch: u64,
    pub(crate) owner: Option<u32>,
    pub(crate) options: DatabaseOptions,
}

/// A fake controller. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fake {
    table: Arc<Mutex<Table>>,
    changed: watch::Sender<u64>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self { table: Arc::default(), changed: watch::Sender::new(0) }
    }

    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.table.lock().expect("no panics");
        let result = with(&mut table);
        if !table.silent {
            self.changed.send_replace(table.revision);
        }
        result
    }
}

impl Table {
    pub(crate) fn create(&mut self, name: &str) -> u64 {
        self.next_database += 1;
        let id = self.next_database;
        self.databases
            .insert(name.into(), Entry { id, epoch: 1, owner: None, options: DatabaseOptions::default() });
        self.note_database(name);
        id
    }

    /// A handler comes.
    pub(crate) fn add_handler(&mut self, name: Name, address: String, location: String) -> HandlerId {
        let handler = HandlerId(u16::try_from(self.handlers.len() + 1).expect("few"));
        let info = HandlerInfo { handler, name, address, location };
        self.handlers.push(info.clone());
        self.note(WatchedChange::Handler(info));
        handler
    }

    /// Comes back from a backup that was made before any handler registered.
    pub(crate) fn restore(&mut self) {
        self.revision += 1 << 32;
        self.oldest = self.revision;
        self.handlers.clear();
    }

    /// A server comes.
    pub(crate) fn arrive(&mut self, number: u32) {
        self.servers.insert(number, format!("s{number}:1"));
        let (server, incarnation) = (ServerId(number), Incarnation(1));
        self.note(WatchedChange::Server { server, incarnation, state: ServerState::Up });
    }

    /// A server is declared dead.
    pub(crate) fn depart(&mut self, number: u32) {
        let (server, incarnation) = (ServerId(number), Incarnation(1));
        self.note(WatchedChange::Server { server, incarnation, state: ServerState::Down });
    }

    /// Gives a database to a server.
    pub(crate) fn assign(&mut self, name: &str, server: Option<u32>) -> u64 {
        let entry = self.databases.get_mut(name).expect("it exists");
        entry.owner = server;
        entry.epoch += 1;
        let epoch = entry.epoch;
        self.note_database(name);
        epoch
    }

    /// How long requests for a database may take.
    pub(crate) fn limit(&mut self, name: &str, time_limit: &str) {
        let option = DatabaseOption::parse("time_limit", time_limit).expect("a limit");
        self.databases.get_mut(name).expect("it exists").options.set(option);
        self.note_database(name);
    }

    pub(crate) fn drop_database(&mut self, name: &str) {
        let entry = self.databases.remove(name).expect("it exists");
        self.note(WatchedChange::DatabaseDropped(DatabaseId(entry.id)));
    }

    pub(crate) fn put_user(&mut self, name: &str, verifier: Option<&str>) {
        match verifier {
            Some(verifier) => self.users.insert(name.into(), verifier.into()),
            None => self.users.remove(name),
        };
        self.note(WatchedChange::User(Name::new(name).expect("a name")));
    }

    /// Directives are sent, in place of one of the same id.
    pub(crate) fn put_directive(&mut self, text: &str, targets: Targets) {
        let directive = directive::decode(text.as_bytes()).expect("a directive");
        let id = Name::new(&directive.id).expect("a name");
        self.directives.retain(|info| info.id != id);
        self.directives.push(DirectiveInfo {
            id,
            text: text.into(),
            targets,
            by: Name::new("dba").expect("a name"),
            since: TimestampMs(0),
            lifetime_ms: directive.lifetime_ms,
            left_ms: directive.lifetime_ms,
        });
        self.note(WatchedChange::Directives);
    }

    pub(crate) fn revoke_directive(&mut self, id: &str) {
        self.directives.retain(|info| info.id.as_str() != id);
        self.note(WatchedChange::Directives);
    }

    /// How many creates had a key of their own.
    pub(crate) fn keys_used(&self) -> usize {
        self.keys.len()
    }

    fn note_database(&mut self, name: &str) {
        self.revision += 1;
        let info = self.info(name);
        self.changes.push((self.revision, WatchedChange::Database(info)));
    }

    fn note(&mut self, change: WatchedChange) {
        self.revision += 1;
        self.changes.push((self.revision, change));
    }

    fn info(&self, name: &str) -> DatabaseInfo {
        let entry = &self.databases[name];
        let owner = entry.owner.map(|server| Owner {
            tenure: tenure(server),
            server: Name::new(&format!("s{server}")).expect("a name"),
            address: format!("s{server}:1"),
        });
        DatabaseInfo {
            database: DatabaseId(entry.id),
            name: Name::new(name).expect("a name"),
            epoch: Epoch(entry.epoch),
            owner,
            options: entry.options,
            revision: Revision(self.revision),
        }
    }

    pub(crate) fn find(&self, database: &DatabaseRef) -> Result<String, Refusal> {
        match database {
            DatabaseRef::Name(name) if self.databases.contains_key(name) => Ok(name.clone()),
            DatabaseRef::Name(name) => Err(Refusal::DatabaseNameUnknown { name: name.clone() }),
            DatabaseRef::Id(id) => {
                let found = self.databases.iter().find(|(_, entry)| entry.id == id.0);
                let unknown = Rejection::DatabaseUnknown { database: *id };
                found.map(|(name, _)| name.clone()).ok_or_else(|| unknown.into())
            }
        }
    }

    /// One event, about whatever was asked for.
    fn events(&self, request: &rpc::events::EventsRequest) -> Result<rpc::events::EventsPage, Refusal> {
        let database = request.database.as_ref().map(|database| self.find(database)).transpose()?;
        let server =
            |id, name: &str| rpc::events::ServerNamed { id: ServerId(id), name: Name::new(name).ok() };
        let event = rpc::events::EventInfo {
            id: EventId { revision: Revision(7), index: 0 },
            at: TimestampMs(0),
            what: What::Moved,
            cause: Some(Cause::Drain),
            database: Some(DatabaseId(1)),
            name: database.and_then(|name| Name::new(&name).ok()),
            from: Some(server(1, "s1")),
            to: request.server.as_ref().map(|name| server(2, name)),
            epoch_before: Some(Epoch(3)),
            epoch_after: Some(Epoch(4)),
            took_us: Some(12_345),
            evidence: format!("limit {}", request.limit),
        };
        let next = event.id;
        Ok(rpc::events::EventsPage { events: vec![event], next, overrun: false, revision: Revision(7) })
    }

    fn route(&mut self, request: RouteRequest) -> Result<Route, Refusal> {
        self.routed.push(request.clone());
        let name = self.find(&request.database)?;
        let entry = self.databases[&name].clone();
        let failed_now = request.failed.is_some_and(|failed| failed.epoch.0 >= entry.epoch);
        let owner = entry.owner.filter(|owner| self.servers.contains_key(owner));
        let moves =
            owner.is_none() || (failed_now && request.failed.expect("checked").why == WhyFailed::Refused);
        if moves {
            let other = self.servers.keys().find(|server| Some(**server) != entry.owner).copied();
            let other = other.or(owner).ok_or_else(|| Refusal::NoServer { reason: "none is up".into() })?;
            self.assign(&name, Some(other));
        }
        let info = self.info(&name);
        let owner = info.owner.expect("assigned above");
        Ok(Route {
            database: info.database,
            name: info.name,
            epoch: info.epoch,
            owner: owner.tenure,
            address: owner.address,
            options: info.options,
            revision: info.revision,
        })
    }

    fn judge(&mut self, overrun: Overrun) -> Result<Verdict, Refusal> {
        self.overruns.push(overrun);
        if !self.blames_servers || overrun.repeats >= 2 {
            return Ok(Verdict { blame: Blame::Query, evidence: "so it was found".into(), route: None });
        }
        let failed = Some(RouteFailed { epoch: overrun.epoch, why: WhyFailed::Refused });
        let database = DatabaseRef::Id(overrun.database);
        let asking = RouteRequest { request: overrun.request, database, at_least: Revision(0), failed };
        let route = Some(self.route(asking)?);
        Ok(Verdict { blame: Blame::Server, evidence: "so it was found".into(), route })
    }

    fn operate(&mut self, operation: Operation) -> Result<Option<DatabaseInfo>, Refusal> {
        match operation {
            Operation::CreateDatabase { name, key } => {
                let checked = Name::new(&name).map_err(Rejection::from)?;
                if !self.keys.contains_key(&key) {
                    if let Some(taken) = self.databases.get(&name) {
                        return Err(
                            Rejection::NameTaken { name: checked, database: DatabaseId(taken.id) }.into()
                        );
                    }
                    let id = self.create(&name);
                    self.keys.insert(key, id);
                }
                Ok(Some(self.info(&name)))
            }
            Operation::ForkDatabase { database, name, at: ForkPoint::Newest, key } => {
                self.find(&database)?;
                self.operate(Operation::CreateDatabase { name, key })
            }
            Operation::DropDatabase { database } => {
                let name = self.find(&database)?;
                self.drop_database(&name);
                Ok(None)
            }
            Operation::RenameDatabase { database, name } => {
                let old = self.find(&database)?;
                let entry = self.databases.remove(&old).expect("found");
                self.databases.insert(name.clone(), entry);
                self.note_database(&name);
                Ok(Some(self.info(&name)))
            }
            Operation::SetDatabaseOptions { database, options } => {
                let name = self.find(&database)?;
                let entry = self.databases.get_mut(&name).expect("found");
                options.into_iter().for_each(|option| entry.options.set(option));
                self.note_database(&name);
                Ok(Some(self.info(&name)))
            }
            Operation::PutUser { name, verifier } => {
                self.put_user(&name, Some(&verifier));
                Ok(None)
            }
            Operation::DropUser { name } => {
                if !self.users.contains_key(&name) {
                    return Err(Rejection::UserUnknown { name: Name::new(&name).expect("a name") }.into());
                }
                self.put_user(&name, None);
                Ok(None)
            }
            other => panic!("a handler never asks for {other:?}"),
        }
    }
}

fn tenure(server: u32) -> Tenure {
    Tenure { server: ServerId(server), incarnation: Incarnation(1) }
}

impl ControllerApi for Fake {
    async fn watch(self, _: Context, since: Revision, wait_ms: u32) -> Watched {
        let mut changed = self.changed.subscribe();
        let newer = changed.wait_for(|revision| *revision > since.0);
        let _timed_out = tokio::time::timeout(Duration::from_millis(wait_ms.into()), newer).await.is_err();
        self.with(|table| {
            let changes = table.changes.iter().filter(|(revision, _)| *revision > since.0);
            let changes = match since.0 {
                since if since == 0 || since < table.oldest => WatchedChanges::Reset,
                _ => WatchedChanges::Since(changes.map(|(_, change)| change.clone()).collect()),
            };
            Watched { revision: Revision(table.revision), changes }
        })
    }

    async fn route(self, _: Context, request: RouteRequest) -> Result<Route, Refusal> {
        let mut changed = self.changed.subscribe();
        self.with(|table| table.unheard += usize::from(table.speechless));
        // Not by `with`, which says that something has changed.
        while self.table.lock().expect("no panics").speechless {
            let _gone = changed.changed().await;
        }
        self.with(|table| table.route(request))
    }

    async fn operate(self, _: Context, _: RequestId, operation: Operation) -> Result<Operated, Refusal> {
        self.with(|table| {
            let database = table.operate(operation)?;
            Ok(Operated { revision: Revision(table.revision), database })
        })
    }

    async fn databases(self, _: Context, after: Option<Name>, limit: u32) -> DatabasePage {
        self.with(|table| {
            let after = after.as_deref().unwrap_or_default();
            let names: Vec<&String> = table.databases.keys().filter(|name| name.as_str() > after).collect();
            let databases: Vec<_> = names.iter().take(limit as usize).map(|name| table.info(name)).collect();
            DatabasePage {
                more: names.len() > databases.len(),
                total: table.databases.len() as u64,
                databases,
            }
        })
    }

    async fn verifier(self, _: Context, user: String) -> Option<String> {
        self.with(|table| table.users.get(&user).cloned())
    }

    async fn users(self, _: Context) -> Vec<Name> {
        self.with(|table| table.users.keys().map(|user| Name::new(user).expect("a name")).collect())
    }

    async fn handlers(self, _: Context) -> Vec<HandlerInfo> {
        self.with(|table| table.handlers.clone())
    }

    async fn register_handler(
        self,
        _: Context,
        name: Name,
        address: String,
        location: String,
    ) -> Result<HandlerRegistered, Refusal> {
        Ok(HandlerRegistered { handler: self.with(|table| table.add_handler(name, address, location)) })
    }

    async fn servers(self, _: Context) -> Vec<ServerInfo> {
        let info = |(id, address): (&u32, &String)| ServerInfo {
            server: ServerId(*id),
            name: Name::new(&format!("s{id}")).expect("a name"),
            data_address: address.clone(),
            control_address: String::new(),
            location: "here".into(),
            capacity: 1,
            incarnation: Incarnation(1),
            state: ServerState::Up,
            databases: 0,
            heartbeat: None,
        };
        self.with(|table| table.servers.iter().map(info).collect())
    }

    async fn controllers(self, _: Context) -> Vec<ControllerInfo> {
        let address = "c1:1".into();
        vec![ControllerInfo {
            controller: ControllerId(1),
            address,
            voter: true,
            leader: true,
            matched: Some(7),
        }]
    }

    async fn events(
        self,
        _: Context,
        request: rpc::events::EventsRequest,
    ) -> Result<rpc::events::EventsPage, Refusal> {
        self.with(|table| table.events(&request))
    }

    async fn status(self, _: Context) -> ControllerStatus {
        ControllerStatus {
            controller: ControllerId(1),
            fleet: None,
            state: "leader".into(),
            leader: Some(ControllerId(1)),
            term: 1,
            revision: Revision(1),
            log_last: 1,
            snapshot_last: 0,
            quorum_confirmed_ms_ago: Some(0),
            databases: 0,
            brake: None,
            release: "0.1.0".into(),
            level_known: model::Level::NEWEST,
            level: model::Level::NEWEST,
        }
    }
    async fn report_time_limit(self, _: Context, overrun: Overrun) -> Result<Verdict, Refusal> {
        self.with(|table| table.judge(overrun))
    }
    async fn look_up(self, _: Context, _: LookUp) -> Result<DatabaseInfo, Refusal> {
        unreachable!("a handler does not ask")
    }
    async fn digest(self, _: Context) -> Digest {
        unreachable!("a handler does not ask")
    }
    async fn register_server(
        self,
        _: Context,
        _: Registration,
        _: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        unreachable!("a handler does not ask")
    }
    async fn heartbeat(self, _: Context, _: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        unreachable!("a handler does not ask")
    }
    async fn backup(self, _: Context, _: rpc::backup::BackupRequest) -> Option<rpc::backup::BackupPiece> {
        unreachable!("a handler does not ask")
    }

    async fn reserve_database(
        self,
        _: Context,
        _: model::RequestId,
        _: model::IdempotencyKey,
    ) -> Result<model::DatabaseId, rpc::Refusal> {
        unreachable!("a handler does not ask")
    }

    async fn directives(self, _: Context) -> Vec<DirectiveInfo> {
        self.with(|table| table.directives.clone())
    }

    async fn report_directives(self, _: Context, report: DirectivesReport) -> Result<Vec<Question>, Refusal> {
        self.with(|table| {
            table.reported = Some(report);
            Ok(table.questions.clone())
        })
    }

    async fn count_targets(self, _: Context, _: Name, _: Targets) -> Result<TargetsCount, Refusal> {
        unreachable!("a handler does not ask")
    }

    async fn directive_tallies(self, _: Context) -> Result<Vec<DirectiveTally>, Refusal> {
        unreachable!("a handler does not ask")
    }

    async fn report_usage(self, _: Context, _: rpc::load::ServerUsage) -> Result<(), Refusal> {
        unreachable!("handlers use nothing")
    }

    async fn report_clients(self, _: Context, _: rpc::load::ClientsReport) -> Result<(), Refusal> {
        Ok(())
    }

    async fn loads(self, _: Context) -> Result<rpc::load::LoadsInfo, Refusal> {
        unreachable!("handlers do not ask")
    }

    async fn placement(
        self,
        _: Context,
        _: rpc::placement::PlacementRequest,
    ) -> Result<rpc::placement::PlacementAnswer, Refusal> {
        unreachable!("not called")
    }

    async fn clients_of(
        self,
        _: Context,
        _: rpc::controller::DatabaseRef,
    ) -> Result<Vec<rpc::load::ClientsOf>, Refusal> {
        unreachable!("not called")
    }

    async fn senders(self, _: Context) -> rpc::directives::SendersInfo {
        unreachable!("a handler asks on the console only")
    }

    async fn report_conditions(
        self,
        _: Context,
        _: rpc::conditions::ConditionsReport,
    ) -> Result<(), Refusal> {
        unreachable!("not called")
    }
}
