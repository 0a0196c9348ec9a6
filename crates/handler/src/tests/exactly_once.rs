//! Requests whose server is lost before it has answered: done once, and answered (S2, R18, R21).

use std::time::Duration;

use wire::frontend;

use super::{Fleet, Raw, Until, client::ask, connect, fleet::until, server::Say};
use crate::Settings;

/// A session on `shop`, on server 1.
async fn session(fleet: &Fleet) -> Raw {
    Raw::connect(fleet, "h1:1", &[("database", "shop")]).await
}

fn rows(fleet: &Fleet) -> Vec<String> {
    fleet.controller.with(|table| table.rows.clone())
}

/// A start-up parameter of a server's last session.
fn told(fleet: &Fleet, server: usize, name: &str) -> Option<String> {
    let started = fleet.servers[server - 1].started.lock().expect("no panics");
    started.last().expect("a session").get(name).cloned()
}

/// A statement by extended query, up to its Sync.
fn series(raw: &mut Raw, sql: &str) {
    frontend::parse(raw.out(), "", sql, &[]).expect("short");
    frontend::bind(raw.out(), "", "", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
}

/// What is left of an answer without the parameters of a new server.
fn plain(mut answer: Vec<String>) -> Vec<String> {
    answer.retain(|word| !word.starts_with("server_name="));
    answer
}

/// Asks in either protocol.
async fn ask_by(raw: &mut Raw, extended: bool, sql: &str) -> Vec<String> {
    if extended {
        series(raw, sql);
        return plain(raw.answer().await);
    }
    plain(raw.ask(sql).await)
}

#[tokio::test]
async fn what_was_done_is_answered_as_it_would_have_been_and_what_was_not_is_done() {
    for extended in [false, true] {
        for how in ["lost", "once"] {
            let fleet = Fleet::start(2).await;
            let mut raw = session(&fleet).await;
            fleet.controller.with(|table| table.assign("shop", Some(2)));
            let begins: &[&str] = if extended { &["1", "2"] } else { &["T"] };
            let expected = [begins, &["inserted a", "SELECT 1", "Z I"]].concat();
            assert_eq!(ask_by(&mut raw, extended, &format!("insert a {how}")).await, expected, "{how}");
            assert_eq!(rows(&fleet), ["a"], "{how}");
            assert_eq!(told(&fleet, 2, rpc::session::PARAM_SETTLE).as_deref(), Some("1-1"));
            assert_eq!(told(&fleet, 2, rpc::session::PARAM_BEGUN).as_deref(), Some("0"));
            let answer = ask_by(&mut raw, extended, "select server").await;
            assert!(answer.contains(&"s2".to_owned()), "the session goes on: {answer:?}");
        }
    }
}

#[tokio::test]
async fn where_only_the_network_was_cut_the_same_server_settles_at_the_same_epoch() {
    let fleet = Fleet::start(1).await;
    let mut raw = session(&fleet).await;
    let epoch = fleet.controller.with(|table| table.databases["shop"].epoch);
    for name in ["a", "b"] {
        let answer = raw.ask(&format!("insert {name} lost")).await;
        assert_eq!(answer, ["T", &format!("inserted {name}"), "SELECT 1", "Z I"]);
    }
    assert_eq!(rows(&fleet), ["a", "b"]);
    assert_eq!(fleet.controller.with(|table| table.databases["shop"].epoch), epoch);
    assert_eq!(fleet.controller.with(|table| table.routed.len()), 1, "nobody is told that it is gone");
}

#[tokio::test]
async fn one_session_keeps_its_id_and_never_uses_a_number_twice() {
    let fleet = Fleet::start(1).await;
    let mut raw = session(&fleet).await;
    raw.ask("set a = one").await;
    let id = told(&fleet, 1, rpc::session::PARAM_SESSION).expect("an id");
    assert_eq!(told(&fleet, 1, rpc::session::PARAM_NUMBER).as_deref(), Some("1"));
    // The fake server fails the test where a number comes twice.
    for n in 0..20 {
        let how = ["lost", "long", "", "lost", ""][n % 5];
        raw.ask(&format!("insert r{n} {how}")).await;
        if n % 5 == 4 {
            fleet.servers[0].say(Say::Break);
            until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
        }
    }
    assert_eq!(rows(&fleet), (0..20).map(|n| format!("r{n}")).collect::<Vec<_>>());
    assert_eq!(told(&fleet, 1, rpc::session::PARAM_SESSION), Some(id.clone()));
    let other = session(&fleet).await;
    assert_ne!(told(&fleet, 1, rpc::session::PARAM_SESSION), Some(id));
    drop(other);
}

#[tokio::test]
async fn what_servers_and_handlers_tell_each_other_reaches_no_client() {
    let fleet = Fleet::start(2).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    wire::startup::start(raw.out(), 0, [("user", "ann"), ("database", "shop")]).expect("short");
    raw.log_in("secret").await;
    let mut seen = raw.answer().await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    seen.extend(raw.ask("insert a lost").await);
    assert!(!seen.iter().any(|word| word.starts_with("_stationmaster")), "{seen:?}");
}

#[tokio::test]
async fn where_it_cannot_be_answered_the_client_is_told_what_is_known_40003() {
    for (how, detail) in [("long", "was committed"), ("forgotten", "unknown")] {
        for extended in [false, true] {
            let fleet = Fleet::start(2).await;
            let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
            let sql = format!("insert a {how}");
            let error = if extended {
                let statement = client.prepare(&sql).within("prepared").await.expect("prepared");
                client.execute(&statement, &[]).within("told").await.expect_err("cut")
            } else {
                client.simple_query(&sql).within("told").await.expect_err("cut")
            };
            let error = error.as_db_error().expect("told");
            assert_eq!(error.code().code(), "40003");
            assert!(error.detail().expect("a detail").contains(detail), "{how}: {error:?}");
            assert_eq!(rows(&fleet), ["a"]);
            assert_eq!(ask(&client, "select on").await, "select on");
        }
    }
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order_and_each_of_it_is_done_once() {
    for extended in [false, true] {
        for (last, done) in [("once", "inserted c"), ("lost", "inserted c")] {
            let fleet = Fleet::start(2).await;
            let mut raw = session(&fleet).await;
            fleet.controller.with(|table| table.assign("shop", Some(2)));
            for sql in ["insert a", "insert b", &format!("insert c {last}"), "insert d"] {
                if extended {
                    series(&mut raw, sql)
                } else {
                    raw.query(sql);
                }
            }
            let mut answers = Vec::new();
            for _ in 0..4 {
                let answer = plain(raw.answer().await);
                answers.push(answer[answer.len() - 3].clone());
            }
            assert_eq!(answers, ["inserted a", "inserted b", done, "inserted d"]);
            assert_eq!(rows(&fleet), ["a", "b", "c", "d"], "{last}");
        }
    }
}

#[tokio::test]
async fn what_was_not_done_before_what_was_is_not_done_out_of_order_40001() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    raw.query("select read").query("insert a").query("bad").query("insert b lost").query("select after");
    assert_eq!(raw.answer().await, ["ERROR 40001", "Z I"]);
    assert_eq!(raw.answer().await, ["T", "inserted a", "SELECT 1", "Z I"]);
    assert_eq!(raw.answer().await, ["ERROR 40001", "Z I"]);
    assert_eq!(raw.answer().await, ["T", "inserted b", "SELECT 1", "Z I"]);
    assert_eq!(plain(raw.answer().await), ["T", "select after", "SELECT 1", "Z I"]);
    assert_eq!(rows(&fleet), ["a", "b"]);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_answered_and_one_that_was_not_done_fails_40001() {
    for extended in [false, true] {
        for (how, expected, rows_expected) in
            [("lost", vec!["COMMIT", "Z I"], vec!["a"]), ("once", vec!["ERROR 40001", "Z I"], vec![])]
        {
            let fleet = Fleet::start(2).await;
            let mut raw = session(&fleet).await;
            raw.ask("begin").await;
            raw.ask("insert a").await;
            fleet.controller.with(|table| table.assign("shop", Some(2)));
            let answer = ask_by(&mut raw, extended, &format!("commit -- {how}")).await;
            let begins: &[&str] = match (extended, how) {
                (true, "lost") => &["1", "2"],
                _ => &[],
            };
            let answer: Vec<&str> = answer.iter().map(String::as_str).collect();
            let told = answer.strip_prefix(begins).unwrap_or(&answer);
            let told = if extended && how == "once" { &told[told.len() - 2..] } else { told };
            assert_eq!(told, expected, "{how}: {answer:?}");
            assert_eq!(rows(&fleet), rows_expected, "{how}");
            let answer = plain(raw.ask("insert b").await);
            assert_eq!(
                answer.last().map(String::as_str),
                Some("Z I"),
                "outside of a transaction: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_transaction_sent_as_one_pipeline_is_kept_as_a_whole_or_done_as_a_whole() {
    for (how, codes) in [("lost", ["40003", "40003", "COMMIT"]), ("once", ["BEGIN", "SELECT 1", "COMMIT"])] {
        let fleet = Fleet::start(2).await;
        let mut raw = session(&fleet).await;
        fleet.controller.with(|table| table.assign("shop", Some(2)));
        raw.query("begin").query("insert a").query(&format!("commit -- {how}"));
        for code in codes {
            let answer = raw.answer().await;
            assert!(answer[answer.len() - 2].ends_with(code), "{how}: {answer:?}");
        }
        assert_eq!(rows(&fleet), ["a"], "{how}");
    }
}

#[tokio::test]
async fn an_answer_that_had_begun_goes_on_where_it_was_cut_off() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    series(&mut raw, "insert a late");
    assert_eq!(plain(raw.answer().await), ["1", "2", "inserted a", "SELECT 1", "Z I"]);
    // A statement with a name is prepared once, too.
    frontend::parse(raw.out(), "p", "insert b", &[]).expect("short");
    frontend::flush(raw.out());
    assert_eq!(raw.frame().await.expect("an answer").0, b'1');
    fleet.servers[1].say(Say::Break);
    until("it is there again", || fleet.servers[1].sessions_started() == 2).await;
    frontend::bind(raw.out(), "", "p", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
    assert_eq!(plain(raw.answer().await), ["2", "inserted b", "SELECT 1", "Z I"]);
    assert_eq!(rows(&fleet), ["a", "b"]);
}

#[tokio::test]
async fn an_answer_that_the_next_server_gives_otherwise_is_not_mixed_with_it() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    frontend::parse(raw.out(), "", "select server", &[]).expect("short");
    frontend::bind(raw.out(), "", "", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::flush(raw.out());
    for tag in [b'1', b'2', b'D', b'C'] {
        assert_eq!(raw.frame().await.expect("an answer").0, tag);
    }
    fleet.servers[0].say(Say::Break);
    frontend::sync(raw.out());
    assert_eq!(plain(raw.answer().await), ["FATAL 08006", "closed"], "s1 and s2 are not the same");
}

#[tokio::test]
async fn what_is_too_long_to_be_kept_fails_with_40001_when_it_was_not_done() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    let long = "x".repeat(crate::limits::REPLAY_BYTES_MAX);
    for (how, expected) in [("once", "ERROR 40001"), ("lost", "SELECT 1"), ("long", "ERROR 40003")] {
        // Server 1 again, where `once` breaks.
        fleet.controller.with(|table| table.assign("shop", Some(1)));
        fleet.servers[1].say(Say::Moved);
        until("the session has ended there", || *fleet.servers[1].sessions.borrow() == 0).await;
        let sql = match how {
            "once" => format!("insert {long} once"),
            how => format!("insert a {how} {long}").replace(&format!(" {long}"), &" ".repeat(long.len())),
        };
        let answer = raw.ask(&sql).await;
        assert_eq!(answer[answer.len() - 2], expected, "{how}");
        assert_eq!(answer.last().map(String::as_str), Some("Z I"));
    }
    assert_eq!(rows(&fleet), ["a", "a"]);
}

#[tokio::test]
async fn a_long_message_that_is_cut_off_is_refused_once_it_is_complete() {
    let fleet = Fleet::start(1).await;
    let mut raw = session(&fleet).await;
    let mut message = bytes::BytesMut::new();
    let long = format!("insert {}", "x".repeat(400_000));
    frontend::query(&mut message, &long).expect("short");
    raw.out().extend_from_slice(&message[..300_000]);
    raw.link.flush().await.expect("sent");
    fleet.servers[0].say(Say::Break);
    until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    raw.out().extend_from_slice(&message[300_000..]);
    assert_eq!(raw.answer().await, ["ERROR 40001", "Z I"]);
    assert_eq!(plain(raw.ask("insert a").await), ["T", "inserted a", "SELECT 1", "Z I"]);
    assert_eq!(rows(&fleet), ["a"]);
}

#[tokio::test]
async fn copy_is_settled_like_any_request() {
    for (sql, expected) in [("copy", "COPY 3"), ("copy lost", "COPY 3")] {
        let fleet = Fleet::start(1).await;
        let mut raw = session(&fleet).await;
        raw.query(sql);
        assert_eq!(raw.frame().await.expect("an answer").0, b'G');
        frontend::copy_data(raw.out(), b"abc").expect("short");
        frontend::copy_done(raw.out());
        assert_eq!(raw.answer().await, [expected, "Z I"], "{sql}");
        assert_eq!(rows(&fleet), ["copied"], "{sql}");
    }
    // Cut in the middle of its data.
    for extended in [false, true] {
        let fleet = Fleet::start(1).await;
        let mut raw = session(&fleet).await;
        if extended {
            series(&mut raw, "copy")
        } else {
            raw.query("copy");
        }
        while raw.frame().await.expect("an answer").0 != b'G' {}
        frontend::copy_data(raw.out(), &[b'x'; 1000]).expect("short");
        raw.link.flush().await.expect("sent");
        fleet.servers[0].say(Say::Break);
        frontend::copy_data(raw.out(), b"abc").expect("short");
        frontend::copy_done(raw.out());
        if extended {
            frontend::sync(raw.out());
        }
        assert_eq!(raw.answer().await, ["ERROR 40001", "Z I"], "by extended query: {extended}");
        assert_eq!(raw.ask("insert a").await, ["T", "inserted a", "SELECT 1", "Z I"]);
        assert_eq!(rows(&fleet), ["a"]);
    }
}

#[tokio::test]
async fn a_commit_in_a_series_without_sync_is_settled() {
    let fleet = Fleet::start(1).await;
    let mut raw = session(&fleet).await;
    raw.ask("begin").await;
    raw.ask("insert a").await;
    frontend::parse(raw.out(), "", "commit", &[]).expect("short");
    frontend::bind(raw.out(), "", "", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::flush(raw.out());
    raw.link.flush().await.expect("sent");
    until("it is executed", || fleet.servers[0].log().last().is_some_and(|sql| sql == "commit")).await;
    let id = told(&fleet, 1, rpc::session::PARAM_SESSION).expect("an id");
    fleet.controller.with(|table| table.outcomes.insert((id, 3), rpc::session::Settled::Done));
    fleet.servers[0].say(Say::Break);
    frontend::sync(raw.out());
    let answer = raw.answer().await;
    assert!(answer.ends_with(&["ERROR 40003".into(), "Z I".into()]), "{answer:?}");
}

#[tokio::test]
async fn a_request_that_every_server_dies_of_is_given_up_40001() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    assert_eq!(plain(raw.ask("break").await), ["ERROR 40001", "Z I"]);
    let times = fleet.servers.iter().flat_map(|server| server.log()).filter(|sql| sql == "break").count();
    assert_eq!(times, 1 + crate::limits::RESENDS_MAX as usize);
    assert_eq!(plain(raw.ask("insert a").await), ["T", "inserted a", "SELECT 1", "Z I"]);
}

#[tokio::test]
async fn a_pinned_session_is_told_what_was_done_before_it_ends() {
    for (how, answer) in [("lost", vec!["T", "inserted a", "SELECT 1", "Z I"]), ("once", vec![])] {
        let fleet = Fleet::start(2).await;
        let mut raw = session(&fleet).await;
        raw.ask("create temp table t (a int)").await;
        fleet.controller.with(|table| table.assign("shop", Some(2)));
        let mut told = raw.ask(&format!("insert a {how}")).await;
        if how == "lost" {
            told.extend(raw.answer().await);
        }
        assert_eq!(told, [answer, vec!["FATAL 57P01", "closed"]].concat(), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_no_owner_can_be_asked_the_outcome_is_unknown_40003() {
    let attach_timeout = Duration::from_secs(3);
    let fleet = Fleet::start_with(1, |settings| Settings { attach_timeout, ..settings }).await;
    let mut raw = session(&fleet).await;
    raw.query("wait");
    raw.link.flush().await.expect("sent");
    until("it waits", || fleet.servers[0].log().contains(&"wait".to_owned())).await;
    fleet.kill(1);
    assert_eq!(raw.answer().await, ["ERROR 40003", "Z I"]);
    assert_eq!(raw.ask("select 1").await, ["ERROR 57P03", "Z I"], "nothing of it was done");
}
