//! The Python driver (R63 to R91, S2, S4, S6, S8, S9): its own tests, run where they are, and against a real database with
//! a relay between that sends directives.

use std::process::{Command, Stdio};

use tests::{Cluster, Ran, python_driver, python_has, until};

async fn passes(mut command: Command) {
    let said = format!("{command:?}");
    let ran = tokio::task::spawn_blocking(move || Ran::of(&mut command, said, "")).await.expect("no panic");
    assert_eq!(ran.code, Some(0), "{}\n{}{}", ran.command, ran.stdout, ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reads_the_vectors_of_all_drivers_and_decides_alike_r65_r66_r89() {
    passes(python_driver(&["-m", "unittest", "discover", "-t", ".", "tests"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_obeys_directives_around_a_real_database_r70_to_r88() {
    let cluster = Cluster::shared().await;
    cluster.create("py_driver").await;
    let mut command = python_driver(&["-m", "tests.cluster"]);
    cluster.env(0, "py_driver").apply(&mut command);
    passes(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_example_runs_as_the_readme_shows_it_r64() {
    let cluster = Cluster::shared().await;
    cluster.create("py_example").await;
    let mut command = python_driver(&["example.py"]);
    cluster.env(0, "py_example").apply(&mut command);
    passes(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_measures_goes_to_the_server_and_is_reported_there_r76_r78_r80() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create("py_measured").await;
    cluster.let_send().await;
    let mut command = python_driver(&["-m", "tests.reporting"]);
    let mut client =
        cluster.env(0, "py_measured").apply(&mut command).stdin(Stdio::piped()).spawn().expect("python");
    let cli = cluster.cli();
    until("the client is there", async || {
        let counted = ["directives", "send", "flush", "--for", "1min", "--dry-run", "--json"];
        let counted = cli.run(&counted).json();
        if counted["sessions"] == 1 { Ok(()) } else { Err(counted) }
    })
    .await;
    cli.run(&["telemetry", "start", "--for", "5min", "--every", "200ms", "--database", "py_measured"]).ok();
    until("the client's report is at the server", async || {
        let found = cli.run(&["telemetry", "report", "--clients", "--json"]).json();
        let each = &found["each"][0];
        let said = [&each["application"], &each["driver"]].map(|value| value.as_str().unwrap_or_default());
        let measured = each["calls"].as_u64() > Some(0) && each["memory_bytes"].as_u64() > Some(0);
        if measured && said[0] == "python-till" && said[1].starts_with("python-") {
            Ok(())
        } else {
            Err(found)
        }
    })
    .await;
    // Its standard input ends, and it with that.
    drop(client.stdin.take());
    assert!(client.wait().expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_types_are_right() {
    if !python_has(&["mypy"]) {
        eprintln!("mypy is not there, so the types are not checked; .ci/run installs it where it can");
        return;
    }
    passes(python_driver(&["-m", "mypy", "--cache-dir=/dev/null"])).await;
}
