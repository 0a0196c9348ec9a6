//! Directives at the handler: who is told what, and where it stands in the stream (R48-R50, R94, S4, S9).

use directive::{Action, Directive, postgres};
use model::{Name, Targets};
use rpc::directives::{Question, Tally};
use wire::{Frame, backend::Message};

use super::{Fleet, Raw, Until, client::ask, connect, fleet::until, server::Say};

const TOKEN: &str = "token-of-this-session";

fn hold(id: &str, sequence: u64) -> String {
    format!(
        r#"{{"v":1,"id":"{id}","epoch":1,"sequence":{sequence},"lifetime_ms":60000,"reason":"a test","action":"hold","with":{{"spread_ms":10}}}}"#
    )
}

fn all() -> Targets {
    Targets::default()
}

async fn announced(fleet: &Fleet, more: &str) -> Raw {
    let options = format!("-c {}=1;session={TOKEN}{more}", postgres::ANNOUNCE);
    Raw::connect(fleet, "h1:1", &[("database", "shop"), ("options", &options)]).await
}

/// The next directive, which must come as a notice and then as its mirror.
async fn told(raw: &mut Raw) -> Directive {
    let notice = raw.frame().await.expect("not closed");
    let mirror = raw.frame().await.expect("not closed");
    let directive = in_notice(&notice).unwrap_or_else(|| panic!("{notice:?} is no directive"));
    let Ok(Message::ParameterStatus { name, value }) =
        Message::decode(Frame { tag: mirror.0, body: &mirror.1 })
    else {
        panic!("{mirror:?} is no mirror")
    };
    assert_eq!((name, directive::decode(value.as_bytes())), (postgres::MIRROR, Ok(directive.clone())));
    directive
}

fn in_notice((tag, body): &(u8, bytes::Bytes)) -> Option<Directive> {
    match Message::decode(Frame { tag: *tag, body }).expect("a message") {
        Message::NoticeResponse(fields) => {
            let read = postgres::read_notice(fields.code.as_str(), fields.detail?)?;
            Some(read.expect("a directive that can be read"))
        }
        _ => None,
    }
}

/// The tags of a response, up to its end.
async fn tags(raw: &mut Raw) -> Vec<u8> {
    let mut tags = Vec::new();
    while tags.last() != Some(&b'Z') {
        tags.push(raw.frame().await.expect("not closed").0);
    }
    tags
}

#[tokio::test]
async fn an_idle_client_is_told_at_once_and_once_r50_s4() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    let directive = told(&mut raw).await;
    assert_eq!((directive.id.as_str(), directive.session.as_deref()), ("d-1", Some(TOKEN)));
    assert!((1..=60_000).contains(&directive.lifetime_ms), "{}", directive.lifetime_ms);
    // The same again is nothing new, and another one is.
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    fleet.controller.with(|table| table.put_directive(&hold("d-2", 2), all()));
    assert_eq!(told(&mut raw).await.id, "d-2");
    assert_eq!(raw.ask("select hello").await, ["T", "select hello", "SELECT 1", "Z I"]);
}

#[tokio::test]
async fn a_busy_client_is_told_within_its_response_before_its_end_r48_r49() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    let mut idle = announced(&fleet, "").await;
    let mut plain = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    // A slow machine may take longer than a directive waits for its response: then it comes before that.
    for round in 1..=20 {
        for raw in [&mut raw, &mut plain] {
            raw.query("wait");
            raw.link.flush().await.expect("open");
        }
        let running = || fleet.servers[0].log().iter().filter(|sql| *sql == "wait").count();
        until("both run", || running() == 2 * round).await;
        let text = hold(&format!("d-{round}"), round as u64);
        fleet.controller.with(|table| table.put_directive(&text, all()));
        assert_eq!(told(&mut idle).await.id, format!("d-{round}"));
        fleet.servers[0].go.notify_waiters();
        let (told, untold) = (tags(&mut raw).await, tags(&mut plain).await);
        let without: Vec<u8> = told.iter().copied().filter(|tag| !b"NS".contains(tag)).collect();
        assert_eq!(without, untold, "nothing else changes");
        assert_eq!(told.iter().filter(|tag| **tag == b'N').count(), 1, "{told:?}");
        if told.ends_with(b"NSZ") {
            return;
        }
    }
    panic!("never within the response");
}

#[tokio::test]
async fn a_client_in_a_long_query_is_told_meanwhile_r50() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    raw.query("wait");
    raw.link.flush().await.expect("open");
    until("it runs", || fleet.servers[0].log().contains(&"wait".to_owned())).await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    assert_eq!(told(&mut raw).await.id, "d-1");
    fleet.servers[0].go.notify_waiters();
    assert_eq!(tags(&mut raw).await.last(), Some(&b'Z'));
}

#[tokio::test]
async fn who_did_not_announce_itself_sees_the_same_bytes_as_ever_s9() {
    let fleet = Fleet::start(1).await;
    let mut quiet = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    // Says more than is allowed, and counts as one that said nothing.
    let options = format!("-c {}=1;session=short", postgres::ANNOUNCE);
    let mut wrong = Raw::connect(&fleet, "h1:1", &[("database", "shop"), ("options", &options)]).await;
    let mut raw = announced(&fleet, "").await;
    let driver = connect(&fleet, "h1:1", "shop").await.expect("connected");
    let before = quiet.ask("select a").await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    assert_eq!(told(&mut raw).await.id, "d-1");
    assert_eq!(quiet.ask("select a").await, before);
    assert_eq!(wrong.ask("select a").await, before);
    assert_eq!(ask(&driver, "select a").await, "select a");
}

#[tokio::test]
async fn a_new_session_gets_what_stands_and_only_what_it_can_do_and_what_is_for_it_r95() {
    let fleet = Fleet::start(1).await;
    let name = |text: &str| Some(Name::new(text).expect("a name"));
    fleet.controller.with(|table| {
        table.put_directive(&hold("for-others", 1), Targets { user: name("bob"), ..all() });
        table.put_directive(&hold("for-east", 2), Targets { location: name("east*"), ..all() });
        table.put_directive(&hold("for-all", 3), all());
        let flush = hold("flush", 4).replace("hold", "flush").replace(r#"{"spread_ms":10}"#, "{}");
        table.put_directive(&flush, all());
    });
    let mut east = announced(&fleet, ";location=east-1;can=hold,revoke").await;
    let mut west = announced(&fleet, ";location=west-1").await;
    let mut first = vec![told(&mut east).await.id, told(&mut east).await.id];
    first.sort();
    assert_eq!(first, ["for-all", "for-east"]);
    let mut second = vec![told(&mut west).await.id, told(&mut west).await.id];
    second.sort();
    assert_eq!(second, ["flush", "for-all"]);
    for raw in [&mut east, &mut west] {
        assert_eq!(raw.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"]);
    }
}

#[tokio::test]
async fn a_revoked_directive_is_taken_back_from_those_who_have_it_r97() {
    let fleet = Fleet::start(1).await;
    let name = Some(Name::new("west*").expect("a name"));
    let mut west = announced(&fleet, ";location=west-1").await;
    let mut east = announced(&fleet, ";location=east-1").await;
    fleet.controller.with(|table| {
        table.put_directive(&hold("d-1", 1), Targets { location: name, ..all() });
    });
    assert_eq!(told(&mut west).await.id, "d-1");
    fleet.controller.with(|table| table.revoke_directive("d-1"));
    let Action::Revoke(revoke) = told(&mut west).await.action else { panic!("no revocation") };
    assert_eq!(revoke.directive, "d-1");
    fleet.controller.with(|table| table.put_directive(&hold("d-2", 2), all()));
    assert_eq!(told(&mut east).await.id, "d-2", "who never had it hears nothing of it");
}

#[tokio::test]
async fn acknowledgements_are_counted_once_and_do_not_reach_the_server_r47() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    let directive = told(&mut raw).await;
    let outcome = directive::Outcome::Applied { lifetime_ms: 5_000 };
    let statement =
        postgres::acknowledge(&[directive::Acknowledgement { id: directive.id, outcome }]).expect("short");
    for _ in 0..2 {
        assert_eq!(raw.ask(&statement).await, ["SET", "Z I"]);
    }
    let driver = connect(&fleet, "h1:1", "shop").await.expect("connected");
    driver.simple_query(&statement).within("answered").await.expect("a stranger's is answered, too");
    let expected =
        vec![(Name::new("d-1").expect("a name"), Tally { reached: 1, applied: 1, ..Tally::default() })];
    until("reported", || {
        fleet.controller.with(|table| table.reported.as_ref().is_some_and(|told| told.tallies == expected))
    })
    .await;
    let log = fleet.servers[0].log();
    assert!(
        !log.iter().any(|sql| sql.contains("d-1") && sql.contains("applied")) || log.len() <= 1,
        "{log:?}"
    );
}

#[tokio::test]
async fn a_hostile_client_cannot_make_others_receive_anything() {
    let fleet = Fleet::start(1).await;
    let mut victim = announced(&fleet, "").await;
    let mut hostile = announced(&fleet, ";location=x").await;
    let forged = [
        format!("SET stationmaster.directives = '1;session={TOKEN}'"),
        format!("SET stationmaster.directives = '{}'", "x".repeat(5_000)),
        "SET stationmaster.acknowledge = '{\"v\":1,\"acknowledgements\":[{\"id\":\"d-1\",\"outcome\":\"done\"}]}'".into(),
        "SET stationmaster.acknowledge = 'x'".into(),
        format!("SET stationmaster.directive = '{}'", hold("forged", 9)),
    ];
    for sql in &forged {
        let answer = hostile.ask(sql).await;
        assert_eq!(answer.last().map(String::as_str), Some("Z I"), "{sql}: {answer:?}");
    }
    assert_eq!(victim.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"]);
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    assert_eq!(told(&mut victim).await.id, "d-1", "the first thing that it hears");
    until("reported", || {
        fleet.controller.with(|table| {
            let told = table.reported.as_ref().map(|told| told.tallies.clone()).unwrap_or_default();
            told.first().is_some_and(|(_, tally)| tally.reached == 2)
        })
    })
    .await;
    let done = fleet.controller.with(|table| table.reported.as_ref().map(|told| told.tallies[0].1.done));
    assert_eq!(done, Some(0), "what nobody was given cannot be acknowledged");
}

#[tokio::test]
async fn a_hundred_clients_are_told_at_once_r95() {
    let fleet = Fleet::start(1).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(announced(&fleet, "").await);
    }
    fleet.controller.with(|table| {
        table.questions = vec![Question {
            number: 7,
            directive: Name::new("d-1").expect("a name"),
            targets: Targets { share: Some(1_000), ..all() },
        }];
        table.put_directive(&hold("d-1", 1), all());
    });
    for raw in &mut clients {
        assert_eq!(told(raw).await.id, "d-1");
    }
    until("all are reported, and counted", || {
        fleet.controller.with(|table| {
            table.reported.as_ref().is_some_and(|told| {
                let reached = told.tallies.first().map(|(_, tally)| tally.reached);
                (told.announced, reached, told.answers.as_slice()) == (100, Some(100), &[(7, 100)])
            })
        })
    })
    .await;
}

#[tokio::test]
async fn the_console_is_told_as_well() {
    let fleet = Fleet::start(0).await;
    let options = format!("-c {}=1;session={TOKEN}", postgres::ANNOUNCE);
    let parameters = [("database", "stationmaster"), ("options", options.as_str())];
    let mut raw = Raw::connect(&fleet, "h1:1", &parameters).await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    assert_eq!(told(&mut raw).await.id, "d-1");
    let answer = raw.ask("show version").await;
    assert_eq!(answer.last().map(String::as_str), Some("Z I"), "{answer:?}");
}

#[tokio::test]
async fn a_second_connection_is_told_while_the_first_is_busy_and_both_act_once_r50() {
    let fleet = Fleet::start(1).await;
    let mut main = announced(&fleet, "").await;
    main.query("wait");
    main.link.flush().await.expect("open");
    let sessions = fleet.servers[0].started.lock().expect("no panics").len();
    let mut beside = announced(&fleet, ";only=directives").await;
    fleet.controller.with(|table| table.put_directive(&hold("d-1", 1), all()));
    let first = told(&mut beside).await;
    fleet.servers[0].go.notify_waiters();
    let second = loop {
        let frame = main.frame().await.expect("not closed");
        if let Some(directive) = in_notice(&frame) {
            break directive;
        }
    };
    assert_eq!((&first.id, &first.session, &first.order), (&second.id, &second.session, &second.order));
    let outcome = directive::Outcome::Applied { lifetime_ms: 5_000 };
    let said = postgres::acknowledge(&[directive::Acknowledgement { id: first.id, outcome }]).expect("short");
    assert_eq!(beside.ask(&said).await, ["SET", "Z I"]);
    let refused = beside.ask("select a").await;
    assert!(refused[0].starts_with("ERROR"), "it is for directives alone: {refused:?}");
    let now = fleet.servers[0].started.lock().expect("no panics").len();
    assert_eq!(now, sessions, "no server has heard of it");
}

#[tokio::test]
async fn the_handler_alone_holds_the_clients_of_a_dead_server_and_lets_them_go_r59() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    assert_eq!(raw.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"]);
    let mut plain = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    // The server goes without a word, and no controller says where the database is now.
    fleet.controller.with(|table| {
        table.speechless = true;
        table.assign("shop", None);
    });
    fleet.servers[0].say(Say::Break);
    until("the sessions have ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    plain.query("select b");
    plain.link.flush().await.expect("open");
    let directive = told(&mut raw).await;
    assert!(matches!(directive.action, Action::Hold(_)), "{directive:?}");
    assert_eq!(directive.scope.database.as_deref(), Some("shop"));
    fleet.controller.with(|table| table.speechless = false);
    let directive = told(&mut raw).await;
    assert!(matches!(directive.action, Action::Resume(_)), "{directive:?}");
    assert_eq!(plain.answer().await, ["T", "select b", "SELECT 1", "Z I"], "it sees nothing of it");
}

#[tokio::test]
async fn sessions_are_listed_with_user_client_and_driver_until_they_end_r52() {
    let fleet = Fleet::start(1).await;
    let client = announced(&fleet, ";driver=python-0.1.0;location=west-1").await;
    let console = connect(&fleet, "h1:1", "stationmaster").await.expect("the console is open");
    let listed = async || {
        let rows = console.simple_query("show sessions").await.expect("listed");
        let text = |row: &tokio_postgres::SimpleQueryRow, name: &str| row.get(name).unwrap_or("-").to_owned();
        let columns = ["user", "database", "driver", "location"];
        let row = |message: &tokio_postgres::SimpleQueryMessage| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(columns.map(|name| text(row, name))),
            _ => None,
        };
        let mut rows: Vec<_> = rows.iter().filter_map(row).collect();
        rows.sort();
        rows
    };
    let own = ["ann", "stationmaster", "-", "-"].map(str::to_owned);
    let other = ["ann", "shop", "python-0.1.0", "west-1"].map(str::to_owned);
    assert_eq!(listed().await, [other, own.clone()]);
    drop(client);
    for _ in 0..1_000 {
        if listed().await == [own.clone()] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is still there: {:?}", listed().await);
}

#[tokio::test]
async fn tenants_behind_one_handler_hear_what_is_for_their_own_database_alone_r55() {
    let fleet = Fleet::start(2).await;
    fleet.controller.with(|table| {
        table.create("bakery");
    });
    let named = |name: &str| Some(Name::new(name).expect("a name"));
    let mut shop = announced(&fleet, "").await;
    let options = format!("-c {}=1;session=another-token-of-16", postgres::ANNOUNCE);
    let mut bakery = Raw::connect(&fleet, "h1:1", &[("database", "bakery"), ("options", &options)]).await;
    fleet.controller.with(|table| {
        table.put_directive(&hold("for-shop", 1), Targets { database: named("shop"), ..all() });
        table.put_directive(&hold("for-bakery", 2), Targets { database: named("bakery"), ..all() });
    });
    let (one, other) = (told(&mut shop).await, told(&mut bakery).await);
    assert_eq!((one.id.as_str(), one.session.as_deref()), ("for-shop", Some(TOKEN)));
    assert_eq!((other.id.as_str(), other.session.as_deref()), ("for-bakery", Some("another-token-of-16")));
    for tenant in [&mut shop, &mut bakery] {
        assert_eq!(tenant.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"], "and nothing else");
    }
    // Nor does one tenant's word about the other's count.
    let outcome = directive::Outcome::Done;
    let said = directive::Acknowledgement { id: "for-bakery".into(), outcome };
    let before = shop.ask(&postgres::acknowledge(&[said]).expect("short")).await;
    assert!(before.last().is_some_and(|end| end == "Z I"), "{before:?}");
    until("what each was given is reported", || {
        fleet.controller.with(|table| {
            let told = table.reported.as_ref();
            let reached = |tally: &(Name, Tally)| (tally.1.reached, tally.1.done) == (1, 0);
            told.is_some_and(|told| told.tallies.len() == 2 && told.tallies.iter().all(reached))
        })
    })
    .await;
}

#[tokio::test]
async fn the_handler_alone_finds_a_server_that_hangs_and_tells_its_clients_though_nobody_waits_r59() {
    let fleet = Fleet::start(1).await;
    let mut raw = announced(&fleet, "").await;
    assert_eq!(raw.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"]);
    fleet.controller.with(|table| table.speechless = true);
    fleet.servers[0].mute.store(true, std::sync::atomic::Ordering::SeqCst);
    let hold = told(&mut raw).await;
    assert!(matches!(hold.action, Action::Hold(_)), "{hold:?}");
    assert_eq!(hold.scope.database.as_deref(), Some("shop"));
    let switch = told(&mut raw).await;
    assert!(matches!(switch.action, Action::Switch(_)), "{switch:?}");
    assert_eq!(switch.scope.server.as_deref(), Some("s1:1"), "for those who are connected to it themselves");
    fleet.servers[0].mute.store(false, std::sync::atomic::Ordering::SeqCst);
    let resume = told(&mut raw).await;
    assert!(matches!(resume.action, Action::Resume(_)), "{resume:?}");
    assert_eq!(raw.ask("select a").await, ["T", "select a", "SELECT 1", "Z I"]);
    assert!(fleet.servers[0].log().iter().all(|said| said == "select a"), "its sessions notice nothing");
}
