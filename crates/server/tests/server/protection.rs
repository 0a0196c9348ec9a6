//! What a server does to keep itself going (R51), and what operators see of it (R41, R44).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use conditions::Rules;
use rpc::environment::Watching;
use server::engine::*;
use tokio_postgres::SimpleQueryMessage;

use crate::support::{
    client::{Asking, Login, log_in},
    eventually,
    fleet::{Fleet, Running, code},
    machine::Machine,
    toy::Toy,
};

/// What holds without a pause, as soon as it is measured.
fn rules(text: &str) -> Rules {
    Rules::parse("test.toml", &format!("every_ms = 20\n{text}")).expect("sound")
}

fn on_memory(actions: &str) -> Rules {
    rules(&format!(
        "[rule.memory]\nactions = [{actions}]\nif = [{{ source = \"memory_used_ratio\", above = 0.9, clear = 0.8 }}]"
    ))
}

async fn raised(server: &Running, expected: &[&str]) {
    eventually("conditions", async || {
        let watching: Watching = server.watching().await;
        let raised: Vec<_> = watching.conditions.iter().map(|info| info.condition.clone()).collect();
        if raised == expected { Ok(()) } else { Err(raised) }
    })
    .await;
}

/// An engine on a machine with room for a few working copies: one more, and the system kills the process.
struct Cramped {
    open: Arc<AtomicUsize>,
    most_seen: Arc<AtomicUsize>,
    machine: Machine,
}

const ROOM: usize = 20;

impl Engine for Cramped {
    fn create_image(&self, path: &Path) -> Result<(), EngineError> {
        Toy.create_image(path)
    }

    fn open(&self, path: &Path, limits: &Limits) -> Result<Arc<dyn Database>, EngineError> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_seen.fetch_max(open, Ordering::SeqCst);
        self.machine.set("memory_used_ratio", open as f64 / ROOM as f64);
        Ok(Arc::new(Weighty {
            database: Toy.open(path, limits)?,
            open: self.open.clone(),
            machine: self.machine.clone(),
        }))
    }
}

/// A database that weighs on the machine until it is closed.
struct Weighty {
    database: Arc<dyn Database>,
    open: Arc<AtomicUsize>,
    machine: Machine,
}

impl Database for Weighty {
    fn session(&self, start: SessionStart) -> Result<Box<dyn Session>, EngineError> {
        self.database.session(start)
    }
    fn writer_queue(&self) -> &WriterQueue {
        self.database.writer_queue()
    }
    fn committed(&self) -> CommitSeq {
        self.database.committed()
    }
    fn take(&self) -> Result<Option<Capture>, EngineError> {
        self.database.take()
    }
    fn untaken_bytes(&self) -> u64 {
        self.database.untaken_bytes()
    }
    fn checkpoint(&self) -> Result<Checkpoint, EngineError> {
        self.database.checkpoint()
    }
    fn log_bytes(&self) -> u64 {
        self.database.log_bytes()
    }
    fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError> {
        self.database.write_image(path)
    }
    fn close(&self) -> Result<(), EngineError> {
        let open = self.open.fetch_sub(1, Ordering::SeqCst) - 1;
        self.machine.set("memory_used_ratio", open as f64 / ROOM as f64);
        self.database.close()
    }
}

/// Loads three times as many databases as there is room for, one a second; how many copies were open at most.
async fn load_many(dry_run: bool) -> usize {
    let machine = Machine::default();
    let most_seen = Arc::new(AtomicUsize::new(0));
    let engine = Cramped { open: Arc::default(), most_seen: most_seen.clone(), machine: machine.clone() };
    let text = format!(
        "[rule.memory]\ndry_run = {dry_run}\nactions = [\"unload_idle\"]\n\
         if = [{{ source = \"memory_used_ratio\", above = 0.7 }}]"
    );
    let fleet = Fleet::inline(Arc::new(journal::Memory::default())).watching(rules(&text), machine);
    let fleet = Fleet { engine: Arc::new(engine), ..fleet };
    let server = fleet.start("s1").await;
    for database in 1..=3 * ROOM as u64 {
        server.load(database, 1).await.expect("loads");
        // Sooner than an unused copy would be closed anyway.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    most_seen.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn r51_with_its_action_a_server_survives_what_kills_it_without() {
    let with = load_many(false).await;
    assert!(with <= ROOM, "killed: {with} copies on a machine with room for {ROOM}");
    let without = load_many(true).await;
    assert!(without > ROOM, "the danger is none: {without} copies at most");
}

async fn log_in_with(server: &Running, more: &[(&'static str, &str)]) -> Login {
    let mut asking = Asking::new(&server.secret, model::DatabaseId(1), model::Epoch(1));
    asking.parameters.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    log_in(&mut server.dial().await, &asking).await
}

#[tokio::test]
async fn r51_new_sessions_are_refused_while_it_lasts_and_those_begun_go_on() {
    let machine = Machine::default();
    let fleet = Fleet::new().watching(on_memory("\"refuse_sessions\""), machine.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let before = server.connect(1, 1).await;
    machine.set("memory_used_ratio", 0.95);
    eventually("refused", async || match log_in_with(&server, &[]).await {
        Login::Refused(code, text, _) if code == "53300" && text.contains("condition memory") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    before.simple_query("put a 1").await.expect("a session that was begun goes on");
    let session =
        [("_stationmaster.session", "000000000000000000000000000a11ce"), ("_stationmaster.number", "7")];
    let begun = log_in_with(&server, &session).await;
    assert!(matches!(begun, Login::Welcome(_)), "begun elsewhere: {begun:?}");
    machine.set("memory_used_ratio", 0.5);
    eventually("taken again", async || match log_in_with(&server, &[]).await {
        Login::Welcome(_) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn r51_a_dry_run_refuses_nobody_and_shows_what_it_would_do() {
    let machine = Machine::default();
    let rules = rules(
        "[rule.memory]\nwhat = \"full\"\ndry_run = true\nactions = [\"refuse_sessions\"]\n\
         if = [{ source = \"memory_used_ratio\", above = 0.9 }]",
    );
    let fleet = Fleet::new().watching(rules, machine.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    machine.set("memory_used_ratio", 0.95);
    raised(&server, &["memory"]).await;
    let told = server.watching().await.conditions.remove(0);
    assert_eq!((told.dry_run, told.actions), (true, vec!["refuse_sessions".to_owned()]));
    assert_eq!(told.evidence, "memory_used_ratio 0.950 above 0.900");
    for _ in 0..20 {
        server.connect(1, 1).await.simple_query("get a").await.expect("served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r51_the_statement_that_ran_for_longest_is_cancelled() {
    let machine = Machine::default();
    let fleet = Fleet::new().watching(on_memory("\"cancel_worst\""), machine.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (spins, short) = (server.connect(1, 1).await, server.connect(1, 1).await);
    let spinning = tokio::spawn(async move { (spins.simple_query("spin").await, spins) });
    machine.set("memory_used_ratio", 0.95);
    let (result, client) = spinning.await.expect("no panic");
    assert_eq!(code(&result.expect_err("cancelled")), "53000");
    client.simple_query("get a").await.expect("its session lives on");
    short.simple_query("get a").await.expect("nothing short is cancelled");
}

/// Counts how often it is asked for a checkpoint.
struct Counting(Arc<AtomicUsize>);

impl Engine for Counting {
    fn create_image(&self, path: &Path) -> Result<(), EngineError> {
        Toy.create_image(path)
    }

    fn open(&self, path: &Path, limits: &Limits) -> Result<Arc<dyn Database>, EngineError> {
        Ok(Arc::new(Counted(Toy.open(path, limits)?, self.0.clone())))
    }
}

struct Counted(Arc<dyn Database>, Arc<AtomicUsize>);

impl Database for Counted {
    fn session(&self, start: SessionStart) -> Result<Box<dyn Session>, EngineError> {
        self.0.session(start)
    }
    fn writer_queue(&self) -> &WriterQueue {
        self.0.writer_queue()
    }
    fn committed(&self) -> CommitSeq {
        self.0.committed()
    }
    fn take(&self) -> Result<Option<Capture>, EngineError> {
        self.0.take()
    }
    fn untaken_bytes(&self) -> u64 {
        self.0.untaken_bytes()
    }
    fn checkpoint(&self) -> Result<Checkpoint, EngineError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.checkpoint()
    }
    fn log_bytes(&self) -> u64 {
        1
    }
    fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError> {
        self.0.write_image(path)
    }
    fn close(&self) -> Result<(), EngineError> {
        self.0.close()
    }
}

#[tokio::test]
async fn r51_logs_are_folded_when_the_disk_is_nearly_full() {
    let (machine, folded) = (Machine::default(), Arc::new(AtomicUsize::new(0)));
    let rules = rules(
        "[rule.disk]\nactions = [\"checkpoint\"]\nif = [{ source = \"data_disk_used_ratio\", above = 0.9 }]",
    );
    let fleet = Fleet { engine: Arc::new(Counting(folded.clone())), ..Fleet::new() };
    let fleet = fleet.watching(rules, machine.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    assert_eq!(folded.load(Ordering::SeqCst), 0);
    machine.set("data_disk_used_ratio", 0.97);
    eventually("folded", async || match folded.load(Ordering::SeqCst) {
        0 => Err(0),
        _ => Ok(()),
    })
    .await;
    client.simple_query("get a").await.expect("served");
}

#[tokio::test]
async fn r42_operators_change_the_filter_while_it_works() {
    let machine = Machine::default();
    let fleet = Fleet::new().watching(on_memory(""), machine.clone());
    let server = fleet.start("s1").await;
    machine.set("memory_used_ratio", 0.95);
    raised(&server, &["memory"]).await;
    let now = server.set_filter("cpu_used_ratio, errors.*").await.expect("a filter");
    assert_eq!(now.filter, "cpu_used_ratio,errors.*");
    eventually("seen, not passed", async || {
        let later = server.watching().await;
        if later.seen > now.seen + 10 && later.passed == now.passed { Ok(()) } else { Err(later) }
    })
    .await;
    let refused = server.set_filter("everything").await.expect_err("no filter").reason;
    assert!(refused.contains("\"everything\" is no source"), "{refused}");
}

#[tokio::test]
async fn r43_r44_errors_of_statements_raise_a_condition() {
    let rules = rules(
        "[rule.storm]\nif = [{ source = \"errors.42\", take = \"sum\", over_ms = 60000, above = 4 }]\n\
         [rule.here]\nper = \"database\"\nif = [{ source = \"errors.42\", take = \"sum\", over_ms = 60000, above = 4 }]",
    );
    let engine = server::engine::sqlite::SqliteEngine::new(Arc::new(SystemClock::start()), 0);
    let fleet = Fleet { engine: Arc::new(engine), ..Fleet::new() }.watching(rules, Machine::default());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    for _ in 0..4 {
        client.simple_query("select * from nowhere").await.expect_err("there is no such table");
    }
    // Enough looks to have found them.
    let seen = server.watching().await.seen;
    eventually("looked", async || match server.watching().await.seen {
        now if now > seen + 50 => Ok(()),
        now => Err(now),
    })
    .await;
    raised(&server, &[]).await;
    client.simple_query("selec").await.expect_err("no statement");
    raised(&server, &["here", "storm"]).await;
    let told = server.watching().await.conditions;
    assert_eq!((told[0].database, told[1].database), (Some(model::DatabaseId(1)), None));
    let rows = client.simple_query("select 1").await.expect("served");
    assert!(rows.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))));
}

#[tokio::test]
async fn r45_those_inside_are_known_to_be_moved_before_the_doors_close() {
    let fleet = Fleet::new().watching(rules(""), Machine::default());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.batch_execute("begin").await.expect("begun");
    let releasing = async { server.release(1, 1, 60_000).await.expect("released") };
    let inside = async {
        raised(&server, &["failover"]).await;
        client.batch_execute("commit").await.expect("it is still served");
    };
    tokio::join!(releasing, inside);
    raised(&server, &[]).await;
}
