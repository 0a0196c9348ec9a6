//! How the command ends: 0 valid, 1 invalid, 2 unknown or failed, 64 called wrongly.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn code(line: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationmaster-jepsen"));
    command.args(line.split(' ')).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs").code()
}

#[test]
fn the_code_says_whether_it_was_called_wrongly_or_what_came_of_it_c21() {
    for (line, expected) in [
        ("faults", 0),
        ("--help", 0),
        ("check --workload set histories/set-good.edn", 0),
        ("check --workload set histories/set-doubled.edn", 1),
        ("check --workload set histories/set-unread.edn", 2),
        // Of another workload: there is nothing to judge.
        ("check --workload append histories/register-good.edn", 2),
        ("check --workload register histories/append-good.edn", 2),
        ("check --workload bank histories/append-good.edn", 2),
        ("check --workload set histories/register-good.edn", 2),
        ("check --workload names histories/moves-two-owners.edn", 2),
        ("check --workload moves histories/names-stale.edn", 2),
        ("check --workload chess histories/set-good.edn", 64),
        ("check --workload set histories/missing.edn", 64),
        ("check --workload set Cargo.toml", 64),
        ("report histories", 64),
        ("frobnicate", 64),
        ("run --faults gremlin", 64),
        ("run --seconds 10 --faults partition", 64),
        ("run --rate 0", 64),
        ("run --plan Cargo.toml", 64),
        ("run --cluster histories/missing.toml", 64),
        // Called rightly; it cannot be done.
        ("run --out /dev/null/chaos", 2),
    ] {
        assert_eq!(code(line), Some(expected), "{line}");
    }
}

#[test]
fn a_run_that_is_told_to_stop_ends_in_order_c21() {
    let directory = tempfile::tempdir().expect("a directory");
    let cluster = directory.path().join("cluster.toml");
    // Nobody is there; the run tries for a minute.
    std::fs::write(&cluster, "handlers = ['127.0.0.1:1']\nuser = 'a'\npassword = 'b'\n").expect("written");
    for signal in [Signal::INT, Signal::TERM] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_stationmaster-jepsen"))
            .args(["run", "--cluster"])
            .arg(&cluster)
            .arg("--out")
            .arg(directory.path().join("chaos"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut first = String::new();
        let output = run.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut first).expect("it can be read");
        assert!(first.starts_with("seed "), "{first}");
        kill_process(Pid::from_child(&run), signal).expect("it runs");
        let ended = run.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("interrupted"), "{said}");
    }
}
