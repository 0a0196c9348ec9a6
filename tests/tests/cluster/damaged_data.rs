//! Data directories that are not what they should be: a controller refuses to start, says what to do, and never starts
//! with an empty map instead.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tests::{Cluster, Process, Role, until};

/// One controller with a few databases in its map, stopped.
async fn stopped() -> Cluster {
    let cluster = Cluster::builder().controllers(1).handlers(0).servers(0).start().await;
    for number in 0..20 {
        cluster.create(&format!("kept_{number}")).await;
    }
    cluster.controllers[0].kill();
    cluster
}

fn data(cluster: &Cluster, name: &str) -> PathBuf {
    cluster.directory().join(name)
}

/// Starts it, waits until it has refused, gives what it said.
async fn refuses(process: &Process) -> String {
    let before = process.log().text().len();
    process.start();
    let status = process.ended().await;
    let said = process.log().text().split_off(before);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("below it"));
        fs::create_dir_all(target.parent().expect("below it")).expect("made");
        fs::copy(&file, &target).expect("copied");
    }
}

#[tokio::test]
async fn a_data_directory_of_another_controller_is_refused() {
    let cluster = Cluster::builder().controllers(3).handlers(0).servers(0).start().await;
    cluster.create("kept").await;
    for controller in &cluster.controllers {
        controller.kill();
    }
    let (one, two) = (data(&cluster, "controller-1"), data(&cluster, "controller-2"));
    fs::remove_dir_all(&two).expect("removed");
    copy(&one, &two);
    let said = refuses(&cluster.controllers[1]).await;
    assert!(said.contains(two.to_str().expect("UTF-8")), "it names the directory: {said}");
    assert!(said.contains("controller 1") || said.contains("controller-1"), "it says whose it is: {said}");
}

/// Starts it; whether it refused with what to do. If it did not, everything must be there.
async fn refuses_or_has_everything(cluster: &Cluster) -> bool {
    let process = &cluster.controllers[0];
    let before = process.log().text().len();
    process.start();
    let ready = until("it is ready or has ended", async || match process.is_running() {
        true => match tests::get(process.admin(), "/readyz").await {
            Ok((200, _)) => Ok(true),
            other => Err(format!("{other:?}")),
        },
        false => Ok(false),
    })
    .await;
    if ready {
        for number in 0..20 {
            cluster.info(&format!("kept_{number}")).await;
        }
        process.kill();
        return false;
    }
    process.kill();
    let said = process.log().text().split_off(before);
    assert!(said.contains("restore"), "it says what to do: {said}");
    assert!(!said.contains("panicked"), "{said}");
    true
}

#[tokio::test]
async fn truncated_data_is_refused_and_the_map_never_starts_empty_r11() {
    let cluster = stopped().await;
    let directory = data(&cluster, "controller-1");
    let good = cluster.directory().join("good");
    copy(&directory, &good);
    let mut refused = Vec::new();
    for file in files(&good).into_iter().filter(|file| file.metadata().expect("there").len() > 0) {
        let file = file.strip_prefix(&good).expect("below it");
        for (numerator, denominator) in [(0, 1), (1, 3), (9, 10)] {
            fs::remove_dir_all(&directory).expect("removed");
            copy(&good, &directory);
            let open = fs::OpenOptions::new().write(true).open(directory.join(file)).expect("writable");
            let length = open.metadata().expect("there").len();
            open.set_len(length * numerator / denominator).expect("truncated");
            println!("{} cut to {numerator}/{denominator}", file.display());
            if refuses_or_has_everything(&cluster).await {
                refused.push((file.to_owned(), numerator));
            }
        }
    }
    println!("{refused:?}");
    let log = refused.iter().filter(|(file, _)| file.ends_with("db")).count();
    assert!(log >= 2, "sled's own file was cut and nobody noticed: {refused:?}");
    fs::remove_dir_all(&directory).expect("removed");
    copy(&good, &directory);
    assert!(!refuses_or_has_everything(&cluster).await, "the undamaged copy starts");
}

#[tokio::test]
async fn a_second_process_on_one_data_directory_is_refused() {
    let cluster = Cluster::builder().controllers(1).handlers(0).servers(0).start().await;
    let config = cluster.controllers[0].config().to_str().expect("UTF-8").to_owned();
    let set = [("listen", cluster.spare_address()), ("admin_listen", cluster.spare_address())];
    let set = set.map(|(key, address)| format!("{key}={address}"));
    let ran = tokio::task::spawn_blocking(move || {
        tests::Cli::default().run(&["controller", "--config", &config, "--set", &set[0], "--set", &set[1]])
    })
    .await
    .expect("no panic");
    let said = ran.fails(1);
    assert!(said.contains("controller-1"), "it names the directory: {said}");
    cluster.create("undisturbed").await;
}

#[tokio::test]
async fn a_snapshot_of_a_later_release_is_refused_and_a_damaged_one_too() {
    let cluster = Cluster::builder()
        .controllers(1)
        .handlers(0)
        .servers(0)
        .set(Role::Controller, "snapshot_every", 16)
        .start()
        .await;
    let snapshot = data(&cluster, "controller-1").join("snapshot");
    let mut number = 0;
    until("there is a snapshot", async || {
        cluster.create(&format!("kept_{number}")).await;
        number += 1;
        if snapshot.exists() { Ok(()) } else { Err(format!("{number} databases")) }
    })
    .await;
    cluster.controllers[0].kill();
    let good = fs::read(&snapshot).expect("readable");
    assert_eq!(&good[..8], b"STMSNAP\x02", "what this test is about to change");

    let mut later = good.clone();
    later[7] = 99;
    fs::write(&snapshot, later).expect("written");
    let said = refuses(&cluster.controllers[0]).await;
    assert!(said.contains("later release") && said.contains("snapshot"), "it says what to do: {said}");

    for at in [9, good.len() / 2, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        fs::write(&snapshot, damaged).expect("written");
        let said = refuses(&cluster.controllers[0]).await;
        assert!(said.contains("damaged") && said.contains("restore"), "it says what to do: {said}");
    }

    fs::write(&snapshot, &good).expect("written");
    cluster.controllers[0].start();
    cluster.controllers[0].ready().await;
    for number in 0..number {
        cluster.info(&format!("kept_{number}")).await;
    }
}
