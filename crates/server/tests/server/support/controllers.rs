//! A controller that registers servers and takes heartbeats, and says what it saw.

use std::sync::{Arc, Mutex};

use model::*;
use rpc::{
    Listen as _, Refusal, Secret, Service,
    controller::*,
    tarpc::context::Context,
    time_limit::{Overrun, Verdict},
};

use super::net::{Net, Port};

/// What it saw and what it says.
#[derive(Clone)]
pub struct Controllers(Arc<Mutex<State>>);

struct State {
    fleet: FleetId,
    registered: Vec<Incarnation>,
    put_away: Vec<(DatabaseId, Epoch)>,
    /// Refuse the next heartbeat: the life is over.
    expire: bool,
    /// Answer no heartbeat.
    silent: bool,
}

impl Controllers {
    pub const ADDRESS: &'static str = "controller:1";

    pub fn start(net: &Net, secret: Secret, fleet: FleetId) -> Self {
        let state =
            State { fleet, registered: Vec::new(), put_away: Vec::new(), expire: false, silent: false };
        let controllers = Self(Arc::new(Mutex::new(state)));
        tokio::spawn(controllers.clone().take_calls(net.listen(Self::ADDRESS), secret));
        controllers
    }

    async fn take_calls(self, mut port: Port, secret: Secret) {
        loop {
            let (mut stream, _) = port.accept().await.expect("pipes do not fail");
            let (controllers, secret) = (self.clone(), secret.clone());
            tokio::spawn(async move {
                if rpc::accept(&mut stream, &secret, &[Service::Controller]).await.is_ok() {
                    rpc::serve!(stream, controllers.serve());
                }
            });
        }
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.lock().expect("no panics"))
    }

    pub fn lives(&self) -> Vec<Incarnation> {
        self.state(|state| state.registered.clone())
    }

    pub fn put_away(&self) -> Vec<(DatabaseId, Epoch)> {
        self.state(|state| state.put_away.clone())
    }

    pub fn silence(&self, silent: bool) {
        self.state(|state| state.silent = silent);
    }

    pub fn expire(&self) {
        self.state(|state| state.expire = true);
    }
}

impl ControllerApi for Controllers {
    async fn register_server(
        self,
        _: Context,
        _: Registration,
        incarnation: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        Ok(self.state(|state| {
            state.registered.push(incarnation);
            ServerRegistered { server: ServerId(1), fleet: state.fleet, lease_ms: 3000, heartbeat_ms: 20 }
        }))
    }

    async fn heartbeat(self, _: Context, heartbeat: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        while self.state(|state| state.silent) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.state(|state| {
            if std::mem::take(&mut state.expire) {
                let Heartbeat { server, incarnation, .. } = heartbeat;
                return Err(Rejection::ServerNotUp { server, incarnation }.into());
            }
            state.put_away.extend(heartbeat.put_away);
            Ok(HeartbeatReply { lease_ms: 3000, controllers: Vec::new() })
        })
    }

    async fn databases(self, _: Context, _: Option<Name>, _: u32) -> DatabasePage {
        DatabasePage { databases: Vec::new(), more: false, total: 0 }
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
    async fn report_time_limit(self, _: Context, _: Overrun) -> Result<Verdict, Refusal> {
        unreachable!("not called")
    }
    async fn look_up(self, _: Context, _: LookUp) -> Result<DatabaseInfo, Refusal> {
        unreachable!("not called")
    }
    async fn route(self, _: Context, _: RouteRequest) -> Result<Route, Refusal> {
        unreachable!("not called")
    }
    async fn watch(self, _: Context, _: Revision, _: u32) -> Watched {
        unreachable!("not called")
    }
    async fn operate(self, _: Context, _: RequestId, _: Operation) -> Result<Operated, Refusal> {
        unreachable!("not called")
    }
    async fn servers(self, _: Context) -> Vec<ServerInfo> {
        unreachable!("not called")
    }
    async fn handlers(self, _: Context) -> Vec<HandlerInfo> {
        unreachable!("not called")
    }
    async fn controllers(self, _: Context) -> Vec<ControllerInfo> {
        unreachable!("not called")
    }
    async fn events(
        self,
        _: Context,
        _: rpc::events::EventsRequest,
    ) -> Result<rpc::events::EventsPage, Refusal> {
        unreachable!("nobody asks for it")
    }
    async fn digest(self, _: Context) -> Digest {
        unreachable!("not called")
    }
    async fn verifier(self, _: Context, _: String) -> Option<String> {
        unreachable!("not called")
    }
    async fn users(self, _: Context) -> Vec<Name> {
        unreachable!("not called")
    }
    async fn register_handler(
        self,
        _: Context,
        _: Name,
        _: String,
        _: String,
    ) -> Result<HandlerRegistered, Refusal> {
        unreachable!("not called")
    }
    async fn backup(self, _: Context, _: rpc::backup::BackupRequest) -> Option<rpc::backup::BackupPiece> {
        unreachable!("not called")
    }

    async fn reserve_database(
        self,
        _: Context,
        _: model::RequestId,
        _: model::IdempotencyKey,
    ) -> Result<model::DatabaseId, rpc::Refusal> {
        unreachable!("not called")
    }

    async fn directives(self, _: Context) -> Vec<rpc::directives::DirectiveInfo> {
        unreachable!("not called")
    }

    async fn report_directives(
        self,
        _: Context,
        _: rpc::directives::DirectivesReport,
    ) -> Result<Vec<rpc::directives::Question>, Refusal> {
        unreachable!("not called")
    }

    async fn count_targets(
        self,
        _: Context,
        _: model::Name,
        _: model::Targets,
    ) -> Result<rpc::directives::TargetsCount, Refusal> {
        unreachable!("not called")
    }

    async fn directive_tallies(self, _: Context) -> Result<Vec<rpc::directives::DirectiveTally>, Refusal> {
        unreachable!("not called")
    }

    async fn report_usage(self, _: Context, _: rpc::load::ServerUsage) -> Result<(), Refusal> {
        Ok(())
    }

    async fn report_clients(self, _: Context, _: rpc::load::ClientsReport) -> Result<(), Refusal> {
        unreachable!("servers have no clients")
    }

    async fn loads(self, _: Context) -> Result<rpc::load::LoadsInfo, Refusal> {
        unreachable!("servers do not ask")
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
        unreachable!("not called")
    }

    async fn report_conditions(
        self,
        _: Context,
        _: rpc::conditions::ConditionsReport,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}
