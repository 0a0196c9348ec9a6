//! Ordinary sessions (R1, R4, R5, R9, R14).

use wire::frontend::{self, Target};

use super::{
    Fleet, Raw, Until,
    client::{ask, code},
    connect,
    fleet::until,
};

#[tokio::test]
async fn a_driver_works_through_the_handler_by_name_and_by_id() {
    let fleet = Fleet::start(1).await;
    for database in ["shop", "db-1"] {
        let client = connect(&fleet, "h1:1", database).await.expect("connected");
        assert_eq!(ask(&client, "select server").await, "s1");
        let statement = client.prepare("select hello").within("prepared").await.expect("prepared");
        let row = client.query_one(&statement, &[]).within("queried").await.expect("a row");
        assert_eq!(row.get::<_, String>(0), "select hello");
    }
    let started = fleet.servers[0].started.lock().expect("no panics").clone();
    let parameter = |name: &str| started[0].get(name).cloned().unwrap_or_default();
    assert_eq!(parameter("database"), "db-1");
    assert_eq!(parameter(rpc::session::PARAM_USER), "ann");
    assert_eq!(parameter(rpc::session::PARAM_NAME), "shop");
    assert_eq!(parameter("client_encoding"), "UTF8", "the client's own parameters go on");
}

#[tokio::test]
async fn an_unknown_database_is_named() {
    let fleet = Fleet::start(1).await;
    for database in ["nowhere", "db-77"] {
        let error = connect(&fleet, "h1:1", database).await.expect_err("refused");
        assert_eq!(code(&error), "3D000");
        assert!(error.as_db_error().expect("told").message().contains(database), "{error:?}");
    }
}

#[tokio::test]
async fn without_a_server_the_client_is_told_what_is_missing() {
    let fleet = Fleet::start(0).await;
    let error = connect(&fleet, "h1:1", "shop").await.expect_err("refused");
    assert_eq!(code(&error), "57P03");
    let told = error.as_db_error().expect("told");
    assert!(told.detail().expect("a detail").contains("none is up"), "{told:?}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.query("select a").query("bad").query("select b");
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.extend(raw.answer().await);
    }
    let expected =
        ["T", "select a", "SELECT 1", "Z I", "ERROR 42601", "Z I", "T", "select b", "SELECT 1", "Z I"];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn answers_far_larger_than_any_buffer_stream_through() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select big 5000000").await.len(), 5_000_000);
}

#[tokio::test]
async fn requests_far_larger_than_any_buffer_stream_through() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    let long = format!("select {}", "y".repeat(3_000_000));
    assert_eq!(ask(&client, &long).await.len(), long.len());
}

#[tokio::test]
async fn copy_goes_through_by_either_protocol() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.query("copy");
    assert_eq!(raw.frame().await.expect("an answer").0, b'G');
    frontend::copy_data(raw.out(), &[b'x'; 200_000]).expect("short");
    frontend::copy_done(raw.out());
    assert_eq!(raw.answer().await, ["COPY 200000", "Z I"]);

    frontend::parse(raw.out(), "", "copy", &[]).expect("short");
    frontend::bind(raw.out(), "", "", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
    for tag in [b'1', b'2', b'G'] {
        assert_eq!(raw.frame().await.expect("an answer").0, tag);
    }
    frontend::copy_data(raw.out(), b"abc").expect("short");
    frontend::copy_done(raw.out());
    frontend::sync(raw.out());
    assert_eq!(raw.answer().await, ["COPY 3", "Z I"]);
    assert_eq!(raw.ask("select after").await, ["T", "select after", "SELECT 1", "Z I"]);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_server_session_along() {
    let fleet = Fleet::start(1).await;
    let mut polite = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    let rude = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    assert_eq!(*fleet.servers[0].sessions.borrow(), 2);
    frontend::terminate(polite.out());
    assert_eq!(polite.frame().await, None);
    drop(rude);
    until("both sessions end", || *fleet.servers[0].sessions.borrow() == 0).await;
}

#[tokio::test]
async fn a_slow_reader_stops_its_own_session_only() {
    let fleet = Fleet::start(1).await;
    let mut slow = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    slow.query("select big 3000000");
    slow.link.flush().await.expect("sent");
    let other = connect(&fleet, "h1:1", "shop").await.expect("connected");
    for _ in 0..100 {
        assert_eq!(ask(&other, "select server").await, "s1");
    }
    let answer = slow.answer().await;
    assert_eq!(answer[1].len(), 3_000_000);
}

#[tokio::test]
async fn statements_of_the_unnamed_kind_and_portals_are_the_servers_business() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    frontend::parse(raw.out(), "", "select x", &[]).expect("short");
    frontend::describe(raw.out(), Target::Statement("")).expect("short");
    frontend::close(raw.out(), Target::Portal("p")).expect("short");
    frontend::close(raw.out(), Target::Statement("")).expect("short");
    frontend::sync(raw.out());
    assert_eq!(raw.answer().await, ["1", "t", "T", "3", "3", "Z I"]);
}
