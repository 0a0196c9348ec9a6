//! The way back after the controllers lost their disks: from a backup, from one surviving controller, from an export, or
//! from the journals alone. No id is given twice, nobody writes beside a new owner, and every acknowledged row is there.

use std::{fs, path::PathBuf};

use model::{DatabaseOption, Epoch};
use rpc::controller::{DatabaseRef, Operation};
use tests::{Cli, Cluster, Ran, code, message, until};

/// Every controller dies with its disk, but for those that keep it.
fn lose_controllers(cluster: &Cluster, keep: &[usize]) {
    for controller in &cluster.controllers {
        controller.kill();
    }
    for index in (0..cluster.controllers.len()).filter(|index| !keep.contains(index)) {
        fs::remove_dir_all(data_dir(cluster, index)).expect("removed");
    }
}

fn data_dir(cluster: &Cluster, controller: usize) -> PathBuf {
    cluster.directory().join(cluster.controllers[controller].name())
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// `map restore` of this, into these controllers.
async fn restore(cluster: &Cluster, what: &[&str], controllers: &[usize]) -> Ran {
    let configs = controllers.iter().flat_map(|at| ["--config", text(cluster.controllers[*at].config())]);
    let arguments: Vec<String> =
        ["map", "restore"].iter().chain(what).copied().chain(configs).map(Into::into).collect();
    tokio::task::spawn_blocking(move || {
        Cli::default().run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await
    .expect("no panic")
}

async fn start(cluster: &Cluster, controllers: &[usize]) {
    for at in controllers {
        cluster.controllers[*at].start();
    }
    for at in controllers {
        cluster.controllers[*at].ready().await;
    }
}

async fn count(cluster: &Cluster, database: &str) -> String {
    until("it can be counted", async || {
        let session = cluster.connect(0, database).await.map_err(|error| code(&error))?;
        session.one("SELECT count(*) FROM t").await.map_err(|error| code(&error))
    })
    .await
}

async fn with_rows(cluster: &Cluster, name: &str, rows: u32) {
    cluster.create(name).await;
    let session = cluster.session(0, name).await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("made");
    for n in 0..rows {
        session.batch_execute(&format!("INSERT INTO t VALUES ({n})")).await.expect("written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_map_serves_every_row_and_gives_nothing_again_while_servers_and_handlers_live_on_r7_r29() {
    let cluster = Cluster::builder().handlers(1).servers(2).start().await;
    let cli = cluster.cli();
    with_rows(&cluster, "shop", 3).await;
    with_rows(&cluster, "gone", 1).await;
    cluster.create("never_opened").await;
    let option = DatabaseOption::parse("time_limit", "90s").expect("an option");
    cluster
        .operate(Operation::SetDatabaseOptions {
            database: DatabaseRef::parse("shop"),
            options: vec![option],
        })
        .await;
    let file = cluster.directory().join("map.backup");
    cli.run(&["map", "backup", text(&file)]).ok();
    assert!(cli.run(&["map", "backup", text(&file)]).fails(1).contains("is there already"));

    // What the backup does not know: rows, owners, a new database, and a drop.
    let session = cluster.session(0, "shop").await;
    session.batch_execute("INSERT INTO t VALUES (100), (101)").await.expect("written");
    for server in ["server-1", "server-2", "server-1", "server-2"] {
        cli.run(&["databases", "move", "shop", "--to", server]).ok();
    }
    session.batch_execute("INSERT INTO t VALUES (102)").await.expect("written");
    with_rows(&cluster, "later", 7).await;
    let (later, lost) = (cluster.info("later").await, cluster.info("shop").await);
    cluster.operate(Operation::DropDatabase { database: DatabaseRef::parse("gone") }).await;
    until("its journal is gone", async || {
        let told = cli.run(&["events"]);
        if told.ok().contains(" purged ") { Ok(()) } else { Err(told.stdout) }
    })
    .await;

    let running = restore(&cluster, &[text(&file)], &[0, 1, 2]).await;
    assert!(running.fails(1).contains("not empty"), "{}", running.stderr);
    lose_controllers(&cluster, &[]);
    // Its server does not know that it is nobody's any more, and its handler knows the way to it.
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("a session goes on"), "6");
    restore(&cluster, &[text(&file)], &[0, 1, 2]).await.ok();
    start(&cluster, &[0, 1, 2]).await;

    assert_eq!(count(&cluster, "shop").await, "6");
    let shop = cluster.info("shop").await;
    assert_eq!(shop.database, lost.database);
    assert!(shop.epoch > lost.epoch && shop.epoch > Epoch(1 << 32), "{} after {}", shop.epoch, lost.epoch);
    assert_eq!(shop.options.set_ones(), [option]);
    until("the old session writes at the new owner", async || {
        session.batch_execute("INSERT INTO t VALUES (103)").await.map_err(|error| code(&error))
    })
    .await;
    assert!(count(&cluster, "shop").await.parse::<u32>().expect("a number") >= 7);
    let session = cluster.session(0, "never_opened").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("it was empty, and is usable");

    let made = cluster.create("after").await.database;
    assert!(made > later.database, "{made} after {}", later.database);
    let error = cluster.connect(0, "later").await.map(drop).expect_err("the map does not know it");
    assert_eq!(code(&error), "3D000");
    let error = cluster.connect(0, "gone").await.map(drop).expect_err("its journal is gone");
    assert!(message(&error).contains("dropped") || format!("{error:?}").contains("dropped"), "{error:?}");
    cli.run(&["databases", "drop", "gone"]).ok();
    let told = cli.run(&["events", "--limit", "500"]);
    assert!(told.ok().contains("map restored"), "{}", told.stdout);
    cluster.agreed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_map_is_the_same_on_every_controller_even_one_that_begins_empty_c14() {
    let cluster = Cluster::builder().handlers(0).servers(0).start().await;
    for number in 0..200 {
        cluster.create(&format!("kept_{number}")).await;
    }
    let file = cluster.directory().join("map.backup");
    let backup = cluster.cli().run(&["map", "backup", text(&file), "--json"]).json();
    assert_eq!(backup["digest"], cluster.agreed().await.to_string());
    assert_eq!(backup["databases"], 200);

    lose_controllers(&cluster, &[]);
    let restored = restore(&cluster, &[text(&file), "--json"], &[0, 1, 2]).await.json();
    let digest = restored[0]["digest"].as_str().expect("a digest").to_owned();
    assert!(restored.as_array().expect("three").iter().all(|each| each["digest"] == digest.as_str()));
    start(&cluster, &[0, 1, 2]).await;
    assert_eq!(cluster.agreed().await.to_string(), digest);

    // One alone, and the others are sent the map.
    lose_controllers(&cluster, &[]);
    let refused = restore(&cluster, &[text(&file)], &[0, 0]).await;
    assert!(refused.fails(64).contains("named twice"), "{}", refused.stderr);
    let restored = restore(&cluster, &[text(&file), "--json"], &[0]).await.json();
    let again = restored[0]["digest"].as_str().expect("a digest").to_owned();
    assert_ne!(digest, again, "each restore has counters of its own");
    cluster.controllers[0].start();
    until("it answers", async || cluster.status(0).await.map_err(|error| error.to_string())).await;
    let running = restore(&cluster, &[text(&file)], &[1]).await;
    assert!(running.fails(1).contains("runs and has a map"), "{}", running.stderr);
    assert_eq!(cluster.agreed().await.to_string(), again);
    for at in [1, 2] {
        cluster.controllers[at].start();
        until("it answers", async || cluster.status(at).await.map_err(|error| error.to_string())).await;
        let address = cluster.controller_address(at).to_string();
        cluster.cli().run(&["controllers", "add", &address]).ok();
    }
    cluster.controllers[2].ready().await;
    assert_eq!(cluster.agreed().await.to_string(), again);
    cluster.create("one_more").await;
    cluster.agreed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_surviving_controllers_disk_is_enough_r11() {
    let cluster = Cluster::builder().handlers(0).servers(0).start().await;
    for number in 0..50 {
        cluster.create(&format!("kept_{number}")).await;
    }
    cluster.agreed().await;
    let file = cluster.directory().join("map.backup");
    let dir = data_dir(&cluster, 1);
    let cli = Cli::default();
    let running = cli.run(&["map", "backup", text(&file), "--data-dir", text(&dir)]);
    assert!(running.fails(1).contains("used by another process"), "{}", running.stderr);
    assert!(!file.exists());
    let nothing = cli.run(&["map", "backup", text(&file), "--data-dir", text(cluster.directory())]);
    assert!(nothing.fails(1).contains("no controller's data directory"), "{}", nothing.stderr);

    lose_controllers(&cluster, &[1]);
    cli.run(&["map", "backup", text(&file), "--data-dir", text(&dir)]).ok();
    let kept = restore(&cluster, &[text(&file)], &[0, 1, 2]).await;
    assert!(kept.fails(1).contains("not empty"), "{}", kept.stderr);
    assert!(!data_dir(&cluster, 0).exists(), "all or none");
    fs::rename(&dir, cluster.directory().join("survivor")).expect("moved away");
    restore(&cluster, &[text(&file)], &[0, 1, 2]).await.ok();
    start(&cluster, &[0, 1, 2]).await;
    cluster.agreed().await;
    for number in 0..50 {
        cluster.info(&format!("kept_{number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_is_refused_in_every_byte() {
    let cluster = Cluster::builder().controllers(1).handlers(0).servers(0).start().await;
    cluster.create("kept").await;
    let file = cluster.directory().join("map.backup");
    cluster.cli().run(&["map", "backup", text(&file)]).ok();
    lose_controllers(&cluster, &[]);
    let good = fs::read(&file).expect("readable");
    for at in [0, 7, 8, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, bad).expect("written");
        let refused = restore(&cluster, &[text(&file)], &[0]).await;
        let said = refused.fails(1);
        assert!(said.contains("cannot read the backup") && !said.contains("panicked"), "byte {at}: {said}");
        assert!(!data_dir(&cluster, 0).exists());
    }
    fs::write(&file, &good[..good.len() - 9]).expect("written");
    restore(&cluster, &[text(&file)], &[0]).await.fails(1);
    fs::write(&file, &good).expect("written");
    restore(&cluster, &[text(&file)], &[0]).await.ok();
    start(&cluster, &[0]).await;
    cluster.info("kept").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_and_the_journals_bring_everything_back_and_an_import_may_be_repeated() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    let cli = cluster.cli();
    with_rows(&cluster, "shop", 5).await;
    with_rows(&cluster, "depot", 2).await;
    cli.run(&["databases", "set", "shop", "time_limit=90s"]).ok();
    let (shop, status) = (cluster.info("shop").await, cluster.status(0).await.expect("it answers"));
    let file = cluster.directory().join("map.jsonl");
    cli.run(&["map", "export", text(&file)]).ok();
    let lines = fs::read_to_string(&file).expect("readable");
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert_eq!(cli.run(&["map", "export"]).ok().lines().count(), 5);
    let unchanged = cli.run(&["map", "import", text(&file)]);
    assert_eq!(unchanged.ok(), "4 unchanged\n");

    lose_controllers(&cluster, &[]);
    let fleet = status.fleet.expect("it is founded").to_string();
    restore(&cluster, &["--fleet", &fleet], &[0]).await.ok();
    start(&cluster, &[0]).await;
    cluster.servers[0].ready().await;
    let would = cli.run(&["map", "import", text(&file), "--dry-run"]);
    assert_eq!(would.ok(), "2 would be adopted, 1 would be options set, 0 unchanged, 1 would be users put\n");
    assert!(cluster.look_up("shop").await.is_err(), "a dry run does nothing");

    let bad = format!("{lines}{{\"kind\":\"database\",\"name\":\"db-1\"}}\nnonsense\n");
    fs::write(cluster.directory().join("bad.jsonl"), bad).expect("written");
    let refused = cli.run(&["map", "import", text(&cluster.directory().join("bad.jsonl"))]);
    let said = refused.fails(1);
    assert!(said.contains("bad.jsonl:6: ") && said.contains("bad.jsonl:7: "), "{said}");
    assert!(cluster.look_up("shop").await.is_err(), "all or nothing");

    assert_eq!(
        cli.run(&["map", "import", text(&file)]).ok(),
        "2 adopted, 1 options set, 0 unchanged, 1 users put\n"
    );
    assert_eq!(cli.run(&["map", "import", text(&file)]).ok(), "4 unchanged\n");
    assert_eq!((count(&cluster, "shop").await, count(&cluster, "depot").await), ("5".into(), "2".into()));
    let again = cluster.info("shop").await;
    assert_eq!((again.database, again.options), (shop.database, shop.options));
}
