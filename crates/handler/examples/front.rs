//! A handler alone in front of one PostgreSQL server: for measuring the relay, see `cargo xtask bench relay`.
//!
//! `front LISTEN POSTGRES [THREADS]`, two addresses. A controller of a few lines in this process says that every database is the
//! one with id `db-1` on that server. User `bench`, password `bench`. Prints the password that the server must accept
//! from the role `_stationmaster_handler`, then serves until standard input ends.

use std::{io::Read, sync::Arc, time::Duration};

use model::*;
use rpc::{
    Host, Listen, Readiness, Refusal, Secret, Service, TcpDial,
    controller::*,
    session,
    tarpc::context::Context,
    time_limit::{Overrun, Verdict},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use wire::scram::Verifier;

const SECRET: [u8; 32] = [5; 32];

/// Knows one server and one user.
#[derive(Clone)]
struct Lone {
    postgres: String,
    verifier: String,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(postgres)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: front LISTEN POSTGRES [THREADS]");
        std::process::exit(64);
    };
    let threads = arguments.next().map_or(0, |threads| threads.parse().expect("a number of threads"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(serve(listen, postgres, threads));
}

async fn serve(listen: String, postgres: String, threads: usize) {
    let verifier = Verifier::random("bench", &mut rand::rng()).to_string();
    let controller = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let controllers = vec![controller.local_addr().expect("bound").to_string()];
    tokio::spawn(answer(controller, Lone { postgres, verifier }));
    let listener = TcpListener::bind(&listen).await.expect("the port is free");
    let (ready, mut is_ready) = watch::channel(Readiness::NotReady("starting".into()));
    let shutdown = CancellationToken::new();
    let secret = Secret::new(SECRET);
    let password = secret.data_port_password();
    let host =
        Host { dial: Arc::new(TcpDial), secret, clock: || TimestampMs(0), shutdown: shutdown.clone(), ready };
    let name = Name::new("front").expect("a name");
    let settings = handler::Settings { threads, ..handler::Settings::new(name, listen, controllers) };
    let running = tokio::spawn(handler::run(settings, host, listener));
    is_ready.wait_for(|ready| *ready == Readiness::Ready).await.expect("the handler runs");
    println!("{} {password}", session::USER);
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input can be read");
        shutdown.cancel();
    });
    running.await.expect("no panic").expect("no error");
}

async fn answer(mut listener: TcpListener, lone: Lone) {
    while let Ok((mut stream, _)) = Listen::accept(&mut listener).await {
        let lone = lone.clone();
        tokio::spawn(async move {
            if rpc::accept(&mut stream, &Secret::new(SECRET), &[Service::Controller]).await.is_ok() {
                rpc::serve!(stream, lone.serve());
            }
        });
    }
}

fn not_asked() -> Refusal {
    Refusal::Unavailable { reason: "this controller only serves measurements".into() }
}

impl ControllerApi for Lone {
    async fn watch(self, _: Context, since: Revision, wait_ms: u32) -> Watched {
        if since == Revision(0) {
            return Watched { revision: Revision(1), changes: WatchedChanges::Reset };
        }
        tokio::time::sleep(Duration::from_millis(wait_ms.into())).await;
        Watched { revision: Revision(1), changes: WatchedChanges::Since(Vec::new()) }
    }

    async fn route(self, _: Context, _: RouteRequest) -> Result<Route, Refusal> {
        Ok(Route {
            database: DatabaseId(1),
            name: Name::new("bench").expect("a name"),
            epoch: Epoch(1),
            owner: Tenure { server: ServerId(1), incarnation: Incarnation(1) },
            address: self.postgres,
            options: model::DatabaseOptions::default(),
            revision: Revision(1),
        })
    }

    async fn verifier(self, _: Context, _: String) -> Option<String> {
        Some(self.verifier)
    }

    async fn users(self, _: Context) -> Vec<Name> {
        vec![Name::new("bench").expect("a name")]
    }

    async fn register_handler(
        self,
        _: Context,
        _: Name,
        _: String,
        _: String,
    ) -> Result<HandlerRegistered, Refusal> {
        Ok(HandlerRegistered { handler: HandlerId(1) })
    }

    async fn handlers(self, _: Context) -> Vec<HandlerInfo> {
        Vec::new()
    }
    async fn status(self, _: Context) -> ControllerStatus {
        unreachable!("a handler does not ask for it")
    }
    async fn look_up(self, _: Context, _: LookUp) -> Result<DatabaseInfo, Refusal> {
        Err(not_asked())
    }
    async fn operate(self, _: Context, _: RequestId, _: Operation) -> Result<Operated, Refusal> {
        Err(not_asked())
    }
    async fn databases(self, _: Context, _: Option<Name>, _: u32) -> DatabasePage {
        DatabasePage { databases: Vec::new(), more: false, total: 0 }
    }
    async fn servers(self, _: Context) -> Vec<ServerInfo> {
        Vec::new()
    }
    async fn controllers(self, _: Context) -> Vec<ControllerInfo> {
        Vec::new()
    }
    async fn events(
        self,
        _: Context,
        _: rpc::events::EventsRequest,
    ) -> Result<rpc::events::EventsPage, Refusal> {
        unreachable!("nobody asks for it")
    }
    async fn digest(self, _: Context) -> Digest {
        Digest { revision: Revision(1), value: 0 }
    }
    async fn register_server(
        self,
        _: Context,
        _: Registration,
        _: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        Err(not_asked())
    }
    async fn heartbeat(self, _: Context, _: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        Err(not_asked())
    }
    async fn report_time_limit(self, _: Context, _: Overrun) -> Result<Verdict, Refusal> {
        Err(not_asked())
    }
    async fn backup(self, _: Context, _: rpc::backup::BackupRequest) -> Option<rpc::backup::BackupPiece> {
        unreachable!("a handler does not ask for it")
    }

    async fn reserve_database(
        self,
        _: Context,
        _: model::RequestId,
        _: model::IdempotencyKey,
    ) -> Result<model::DatabaseId, rpc::Refusal> {
        unreachable!("a handler does not ask for it")
    }

    async fn directives(self, _: Context) -> Vec<rpc::directives::DirectiveInfo> {
        Vec::new()
    }

    async fn report_directives(
        self,
        _: Context,
        _: rpc::directives::DirectivesReport,
    ) -> Result<Vec<rpc::directives::Question>, Refusal> {
        Ok(Vec::new())
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
        unreachable!("not called")
    }

    async fn report_conditions(
        self,
        _: Context,
        _: rpc::conditions::ConditionsReport,
    ) -> Result<(), Refusal> {
        unreachable!("not called")
    }
}
