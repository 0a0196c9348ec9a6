//! Copies of databases: made by servers, finished by whoever leads, usable once they are made.

use futures::future::join;
use model::{DatabaseId, Fork, ForkPoint};
use rpc::{
    controller::{DatabaseRef, Operation},
    server::ServerRefusal,
};

use crate::{
    fleet::{Fleet, eventually, route},
    server::{Held, Server},
};

fn copy(fleet: &Fleet, name: &str, at: ForkPoint) -> Operation {
    let database = DatabaseRef::Name("shop".into());
    Operation::ForkDatabase { database, name: name.into(), at, key: fleet.key() }
}

fn unable() -> ServerRefusal {
    ServerRefusal::Failed { database: DatabaseId(2), reason: "the disk is on fire".into() }
}

#[tokio::test]
async fn a_copy_is_routed_to_once_a_server_has_made_it() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let parent = fleet.create("shop").await.expect("a free name").database;
    server.shared.hold(Held::Forks);
    let meanwhile = async {
        let asked = || async { server.shared.forks().first().copied() };
        let (child, fork) = eventually("a server to be asked", asked).await;
        assert_eq!(fork, Fork { parent, at: ForkPoint::Newest });
        let drop = Operation::DropDatabase { database: DatabaseRef::Id(parent) };
        let refused = fleet.operate(drop).await.expect_err("it is being copied").to_string();
        assert!(refused.contains(&format!("{parent} is being copied to {child}")), "{refused}");
        let client = fleet.client();
        let early = route(&client, "copy", None).await.expect_err("not within the time there is").to_string();
        assert!(early.contains("still being made"), "{early}");
        server.shared.hold(Held::Nothing);
        route(&client, "copy", None).await.expect("it waits until the copy is made")
    };
    let (made, route) = join(fleet.operate(copy(&fleet, "copy", ForkPoint::Newest)), meanwhile).await;
    let made = made.expect("made").database.expect("it is there");
    assert_eq!(made.database, route.database);
    assert_eq!(server.shared.loads(), [(route.database, route.epoch)], "loaded after it was made");
}

#[tokio::test]
async fn a_copy_repeated_with_its_key_is_one_copy_and_a_new_leader_finishes_it_c17() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    server.shared.hold(Held::Forks);
    let operation = copy(&fleet, "copy", ForkPoint::Position(7));
    let client = fleet.client();
    let asked = tokio::spawn({
        let operation = operation.clone();
        async move { client.operate(model::RequestId(1), operation).await }
    });
    eventually("a server to be asked", || async { server.shared.forks().first().copied() }).await;
    fleet.kill(leader);
    let again = || async { (server.shared.forks().len() >= 2).then_some(()) };
    eventually("the next leader to ask again", again).await;
    server.shared.hold(Held::Nothing);
    let first = asked.await.expect("no panic").expect("made").database.expect("it is there");
    let second = fleet.operate(operation).await.expect("made already").database.expect("it is there");
    assert_eq!(first.database, second.database);
    let asked = server.shared.forks();
    assert!(asked.iter().all(|fork| *fork == asked[0]), "{asked:?}");
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_in_words_and_leaves_nothing() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let reason = "db-1 cannot be restored to position 9".to_string();
    server.shared.refuse_forks(ServerRefusal::CannotFork { reason });
    let refused = fleet.operate(copy(&fleet, "copy", ForkPoint::Position(9))).await.expect_err("it cannot");
    let said = refused.to_string();
    assert!(said.contains("could not be made") && said.contains("restored to position 9"), "{said}");
    let purged = || async { (server.shared.purged().len() == 1).then_some(()) };
    eventually("what is left of it to be purged", purged).await;
    fleet.create("copy").await.expect("the name is free again");
    let drop = Operation::DropDatabase { database: DatabaseRef::Name("shop".into()) };
    fleet.operate(drop).await.expect("nobody copies it any more");
}

#[tokio::test]
async fn a_copy_that_one_server_cannot_make_is_made_by_another() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let servers = [Server::start(&fleet, "s1", 1).await, Server::start(&fleet, "s2", 2).await];
    servers[0].shared.refuse_forks(unable());
    fleet.create("shop").await.expect("a free name");
    for number in 0..2 {
        let made = fleet.operate(copy(&fleet, &format!("copy{number}"), ForkPoint::Newest)).await;
        made.expect("made in the end");
    }
    assert!(!servers[0].shared.forks().is_empty(), "servers take turns");
}

#[tokio::test]
async fn without_a_server_a_copy_waits_and_can_be_dropped() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    fleet.create("shop").await.expect("a free name");
    let late = fleet.operate(copy(&fleet, "copy", ForkPoint::Newest)).await.expect_err("nobody makes it");
    assert!(late.to_string().contains("still being made"), "{late}");
    let drop = Operation::DropDatabase { database: DatabaseRef::Name("copy".into()) };
    fleet.operate(drop).await.expect("dropped");
    let drop = Operation::DropDatabase { database: DatabaseRef::Name("shop".into()) };
    fleet.operate(drop).await.expect("nobody copies it any more");
}
