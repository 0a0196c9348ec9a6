//! Two processes with one identity: the second is refused in words, and the first does not notice.

use std::{net::SocketAddr, path::PathBuf};

use tests::{Cluster, Process};

/// A copy of a process's configuration, with other settings.
fn copied(cluster: &Cluster, of: &Process, name: &str, settings: &[(&str, String)]) -> PathBuf {
    let text = std::fs::read_to_string(of.config()).expect("a configuration of ours");
    let lines = text.lines().map(|line| {
        let other = settings.iter().find(|(key, _)| line.starts_with(&format!("{key} = ")));
        other.map_or_else(|| line.to_owned(), |(key, value)| format!("{key} = {value:?}"))
    });
    let path = cluster.directory().join(format!("{name}.toml"));
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("it can be written");
    path
}

/// Other ports than those of the original.
fn elsewhere(cluster: &Cluster) -> (Vec<(&'static str, String)>, SocketAddr) {
    let admin = cluster.spare_address();
    let mut settings = vec![("admin_listen", admin.to_string())];
    for listen in ["data_listen", "control_listen"] {
        settings.push((listen, cluster.spare_address().to_string()));
    }
    (settings, admin)
}

async fn refused(process: &Process, said: &str) {
    process.start();
    let status = process.ended().await;
    let log = process.log().text();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(said), "{said} is missing in:\n{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_of_two_servers_with_one_name_or_one_directory_is_refused() {
    let cluster = Cluster::builder().servers(1).handlers(1).start().await;
    cluster.create("shop").await;
    let session = cluster.session(0, "shop").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    let before = cluster.info("shop").await;
    let first = &cluster.servers[0];

    let (mut same_name, admin) = elsewhere(&cluster);
    same_name.push(("data_dir", cluster.directory().join("other").display().to_string()));
    let config = copied(&cluster, first, "same-name", &same_name);
    let second = Process::new("same-name", "server", &config, admin);
    refused(&second, "another server runs under the name \"server-1\"").await;

    let (mut same_directory, admin) = elsewhere(&cluster);
    same_directory.push(("name", "server-9".into()));
    let config = copied(&cluster, first, "same-directory", &same_directory);
    let second = Process::new("same-directory", "server", &config, admin);
    refused(&second, "another server runs in").await;

    session.batch_execute("INSERT INTO t VALUES (1)").await.expect("the first goes on");
    let after = cluster.info("shop").await;
    assert_eq!((after.epoch, after.owner), (before.epoch, before.owner));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_of_two_controllers_in_one_directory_is_refused() {
    let cluster = Cluster::builder().controllers(1).servers(0).handlers(0).start().await;
    let admin = cluster.spare_address();
    let settings = [("admin_listen", admin.to_string())];
    let config = copied(&cluster, &cluster.controllers[0], "same-directory", &settings);
    // It listens elsewhere, and says of itself what the first does.
    let text = std::fs::read_to_string(&config).expect("just written");
    let listen = format!("[controller]\nlisten = \"{}\"", cluster.spare_address());
    std::fs::write(&config, text.replacen("[controller]", &listen, 1)).expect("it can be written");
    let second = Process::new("same-directory", "controller", &config, admin);
    refused(&second, "is used by another process").await;
    cluster.create("shop").await;
}
