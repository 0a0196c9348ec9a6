//! `stationmaster dev` as a stranger uses it: real processes, real ports, real kills.
//!
//! Meets issue items: a table with every process and the lines to paste, taken ports named, a second start that finds
//! the data, killed children restarted under their names, nothing left behind however it ends.

mod dev {
    pub mod cluster;
    mod journal;
}

use dev::cluster::{Cluster, cli, wait_for};

#[test]
fn a_cluster_starts_serves_survives_kills_and_finds_its_data_again() {
    let mut cluster = Cluster::start(&["--controllers", "3", "--servers", "2", "--handlers", "2"]);
    let names: Vec<String> = cluster.processes().into_iter().map(|process| process.name).collect();
    assert_eq!(
        names,
        ["controller-1", "controller-2", "controller-3", "server-1", "server-2", "handler-1", "handler-2"]
    );

    let (code, out) = cluster.cli(&["databases", "create", "shop", "--json"]);
    assert_eq!(code, Some(0), "{out}");
    let made: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(made["name"], "shop");
    let id = made["id"].as_str().expect("an id").to_owned();
    cluster.query(0, "shop", "create table t (a int)").expect("created through the first handler");
    cluster.query(0, "shop", "insert into t values (42)").expect("inserted");
    assert_eq!(cluster.query(1, &id, "select a from t").expect("by id, through the second"), ["42"]);

    // Kill -9 the server that has it: the database is served again, the server comes back under its name.
    let (_, out) = cluster.cli(&["databases", "show", "shop", "--json"]);
    let owner = serde_json::from_str::<serde_json::Value>(&out).expect("JSON")["server"].to_string();
    let owner = owner.trim_matches('"').to_owned();
    let before = cluster.pid(&owner);
    cluster.kill(&owner);
    wait_for("the row after a killed server", || {
        cluster.query(0, "shop", "select a from t").ok() == Some(vec!["42".into()])
    });
    cluster.said(&format!("{owner} was killed by signal 9"));
    cluster.said(&format!("{owner} runs again"));
    assert_ne!(cluster.pid(&owner), before);
    wait_for("the server to be up again", || {
        let (_, out) = cluster.cli(&["servers", "list", "--json"]);
        out.matches("\"up\"").count() == 2
    });

    let (code, out) = cluster.cli(&["map", "digest"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.ends_with("equal\n"), "{out}");
    let (code, out) = cluster.cli(&["status"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("leads"), "{out}");

    let pids = cluster.pids();
    let dir = cluster.stop();
    assert!(pids.iter().all(|pid| !running(*pid)), "everything has ended");

    let mut cluster = Cluster::start_in(dir, &[]);
    assert_eq!(cluster.query(1, "shop", "select a from t").expect("after a second start"), ["42"]);
    let pids = cluster.pids();
    cluster.kill_parent();
    wait_for("the children of a killed parent to end", || pids.iter().all(|pid| !running(*pid)));
}

#[test]
fn a_taken_port_is_named_before_anything_starts() {
    let cluster = Cluster::start(&["--controllers", "1", "--servers", "1", "--handlers", "1"]);
    let (code, err) = cluster.start_another(&[]);
    assert_eq!(code, Some(1), "{err}");
    let handler = cluster.processes().pop().expect("the handler comes last").address;
    assert!(err.contains(&format!("{handler}, which handler-1 needs as its port, is taken")), "{err}");
    assert!(err.contains("nothing was started"), "{err}");

    let (code, err) = cluster.start_here_again();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("runs in") && err.contains("already"), "{err}");
    cluster.stop();
}

#[test]
fn no_restart_leaves_a_killed_child_dead() {
    let mut cluster =
        Cluster::start(&["--controllers", "1", "--servers", "1", "--handlers", "1", "--no-restart"]);
    cluster.kill("server-1");
    cluster.said("server-1 was killed by signal 9; it stays dead");
    let (code, out) = cluster.cli(&["status", "--json"]);
    assert_eq!(code, Some(0), "{out}");
    cluster.stop();
}

#[test]
fn a_controller_that_was_removed_is_left_out_and_told_of_once_c13() {
    let mut cluster = Cluster::start(&["--controllers", "4", "--servers", "1", "--handlers", "1"]);
    let (code, out) = cluster.cli(&["controllers", "remove", "4"]);
    assert_eq!(code, Some(0), "{out}");
    cluster.said("controller-4 was removed from the fleet, and is left out");
    wait_for("its process to be gone", || !running(cluster.pid("controller-4")));
    assert!(!cluster.heard("controller-4 ended"), "it is not started again");

    // Neither is it at the next start; the others are ready without it.
    let mut cluster = Cluster::start_in(cluster.stop(), &[]);
    cluster.said("controller-4 was removed from the fleet, and is left out");
    let names: Vec<String> = cluster.processes().into_iter().map(|process| process.name).collect();
    assert_eq!(names, ["controller-1", "controller-2", "controller-3", "server-1", "handler-1"]);

    // Started by hand it says so, and its exit code does.
    let config = cluster.dir().join("config/controller-4.toml").display().to_string();
    let (code, out) = cli(&["controller", "--config", &config]);
    assert_eq!(code, Some(69), "{out}");
    assert!(out.contains("controller 4 was removed from the fleet"), "{out}");
}

#[test]
fn a_second_interrupt_kills_even_a_frozen_child() {
    let mut cluster = Cluster::start(&["--controllers", "1", "--servers", "1", "--handlers", "1"]);
    let pids = cluster.pids();
    cluster.freeze("server-1");
    cluster.interrupt();
    cluster.said("stopping; once more ends everything at once");
    cluster.stop();
    assert!(pids.iter().all(|pid| !running(*pid)), "everything has ended");
}

fn running(pid: u32) -> bool {
    // A zombie has ended: it only waits for its parent to notice.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
