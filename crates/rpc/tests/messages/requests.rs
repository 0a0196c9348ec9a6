//! Every call, and every operator's change.

use model::{
    ControllerId, DatabaseId, DatabaseOption, Epoch, EventId, EventsFrom, FleetId, Fork, ForkPoint,
    HandlerId, IdempotencyKey, Incarnation, Name, OnTimeLimit, Registration, RequestId, Revision, SenderRole,
    ServerId, Targets, TimestampMs,
};
use rpc::{
    backup::BackupRequest,
    conditions::{ConditionChange, ConditionsReport},
    controller::{ControllerApiRequest as Call, *},
    directives::{DirectivesReport, Proven, Tally, Wish},
    events::EventsRequest,
    load::{ClientCount, ClientsReport, DatabaseUsage, RoundTrip, ServerUsage},
    placement::{PinTarget, PlacementRequest},
    server::{ServerApiRequest, *},
    time_limit::Overrun,
};

use super::Sample;

pub const DATABASE: DatabaseId = DatabaseId(300);
pub const REQUEST: RequestId = RequestId(0x1234_5678_9abc);
pub const EPOCH: Epoch = Epoch(7);
pub const LIFE: Incarnation = Incarnation(99);

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

pub fn targets() -> Targets {
    Targets {
        database: Some(name("shop")),
        location: Some(name("west*")),
        share: Some(100),
        ..Targets::default()
    }
}

pub fn samples() -> Vec<Sample> {
    let mut samples = vec![
        call("status", Call::Status {}),
        call("servers", Call::Servers {}),
        call("handlers", Call::Handlers {}),
        call("controllers", Call::Controllers {}),
        call("digest", Call::Digest {}),
        call("users", Call::Users {}),
        call("verifier", Call::Verifier { user: "alice".into() }),
        call("watch", Call::Watch { since: Revision(70_000), wait_ms: 5_000 }),
        call("databases", Call::Databases { after: Some(name("shop")), limit: 100 }),
        call("databases-from-the-first", Call::Databases { after: None, limit: 100 }),
        call("register-handler", {
            let (address, location) = ("h:7432".into(), "west".into());
            Call::RegisterHandler { name: name("handler-1"), address, location }
        }),
        call("directives", Call::Directives {}),
        call("senders", Call::Senders {}),
        call("report-conditions", {
            let (condition, evidence, database) = ("overload".into(), "too much".into(), Some(DATABASE));
            let (raised, lasted_us) = (false, Some(9_000_000));
            let changes = vec![ConditionChange { condition, database, raised, evidence, lasted_us }];
            let (server, incarnation) = (ServerId(2), LIFE);
            Call::ReportConditions { report: ConditionsReport { server, incarnation, first: 3, changes } }
        }),
        call("directive-tallies", Call::DirectiveTallies {}),
        call("count-targets", Call::CountTargets { directive: name("d-1"), targets: targets() }),
        call("report-directives", {
            let tally = Tally { reached: 6, applied: 5, refused: 4, done: 3, failed: 2, expired: 1 };
            let tallies = vec![(name("d-1"), tally)];
            let (handler, answers) = (HandlerId(3), vec![(9, 4)]);
            Call::ReportDirectives {
                report: DirectivesReport { handler, life: 8, announced: 7, tallies, answers },
            }
        }),
        call("report-usage", {
            let (cpu_us, requests) = (1_500_000, 70_000);
            let databases = vec![DatabaseUsage { database: DATABASE, epoch: EPOCH, cpu_us, requests }];
            let (incarnation, capacity_millicores) = (LIFE, 4_000);
            let server = ServerId(2);
            let usage = ServerUsage { server, incarnation, cpu_us: 9, capacity_millicores, databases };
            Call::ReportUsage { usage }
        }),
        call("report-clients", {
            let location = || "west".to_string();
            let counts = vec![ClientCount { database: DATABASE, location: location(), requests: 100 }];
            let round_trips = vec![RoundTrip { location: location(), round_trip_us: 1_900 }];
            let (handler, location) = (HandlerId(3), "east".into());
            Call::ReportClients { report: ClientsReport { handler, location, counts, round_trips } }
        }),
        call("loads", Call::Loads {}),
        call("placement-status", Call::Placement { request: PlacementRequest::Status }),
        call("placement-plan", Call::Placement { request: PlacementRequest::Plan }),
        call("placement-explain", {
            let database = DatabaseRef::Name("shop".into());
            Call::Placement { request: PlacementRequest::Explain { database } }
        }),
        call("placement-log", Call::Placement { request: PlacementRequest::Log { limit: 50 } }),
        call("clients-of", Call::ClientsOf { database: DatabaseRef::Id(DATABASE) }),
        call("reserve-database", Call::ReserveDatabase { request: REQUEST, key: IdempotencyKey(5) }),
        call("backup", Call::Backup { request: BackupRequest { ticket: Some(6), offset: 1 << 20 } }),
        call("register-server", {
            let registration = Registration {
                name: name("server-1"),
                data_address: "s:7201".into(),
                control_address: "s:7301".into(),
                location: "west".into(),
                capacity: 10,
            };
            Call::RegisterServer { registration, incarnation: LIFE }
        }),
        call("heartbeat", {
            let health =
                ServerHealth { journal_us: Some(900), workers_us: Some(40), lag_us: None, running: 3 };
            let load = ServerLoad { databases_loaded: 2, sessions: 5, requests_total: 70_000, health };
            let put_away = vec![(DATABASE, EPOCH)];
            Call::Heartbeat {
                heartbeat: Heartbeat { server: ServerId(2), incarnation: LIFE, load, put_away },
            }
        }),
        call("report-time-limit", {
            let (limit_ms, elapsed_ms) = (2_000, 2_345);
            let overrun = Overrun {
                request: REQUEST,
                database: DATABASE,
                epoch: EPOCH,
                limit_ms,
                elapsed_ms,
                repeats: 1,
                confirmed: true,
                repeatable: false,
                quick: 4,
            };
            Call::ReportTimeLimit { overrun }
        }),
    ];
    samples.extend(reads());
    samples.extend(operations().into_iter().map(|(name, operation)| {
        call(&format!("operate-{name}"), Call::Operate { request: REQUEST, operation })
    }));
    samples.extend(to_servers());
    samples
}

fn call(name: &str, call: Call) -> Sample {
    Sample::of(&format!("controller-call-{name}"), &call)
}

fn reads() -> Vec<Sample> {
    let look_up = |database, consistency| Call::LookUp { request: LookUp { database, consistency } };
    let route = |failed| Call::Route {
        request: RouteRequest {
            request: REQUEST,
            database: DatabaseRef::Id(DATABASE),
            at_least: Revision(70_000),
            failed,
        },
    };
    let failed = |why| Some(RouteFailed { epoch: EPOCH, why });
    let events = |from| Call::Events {
        request: EventsRequest {
            from,
            database: None,
            server: Some("server-1".into()),
            limit: 50,
            wait_ms: 0,
        },
    };
    let after = EventsFrom::After(EventId { revision: Revision(4), index: 1 });
    vec![
        call("look-up-linearizable", look_up(DatabaseRef::Id(DATABASE), Consistency::Linearizable)),
        call("look-up", look_up(DatabaseRef::Name("shop".into()), Consistency::AtLeast(Revision(9)))),
        call("route", route(None)),
        call("route-refused", route(failed(WhyFailed::Refused))),
        call("route-unreachable", route(failed(WhyFailed::Unreachable))),
        call("events-after", events(after)),
        call("events-since", events(EventsFrom::Since(TimestampMs(1_700_000_000_000)))),
        call("events-last", events(EventsFrom::Last)),
    ]
}

fn operations() -> Vec<(&'static str, Operation)> {
    let database = || DatabaseRef::Name("shop".into());
    let (key, server) = (IdempotencyKey(5), || "server-1".to_string());
    let fork = |at| Operation::ForkDatabase { database: database(), name: "copy".into(), at, key };
    let options = vec![
        DatabaseOption::TimeLimit(2_000.try_into().ok()),
        DatabaseOption::TimeLimit(None),
        DatabaseOption::OnTimeLimit(OnTimeLimit::Auto),
        DatabaseOption::OnTimeLimit(OnTimeLimit::Always),
        DatabaseOption::OnTimeLimit(OnTimeLimit::Never),
    ];
    let change = Operation::ChangeControllers;
    let (controller, address) = (ControllerId(4), || "c:7101".to_string());
    vec![
        ("create", Operation::CreateDatabase { name: "shop".into(), key }),
        ("drop", Operation::DropDatabase { database: database() }),
        ("rename", Operation::RenameDatabase { database: database(), name: "store".into() }),
        ("assign", Operation::AssignDatabase { database: database(), server: Some(server()) }),
        ("unassign", Operation::UnassignDatabase { database: database() }),
        ("expire-server", Operation::ExpireServer { server: server() }),
        ("put-user", Operation::PutUser { name: "alice".into(), verifier: "SCRAM-SHA-256$1".into() }),
        ("drop-user", Operation::DropUser { name: "alice".into() }),
        ("move", Operation::MoveDatabase { database: database(), server: server() }),
        ("set-options", Operation::SetDatabaseOptions { database: database(), options }),
        ("drain", Operation::DrainServer { server: server(), draining: true }),
        ("release-brake", Operation::ReleaseBrake),
        ("fork", fork(ForkPoint::Newest)),
        ("fork-position", fork(ForkPoint::Position(12))),
        ("fork-time", fork(ForkPoint::Time(TimestampMs(1_700_000_000_000)))),
        ("adopt", Operation::AdoptDatabase { database: DATABASE, name: "shop".into(), epoch: EPOCH }),
        ("send-directive", {
            let (id, text, by) = ("d-1".into(), "{}".into(), "ann".into());
            Operation::SendDirective { id, text, targets: targets(), by }
        }),
        ("end-directive", Operation::EndDirectives { id: Some("d-1".into()), by: "ann".into() }),
        ("end-directives", Operation::EndDirectives { id: None, by: "ann".into() }),
        ("pin-to-server", {
            let database = DatabaseRef::Name("shop".into());
            Operation::PinDatabase { database, to: Some(PinTarget::Server("server-1".into())) }
        }),
        ("pin-to-location", {
            let database = DatabaseRef::Name("shop".into());
            Operation::PinDatabase { database, to: Some(PinTarget::Location("west".into())) }
        }),
        ("pause-balancing", Operation::PauseBalancing { paused: true, by: "ann".into() }),
        (
            "administer-send",
            administer(Wish::Send { id: "d-1".into(), text: "{}".into(), targets: targets() }),
        ),
        ("administer-put-sender", administer(put(Some(SenderRole::Approver)))),
        ("administer-put-no-sender", administer(put(None))),
        ("administer-approve", administer(Wish::Approve { id: "d-1".into() })),
        ("administer-revoke", administer(Wish::Revoke { id: Some("d-1".into()) })),
        ("administer-revoke-all", administer(Wish::Revoke { id: None })),
        ("put-sender", {
            let (user, by) = ("bob".into(), "ann".into());
            Operation::PutSender { user, role: Some(SenderRole::Sender), by }
        }),
        ("add-controller", change(ControllersChange::Add { address: address() })),
        ("remove-controller", change(ControllersChange::Remove { controller })),
        ("replace-controller", change(ControllersChange::Replace { controller, address: address() })),
        ("transfer-leadership", change(ControllersChange::TransferLeadership { to: controller })),
    ]
}

fn administer(wish: Wish) -> Operation {
    let by = Proven { user: "ann".into(), at: "handler-1".into(), proof: [7; 32] };
    Operation::Administer { by, wish }
}

fn put(role: Option<SenderRole>) -> Wish {
    Wish::PutSender { id: "g-1".into(), user: "bob".into(), role }
}

fn to_servers() -> Vec<Sample> {
    let (request, incarnation, database, epoch) = (REQUEST, LIFE, DATABASE, EPOCH);
    let fleet = FleetId(0xfeed);
    let call = |name: &str, call: ServerApiRequest| Sample::of(&format!("server-call-{name}"), &call);
    let load = LoadRequest { request, incarnation, database, name: name("shop"), epoch };
    let release = ReleaseRequest { request, incarnation, database, epoch, patience_ms: 1_000 };
    let fork = Fork { parent: DatabaseId(1), at: ForkPoint::Newest };
    let fork = ForkRequest { request, fleet, database, fork };
    let purge = PurgeRequest { request, fleet, database, epoch, parent: Some(DatabaseId(1)) };
    vec![
        call("load", ServerApiRequest::Load { request: load }),
        call("release", ServerApiRequest::Release { request: release }),
        call("fork", ServerApiRequest::Fork { request: fork }),
        call("purge", ServerApiRequest::Purge { request: purge }),
        call("status", ServerApiRequest::Status {}),
    ]
}
