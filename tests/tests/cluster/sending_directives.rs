//! An administrator tells clients what to do: those that announced themselves hear of it, nobody else does, and it
//! survives the leader (R92-R97, S9, S10).

use std::time::Duration;

use directive::{Action, Kind};
use tests::{Cluster, Listener, PASSWORD, Ran, USER, program, until};
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
    cli.run(&[&send[..], &["--scope-database", "d_shop", "--by", "dba"]].concat()).ok();
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
        let ran = cli.run(&["directives", "send", "flush", "--id", "all", "--for", "1h", "--by", "dba"]);
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

    cli.run(&["directives", "revoke", "--all", "--by", "dba"]).ok();
    hears(&west, "it is taken back", Kind::Revoke, "west").await;
    assert_eq!(cli.run(&["directives", "list", "--json"]).json().as_array().map(Vec::len), Some(0));
    let events = cli.run(&["events", "--limit", "200"]);
    for line in ["directive sent", "directive ended", "by dba", "location west*"] {
        assert!(events.ok().contains(line), "{line}: {}", events.stdout);
    }

    plain.client.batch_execute("SELECT 1").await.expect("answered");
    assert_eq!((plain.notices(), psql(&cluster, "SELECT 1")), (0, before), "nobody else sees anything (S9)");
    assert!(cli.run(&["directives", "revoke", "west"]).fails(1).contains("does not exist"));
    assert!(cli.run(&["directives", "send", "jump", "--for", "5s"]).fails(64).contains("there are hold"));
}
