//! Every answer, every refusal, and what events say.

use model::{
    Cause, ControllerId, DatabaseOptions, Digest, Epoch, EventId, Field, FleetId, HandlerId, IdKind, Level,
    NameError, Rejection, Revision, SenderRole, ServerId, ServerState, Tenure, TimestampMs, What,
};
use rpc::{
    Refusal,
    backup::BackupPiece,
    controller::{ControllerApiResponse as Answer, *},
    directives::{DirectiveInfo, DirectiveTally, PendingInfo, Question, SendersInfo, Tally, TargetsCount},
    events::{EventInfo, EventsPage, ServerNamed},
    load::{ClientsOf, LoadSource, LoadsInfo, ServerLoadInfo, SourceInfo},
    placement::{
        LoggedMove, PlacementAnswer, PlacementExplanation, PlacementOffer, PlacementPlan, PlacementServer,
        PlacementStatus, PlannedMove,
    },
    server::{ServerApiResponse, *},
    time_limit::{Blame, Verdict},
};

use super::{
    Sample,
    requests::{DATABASE, EPOCH, LIFE, name, targets},
};

const REVISION: Revision = Revision(70_001);
const TENURE: Tenure = Tenure { server: ServerId(2), incarnation: LIFE };

pub fn samples() -> Vec<Sample> {
    let mut samples = known();
    samples.extend(done());
    samples.extend(of_loads());
    samples.extend(of_placement());
    samples.extend(watched());
    samples.extend(
        refusals()
            .into_iter()
            .map(|(name, refusal)| answer(&format!("refused-{name}"), Answer::Operate(Err(refusal)))),
    );
    samples.extend(rejections().into_iter().map(|(name, rejection)| {
        answer(&format!("rejected-{name}"), Answer::Operate(Err(rejection.into())))
    }));
    // As many as there were at first; those that came later by themselves.
    samples.push(Sample::of("event-kinds", &<[What; 32]>::try_from(&What::ALL[..32]).expect("so many")));
    samples.push(Sample::of("event-kinds-of-directives", &[What::DirectiveSent, What::DirectiveEnded]));
    samples.extend(of_directives());
    samples.push(Sample::of(
        "event-kinds-of-placement",
        &<[What; 7]>::try_from(&What::ALL[34..41]).expect("so many"),
    ));
    samples.push(Sample::of("event-causes", &<[Cause; 19]>::try_from(&Cause::ALL[..19]).expect("so many")));
    samples.push(Sample::of("event-causes-of-placement", &[Cause::Location, Cause::Pin]));
    samples.extend(of_servers());
    samples
}

fn answer(name: &str, answer: Answer) -> Sample {
    Sample::of(&format!("controller-answer-{name}"), &answer)
}

fn info() -> DatabaseInfo {
    let owner = Some(Owner { tenure: TENURE, server: name("server-1"), address: "s:7201".into() });
    let options = DatabaseOptions::default();
    DatabaseInfo { database: DATABASE, name: name("shop"), epoch: EPOCH, owner, options, revision: REVISION }
}

fn route() -> Route {
    let (database, name, address) = (DATABASE, name("shop"), "s:7201".into());
    let options = DatabaseOptions::default();
    Route { database, name, epoch: EPOCH, owner: TENURE, address, options, revision: REVISION }
}

fn handler() -> HandlerInfo {
    let (handler, name) = (HandlerId(3), name("handler-1"));
    HandlerInfo { handler, name, address: "h:7432".into(), location: "west".into() }
}

fn known() -> Vec<Sample> {
    let brake = Some(BrakeEngaged { silent: 2, of: 3, ms_ago: 400 });
    let status = ControllerStatus {
        controller: ControllerId(1),
        fleet: Some(FleetId(0xfeed)),
        state: "leader".into(),
        leader: Some(ControllerId(1)),
        term: 5,
        revision: REVISION,
        log_last: 70_002,
        snapshot_last: 60_000,
        quorum_confirmed_ms_ago: Some(12),
        databases: 1_000_000,
        brake,
        release: "0.1.0".into(),
        level_known: Level(2),
        level: Level(1),
    };
    let server = ServerInfo {
        server: ServerId(2),
        name: name("server-1"),
        data_address: "s:7201".into(),
        control_address: "s:7301".into(),
        location: "west".into(),
        capacity: 10,
        incarnation: LIFE,
        state: ServerState::Draining,
        databases: 12,
        heartbeat: Some(HeartbeatSeen { ms_ago: 200, load: ServerLoad::default() }),
    };
    let controller = ControllerInfo {
        controller: ControllerId(2),
        address: "c:7101".into(),
        voter: true,
        leader: false,
        matched: Some(70_001),
    };
    let page = DatabasePage { databases: vec![info()], more: true, total: 1_000_000 };
    let ticket = 6;
    let digest = Digest { revision: REVISION, value: 1 << 100 };
    let piece = BackupPiece { ticket, total: 5, digest, bytes: vec![1, 2, 3] };
    vec![
        answer("status", Answer::Status(status)),
        answer("servers", Answer::Servers(vec![server])),
        answer("handlers", Answer::Handlers(vec![handler()])),
        answer("controllers", Answer::Controllers(vec![controller])),
        answer("digest", Answer::Digest(digest)),
        answer("users", Answer::Users(vec![name("alice")])),
        answer("verifier", Answer::Verifier(Some("SCRAM-SHA-256$1".into()))),
        answer("databases", Answer::Databases(page)),
        answer("backup", Answer::Backup(Some(piece))),
        answer("look-up", Answer::LookUp(Ok(info()))),
        answer("events", Answer::Events(Ok(events()))),
    ]
}

fn events() -> EventsPage {
    let id = EventId { revision: REVISION, index: 1 };
    let named = |id, name| Some(ServerNamed { id: ServerId(id), name });
    let event = EventInfo {
        id,
        at: TimestampMs(1_700_000_000_000),
        what: What::Moved,
        cause: Some(Cause::Drain),
        database: Some(DATABASE),
        name: Some(name("shop")),
        from: named(1, Some(name("server-1"))),
        to: named(2, None),
        epoch_before: Some(Epoch(6)),
        epoch_after: Some(EPOCH),
        took_us: Some(1_200),
        evidence: "request 9".into(),
    };
    EventsPage { events: vec![event], next: id, overrun: true, revision: REVISION }
}

fn done() -> Vec<Sample> {
    let (lease_ms, heartbeat_ms) = (3_000, 500);
    let registered = ServerRegistered { server: ServerId(2), fleet: FleetId(0xfeed), lease_ms, heartbeat_ms };
    let verdict = |blame| Verdict { blame, evidence: "slow".into(), route: Some(route()) };
    let reply = HeartbeatReply { lease_ms, controllers: vec!["c:7101".into()] };
    vec![
        answer("route", Answer::Route(Ok(route()))),
        answer("operate", Answer::Operate(Ok(Operated { revision: REVISION, database: Some(info()) }))),
        answer("register-server", Answer::RegisterServer(Ok(registered))),
        answer("heartbeat", Answer::Heartbeat(Ok(reply))),
        answer("blamed-server", Answer::ReportTimeLimit(Ok(verdict(Blame::Server)))),
        answer("blamed-query", Answer::ReportTimeLimit(Ok(verdict(Blame::Query)))),
        answer("register-handler", Answer::RegisterHandler(Ok(HandlerRegistered { handler: HandlerId(3) }))),
        answer("reserve-database", Answer::ReserveDatabase(Ok(DATABASE))),
    ]
}

fn watched() -> Vec<Sample> {
    let server = |state| WatchedChange::Server { server: ServerId(2), incarnation: LIFE, state };
    let changes = vec![
        WatchedChange::Database(info()),
        WatchedChange::DatabaseDropped(DATABASE),
        server(ServerState::Up),
        server(ServerState::Down),
        server(ServerState::Draining),
        WatchedChange::Handler(handler()),
        WatchedChange::User(name("alice")),
    ];
    let watched = |changes| Answer::Watch(Watched { revision: REVISION, changes });
    vec![
        answer("watch", watched(WatchedChanges::Since(changes))),
        answer("watch-reset", watched(WatchedChanges::Reset)),
    ]
}

fn of_directives() -> Vec<Sample> {
    let info = DirectiveInfo {
        id: name("d-1"),
        text: "{}".into(),
        targets: targets(),
        by: name("ann"),
        since: TimestampMs(1_700_000_000_000),
        lifetime_ms: 5_000,
        left_ms: 4_000,
    };
    let tally = Tally { reached: 6, applied: 5, refused: 4, done: 3, failed: 2, expired: 1 };
    let question = Question { number: 9, directive: name("d-1"), targets: targets() };
    let count = TargetsCount { sessions: 4, announced: 3, handlers: 2, silent: 1 };
    let told = DirectiveTally { id: name("d-1"), tally, handlers: 2 };
    let changes = WatchedChanges::Since(vec![WatchedChange::Directives]);
    vec![
        answer("directives", Answer::Directives(vec![info])),
        answer("senders", Answer::Senders(senders())),
        answer("report-directives", Answer::ReportDirectives(Ok(vec![question]))),
        answer("count-targets", Answer::CountTargets(Ok(count))),
        answer("directive-tallies", Answer::DirectiveTallies(Ok(vec![told]))),
        answer("watch-directives", Answer::Watch(Watched { revision: REVISION, changes })),
    ]
}

fn senders() -> SendersInfo {
    let senders = vec![(name("ann"), SenderRole::Approver), (name("bob"), SenderRole::Sender)];
    let (by, what) = ("ann@handler-1".into(), "carol becomes sender".into());
    SendersInfo { senders, pending: vec![PendingInfo { id: name("g-1"), by, what, left_ms: 4_000 }] }
}

fn of_loads() -> Vec<Sample> {
    let source = |source, refused| SourceInfo { source, utilization: Some(0.5), age_ms: Some(900), refused };
    let server = ServerLoadInfo {
        server: ServerId(2),
        name: name("server-1"),
        capacity_cores: Some(4.0),
        uses: Some(LoadSource::Heartbeat),
        sources: vec![
            source(LoadSource::Prometheus, Some("why".into())),
            source(LoadSource::Heartbeat, None),
        ],
    };
    let info = LoadsInfo {
        stale: Some("why".into()),
        prometheus_trouble: Some("why".into()),
        servers: vec![server],
        round_trips: vec![("east".into(), "west".into(), 80.0)],
    };
    let clients = vec![ClientsOf { location: "west".into(), requests: 100.0, share: 0.75 }];
    vec![
        answer("report-conditions", Answer::ReportConditions(Ok(()))),
        answer("report-usage", Answer::ReportUsage(Ok(()))),
        answer("report-clients", Answer::ReportClients(Ok(()))),
        answer("loads", Answer::Loads(Ok(info))),
        answer("clients-of", Answer::ClientsOf(Ok(clients))),
    ]
}

fn of_placement() -> Vec<Sample> {
    let why = || "why".to_string();
    let server = PlacementServer {
        name: name("server-1"),
        location: "west".into(),
        state: ServerState::Up,
        databases: 12,
        utilization: Some(0.5),
        capacity: 4.0,
        source: Some("heartbeat".into()),
        age_ms: Some(900),
        gives: true,
    };
    let status = PlacementStatus {
        mode: "auto".into(),
        held: Some(why()),
        mean: 0.5,
        urgent: 0.7,
        ceiling: 0.65,
        mean_without_largest_location: Some(0.75),
        tokens: [20.0, 10.0, 200.0],
        under_way: 1,
        skipped: vec![("tokens".into(), 3)],
        too_hot: vec![(name("shop"), 9.5)],
        unplaceable: vec![name("till")],
        servers: vec![server],
    };
    let planned = PlannedMove {
        database: DATABASE,
        name: name("shop"),
        from: name("server-1"),
        to: name("server-2"),
        reason: "load".into(),
        from_utilization: [0.5, 0.4],
        to_utilization: [0.1, 0.2],
        round_trip_ms: [80.0, 2.0],
        load_term: [0.25, 0.125],
        distance_term: [0.5, 0.0],
        gain: 0.0625,
    };
    let plan = PlacementPlan { held: None, moves: vec![planned], skipped: Vec::new() };
    let offer = PlacementOffer {
        server: name("server-1"),
        location: "west".into(),
        utilization: [0.25, 0.5],
        round_trip_ms: 2.0,
        load_term: 0.25,
        distance_term: 0.125,
        gain: 0.0,
        verdict: "it is here".into(),
    };
    let explanation = PlacementExplanation {
        database: DATABASE,
        name: name("shop"),
        pin: Some("server server-1".into()),
        cores: 0.5,
        requests_per_second: 100.0,
        clients: vec![("west".into(), 0.75)],
        summary: why(),
        offers: vec![offer],
    };
    let made = LoggedMove {
        at: TimestampMs(1_700_000_000_000),
        database: DATABASE,
        name: Some(name("shop")),
        from: "server-1".into(),
        to: "server-2".into(),
        cause: "load".into(),
        evidence: why(),
        actual: Some([0.5, 0.25]),
    };
    let placement = |label, told| answer(label, Answer::Placement(Ok(told)));
    vec![
        placement("placement-status", PlacementAnswer::Status(status)),
        placement("placement-plan", PlacementAnswer::Plan(plan)),
        placement("placement-explanation", PlacementAnswer::Explanation(explanation)),
        placement("placement-log", PlacementAnswer::Log(vec![made])),
    ]
}

fn refusals() -> Vec<(&'static str, Refusal)> {
    let reason = || "why".to_string();
    let load_failed = Refusal::LoadFailed { database: DATABASE, server: name("server-1"), reason: reason() };
    vec![
        ("not-leader", Refusal::NotLeader { leader: Some("c:7101".into()) }),
        ("unavailable", Refusal::Unavailable { reason: reason() }),
        ("lost", Refusal::Lost { reason: reason() }),
        ("database-name-unknown", Refusal::DatabaseNameUnknown { name: "shop".into() }),
        ("server-name-unknown", Refusal::ServerNameUnknown { name: "server-9".into() }),
        ("no-server", Refusal::NoServer { reason: reason() }),
        ("load-failed", load_failed),
        ("fork-failed", Refusal::ForkFailed { reason: reason() }),
        ("behind", Refusal::Behind { revision: 4, at_least: 5 }),
        ("controllers-kept", Refusal::ControllersKept { reason: reason() }),
        ("directive-invalid", Refusal::DirectiveInvalid { reason: reason() }),
        ("not-allowed", Refusal::NotAllowed { reason: reason() }),
    ]
}

fn rejections() -> Vec<(&'static str, Rejection)> {
    let (database, server, shop) = (DATABASE, ServerId(2), || name("shop"));
    let too_long = |what| Rejection::TooLong { what, bytes: 300, bytes_max: 255 };
    let exhausted = |what| Rejection::IdsExhausted { what };
    vec![
        ("founded", Rejection::Founded { fleet: FleetId(0xfeed) }),
        ("name-taken", Rejection::NameTaken { name: shop(), database }),
        ("name-reserved", Rejection::NameReserved { name: shop() }),
        ("name-empty", Rejection::NameInvalid(NameError::Empty)),
        ("name-too-long", Rejection::NameInvalid(NameError::TooLong { bytes: 64 })),
        ("name-control", Rejection::NameInvalid(NameError::Control)),
        ("database-unknown", Rejection::DatabaseUnknown { database }),
        ("epoch-stale", Rejection::EpochStale { database, epoch_expected: Epoch(6), epoch: EPOCH }),
        ("server-unknown", Rejection::ServerUnknown { server }),
        ("server-not-up", Rejection::ServerNotUp { server, incarnation: LIFE }),
        ("server-name-taken", Rejection::ServerNameTaken { name: shop(), incarnation: LIFE }),
        ("server-ids-exhausted", exhausted(IdKind::Server)),
        ("handler-ids-exhausted", exhausted(IdKind::Handler)),
        ("database-ids-exhausted", exhausted(IdKind::Database)),
        ("user-unknown", Rejection::UserUnknown { name: name("alice") }),
        ("address-too-long", too_long(Field::Address)),
        ("location-too-long", too_long(Field::Location)),
        ("verifier-too-long", too_long(Field::Verifier)),
        ("command-too-long", too_long(Field::Command)),
        ("directive-too-long", too_long(Field::Directive)),
        ("directive-unknown", Rejection::DirectiveUnknown { id: name("d-1") }),
        ("directive-known", Rejection::DirectiveKnown { id: name("d-1") }),
        ("directives-full", Rejection::DirectivesFull { directives_max: 256 }),
        ("not-allowed", Rejection::NotAllowed { user: name("ann"), role: SenderRole::Sender }),
        ("second-person", Rejection::SecondPerson { user: name("ann") }),
        ("pending-unknown", Rejection::PendingUnknown { id: name("g-1") }),
        ("pending-full", Rejection::PendingFull { pending_max: 16 }),
        ("senders-full", Rejection::SendersFull { senders_max: 64 }),
        ("capacity-zero", Rejection::CapacityZero),
        ("server-draining", Rejection::ServerDraining { server }),
        ("database-forming", Rejection::DatabaseForming { database }),
        ("database-formed", Rejection::DatabaseFormed { database }),
        ("database-copied", Rejection::DatabaseCopied { database, copy: database }),
        ("level-low", Rejection::LevelLow { level: Level(1), needed: Level(2) }),
        ("cannot-adopt", Rejection::CannotAdopt { database }),
        ("database-known", Rejection::DatabaseKnown { database, name: shop() }),
    ]
}

fn of_servers() -> Vec<Sample> {
    let answer = |name: &str, answer| Sample::of(&format!("server-answer-{name}"), &answer);
    let loaded =
        LoadedDatabase { database: DATABASE, epoch: EPOCH, sessions: 2, idle_ms: 900, closing: true };
    let status = ServerStatus { name: name("server-1"), incarnation: LIFE, databases: vec![loaded] };
    let reason = || "why".to_string();
    let refused = |refusal| ServerApiResponse::Load(Err(refusal));
    let spent = ServerRefusal::EpochSpent { database: DATABASE, epoch: Epoch(6), journal: EPOCH };
    let failed = ServerRefusal::Failed { database: DATABASE, reason: reason() };
    vec![
        answer("load", ServerApiResponse::Load(Ok(Loaded { already: true, took_us: 1_200 }))),
        answer("release", ServerApiResponse::Release(Ok(()))),
        answer("fork", ServerApiResponse::Fork(Ok(Forked { position: 9, copied: true }))),
        answer("purge", ServerApiResponse::Purge(Ok(()))),
        answer("status", ServerApiResponse::Status(status)),
        answer("refused-another-life", refused(ServerRefusal::AnotherLife { incarnation: LIFE })),
        answer("refused-epoch-spent", refused(spent)),
        answer("refused-full", refused(ServerRefusal::Full { loaded: 10_000 })),
        answer("refused-failed", refused(failed)),
        answer("refused-cannot-fork", refused(ServerRefusal::CannotFork { reason: reason() })),
        answer("refused-not-serving", refused(ServerRefusal::NotServing { reason: reason() })),
    ]
}
