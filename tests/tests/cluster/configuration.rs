//! Configuration files: samples that work, and mistakes that are all named at once.

use std::path::{Path, PathBuf};

use tests::{Cli, Cluster};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

#[test]
fn every_sample_configuration_checks_out() {
    let mut checked = 0;
    for file in std::fs::read_dir(samples()).expect("the samples are there") {
        let path = file.expect("readable").path();
        // The rules are no process's configuration: they are built in, and tested where they are read.
        let a_process = path.file_name().is_some_and(|name| name != "rules.toml");
        if a_process && path.extension().is_some_and(|extension| extension == "toml") {
            let shown = Cli::default().run(&["config", "check", path.to_str().expect("UTF-8")]);
            assert!(shown.ok().contains("admin_listen"), "it shows what comes out: {}", shown.stdout);
            checked += 1;
        }
    }
    assert!(checked >= 3, "one for each role");
}

const THREE_MISTAKES: &str = r#"[server]
name = ""
data_listen = "127.0.0.1:notaport"
control_listen = "127.0.0.1:7301"
controllers = ["127.0.0.1:7101"]
journal = "/tmp/j"
data_dir = "/tmp/d"
colour = "blue"
admin_listen = "127.0.0.1:9201"
secret_file = "/tmp/s"
"#;

#[test]
fn three_mistakes_are_named_at_once_each_with_its_line_64() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("server.toml");
    std::fs::write(&path, THREE_MISTAKES).expect("written");
    let path = path.to_str().expect("UTF-8");
    for command in [&["config", "check", path][..], &["server", "--config", path]] {
        let ran = Cli::default().run(command);
        let said = ran.fails(64);
        for (line, what) in [(2, "name"), (3, "data_listen"), (8, "colour")] {
            let named =
                said.lines().any(|text| text.contains(&format!("{path}:{line}")) && text.contains(what));
            assert!(named, "line {line}, {what}, in:\n{said}");
        }
    }
    let ran = Cli::default().run(&["server", "--config", "/nowhere/server.toml"]);
    assert!(ran.code == Some(1) || ran.code == Some(64), "{ran:?}");
    assert!(ran.stderr.contains("/nowhere/server.toml"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(0).start().await;
    let taken = cluster.handler_address(0);
    let config = cluster.handlers[0].config().to_str().expect("UTF-8").to_owned();
    let admin = format!("admin_listen={}", cluster.spare_address());
    let ran = tokio::task::spawn_blocking(move || {
        Cli::default().run(&["handler", "--config", &config, "--set", &admin])
    })
    .await
    .expect("no panic");
    assert!(ran.fails(1).contains(&taken.to_string()), "{}", ran.stderr);
}
