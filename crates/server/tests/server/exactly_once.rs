//! What became of a request is told to whoever goes on with its session (S2, R18): answered with the very bytes, done,
//! absent for good, or unknown, and never a guess.

use std::{sync::Arc, time::Duration};

use journal::{Memory, Objects, limits::OUTCOMES_PER_SESSION};
use rpc::session::Settled;
use server::engine::{SystemClock, sqlite::SqliteEngine};
use tokio::time::timeout;

use crate::support::{
    eventually,
    fleet::{Fleet, Running},
    numbered::{Attach, Numbered, extended, simple},
    store::{Cable, Puts},
};

const ID: u128 = 0xa11ce;
const TABLE: &str = "create table t (id integer primary key, a text)";
const FOREVER: &str = "select count(*) from
    (with recursive g(i) as (select 1 union all select i + 1 from g) select i from g)";

/// Servers on one store, each with a way to it of its own.
struct World {
    fleet: Fleet,
    store: Arc<dyn Objects>,
}

impl World {
    fn new() -> Self {
        let engine = SqliteEngine::new(Arc::new(SystemClock::start()), 0);
        let fleet = Fleet { engine: Arc::new(engine), ..Fleet::new() };
        Self { fleet, store: Arc::new(Memory::default()) }
    }

    async fn start(&mut self, name: &str) -> (Running, Arc<Cable>) {
        let cable = Cable::to(Arc::clone(&self.store));
        self.fleet.objects = Some(cable.clone());
        (self.fleet.start(name).await, cable)
    }

    /// With database 1 loaded under epoch 1, and a table in it.
    async fn with_table(&mut self) -> (Running, Arc<Cable>) {
        let (server, cable) = self.start("s1").await;
        server.load(1, 1).await.expect("loads");
        server.connect(1, 1).await.batch_execute(TABLE).await.expect("made");
        (server, cable)
    }
}

/// What a client does: requests that are answered, then those whose answers are lost.
struct Case {
    name: &'static str,
    before: Vec<Vec<u8>>,
    cut: Vec<Vec<u8>>,
    /// How many of the cut ones the journal knows, from the first.
    kept: usize,
    /// Rows there when all is done.
    rows: &'static str,
}

fn cases() -> Vec<Case> {
    let insert = "insert into t (a) values ('x') returning id, a";
    vec![
        Case { name: "autocommit, simple", before: vec![], cut: vec![simple(insert)], kept: 1, rows: "1" },
        Case {
            name: "autocommit, extended",
            before: vec![],
            cut: vec![extended(insert)],
            kept: 1,
            rows: "1",
        },
        Case {
            name: "several statements in one Query",
            before: vec![],
            cut: vec![simple("insert into t (a) values ('x'); update t set a = 'y' returning a")],
            kept: 1,
            rows: "1",
        },
        Case {
            name: "a transaction in one Query",
            before: vec![],
            cut: vec![simple(
                "begin; insert into t (a) values ('x'); commit; insert into t (a) values ('y')",
            )],
            kept: 1,
            rows: "2",
        },
        Case {
            name: "COMMIT, simple",
            before: vec![simple("begin"), simple(insert)],
            cut: vec![simple("commit")],
            kept: 1,
            rows: "1",
        },
        Case {
            name: "COMMIT, extended",
            before: vec![extended("begin"), extended(insert)],
            cut: vec![extended("commit")],
            kept: 1,
            rows: "1",
        },
        Case {
            name: "a pipeline with a read and an error before the commit and a read after it",
            before: vec![simple("select 1")],
            cut: vec![
                extended("select count(*) from t"),
                extended("insert into nothing values (1)"),
                extended(insert),
                extended("select count(*) from t"),
            ],
            kept: 3,
            rows: "1",
        },
        Case {
            name: "a transaction in a pipeline",
            before: vec![],
            cut: vec![extended("begin"), extended(insert), extended(insert), extended("commit")],
            kept: 4,
            rows: "2",
        },
        Case {
            name: "a definition",
            before: vec![],
            cut: vec![simple("create table u (x int)")],
            kept: 1,
            rows: "0",
        },
    ]
}

/// What the answers would have been.
async fn undisturbed(case: &Case) -> Vec<Vec<u8>> {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut session = server.attach(1, 1, &Attach::new(ID, 1)).await;
    session.ask(&case.before).await;
    session.send(&case.cut.concat()).await;
    let mut answers = Vec::new();
    for _ in &case.cut {
        answers.push(session.answer().await.expect("answered"));
    }
    assert_eq!(session.value("select count(*) from t").await, case.rows, "{}", case.name);
    answers
}

/// Cuts the client off while its last requests' put is on its way, and goes on with another owner.
async fn cut(case: &Case, puts: Puts) -> (World, Running, Numbered) {
    let mut world = World::new();
    let (old, cable) = world.with_table().await;
    let mut session = old.attach(1, 1, &Attach::new(ID, 1)).await;
    session.ask(&case.before).await;
    cable.set(puts);
    session.send(&case.cut.concat()).await;
    cable.tried().await;
    old.kill().await;
    let words = session.answer().await.expect_err("nothing was durable, for all the old owner knew");
    // Above all it does not say that nothing was done.
    assert!(words.is_empty() || String::from_utf8_lossy(&words).contains("C40003"), "{}", case.name);
    let (new, _) = world.start("s2").await;
    new.load(1, 2).await.expect("loads");
    let first = case.before.len() as u64 + 1;
    let last = first + case.cut.len() as u64 - 1;
    let session = new.attach(1, 2, &Attach::settle(ID, first, last)).await;
    (world, new, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_landed_gives_the_answers_that_the_client_would_have_got() {
    for case in cases() {
        let expected = undisturbed(&case).await;
        let (_world, _server, mut session) = cut(&case, Puts::LandUnheard).await;
        let kept = expected[..case.kept].iter().map(|answer| Settled::Answered(answer.clone().into()));
        let absent = expected[case.kept..].iter().map(|_| Settled::Absent);
        let wanted: Vec<_> = kept.chain(absent).collect();
        assert_eq!(session.settled, wanted, "{}", case.name);
        assert_eq!(session.value("select count(*) from t").await, case.rows, "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_never_landed_leaves_nothing_and_the_requests_can_be_sent_again() {
    for case in cases() {
        let expected = undisturbed(&case).await;
        let (_world, server, mut session) = cut(&case, Puts::Vanish).await;
        assert!(session.settled.iter().all(|settled| *settled == Settled::Absent), "{}", case.name);
        assert_eq!(session.value("select count(*) from t").await, "0", "{}", case.name);
        drop(session);
        // As a handler would: everything from the transaction's begin, under the numbers that it had.
        let mut session = server.attach(1, 2, &Attach::new(ID, 1)).await;
        session.ask(&case.before).await;
        session.send(&case.cut.concat()).await;
        for answer in &expected {
            assert_eq!(session.answer().await.as_ref(), Ok(answer), "{}", case.name);
        }
        assert_eq!(session.value("select count(*) from t").await, case.rows, "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_again_is_counted_from_the_first_absent_request() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut session = server.attach(1, 1, &Attach::new(ID, 1)).await;
    session.ask(&[simple("insert into t (a) values ('x')")]).await;
    drop(session);
    let mut session = server.attach(1, 1, &Attach::settle(ID, 1, 3)).await;
    assert!(matches!(session.settled[..], [Settled::Answered(_), Settled::Absent, Settled::Absent]));
    session.ask(&[simple("select 1"), simple("insert into t (a) values ('y')")]).await;
    drop(session);
    let session = server.attach(1, 1, &Attach::settle(ID, 1, 4)).await;
    let [Settled::Answered(_), Settled::Absent, Settled::Answered(_), Settled::Absent] = session.settled[..]
    else {
        panic!("{:?}", session.settled)
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_ends_the_older_ones_statement_for_good() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut old = server.attach(1, 1, &Attach::new(ID, 1)).await;
    let computing = format!("insert into t (a) values ('x'); {FOREVER}");
    old.send(&simple(&computing)).await;
    holds_the_permit(&server).await;
    let mut new = server.attach(1, 1, &Attach::settle(ID, 1, 1)).await;
    assert_eq!(new.settled, [Settled::Absent]);
    old.answer().await.expect_err("it is over");
    assert_eq!(new.value("select count(*) from t").await, "0");
    new.ask(&[simple("insert into t (a) values ('y')")]).await;
    assert_eq!(new.value("select count(*) from t").await, "1");
}

/// Waits until nobody else can write.
async fn holds_the_permit(server: &Running) {
    let other = server.connect(1, 1).await;
    other.batch_execute("set lock_timeout = '10ms'").await.expect("set");
    eventually("a writer", async || match other.batch_execute("update t set a = 'z' where id = 0").await {
        Ok(()) => Err("nobody writes"),
        Err(_) => Ok(()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_ends_one_that_waits_or_idles_in_a_transaction() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut idle = server.attach(1, 1, &Attach::new(ID, 1)).await;
    idle.ask(&[simple("begin"), simple("insert into t (a) values ('x')")]).await;
    let mut waiting = server.attach(1, 1, &Attach::new(ID + 1, 1)).await;
    waiting.send(&simple("insert into t (a) values ('waited')")).await;
    // It gives up its place in the queue.
    let newer = server.attach(1, 1, &Attach::settle(ID + 1, 1, 1)).await;
    assert_eq!(newer.settled, [Settled::Absent]);
    waiting.answer().await.expect_err("it is over");
    let mut newer = server.attach(1, 1, &Attach::settle(ID, 3, 3)).await;
    assert_eq!(newer.settled, [Settled::Absent]);
    idle.answer().await.expect_err("it is over");
    assert_eq!(newer.value("select count(*) from t").await, "0", "both are rolled back");
    newer.ask(&[simple("insert into t (a) values ('y')")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_waits_for_the_older_ones_put() {
    let mut world = World::new();
    let (server, cable) = world.with_table().await;
    let mut old = server.attach(1, 1, &Attach::new(ID, 1)).await;
    cable.set(Puts::Vanish);
    old.send(&simple("insert into t (a) values ('x') returning id")).await;
    cable.tried().await;
    let settle = Attach::settle(ID, 1, 1);
    let mut attaching = Box::pin(server.attach(1, 1, &settle));
    let early = timeout(Duration::from_millis(300), &mut attaching).await;
    assert!(early.is_err(), "nobody knows yet what becomes of the put");
    cable.set(Puts::Land);
    let mut new = attaching.await;
    assert!(matches!(new.settled[..], [Settled::Answered(_)]), "{:?}", new.settled);
    assert_eq!(new.value("select count(*) from t").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_connection_of_a_session_lives() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut connections = Vec::new();
    for _ in 0..5 {
        connections.push(server.attach(1, 1, &Attach::new(ID, 1)).await);
    }
    let mut newest = connections.pop().expect("some");
    for mut older in connections {
        let words = older.answer().await.expect_err("it is over");
        assert!(String::from_utf8_lossy(&words).contains("C40003"), "it is told why");
    }
    newest.ask(&[simple("select 1")]).await;
    server.attach(1, 1, &Attach::new(ID + 1, 1)).await.ask(&[simple("select 1")]).await;
    newest.ask(&[simple("select 1")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_survive_putting_away_loading_and_snapshots_and_are_bounded() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    let mut session = server.attach(1, 1, &Attach::new(ID, 1)).await;
    let insert = simple("insert into t (a) values ('x') returning id");
    let answers = session.ask(&[insert.clone(), insert.clone()]).await;
    let begun = session.position;
    let mut other = server.attach(1, 1, &Attach::new(ID + 1, 1)).await;
    // Many records: a snapshot is due. Another session's outcomes never evict this one's, its own do.
    let told = other.position;
    other.ask(&vec![insert.clone(); 150]).await;
    assert!(other.position > told + 100, "a long session is told positions: {told}, {}", other.position);
    let kept: Vec<_> = answers.into_iter().map(|answer| Settled::Answered(answer.into())).collect();
    for epoch in 1..4 {
        let session = server.attach(1, epoch, &Attach::settle(ID, 1, 2)).await;
        assert_eq!(session.settled, kept, "epoch {epoch}");
        let first = Attach::settle(ID + 1, 1, 1);
        let other = server.attach(1, epoch, &first).await;
        assert_eq!(other.settled, [Settled::Unknown], "evicted, and never called absent");
        assert!(other.position > begun, "positions rise: {} {begun}", other.position);
        let last = Attach::settle(ID + 1, 151 - OUTCOMES_PER_SESSION as u64, 151);
        let other = server.attach(1, epoch, &last).await;
        let (absent, there) = other.settled.split_last().expect("some");
        assert!(there.iter().all(|settled| matches!(settled, Settled::Answered(_))));
        assert_eq!(*absent, Settled::Absent);
        // A session that nobody knows: whether it had outcomes depends on when it began.
        let stranger = Attach::settle(ID + 2, 1, 1);
        assert_eq!(server.attach(1, epoch, &stranger).await.settled, [Settled::Unknown]);
        let stranger = Attach { begun: Some(other.position), ..stranger };
        assert_eq!(server.attach(1, epoch, &stranger).await.settled, [Settled::Absent]);
        drop((session, other));
        server.release(1, epoch, 0).await.expect("put away");
        server.load(1, epoch + 1).await.expect("loads");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_lost_its_journal_settles_nothing() {
    let mut world = World::new();
    let (old, _) = world.with_table().await;
    let (new, _) = world.start("s2").await;
    let mut session = old.attach(1, 1, &Attach::new(ID, 1)).await;
    new.load(1, 2).await.expect("takes over");
    session.send(&simple("insert into t (a) values ('x')")).await;
    let words = session.answer().await.expect_err("fenced");
    assert!(String::from_utf8_lossy(&words).contains("CSM001"), "{}", String::from_utf8_lossy(&words));
    let refused = old.try_attach(1, 1, &Attach::settle(ID, 1, 1)).await.err().expect("it cannot know");
    assert_eq!(refused.0, "SM001");
    let session = new.attach(1, 2, &Attach::settle(ID, 1, 1)).await;
    assert_eq!(session.settled, [Settled::Absent]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_questions_are_refused() {
    let mut world = World::new();
    let (server, _) = world.with_table().await;
    for bad in [
        Attach { number: 0, ..Attach::new(ID, 1) },
        Attach { settle: Some((3, 2)), ..Attach::new(ID, 1) },
        Attach { begun: Some(u64::MAX), ..Attach::new(ID, 1) },
    ] {
        let (code, text) = server.try_attach(1, 1, &bad).await.err().expect("malformed");
        assert_eq!(code, "08P01", "{bad:?}: {text}");
    }
    let mut plain = server.raw(1, 1).await;
    let greeting = String::from_utf8_lossy(&plain.1.split()).into_owned();
    assert!(!greeting.contains("_stationmaster"), "who has no session id is told nothing: {greeting}");
}
