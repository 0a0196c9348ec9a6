//! Those who cache the map hear of its changes, in order, once, and never go back (C16).

use std::time::Duration;

use model::{
    Command, Entry, FleetId, Incarnation, Name, Registration, Revision, ServerId, Tenure, TimestampMs,
};
use rpc::controller::{ControllerApiClient, Operation, Watched, WatchedChange, WatchedChanges};

use crate::{
    fleet::{Fleet, eventually},
    server::Server,
};

async fn watch(client: &ControllerApiClient, since: Revision, wait_ms: u32) -> Watched {
    client.watch(rpc::context(), since, wait_ms).await.expect("it answers")
}

fn names(watched: &Watched) -> Vec<String> {
    let WatchedChanges::Since(changes) = &watched.changes else { panic!("a reset: {watched:?}") };
    let name = |change: &WatchedChange| match change {
        WatchedChange::Database(info) => info.name.to_string(),
        WatchedChange::DatabaseDropped(id) => format!("-{id}"),
        WatchedChange::Server { server, state, .. } => format!("server {server} {state:?}"),
        WatchedChange::Handler(handler) => handler.name.to_string(),
        WatchedChange::User(name) => format!("user {name}"),
        WatchedChange::Directives => "directives".into(),
    };
    changes.iter().map(name).collect()
}

#[tokio::test]
async fn a_watcher_hears_of_a_change_as_soon_as_it_happens() {
    let fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let follower = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    let client = fleet.raw(follower).await;
    let start = watch(&client, Revision(0), 0).await;
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { watch(&client, start.revision, 20_000).await })
    };
    let made = fleet.create("shop").await.expect("a free name");
    let told = waiting.await.expect("no panic");
    assert_eq!(names(&told), ["shop"]);
    assert!(told.revision >= made.revision);
    assert_eq!(names(&watch(&client, told.revision, 0).await), [""; 0], "told once");
}

#[tokio::test]
async fn several_changes_of_one_thing_are_told_once_as_it_is_now() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let client = fleet.raw(1).await;
    let since = watch(&client, Revision(0), 0).await.revision;
    let shop = fleet.create("shop").await.expect("a free name").database;
    fleet.create("other").await.expect("a free name");
    let rename =
        Operation::RenameDatabase { database: rpc::controller::DatabaseRef::Id(shop), name: "store".into() };
    fleet.operate(rename).await.expect("a free name");
    let user = Operation::PutUser { name: "ada".into(), verifier: "SCRAM-SHA-256$…".into() };
    fleet.operate(user).await.expect("a new user");
    assert_eq!(names(&watch(&client, since, 0).await), ["other", "store", "user ada"]);
    assert_eq!(client.users(rpc::context()).await.expect("it answers"), [Name::new("ada").expect("a name")]);
}

#[tokio::test]
async fn a_server_that_dies_is_one_change_however_much_it_owned() {
    let fleet = Fleet::tuned(1, |settings| settings.lease = Duration::from_secs(1));
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    for number in 0..50 {
        fleet.create(&format!("db{number}")).await.expect("a free name");
    }
    let client = fleet.raw(1).await;
    let since = watch(&client, Revision(0), 0).await.revision;
    server.kill().await;
    let told = eventually("the news", || async {
        let told = watch(&client, since, 5_000).await;
        (!names(&told).is_empty()).then_some(told)
    })
    .await;
    assert_eq!(names(&told), ["server 1 Down"]);
}

/// Ten thousand databases of one server: its end is one entry and one change of some bytes, and every watcher has it
/// with the next answer.
#[tokio::test]
async fn ten_thousand_databases_expire_as_one_change_of_a_few_bytes() {
    let mut fleet = Fleet::stopped(1, |settings| settings.lease = Duration::from_secs(1));
    controller::seed(&fleet.settings(1), crowded("s1", 1, 10_000)).await.expect("an empty directory");
    fleet.run(1);
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let client = fleet.raw(1).await;
    let mut since = watch(&client, Revision(0), 0).await.revision;
    server.kill().await;
    let began = tokio::time::Instant::now();
    // What the leader records about itself comes in between.
    let (told, took) = loop {
        let told = watch(&client, since, 5_000).await;
        if !names(&told).is_empty() {
            break (told, began.elapsed());
        }
        since = told.revision;
        assert!(began.elapsed() < Duration::from_secs(30), "nobody was told");
    };
    assert_eq!(names(&told), ["server 1 Down"]);
    let bytes = bincode::serialize(&told).expect("in memory").len();
    println!("told {took:?} after the server's end, in {bytes} bytes");
    assert!(bytes < 64, "{bytes} bytes");
    let page = client.databases(rpc::context(), None, 10_000).await.expect("it answers");
    assert_eq!((page.databases.len(), page.total), (10_000, 10_000));
    assert!(page.databases.iter().all(|info| info.owner.is_none()), "all count as unassigned");
    assert_eq!(names(&watch(&client, told.revision, 0).await), [""; 0], "and nothing comes after it");
}

/// A map in which a server, as [`Server::start`] makes it, has so many databases.
fn crowded(server: &str, incarnation: u64, databases: u64) -> model::Fleet {
    let mut fleet = model::Fleet::default();
    let mut apply = |command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(0), command)).expect("a good history");
    };
    let registration = Registration {
        name: Name::new(server).expect("a name"),
        data_address: format!("{server}:1"),
        control_address: format!("{server}:2"),
        location: String::new(),
        capacity: 1,
    };
    let incarnation = Incarnation(incarnation);
    apply(Command::Found { fleet: FleetId(7) });
    apply(Command::RegisterServer { registration, supersedes: None, incarnation });
    let owner = Some(Tenure { server: ServerId(1), incarnation });
    for number in 0..databases {
        let name = Name::new(&format!("db{number}")).expect("a name");
        apply(Command::CreateDatabase { name, owner, key: None });
    }
    fleet
}

#[tokio::test]
async fn a_watcher_that_is_ahead_of_a_controller_is_not_taken_back() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let client = fleet.raw(1).await;
    let ahead = Revision(1_000_000);
    let told = watch(&client, ahead, 50).await;
    assert_eq!(told.revision, ahead);
    assert_eq!(names(&told), [""; 0]);
}

#[tokio::test]
async fn a_long_list_of_changes_comes_in_bounded_pieces() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let client = fleet.raw(1).await;
    let since = watch(&client, Revision(0), 0).await.revision;
    let many = 5_000;
    let creates = (0..many).map(|number| {
        let create = Operation::CreateDatabase { name: format!("db{number}"), key: fleet.key() };
        let client = client.clone();
        async move { client.operate(rpc::context(), model::RequestId(1), create).await }
    });
    for made in futures::future::join_all(creates).await {
        made.expect("it answers").expect("a free name");
    }
    let first = watch(&client, since, 0).await;
    let second = watch(&client, first.revision, 0).await;
    assert!(names(&first).len() < many && !names(&second).is_empty());
    assert_eq!(names(&first).len() + names(&second).len(), many);
}
