//! An administrator tells clients what to do: those that announced themselves hear of it, nobody else does, and it
//! survives the leader (R92-R97, S9, S10).

use std::time::Duration;

use directive::{Action, Kind};
use model::{RequestId, Targets};
use rpc::{
    Refusal,
    controller::Operation,
    directives::{Proven, Wish},
};
use tests::{Cluster, Listener, PASSWORD, PgEnv, Ports, Ran, Role, Session, USER, code, program, until};
use tokio_postgres::Config;

fn config(cluster: &Cluster, handler: usize, database: &str) -> Config {
    let address = cluster.handler_address(handler);
    let mut config = Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(USER).password(PASSWORD).dbname(database).application_name("till");
    config.connect_timeout(Duration::from_secs(30));
    config
}

async fn announced(cluster: &Cluster, handler: usize, location: &str) -> Listener {
    let value = format!("1;session=token-of-{location}-{handler};driver=tests-1;location={location}");
    Listener::open(config(cluster, handler, "d_shop"), Some(&value)).await.expect("connected")
}

async fn hears(listener: &Listener, what: &str, kind: Kind, id: &str) {
    until(what, async || {
        let told = listener.directives();
        let found = told.iter().any(|directive| match &directive.action {
            Action::Revoke(revoke) => kind == Kind::Revoke && revoke.directive == id,
            action => action.kind() == kind && directive.id == id,
        });
        if found { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
}

/// psql, with everything that it says.
fn psql(cluster: &Cluster, sql: &str) -> (String, String) {
    let mut command = program("psql");
    cluster.env(0, "d_shop").apply(&mut command);
    let ran = Ran::of(command.args(["-X", "-A", "-t", "-c", sql]), "psql".into(), "");
    (ran.ok().to_owned(), ran.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directives_reach_those_who_announced_themselves_and_survive_the_leader_r92_r95_s9() {
    let cluster = Cluster::builder().controllers(3).handlers(2).servers(1).start().await;
    cluster.create("d_shop").await;
    cluster.let_send().await;
    let west = announced(&cluster, 0, "west-1").await;
    let east = announced(&cluster, 1, "east-1").await;
    let plain = Listener::open(config(&cluster, 0, "d_shop"), None).await.expect("connected");
    let before = psql(&cluster, "SELECT 1");
    let cli = cluster.cli();

    until("the dry run counts one of two", async || {
        let counted = cli
            .run(&[
                "directives",
                "send",
                "hold",
                "--for",
                "9min",
                "--location",
                "west*",
                "--dry-run",
                "--json",
            ])
            .json();
        let counts = ["sessions", "announced", "handlers"].map(|key| counted[key].as_u64());
        if counts == [Some(1), Some(2), Some(2)] { Ok(()) } else { Err(counted) }
    })
    .await;
    assert!(west.directives().is_empty() && east.directives().is_empty(), "a dry run sends nothing");

    let send = ["directives", "send", "hold", "--id", "west", "--for", "9min", "--location", "west*"];
    cli.run(&[&send[..], &["--scope-database", "d_shop"]].concat()).ok();
    hears(&west, "the west is told", Kind::Hold, "west").await;
    let told = west.directives();
    assert_eq!(told[0].session.as_deref(), Some("token-of-west-1-0"), "for this session alone (S4)");
    west.applied("west").await;
    until("the acknowledgement is counted", async || {
        let acks = cli.run(&["directives", "acks", "west", "--json"]).json();
        let counts = ["reached", "applied"].map(|key| acks[0][key].as_u64());
        if counts == [Some(1), Some(1)] { Ok(()) } else { Err(acks) }
    })
    .await;

    cluster.controllers[cluster.leader().await].kill();
    let late = announced(&cluster, 1, "west-2").await;
    hears(&late, "who connects after the leader's death is told", Kind::Hold, "west").await;
    until("another leader sends on", async || {
        let ran = cli.run(&["directives", "send", "flush", "--id", "all", "--for", "1h"]);
        if ran.code == Some(0) { Ok(()) } else { Err(ran.stderr) }
    })
    .await;
    for listener in [&west, &east, &late] {
        hears(listener, "all are told", Kind::Flush, "all").await;
    }
    assert!(east.directives().iter().all(|directive| directive.id != "west"));
    let listed = cli.run(&["directives", "list", "--json"]).json();
    let ids: Vec<_> = listed.as_array().expect("a list").iter().map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, [Some("all"), Some("west")]);

    cli.run(&["directives", "revoke", "--all"]).ok();
    hears(&west, "it is taken back", Kind::Revoke, "west").await;
    assert_eq!(cli.run(&["directives", "list", "--json"]).json().as_array().map(Vec::len), Some(0));
    let events = cli.run(&["events", "--limit", "200"]);
    for line in ["directive sent", "directive ended", "by alice@command-line", "location=west*"] {
        assert!(events.ok().contains(line), "{line}: {}", events.stdout);
    }

    plain.client.batch_execute("SELECT 1").await.expect("answered");
    assert_eq!((plain.notices(), psql(&cluster, "SELECT 1")), (0, before), "nobody else sees anything (S9)");
    assert!(cli.run(&["directives", "revoke", "west"]).fails(1).contains("does not exist"));
    assert!(cli.run(&["directives", "send", "jump", "--for", "5s"]).fails(64).contains("there are hold"));
}

/// The state that a statement about a directive tells.
async fn state(console: &Session, sql: &str) -> Result<String, String> {
    let row = console.query_one(sql, &[]).await.map_err(|error| code(&error))?;
    Ok(row.get("state"))
}

/// A session on the console of a handler.
async fn console(cluster: &Cluster, user: &str, password: &str) -> Session {
    until("the console is open", async || {
        let opened = Session::open(cluster.handler_address(0), user, password, "stationmaster").await;
        opened.map_err(|error| error.to_string())
    })
    .await
}

/// A directive that takes two.
fn update(id: &str) -> String {
    format!(
        r#"SEND DIRECTIVE "update" FOR '1h' ID {id} WITH '{{"version":"9","urgency":"available","sha256":"{}","key":"ops","signature":"{}=="}}'"#,
        "a".repeat(64),
        "A".repeat(86),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_sends_for_those_who_may_and_takes_two_of_them_for_code_and_updates_r92_r93() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create("d_shop").await;
    cluster.let_send().await;
    let west = announced(&cluster, 0, "west-1").await;
    let cli = cluster.cli();
    for user in ["bob", "carol"] {
        cli.run_with(&["users", "create", user, "--password-stdin"], "secret\n").ok();
    }
    cli.run(&["directives", "grant", "bob", "sender"]).ok();
    let (alice, bob, carol) = (
        console(&cluster, USER, PASSWORD).await,
        console(&cluster, "bob", "secret").await,
        console(&cluster, "carol", "secret").await,
    );

    let send = "SEND DIRECTIVE hold FOR '9min' ON DATABASE d_shop ID west TO location 'west*'";
    assert_eq!(state(&carol, send).await, Err("42501".into()), "she has not the right");
    let counted = state(&alice, &format!("{send} DRY RUN")).await.expect("counted");
    assert!(counted.starts_with("would reach"), "{counted}");
    assert_eq!(state(&alice, send).await.as_deref(), Ok("sent"));
    hears(&west, "the west is told", Kind::Hold, "west").await;
    west.applied("west").await;
    until("what became of it is shown", async || {
        let row = alice.query_one("SHOW DIRECTIVES", &[]).await.map_err(|error| error.to_string())?;
        let said = (row.get::<_, String>("by"), row.get::<_, i64>("reached"), row.get::<_, i64>("applied"));
        if said == ("alice@handler-1".into(), 1, 1) { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await;

    let waits = state(&bob, &update("newer")).await.expect("taken");
    assert!(waits.contains("another user"), "{waits}");
    for who in [&bob, &carol] {
        assert_eq!(state(who, "APPROVE DIRECTIVE newer").await, Err("42501".into()));
    }
    let waiting = carol.query_one("SHOW APPROVALS", &[]).await.expect("shown");
    assert_eq!((waiting.get("id"), waiting.get("by")), ("newer", "bob@handler-1"));
    assert!(west.directives().iter().all(|directive| directive.id != "newer"), "it waits");
    assert_eq!(state(&alice, "APPROVE DIRECTIVE newer").await.as_deref(), Ok("approved"));
    hears(&west, "it is sent once two agree", Kind::Update, "newer").await;
    assert_eq!(state(&alice, "APPROVE DIRECTIVE newer").await, Err("42704".into()), "once");
    // Her own is another's to approve, and he is none who may.
    state(&alice, &update("own")).await.expect("taken");
    for who in [&alice, &bob] {
        assert_eq!(state(who, "APPROVE DIRECTIVE own").await, Err("42501".into()));
    }

    let refused = carol.batch_execute("REVOKE DIRECTIVE west").await;
    assert_eq!(refused.map_err(|error| code(&error)), Err("42501".into()));
    bob.batch_execute("REVOKE DIRECTIVE west").await.expect("revoked");
    hears(&west, "it is taken back", Kind::Revoke, "west").await;
    let events = cli.run(&["events", "--limit", "200"]);
    for by in ["by alice@handler-1", "by bob+alice@handler-1", "by bob@handler-1", "approval asked"] {
        assert!(events.ok().contains(by), "{by}: {}", events.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_fleets_secret_nor_another_process_sends_without_a_users_password_r92() {
    let cluster = Cluster::builder().controllers(3).handlers(1).servers(1).start().await;
    let cli = cluster.cli();
    for user in ["bob", "carol"] {
        cli.run_with(&["users", "create", user, "--password-stdin"], "secret\n").ok();
    }
    let send = |by: &'static str| {
        ["directives", "send", "flush", "--id", "all", "--for", "1h", "--by", by, "--password-stdin"]
    };
    // The secret's file is there, but nobody may send yet.
    assert!(cli.run_with(&send("bob"), "secret\n").fails(1).contains("the right \"sender\""));
    cli.run(&["directives", "grant", "bob", "approver"]).ok();
    assert!(cli.run_with(&send("bob"), "guess\n").fails(64).contains("not the password"));
    assert!(cli.run_with(&send("nobody"), "secret\n").fails(64).contains("no user"));
    assert!(cli.run(&["directives", "grant", "nobody", "sender"]).fails(1).contains("does not exist"));

    // Who speaks to a controller with the fleet's secret proves no user by that.
    let id = || "forged".to_owned();
    let text =
        r#"{"v":1,"id":"forged","epoch":0,"sequence":0,"lifetime_ms":60000,"action":"flush","with":{}}"#;
    let wish = Wish::Send { id: id(), text: text.into(), targets: Targets::default() };
    let by = |user: &str| Proven { user: user.into(), at: "handler-1".into(), proof: [7; 32] };
    let (targets, text) = (Targets::default(), text.to_owned());
    let forged = [
        Operation::Administer { by: by("bob"), wish: wish.clone() },
        Operation::Administer { by: by("nobody"), wish },
        Operation::SendDirective { id: id(), text, targets, by: "bob@handler-1".into() },
        Operation::EndDirectives { id: None, by: "bob@handler-1".into() },
    ];
    for operation in forged {
        let said = cluster.rpc().operate(RequestId(1), operation.clone()).await;
        let refused = matches!(&said, Err(rpc::Error::Refused(Refusal::NotAllowed { .. })));
        assert!(refused, "{operation:?}: {said:?}");
    }

    // A right is in the map: it survives the leader, and ends a session's right to send at once.
    cluster.controllers[cluster.leader().await].kill();
    let bob = console(&cluster, "bob", "secret").await;
    until("the next leader knows it", async || {
        state(&bob, "SEND DIRECTIVE flush FOR '1h' ID later").await.map(drop)
    })
    .await;
    // Another right takes two on the console.
    let waits = state(&bob, "GRANT approver TO carol").await.expect("taken");
    assert!(waits.contains("another user"), "{waits}");
    let row = bob.query_one("SHOW APPROVALS", &[]).await.expect("shown");
    let waiting: String = row.get("id");
    let approve = format!("APPROVE GRANT \"{waiting}\"");
    assert_eq!(state(&bob, &approve).await, Err("42501".into()));
    cli.run(&["directives", "grant", "alice", "approver"]).ok();
    let alice = console(&cluster, USER, PASSWORD).await;
    assert_eq!(state(&alice, &approve).await.as_deref(), Ok("approved"));
    let senders = cli.run(&["directives", "senders", "--json"]).json();
    let users: Vec<_> = senders.as_array().expect("a list").iter().map(|row| row["user"].as_str()).collect();
    assert_eq!(users, [Some("alice"), Some("bob"), Some("carol")]);
    // Nobody becomes bob by a console, where every user may change users.
    for sql in ["ALTER USER bob PASSWORD 'mine'", "DROP USER bob"] {
        let refused = alice.batch_execute(sql).await.map_err(|error| code(&error));
        assert_eq!(refused, Err("42501".into()), "{sql}");
    }
    cli.run(&["directives", "ungrant", "bob"]).ok();
    assert_eq!(state(&bob, "SEND DIRECTIVE flush FOR '1h'").await, Err("42501".into()));
    let events = cli.run(&["events", "--limit", "200"]);
    for line in ["sender put", "bob becomes approver", "with the fleet's secret", "by bob+alice@handler-1"] {
        assert!(events.ok().contains(line), "{line}: {}", events.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_statements_work_at_a_server_a_controller_and_a_handler_r93() {
    let ports = Ports::reserve();
    let (at_server, at_controller) = (ports.next(), ports.next());
    let quoted = |address: std::net::SocketAddr| format!("{:?}", address.to_string());
    let cluster = Cluster::builder()
        .controllers(1)
        .handlers(1)
        .servers(1)
        .set(Role::Server, "console_listen", quoted(at_server))
        .set(Role::Controller, "console_listen", quoted(at_controller))
        .start()
        .await;
    cluster.create("d_shop").await;
    cluster.let_send().await;
    cluster.cli().run_with(&["users", "create", "carol", "--password-stdin"], "secret\n").ok();
    let west = announced(&cluster, 0, "west-1").await;
    let ways =
        [(at_server, "server-1"), (at_controller, "controller-1"), (cluster.handler_address(0), "handler-1")];
    // Each sends one, revokes the one of the way before, and is the second person for another.
    let mut before = None;
    for (address, name) in ways {
        let open = async |user: &'static str, password: &'static str| {
            until("the console is open", async || {
                let opened = Session::open(address, user, password, "stationmaster").await;
                opened.map_err(|error| error.to_string())
            })
            .await
        };
        let (alice, carol) = (open(USER, PASSWORD).await, open("carol", "secret").await);
        let id = format!("from-{name}");
        let send = format!("SEND DIRECTIVE hold FOR '9min' ON DATABASE d_shop ID \"{id}\"");
        assert_eq!(state(&carol, &send).await, Err("42501".into()), "{name}: she has not the right");
        assert_eq!(state(&alice, &send).await.as_deref(), Ok("sent"), "{name}");
        hears(&west, name, Kind::Hold, &id).await;
        let counted = state(&alice, &format!("{send} DRY RUN")).await.expect("counted");
        assert!(counted.starts_with("would reach 1 "), "{name}: {counted}");
        let standing = alice.query("SHOW DIRECTIVES", &[]).await.expect("shown");
        let by: Vec<String> = standing.iter().map(|row| row.get("by")).collect();
        assert!(by.contains(&format!("alice@{name}")), "{by:?}");
        let own = format!("two-{name}");
        assert!(state(&alice, &update(&format!("\"{own}\""))).await.expect("taken").contains("another user"));
        let approve = format!("APPROVE DIRECTIVE \"{own}\"");
        assert_eq!(state(&alice, &approve).await, Err("42501".into()), "{name}: the first person");
        if let Some(before) = before.replace(id) {
            alice.batch_execute(&format!("REVOKE DIRECTIVE \"{before}\"")).await.expect("revoked");
            hears(&west, name, Kind::Revoke, &before).await;
        }
        let waiting = alice.query("SHOW APPROVALS", &[]).await.expect("shown");
        assert!(waiting.iter().any(|row| row.get::<_, String>("id") == own), "{name}");
    }
    // There is a console and nothing else; and a password is asked for.
    for (address, _) in &ways[..2] {
        let elsewhere = Session::open(*address, USER, PASSWORD, "d_shop").await.err().expect("no database");
        assert_eq!(elsewhere.code().map(|code| code.code().to_owned()), Some("3D000".into()));
        for (user, password) in [(USER, "guess"), ("nobody", "secret")] {
            let refused =
                Session::open(*address, user, password, "stationmaster").await.err().expect("a stranger");
            assert_eq!(refused.code().map(|code| code.code().to_owned()), Some("28P01".into()));
        }
        // psql, as an operator has it.
        let mut command = program("psql");
        PgEnv { address: *address, database: "stationmaster".into() }.apply(&mut command);
        let ran = Ran::of(command.args(["-X", "-A", "-t", "-c", "SHOW SENDERS"]), "psql".into(), "");
        assert_eq!(ran.ok().trim(), "alice|approver");
    }
    let events = cluster.cli().run(&["events", "--limit", "200"]);
    for (_, name) in ways {
        assert!(events.ok().contains(&format!("by alice@{name}")), "{name}: {}", events.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_in_the_file_system_carries_requests_and_directives_through_a_handler_r57() {
    // The path of a socket is short.
    let directory = tempfile::Builder::new().prefix("s").tempdir_in("/tmp").expect("a directory");
    let quoted = format!("{:?}", directory.path().display().to_string());
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1);
    let cluster = cluster.set(Role::Handler, "unix_socket_directory", quoted).start().await;
    cluster.create("d_shop").await;
    cluster.let_send().await;
    let port = cluster.handler_address(0).port();
    let inside = || {
        let mut config = Config::new();
        config.host_path(directory.path()).port(port).user(USER).password(PASSWORD).dbname("d_shop");
        config
    };
    let announced =
        Listener::open(inside(), Some("1;session=token-of-a-neighbour")).await.expect("connected");
    announced.client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await.expect("done");
    let wish = |text: &str| Wish::Send { id: "near".into(), text: text.into(), targets: Targets::default() };
    let text = r#"{"v":1,"id":"near","epoch":0,"sequence":0,"lifetime_ms":60000,"action":"flush","with":{}}"#;
    cluster.administer(wish(text)).await;
    hears(&announced, "the neighbour is told", Kind::Flush, "near").await;
    let mut wrong = inside();
    let refused =
        Listener::open(wrong.password("guess").clone(), None).await.err().expect("a password is asked for");
    assert_eq!(code(&refused), "28P01");
    let mut command = program("psql");
    cluster.env(0, "d_shop").apply(&mut command).env("PGHOST", directory.path());
    let ran = Ran::of(command.args(["-X", "-A", "-t", "-c", "SELECT n FROM t"]), "psql".into(), "");
    assert_eq!(ran.ok().trim(), "7");

    // What a killed process leaves behind is taken away by the next, and one that ends takes its own away.
    let file = directory.path().join(format!(".s.PGSQL.{port}"));
    cluster.handlers[0].kill();
    assert!(file.exists());
    cluster.handlers[0].start();
    cluster.handlers[0].ready().await;
    until("clients come again", async || Listener::open(inside(), None).await.map(drop)).await;
    cluster.handlers[0].terminate().await;
    assert!(!file.exists(), "{} is left", file.display());
}
