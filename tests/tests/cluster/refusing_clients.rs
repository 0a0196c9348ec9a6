//! What clients are refused with, and that it is always PostgreSQL's own code for it.

use std::time::Duration;

use tests::{Cluster, PASSWORD, Session, USER, code, message, until};
use tokio_postgres::NoTls;

#[tokio::test]
async fn an_unknown_database_is_refused_with_its_name_3d000() {
    let cluster = Cluster::shared().await;
    for name in ["nowhere", "db-zzzz"] {
        for handler in 0..2 {
            let refused = cluster.connect(handler, name).await.err().expect("nobody has it");
            assert_eq!(code(&refused), "3D000");
            assert!(message(&refused).contains(name), "{}", message(&refused));
        }
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_42p04() {
    let cluster = Cluster::shared().await;
    cluster.create("taken").await;
    let admin = cluster.session(0, "stationmaster").await;
    let refused = admin.batch_execute("CREATE DATABASE taken").await.expect_err("it is taken");
    assert_eq!(code(&refused), "42P04");
    assert!(message(&refused).contains("taken"), "{}", message(&refused));
    admin.batch_execute("CREATE DATABASE taken_not").await.expect("the session goes on");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same_28p01_r52() {
    let cluster = Cluster::shared().await;
    let refused = async |user: &str, password: &str| {
        let opened = Session::open(cluster.handler_address(0), user, password, "stationmaster").await;
        let error = opened.err().expect("that is not the password");
        (code(&error), message(&error).replace(user, "USER"))
    };
    let wrong_password = refused(USER, "wrong").await;
    assert_eq!(wrong_password.0, "28P01");
    assert_eq!(refused("nobody", PASSWORD).await, wrong_password);
    // Whether the database exists is nothing to tell a stranger.
    let opened = Session::open(cluster.handler_address(0), USER, "wrong", "nowhere").await;
    assert_eq!(code(&opened.err().expect("that is not the password")), "28P01");
}

#[tokio::test]
async fn a_new_password_counts_at_once_at_every_handler() {
    let cluster = Cluster::shared().await;
    let cli = cluster.cli();
    cli.run_with(&["users", "create", "bob", "--password-stdin"], "first\n").ok();
    let login = async |handler: usize, password: &str| {
        Session::open(cluster.handler_address(handler), "bob", password, "stationmaster").await.map(drop)
    };
    until("the user may log in", async || login(0, "first").await.map_err(|error| format!("{error:?}")))
        .await;
    cli.run_with(&["users", "password", "bob", "--password-stdin"], "second\n").ok();
    for handler in 0..2 {
        until("the new password counts", async || {
            login(handler, "second").await.map_err(|error| format!("{error:?}"))
        })
        .await;
        assert_eq!(code(&login(handler, "first").await.expect_err("it was changed")), "28P01");
    }
    cli.run(&["users", "drop", "bob"]).ok();
    until("the user is gone", async || match login(1, "second").await {
        Ok(()) => Err("still let in".to_owned()),
        Err(error) => {
            if code(&error) == "28P01" {
                Ok(())
            } else {
                Err(format!("{error:?}"))
            }
        }
    })
    .await;
}

/// Runs for hours unless somebody interrupts it.
const LONG: &str = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";

#[tokio::test]
async fn a_running_statement_is_cancelled_through_any_handler_57014() {
    let cluster = Cluster::shared().await;
    cluster.create("cancelling").await;
    for through in 0..2 {
        let session = cluster.session(0, "cancelling").await;
        let token = session.cancel_token();
        let running = session.one(LONG);
        let cancel = async {
            // A cancel that comes before the statement has begun does nothing, as with PostgreSQL: ask until it ends.
            loop {
                match through {
                    0 => token.cancel_query(NoTls).await.expect("sent"),
                    other => {
                        let address = cluster.handler_address(other);
                        let stream = tokio::net::TcpStream::connect(address).await.expect("connected");
                        token.cancel_query_raw(stream, NoTls).await.expect("sent");
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let ended = tokio::select! {
            ended = running => ended,
            () = cancel => unreachable!("it never stops asking"),
        };
        assert_eq!(code(&ended.expect_err("cancelled")), "57014");
        until("the session goes on", async || {
            session.one("select 1").await.map(|_| ()).map_err(|error| format!("{error:?}"))
        })
        .await;
    }
}
