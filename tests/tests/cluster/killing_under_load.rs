//! Clients at work while servers are killed: they see a wait, and nothing else (R18, R21, R28, S1, S2, claims 5, 15).
//!
//! Rows have no key, so that one that is inserted twice is there twice. The load runs for some seconds; with
//! `STATIONMASTER_LOAD_SECONDS=120` as long as anybody likes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tests::{Cluster, Session, code};
use tokio::{sync::watch, time::sleep};

const CLIENTS: usize = 32;
const DATABASES: usize = 4;
const ACCOUNTS: usize = 20;
const PUT_IN: i64 = 1000;

/// How long the load runs.
fn duration() -> Duration {
    let seconds = std::env::var("STATIONMASTER_LOAD_SECONDS").ok();
    Duration::from_secs(seconds.map_or(15, |text| text.parse().expect("a number of seconds")))
}

/// Kills one server after the other, those that own something first, until told to stop. Gives the number of kills.
async fn kill_in_turn(cluster: &Cluster, stop: watch::Sender<bool>) -> usize {
    let end = Instant::now() + duration();
    let mut kills = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(1500)).await;
        let owner = cluster.owner(&name(kills % DATABASES)).await;
        let victim = &cluster.servers[owner.unwrap_or(kills % cluster.servers.len())];
        victim.kill();
        kills += 1;
        sleep(Duration::from_millis(1000)).await;
        victim.start();
        victim.ready().await;
    }
    stop.send_replace(true);
    kills
}

fn name(database: usize) -> String {
    format!("load_{database}")
}

/// How often something is there.
type Counts = BTreeMap<(usize, usize), u64>;

/// What differs between what was acknowledged and what is there.
fn differences(acknowledged: &Counts, there: &Counts) -> Vec<String> {
    let lost =
        acknowledged.keys().filter(|row| !there.contains_key(*row)).map(|row| format!("{row:?} is lost"));
    let wrong = there.iter().filter_map(|(row, count)| match acknowledged.get(row) {
        None => Some(format!("{row:?} was never acknowledged")),
        Some(_) if *count != 1 => Some(format!("{row:?} is there {count} times")),
        Some(_) => None,
    });
    lost.chain(wrong).collect()
}

/// Sorted latencies in words.
fn latencies(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    format!(
        "{} requests, p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
        took.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

/// One insert, in one of the ways that clients have.
async fn insert(session: &Session, client: usize, n: usize) -> Result<(), tokio_postgres::Error> {
    match client % 3 {
        0 => session.batch_execute(&format!("INSERT INTO t VALUES ({client}, {n})")).await,
        1 => {
            let (a, b) = (client as i64, n as i64);
            let row = session.query_one("INSERT INTO t VALUES ($1, $2) RETURNING n", &[&a, &b]).await?;
            assert_eq!(row.get::<_, i64>(0), b, "the answer is the request's own");
            Ok(())
        }
        _ => {
            let sql =
                format!("INSERT INTO t VALUES ({client}, {n}); SELECT max(n) FROM t WHERE client = {client}");
            session.simple_query(&sql).await.map(drop)
        }
    }
}

async fn rows(session: &Session) -> Counts {
    let rows =
        session.query("SELECT client, n, count(*) FROM t GROUP BY client, n", &[]).await.expect("read");
    let number =
        |row: &tokio_postgres::Row, at: usize| usize::try_from(row.get::<_, i64>(at)).expect("a count");
    rows.iter().map(|row| ((number(row, 0), number(row, 1)), number(row, 2) as u64)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_killed_servers_see_no_error_and_every_acknowledged_row_is_there_once_r18_r28_s2() {
    let cluster = Cluster::builder().start().await;
    for database in 0..DATABASES {
        cluster.create(&name(database)).await;
        let session = cluster.session(0, &name(database)).await;
        session.batch_execute("CREATE TABLE t (client bigint, n bigint)").await.expect("created");
    }
    let (stop, stopped) = watch::channel(false);
    let clients = (0..CLIENTS).map(async |client| {
        let session = cluster.session(client % 2, &name(client % DATABASES)).await;
        let (mut took, mut errors) = (Vec::new(), Vec::new());
        while !*stopped.borrow() {
            let begun = Instant::now();
            match insert(&session, client, took.len()).await {
                Ok(()) => took.push(begun.elapsed()),
                Err(error) => {
                    errors.push(format!("client {client}, row {}: {error:?}", took.len()));
                    break;
                }
            }
        }
        (client, took, errors)
    });
    let (done, kills) = tokio::join!(join_all(clients), kill_in_turn(&cluster, stop));

    let errors: Vec<_> = done.iter().flat_map(|(_, _, errors)| errors).collect();
    assert!(errors.is_empty(), "{} errors in {kills} kills: {errors:#?}", errors.len());
    let mut there = Counts::new();
    for database in 0..DATABASES {
        there.extend(rows(&cluster.session(1, &name(database)).await).await);
    }
    let acknowledged: Counts =
        done.iter().flat_map(|(client, took, _)| (0..took.len()).map(|n| ((*client, n), 1))).collect();
    let wrong = differences(&acknowledged, &there);
    assert!(wrong.is_empty(), "{} rows are wrong after {kills} kills: {wrong:?}", wrong.len());
    let cut = cluster.metric(&cluster.handlers, "stationmaster_handler_backends_lost_total").await;
    assert!(kills > 0 && cut > 0.0, "{kills} kills cut {cut} sessions: nothing was shown");
    let took: Vec<_> = done.into_iter().flat_map(|(_, took, _)| took).collect();
    println!("{kills} kills cut {cut} sessions; 0 errors; {}", latencies(took));
}

/// Moves money, with its own name in the books, until it is done; gives how often it had to begin again.
async fn transfer(session: &Session, client: usize, n: usize) -> Result<usize, tokio_postgres::Error> {
    let (from, to) = ((client * 7 + n) % ACCOUNTS, (client * 3 + n * 5 + 1) % ACCOUNTS);
    let steps = [
        "BEGIN".to_owned(),
        format!("UPDATE accounts SET balance = balance - 1 WHERE id = {from}"),
        format!("UPDATE accounts SET balance = balance + 1 WHERE id = {to}"),
        format!("INSERT INTO t VALUES ({client}, {n})"),
        "COMMIT".to_owned(),
    ];
    let mut again = 0;
    'begin: loop {
        for step in &steps {
            match session.batch_execute(step).await {
                Ok(()) => {}
                Err(error) if code(&error) == "40001" => {
                    session.batch_execute("ROLLBACK").await?;
                    again += 1;
                    continue 'begin;
                }
                Err(error) => return Err(error),
            }
        }
        return Ok(again);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_retried_on_40001_alone_keep_the_sum_while_servers_are_killed_s2() {
    let cluster = Cluster::builder().start().await;
    for database in 0..DATABASES {
        cluster.create(&name(database)).await;
        let session = cluster.session(0, &name(database)).await;
        let mut script = String::from(
            "CREATE TABLE t (client bigint, n bigint); CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint)",
        );
        for id in 0..ACCOUNTS {
            script += &format!("; INSERT INTO accounts VALUES ({id}, {PUT_IN})");
        }
        session.batch_execute(&script).await.expect("created");
    }
    let (stop, stopped) = watch::channel(false);
    let clients = (0..CLIENTS / 2).map(async |client| {
        let session = cluster.session(client % 2, &name(client % DATABASES)).await;
        let (mut done, mut again, mut error) = (0, 0, None);
        while !*stopped.borrow() && error.is_none() {
            match transfer(&session, client, done).await {
                Ok(retries) => (done, again) = (done + 1, again + retries),
                Err(failed) => error = Some(format!("client {client}, transfer {done}: {failed:?}")),
            }
        }
        (client, done, again, error)
    });
    let (done, kills) = tokio::join!(join_all(clients), kill_in_turn(&cluster, stop));

    let errors: Vec<_> = done.iter().filter_map(|(_, _, _, error)| error.as_ref()).collect();
    assert!(errors.is_empty(), "{} errors in {kills} kills: {errors:#?}", errors.len());
    let mut there = Counts::new();
    for database in 0..DATABASES {
        let session = cluster.session(1, &name(database)).await;
        let sum = session.one("SELECT sum(balance) FROM accounts").await.expect("read");
        assert_eq!(sum, (ACCOUNTS as i64 * PUT_IN).to_string(), "money came or went in {}", name(database));
        there.extend(rows(&session).await);
    }
    let booked: Counts =
        done.iter().flat_map(|(client, done, ..)| (0..*done).map(|n| ((*client, n), 1))).collect();
    let wrong = differences(&booked, &there);
    assert!(wrong.is_empty(), "{} transfers are wrong after {kills} kills: {wrong:?}", wrong.len());
    let again: usize = done.iter().map(|(_, _, again, _)| again).sum();
    println!("{kills} kills; {} transfers, {again} begun again; the sums hold", booked.len());
    assert!(kills > 0 && again > 0, "{kills} kills, {again} retries: nothing was shown");
}

#[test]
fn lost_doubled_and_invented_rows_are_told_apart() {
    let acknowledged = Counts::from([((1, 0), 1), ((1, 1), 1), ((1, 2), 1)]);
    assert!(differences(&acknowledged, &acknowledged).is_empty());
    let there = Counts::from([((1, 0), 1), ((1, 1), 2), ((9, 9), 1)]);
    assert_eq!(
        differences(&acknowledged, &there),
        ["(1, 2) is lost", "(1, 1) is there 2 times", "(9, 9) was never acknowledged"]
    );
}
