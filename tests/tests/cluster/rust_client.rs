//! tokio-postgres against a database: it speaks the extended protocol in binary, and trusts the types it is told (R1, R5).

use futures::{SinkExt, StreamExt, TryStreamExt, future::join_all, pin_mut};
use tests::{Cluster, Session, code};
use tokio_postgres::{Row, types::Type};

async fn database(name: &str) -> Session {
    let cluster = Cluster::shared().await;
    cluster.create(name).await;
    cluster.session(0, name).await
}

#[tokio::test]
async fn values_of_every_common_type_come_back_as_they_went() {
    let session = database("rust_types").await;
    let table = "CREATE TABLE t (id integer PRIMARY KEY, big bigint, small smallint, ratio double precision, \
                 single real, name text, code varchar(9), raw bytea, yes boolean)";
    session.batch_execute(table).await.expect("created");
    let insert =
        session.prepare("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)").await.expect("prepared");
    let expected = [
        Type::INT4,
        Type::INT8,
        Type::INT2,
        Type::FLOAT8,
        Type::FLOAT4,
        Type::TEXT,
        Type::VARCHAR,
        Type::BYTEA,
        Type::BOOL,
    ];
    assert_eq!(insert.params(), expected, "parameters have the types of their columns");
    let raw: Vec<u8> = (0..=255).collect();
    let count = session
        .execute(&insert, &[&1i32, &i64::MAX, &i16::MIN, &0.1f64, &1.5f32, &"Grüße", &"abc", &raw, &true])
        .await
        .expect("inserted");
    assert_eq!(count, 1);
    let (long, short, double, single) = (None::<i64>, None::<i16>, None::<f64>, None::<f32>);
    let (text, bytes, truth) = (None::<&str>, None::<&[u8]>, None::<bool>);
    session
        .execute(&insert, &[&2i32, &long, &short, &double, &single, &text, &text, &bytes, &truth])
        .await
        .expect("inserted");
    let rows = session.query("SELECT * FROM t ORDER BY id", &[]).await.expect("read");
    let full: (i64, i16, f64, f32) = (rows[0].get("big"), rows[0].get(2), rows[0].get(3), rows[0].get(4));
    assert_eq!(full, (i64::MAX, i16::MIN, 0.1, 1.5));
    let texts: (&str, &str, &[u8], bool) = (rows[0].get(5), rows[0].get(6), rows[0].get(7), rows[0].get(8));
    assert_eq!(texts, ("Grüße", "abc", &raw[..], true));
    let is_null = |column: usize| rows[1].get::<_, Option<&str>>(column).is_none();
    assert!(is_null(5) && is_null(6) && rows[1].get::<_, Option<i64>>(1).is_none());
}

#[tokio::test]
async fn expressions_have_types_that_a_client_can_read() {
    let session = database("rust_expressions").await;
    session
        .batch_execute("CREATE TABLE t (n integer, x text); INSERT INTO t VALUES (1, 'a'), (2, NULL)")
        .await
        .expect("done");
    let one = async |sql: &str| -> Row {
        session.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    assert_eq!(one("SELECT 1").await.get::<_, i32>(0), 1);
    assert_eq!(one("SELECT count(*) FROM t").await.get::<_, i64>(0), 2);
    assert_eq!(one("SELECT sum(n) FROM t").await.get::<_, i64>(0), 3);
    assert_eq!(one("SELECT max(n) FROM t").await.get::<_, i32>(0), 2);
    assert_eq!(one("SELECT 'a' || 'b'").await.get::<_, String>(0), "ab");
    assert_eq!(one("SELECT n + 1 FROM t WHERE n = 1").await.get::<_, i32>(0), 2);
    assert!(one("SELECT n = 1 FROM t WHERE n = 1").await.get::<_, bool>(0));
    assert!(one("SELECT x IS NULL FROM t WHERE n = 2").await.get::<_, bool>(0));
    assert!(one("SELECT EXISTS (SELECT 1 FROM t)").await.get::<_, bool>(0));
    let typed =
        session.query_one("SELECT $1::int + $2::int", &[&40i32, &2i32]).await.expect("typed by the casts");
    assert_eq!(typed.get::<_, i32>(0), 42);
    let compared =
        session.query("SELECT x FROM t WHERE n = $1", &[&1i32]).await.expect("typed by the column");
    assert_eq!(compared[0].get::<_, String>(0), "a");
    let limited =
        session.query("SELECT n FROM t ORDER BY n LIMIT $1", &[&1i64]).await.expect("a limit is a bigint");
    assert_eq!(limited.len(), 1);
}

#[tokio::test]
async fn transactions_savepoints_and_portals_work() {
    let cluster = Cluster::shared().await;
    cluster.create("rust_transactions").await;
    let mut config = tokio_postgres::Config::new();
    let address = cluster.handler_address(0);
    config.host(address.ip().to_string()).port(address.port()).dbname("rust_transactions");
    config.user(tests::USER).password(tests::PASSWORD);
    let (mut client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE t (n integer NOT NULL)").await.expect("created");
    let mut transaction = client.transaction().await.expect("begun");
    transaction.execute("INSERT INTO t SELECT 1", &[]).await.expect("inserted");
    {
        let savepoint = transaction.savepoint("here").await.expect("saved");
        let broken = savepoint.execute("INSERT INTO t VALUES (NULL)", &[]).await.expect_err("not null");
        assert_eq!(code(&broken), "23502");
        let aborted = savepoint.execute("INSERT INTO t VALUES (2)", &[]).await.expect_err("it has failed");
        assert_eq!(code(&aborted), "25P02");
        savepoint.rollback().await.expect("rolled back");
    }
    transaction
        .batch_execute("INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) SELECT n FROM c")
        .await
        .expect("filled");
    let statement = transaction.prepare("SELECT n FROM t ORDER BY n").await.expect("prepared");
    let portal = transaction.bind(&statement, &[]).await.expect("bound");
    let mut seen = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 300).await.expect("fetched");
        if rows.is_empty() {
            break;
        }
        assert!(rows.len() <= 300);
        seen.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    assert_eq!(seen, (1..=1000).collect::<Vec<i32>>());
    transaction.commit().await.expect("committed");
    let transaction = client.transaction().await.expect("begun");
    transaction.execute("DELETE FROM t", &[]).await.expect("deleted");
    transaction.rollback().await.expect("rolled back");
    let left: i64 = client.query_one("SELECT count(*) FROM t", &[]).await.expect("read").get(0);
    assert_eq!(left, 1000);
    drop(client);
    connection.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn a_script_is_one_transaction_and_an_error_undoes_all_of_it() {
    let session = database("rust_scripts").await;
    session.batch_execute("CREATE TABLE t (n integer PRIMARY KEY)").await.expect("created");
    let script = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)";
    assert_eq!(code(&session.batch_execute(script).await.expect_err("a key twice")), "23505");
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("read"), "0");
    session
        .batch_execute("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (1)")
        .await
        .expect_err("a key twice");
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("read"), "1", "what was committed stays");
}

#[tokio::test]
async fn a_hundred_requests_in_one_pipeline_are_answered_in_order() {
    let session = database("rust_pipelines").await;
    let statement = session.prepare("SELECT $1::int * 2").await.expect("prepared");
    let answers = join_all((0..100i32).map(async |n| {
        let row = session.query_one(&statement, &[&n]).await.expect("answered");
        row.get::<_, i32>(0)
    }));
    assert_eq!(answers.await, (0..100).map(|n| n * 2).collect::<Vec<i32>>());
}

#[tokio::test]
async fn rows_are_copied_in_and_out() {
    let session = database("rust_copies").await;
    session.batch_execute("CREATE TABLE t (n integer, x text)").await.expect("created");
    let sink = session.copy_in("COPY t FROM STDIN").await.expect("it takes rows");
    pin_mut!(sink);
    let rows: String = (0..5_000).map(|n| format!("{n}\tline {n}\n")).collect();
    for part in rows.as_bytes().chunks(7_000) {
        sink.send(bytes::Bytes::copy_from_slice(part)).await.expect("taken");
    }
    assert_eq!(sink.finish().await.expect("done"), 5_000);
    let out =
        session.copy_out("COPY (SELECT n, x FROM t ORDER BY n) TO STDOUT").await.expect("it gives rows");
    let parts: Vec<bytes::Bytes> = out.try_collect().await.expect("given");
    assert_eq!(String::from_utf8_lossy(&parts.concat()), rows);
    // A client that gives up in the middle leaves nothing behind.
    {
        let sink = session.copy_in("COPY t FROM STDIN").await.expect("it takes rows");
        pin_mut!(sink);
        sink.send(bytes::Bytes::from_static(b"1\tx\n")).await.expect("taken");
    }
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("the session goes on"), "5000");
}

#[tokio::test]
async fn a_large_result_streams_in_bounded_memory_r5() {
    let session = database("rust_streams").await;
    let cluster = Cluster::shared().await;
    let before: u64 = cluster.processes().map(tests::Process::memory).sum();
    let sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000) \
               SELECT n, printf('%010000d', n) FROM c";
    let none: [i32; 0] = [];
    let rows = session.query_raw(sql, none).await.expect("running");
    pin_mut!(rows);
    let mut count = 0;
    let mut most = 0;
    while let Some(row) = rows.next().await {
        let row = row.expect("a row");
        assert_eq!(row.get::<_, &str>(1).len(), 10_000);
        count += 1;
        if count % 1_000 == 0 {
            most = most.max(cluster.processes().map(tests::Process::memory).sum());
        }
    }
    assert_eq!(count, 10_000);
    let grown = most.saturating_sub(before);
    assert!(grown < 60 << 20, "100 MB of rows took {grown} bytes of memory");
}
