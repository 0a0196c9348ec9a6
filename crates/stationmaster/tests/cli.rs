//! The command line without a cluster: what it refuses, in which words, with which exit code.

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs `stationmaster` in an empty folder, with nothing of ours in the environment.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationmaster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STATIONMASTER_")) {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } =
        command.args(arguments).current_dir(folder).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (status.code(), text(stdout), text(stderr))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn three_mistakes_in_a_configuration_are_named_at_once_with_their_lines() {
    let folder = folder();
    let text = "[server]\nname = \"s1\"\ndata_lisen = \"127.0.0.1:7201\"\ncapacity = \"big\"\n\
                control_listen = \"127.0.0.1:7301\"\ncontrollers = [\"127.0.0.1:7101\"]\njournal = \"j\"\n\
                data_dir = \"d\"\nadmin_listen = \"127.0.0.1:9201\"\nsecret_file = \"s\"\n";
    std::fs::write(folder.path().join("s.toml"), text).expect("written");
    for arguments in [["config", "check", "s.toml"], ["server", "--config", "s.toml"]] {
        let (code, out, err) = run(folder.path(), &arguments);
        assert_eq!(code, Some(64), "{err}");
        assert_eq!(out, "");
        assert!(err.contains("3 problems"), "{err}");
        assert!(
            err.contains("s.toml:3: unknown setting `data_lisen` in [server]; did you mean `data_listen`?"),
            "{err}"
        );
        assert!(err.contains("s.toml:4: `capacity` must be a whole number"), "{err}");
        assert!(err.contains("s.toml: [server] needs `data_listen`"), "{err}");
    }
}

#[test]
fn a_sound_configuration_is_shown_as_it_comes_out() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    for (sample, line) in [
        ("controller.toml", "lease_ms = 3000"),
        ("handler.toml", "name = \"handler-1\""),
        ("server.toml", "journal = \"stationmaster-data/journal\""),
    ] {
        let (code, out, err) = run(&samples, &["config", "check", sample]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains(line), "{out}");
    }
}

#[test]
fn wrong_usage_is_exit_code_64_and_help_is_0() {
    let folder = folder();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["databases", "create"],
        &["databases", "create", ""],
        &["dev", "--controllers", "0"],
        &["dev", "--controllers", "ten"],
        &["server", "--config", "nowhere.toml"],
        &["status", "--controllers", "127.0.0.1:1"],
        &["journal", "verify"],
        &["journal", "restore", "db-1", "file", "--position", "0"],
        &["journal", "restore", "db-1", "file", "--time", "yesterday"],
        &["journal", "restore", "db-1", "file", "--time", "2026-11-22T02:30:00Z", "--position", "1"],
        &["journal", "inspect", "--journal", ".", "--fleet", "1"],
    ] {
        let (code, _, err) = run(folder.path(), arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
    for arguments in [&["--help"][..], &["--version"], &["databases", "--help"]] {
        assert_eq!(run(folder.path(), arguments).0, Some(0), "{arguments:?}");
    }
    assert!(folder.path().read_dir().expect("it is there").next().is_none(), "nothing was left behind");
}

#[test]
fn without_a_cluster_it_says_how_to_name_one() {
    let (code, _, err) = run(folder().path(), &["databases", "list"]);
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("stationmaster-dev") && err.contains("STATIONMASTER_CONTROLLERS"), "{err}");
}

#[test]
fn controllers_that_do_not_answer_are_named_and_the_exit_code_is_1() {
    let folder = folder();
    assert_eq!(run(folder.path(), &["secret", "new", "secret"]).0, Some(0));
    let (code, _, err) = run(
        folder.path(),
        &["status", "--controllers", "127.0.0.1:1,127.0.0.1:2", "--secret-file", "secret"],
    );
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("127.0.0.1:1: cannot connect") && err.contains("127.0.0.1:2: cannot connect"),
        "{err}"
    );
    assert!(err.contains("stationmaster dev"), "{err}");
}

#[test]
fn a_role_whose_secret_is_missing_or_whose_port_is_taken_says_so() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let admin = taken.local_addr().expect("bound").to_string();
    let set = [
        "handler",
        "--set",
        "name=h",
        "--set",
        "listen=127.0.0.1:1",
        "--set",
        "controllers=127.0.0.1:1",
        "--set",
        "secret_file=secret",
        "--set",
    ];
    let admin = format!("admin_listen={admin}");
    let arguments: Vec<&str> = set.into_iter().chain([admin.as_str()]).collect();
    let (code, _, err) = run(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot read the fleet secret from secret"), "{err}");
    assert_eq!(run(folder.path(), &["secret", "new", "secret"]).0, Some(0));
    let (code, _, err) = run(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("another process does") && err.contains("`admin_listen`"), "{err}");
}
