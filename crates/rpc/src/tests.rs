//! The leader-following client against controllers made of a few lines.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures::FutureExt;
use model::*;

use crate::{controller::*, handshake::Role, *};

/// Follower or leader; `failures` calls break off first, after having done their work.
#[derive(Clone)]
struct Fake {
    leader: Arc<Mutex<Option<String>>>,
    secret: Secret,
    failures: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    hangs: Hangs,
}

/// What a fake does not do.
#[derive(Clone, Copy, PartialEq)]
enum Hangs {
    No,
    /// It answers nothing, as if paused.
    Paused,
    /// It answers how it is, and nothing else for that long.
    Busy(std::time::Duration),
    /// It answers how it is, and leads nobody.
    CutOff,
}

/// A network of fakes, by address.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<std::collections::BTreeMap<String, Fake>>>);

#[async_trait]
impl Dial for Net {
    async fn dial(&self, address: &str) -> std::io::Result<Box<dyn ByteStream>> {
        let fake = self.0.lock().expect("no panics").get(address).cloned();
        let fake = fake.ok_or(std::io::ErrorKind::ConnectionRefused)?;
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let mut stream: Box<dyn ByteStream> = Box::new(far);
            if accept(&mut stream, &fake.secret, &[Service::Controller]).await.is_ok() {
                let api = Api(fake.clone());
                let breaks = fake.failures.clone();
                tokio::select! {
                    () = async { serve!(stream, api.serve()) } => {}
                    () = broken(breaks, fake.calls) => {}
                }
            }
        });
        Ok(Box::new(near))
    }
}

/// Ends after a call was counted, while failures are left: the caller never sees that call's answer.
async fn broken(failures: Arc<AtomicUsize>, calls: Arc<AtomicUsize>) {
    let before = calls.load(Ordering::SeqCst);
    loop {
        if failures.load(Ordering::SeqCst) > 0 && calls.load(Ordering::SeqCst) > before {
            failures.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[derive(Clone)]
struct Api(Fake);

impl ControllerApi for Api {
    async fn operate(
        self,
        _: tarpc::context::Context,
        _: RequestId,
        _: Operation,
    ) -> Result<Operated, Refusal> {
        match self.0.hangs {
            Hangs::No => {}
            Hangs::Paused | Hangs::CutOff => std::future::pending().await,
            Hangs::Busy(time) => tokio::time::sleep(time).await,
        }
        let leader = self.0.leader.lock().expect("no panics").clone();
        if leader.is_some() {
            return Err(Refusal::NotLeader { leader });
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.failures.load(Ordering::SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        if call > 0 {
            return Err(Rejection::DatabaseUnknown { database: DatabaseId(1) }.into());
        }
        Ok(Operated { revision: Revision(9), database: None })
    }

    async fn status(self, _: tarpc::context::Context) -> ControllerStatus {
        if self.0.hangs == Hangs::Paused {
            std::future::pending::<()>().await;
        }
        let cut_off = self.0.hangs == Hangs::CutOff;
        ControllerStatus {
            controller: ControllerId(1),
            fleet: None,
            state: "leader".into(),
            leader: Some(ControllerId(1)),
            term: 1,
            revision: Revision(1),
            log_last: 1,
            snapshot_last: 0,
            quorum_confirmed_ms_ago: Some(if cut_off { 60_000 } else { 10 }),
            databases: 0,
            brake: None,
            release: "0.1.0".into(),
            level_known: model::Level::NEWEST,
            level: model::Level::NEWEST,
        }
    }
    async fn look_up(self, _: tarpc::context::Context, _: LookUp) -> Result<DatabaseInfo, Refusal> {
        unreachable!("not called")
    }
    async fn route(self, _: tarpc::context::Context, _: RouteRequest) -> Result<Route, Refusal> {
        unreachable!("not called")
    }
    async fn watch(self, _: tarpc::context::Context, _: Revision, _: u32) -> Watched {
        unreachable!("not called")
    }
    async fn databases(self, _: tarpc::context::Context, _: Option<Name>, _: u32) -> DatabasePage {
        unreachable!("not called")
    }
    async fn servers(self, _: tarpc::context::Context) -> Vec<ServerInfo> {
        unreachable!("not called")
    }
    async fn handlers(self, _: tarpc::context::Context) -> Vec<HandlerInfo> {
        unreachable!("not called")
    }
    async fn controllers(self, _: tarpc::context::Context) -> Vec<ControllerInfo> {
        unreachable!("not called")
    }
    async fn events(
        self,
        _: tarpc::context::Context,
        _: crate::events::EventsRequest,
    ) -> Result<crate::events::EventsPage, Refusal> {
        unreachable!("nobody asks for it")
    }
    async fn digest(self, _: tarpc::context::Context) -> Digest {
        Digest { revision: Revision(1), value: 1 }
    }
    async fn verifier(self, _: tarpc::context::Context, _: String) -> Option<String> {
        unreachable!("not called")
    }
    async fn users(self, _: tarpc::context::Context) -> Vec<Name> {
        unreachable!("not called")
    }
    async fn register_server(
        self,
        _: tarpc::context::Context,
        _: Registration,
        _: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        unreachable!("not called")
    }
    async fn heartbeat(self, _: tarpc::context::Context, _: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        unreachable!("not called")
    }
    async fn register_handler(
        self,
        _: tarpc::context::Context,
        _: Name,
        _: String,
        _: String,
    ) -> Result<HandlerRegistered, Refusal> {
        unreachable!("not called")
    }
    async fn report_time_limit(
        self,
        _: tarpc::context::Context,
        _: crate::time_limit::Overrun,
    ) -> Result<crate::time_limit::Verdict, Refusal> {
        unreachable!("not called")
    }
    async fn backup(
        self,
        _: tarpc::context::Context,
        _: crate::backup::BackupRequest,
    ) -> Option<crate::backup::BackupPiece> {
        unreachable!("not called")
    }

    async fn reserve_database(
        self,
        _: tarpc::context::Context,
        _: model::RequestId,
        _: model::IdempotencyKey,
    ) -> Result<model::DatabaseId, crate::Refusal> {
        unreachable!("not called")
    }

    async fn directives(self, _: tarpc::context::Context) -> Vec<crate::directives::DirectiveInfo> {
        unreachable!("not called")
    }

    async fn report_directives(
        self,
        _: tarpc::context::Context,
        _: crate::directives::DirectivesReport,
    ) -> Result<Vec<crate::directives::Question>, Refusal> {
        unreachable!("not called")
    }

    async fn count_targets(
        self,
        _: tarpc::context::Context,
        _: model::Name,
        _: model::Targets,
    ) -> Result<crate::directives::TargetsCount, Refusal> {
        unreachable!("not called")
    }

    async fn directive_tallies(
        self,
        _: tarpc::context::Context,
    ) -> Result<Vec<crate::directives::DirectiveTally>, Refusal> {
        unreachable!("not called")
    }

    async fn report_usage(
        self,
        _: tarpc::context::Context,
        _: crate::load::ServerUsage,
    ) -> Result<(), Refusal> {
        unreachable!("not called")
    }

    async fn report_clients(
        self,
        _: tarpc::context::Context,
        _: crate::load::ClientsReport,
    ) -> Result<(), Refusal> {
        unreachable!("not called")
    }

    async fn loads(self, _: tarpc::context::Context) -> Result<crate::load::LoadsInfo, Refusal> {
        unreachable!("not called")
    }

    async fn placement(
        self,
        _: tarpc::context::Context,
        _: crate::placement::PlacementRequest,
    ) -> Result<crate::placement::PlacementAnswer, Refusal> {
        unreachable!("not called")
    }

    async fn clients_of(
        self,
        _: tarpc::context::Context,
        _: DatabaseRef,
    ) -> Result<Vec<crate::load::ClientsOf>, Refusal> {
        unreachable!("not called")
    }

    async fn senders(self, _: tarpc::context::Context) -> crate::directives::SendersInfo {
        unreachable!("not called")
    }

    async fn report_conditions(
        self,
        _: tarpc::context::Context,
        _: crate::conditions::ConditionsReport,
    ) -> Result<(), Refusal> {
        unreachable!("not called")
    }
}

fn fake(leader: Option<&str>, secret: u8) -> Fake {
    Fake {
        leader: Arc::new(Mutex::new(leader.map(String::from))),
        secret: Secret::new([secret; 32]),
        failures: Arc::default(),
        calls: Arc::default(),
        hangs: Hangs::No,
    }
}

fn hanging(hangs: Hangs) -> Fake {
    Fake { hangs, ..fake(None, 1) }
}

fn fleet(net: &Net, addresses: &[&str]) -> Controllers {
    let addresses = addresses.iter().map(|address| (*address).into()).collect();
    Controllers::new(addresses, Arc::new(net.clone()), Secret::new([1; 32]), Role::Operator)
}

fn put(net: &Net, address: &str, fake: Fake) {
    net.0.lock().expect("no panics").insert(address.into(), fake);
}

fn create() -> Operation {
    Operation::CreateDatabase { name: "shop".into(), key: IdempotencyKey(1) }
}

fn drop_shop() -> Operation {
    Operation::DropDatabase { database: DatabaseRef::Name("shop".into()) }
}

#[tokio::test(start_paused = true)]
async fn a_follower_points_to_the_leader_even_one_that_was_not_known() {
    let net = Net::default();
    put(&net, "a:1", fake(Some("c:1"), 1));
    put(&net, "c:1", fake(None, 1));
    let controllers = fleet(&net, &["a:1", "b:1"]);
    let done = controllers.operate(RequestId(1), create()).await.expect("the leader answers");
    assert_eq!(done.revision, Revision(9));
    assert_eq!(controllers.addresses(), ["a:1", "b:1", "c:1"]);
}

#[tokio::test(start_paused = true)]
async fn those_that_were_removed_are_asked_only_when_all_members_fail() {
    let net = Net::default();
    let (old, new) = (fake(None, 1), fake(None, 1));
    put(&net, "old:1", old.clone());
    put(&net, "new:1", new.clone());
    let controllers = fleet(&net, &["old:1"]);
    controllers.learn(&["new:1".into(), "other:1".into()]);
    assert_eq!(controllers.addresses(), ["new:1", "other:1"]);
    net.0.lock().expect("no panics").remove("old:1");
    controllers.operate(RequestId(1), create()).await.expect("a member answers");
    assert_eq!(new.calls.load(Ordering::SeqCst), 1);
    // Whoever told the list may have been wrong.
    net.0.lock().expect("no panics").remove("new:1");
    put(&net, "old:1", old.clone());
    let controllers = fleet(&net, &["old:1"]);
    controllers.learn(&["new:1".into()]);
    controllers.state(|state| state.current = 1);
    controllers.operate(RequestId(1), create()).await.expect("the one named at the start still answers");
    assert_eq!(old.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_controller_is_passed_over() {
    let net = Net::default();
    put(&net, "b:1", fake(None, 1));
    let digest = fleet(&net, &["a:1", "b:1"])
        .any(|client, context| async move { client.digest(context).await }.boxed())
        .await
        .expect("b answers");
    assert_eq!(digest.value, 1);
}

#[tokio::test(start_paused = true)]
async fn giving_up_names_every_controller_and_the_last_failure() {
    let error =
        fleet(&Net::default(), &["a:1", "b:1"]).operate(RequestId(1), create()).await.expect_err("nobody");
    let text = error.to_string();
    assert!(text.contains("a:1, b:1") && text.contains("cannot connect"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn another_fleet_is_not_asked_twice() {
    let net = Net::default();
    put(&net, "a:1", fake(None, 2));
    let error = fleet(&net, &["a:1"]).operate(RequestId(1), create()).await.expect_err("another secret");
    assert!(matches!(error, Error::Handshake { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_drop_whose_answer_was_lost_counts_as_done() {
    let net = Net::default();
    let leader = fake(None, 1);
    leader.failures.store(1, Ordering::SeqCst);
    put(&net, "a:1", leader.clone());
    fleet(&net, &["a:1"]).operate(RequestId(1), drop_shop()).await.expect("the first try did it");
    assert_eq!(leader.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drop_of_nothing_is_an_error() {
    let net = Net::default();
    let leader = fake(None, 1);
    leader.calls.store(1, Ordering::SeqCst);
    put(&net, "a:1", leader);
    let error = fleet(&net, &["a:1"]).operate(RequestId(1), drop_shop()).await.expect_err("it never was");
    assert!(matches!(error, Error::Refused(Refusal::Rejected(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn giving_up_tells_what_a_controller_said_rather_than_the_silence_of_another() {
    let net = Net::default();
    put(&net, "a:1", fake(Some("b:1"), 1));
    let error = fleet(&net, &["a:1", "b:1"]).operate(RequestId(1), create()).await.expect_err("no leader");
    assert!(error.to_string().contains("this controller does not lead"), "{error}");
    assert_eq!(error.effect(), Effect::None);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_broke_off_leaves_the_effect_unknown_whatever_follows() {
    let net = Net::default();
    let leader = fake(None, 1);
    leader.failures.store(1, Ordering::SeqCst);
    put(&net, "a:1", leader.clone());
    let gone = async {
        while leader.calls.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        net.0.lock().expect("no panics").clear();
    };
    let controllers = fleet(&net, &["a:1"]);
    let (result, ()) = tokio::join!(controllers.operate(RequestId(1), create()), gone);
    assert_eq!(result.expect_err("nobody is left").effect(), Effect::Unknown);
}

/// How long a change takes when the controller asked first behaves like this and the second leads.
async fn change_past(first: Hangs) -> std::time::Duration {
    let net = Net::default();
    put(&net, "a:1", hanging(first));
    put(&net, "b:1", fake(None, 1));
    let began = tokio::time::Instant::now();
    fleet(&net, &["a:1", "b:1"]).operate(RequestId(1), create()).await.expect("one of them leads");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_hangs_costs_about_an_election_and_not_a_lease() {
    for hangs in [Hangs::Paused, Hangs::CutOff] {
        assert!(change_past(hangs).await < std::time::Duration::from_millis(1_500));
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_works_is_waited_for() {
    let long = std::time::Duration::from_secs(4);
    assert!(change_past(Hangs::Busy(long)).await >= long);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_still_points_to_a_hanging_leader_does_not_send_anybody_back_there() {
    let net = Net::default();
    put(&net, "a:1", hanging(Hangs::Paused));
    let follower = fake(Some("a:1"), 1);
    put(&net, "b:1", follower.clone());
    let controllers = fleet(&net, &["a:1", "b:1"]);
    let elected = async {
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        put(&net, "c:1", fake(None, 1));
        *follower.leader.lock().expect("no panics") = Some("c:1".into());
    };
    let began = tokio::time::Instant::now();
    let change = async {
        controllers.operate(RequestId(1), create()).await.expect("c leads in the end");
        began.elapsed()
    };
    let (took, ()) = tokio::join!(change, elected);
    assert!(took < std::time::Duration::from_millis(2_600), "{took:?}");
}
