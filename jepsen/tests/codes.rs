//! How the command ends: 0 valid, 1 invalid, 2 unknown or failed, 64 called wrongly.

use std::process::{Command, Stdio};

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
