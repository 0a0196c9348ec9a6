//! Where client and server are: far apart, on one machine without a network, and one driver for several applications.

use std::time::{Duration, Instant};

use directive::{
    Action, Outcome, Scope,
    action::{Hold, Information},
};
use driver::{
    Client, Config, Driver, Error,
    pool::{Manager, Pool},
};

use super::{LONG, Server, ask, support::wan, until};

/// One way. A request and its answer take twice as long.
const DELAY: Duration = Duration::from_millis(100);

async fn holds(driver: &Driver, count: usize) {
    until(|| driver.status().directives.in_force.len() == count, || format!("{:?}", driver.status())).await;
}

#[tokio::test]
async fn r56_holds_and_deadlines_are_right_a_tenth_of_a_second_away() {
    let server = Server::plain().await;
    let near = wan::to(server.address, DELAY).await;
    let hosts = format!("host=127.0.0.1 port={} user=alice dbname=shop", near.port());
    let config = Config { call_timeout: LONG, ..hosts.parse().expect("a connection string") };
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    let (began, scope) = (Instant::now(), Scope::server(near.to_string()));
    assert_eq!(ask(&client, "SELECT 1").await.expect("answered"), "ok");
    assert!(began.elapsed() >= DELAY * 2, "it is far away: {:?}", began.elapsed());

    let began = Instant::now();
    let id = server.direct(scope.clone(), 2_000, Action::Hold(Hold { spread_ms: 0 }));
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { lifetime_ms: 2_000 })).await;
    assert!(began.elapsed() >= DELAY * 2, "there and back: {:?}", began.elapsed());
    server.break_all();
    assert_eq!(ask(&client, "SELECT 1").await.expect("it waited"), "ok");
    // It counts from its receipt, which was one way later.
    assert!(began.elapsed() >= Duration::from_millis(2_000), "after {:?}", began.elapsed());
    assert_eq!(server.accepted(), 2);

    let late = ask(&client.within(DELAY), "SELECT 1").await.expect_err("no answer can be here by then");
    assert!(matches!(late, Error::Deadline { .. }), "{late:?}");
    assert_eq!(ask(&client, "SELECT 1").await.expect("with more time there is one"), "ok");
    server.direct(scope, 60_000, Action::Hold(Hold { spread_ms: 0 }));
    holds(&driver, 1).await;
    server.break_all();
    let began = Instant::now();
    let held = ask(&client.within(Duration::from_secs(20)), "SELECT 1").await.expect_err("held");
    assert!(matches!(held, Error::Held { .. }), "{held:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "it did not wait: {:?}", began.elapsed());
}

#[tokio::test]
async fn r57_on_one_machine_a_socket_in_the_file_system_carries_requests_and_directives() {
    let server = Server::plain().await;
    let folder = tempfile::tempdir().expect("a folder");
    server.also_at(&folder.path().join(".s.PGSQL.5432"));
    let hosts = format!("host={} user=alice dbname=shop", folder.path().display());
    let config = Config { call_timeout: LONG, ..hosts.parse().expect("a connection string") };
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    assert_eq!(ask(&client, "SELECT 1").await.expect("answered"), "ok");
    let scope = Scope { server: None, database: Some("shop".into()) };
    let told = Information { topic: "maintenance".into(), text: "at noon".into(), values: [].into() };
    let id = server.direct(scope.clone(), 60_000, Action::Information(told));
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { .. })).await;
    assert_eq!(driver.information()[0].text, "at noon");
    server.direct(scope, 60_000, Action::Hold(Hold { spread_ms: 0 }));
    holds(&driver, 2).await;
    server.break_all();
    let held = ask(&client, "SELECT 1").await.expect_err("held");
    assert!(matches!(held, Error::Held { .. }), "{held:?}");
    assert_eq!(server.accepted(), 1, "nobody connected meanwhile");
}

/// An application that keeps one session and asks one thing after the other.
async fn a_till(client: Client) -> Result<Vec<String>, Error> {
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(ask(&client, "SELECT 1").await?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(answers)
}

/// An application of many tasks that borrow sessions of a pool, each for a transaction.
async fn a_web_shop(pool: Pool) -> Result<usize, Error> {
    let tasks = (0..8).map(|_| {
        let pool = pool.clone();
        async move {
            let mut client = pool.get().await.expect("the pool has room");
            let transaction = client.transaction().await?;
            transaction.execute("UPDATE stock", &[]).await?;
            transaction.commit().await
        }
    });
    Ok(futures::future::try_join_all(tasks).await?.len())
}

#[tokio::test]
async fn r63_two_unrelated_applications_get_over_a_failure_with_the_same_driver() {
    let server = Server::plain().await;
    let config: Config = server.config().parse().expect("a connection string");
    let config = Config { call_timeout: LONG, ..config };
    let (till, shop) = (Driver::new(config.clone()).expect("one"), Driver::new(config).expect("another"));
    let client = till.connect().await.expect("connected");
    let pool = Pool::builder(Manager::new(shop)).max_size(4).build().expect("a pool");
    let working = tokio::spawn(a_till(client));
    assert_eq!(a_web_shop(pool.clone()).await.expect("served"), 8);
    server.break_all();
    assert_eq!(a_web_shop(pool).await.expect("served again, and it noticed nothing"), 8);
    assert_eq!(working.await.expect("no panic").expect("no error"), vec!["ok"; 20]);
}
