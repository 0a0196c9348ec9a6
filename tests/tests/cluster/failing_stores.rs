//! A journal's store that is full or read-only for a while: commits wait, reads go on, and when the fault ends
//! everything that was sent is there, once (issue: bad input and faults; S2).
//!
//! The store is a small file system in memory, which only root may mount. Elsewhere the test says so and checks nothing.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use rand::{Rng, distr::Alphanumeric};
use tests::{Cluster, Role, until};

/// A small file system of its own, gone when dropped.
struct Small {
    directory: tempfile::TempDir,
}

impl Small {
    /// Nothing where this is not allowed.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let small = Self { directory };
        match small.run(&["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs"]) {
            true => Some(small),
            false => {
                eprintln!("SKIPPED: no file system can be mounted here; a failing store needs root");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a command on it.
    fn run(&self, command: &[&str]) -> bool {
        let ran = Command::new(command[0]).args(&command[1..]).arg(self.path()).status();
        ran.is_ok_and(|status| status.success())
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Leaves no room for anything.
    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).expect("made");
        while file.write_all(&[1; 4096]).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Whoever still has a file open on it lets go of it when it ends.
        self.run(&["umount", "-l"]);
    }
}

/// How often the servers have said that a commit waits.
fn waits(cluster: &Cluster) -> usize {
    let logs = cluster.servers.iter().map(|server| server.log().text());
    logs.map(|log| log.matches("a commit waits for the journal's store").count()).sum()
}

#[tokio::test]
async fn commits_wait_for_a_store_that_is_full_or_read_only_and_none_is_lost() {
    let Some(small) = Small::mount() else { return };
    let journal = format!("{:?}", small.path().join("journal").display().to_string());
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1);
    let cluster = cluster.set(Role::Server, "journal", journal).start().await;
    for name in ["writes", "reads"] {
        cluster.create(name).await;
        let session = cluster.session(0, name).await;
        session
            .batch_execute("CREATE TABLE t (text text); INSERT INTO t VALUES ('first')")
            .await
            .expect("written");
    }
    let (writes, reads) = (cluster.session(0, "writes").await, cluster.session(0, "reads").await);
    let mut rows = 1;
    for fault in ["full", "read-only"] {
        match fault {
            "full" => small.fill(),
            _ => assert!(small.run(&["mount", "-o", "remount,ro"]), "it can be made read-only"),
        }
        let before = waits(&cluster);
        // Nothing that compresses: a small record may find room in what the journal has of the disk already.
        let text: String = rand::rng().sample_iter(Alphanumeric).take(20_000).map(char::from).collect();
        let insert = format!("INSERT INTO t VALUES ('{text}')");
        let commit = writes.batch_execute(&insert);
        let meanwhile = async {
            until("a commit waits", async || if waits(&cluster) > before { Ok(()) } else { Err(before) })
                .await;
            assert_eq!(reads.one("SELECT text FROM t").await.expect("reads go on"), "first", "{fault}");
            match fault {
                "full" => fs::remove_file(small.filler()).expect("removed"),
                _ => assert!(small.run(&["mount", "-o", "remount,rw"]), "it can be made writable"),
            }
        };
        let (committed, ()) = futures::future::join(commit, meanwhile).await;
        committed.unwrap_or_else(|error| panic!("{fault}: {error:?}\n{}", cluster.tails(20)));
        rows += 1;
        assert_eq!(writes.one("SELECT count(*) FROM t").await.expect("counted"), rows.to_string(), "{fault}");
    }
    cluster.servers[0].kill();
    cluster.servers[0].start();
    cluster.servers[0].ready().await;
    until("every row is there", async || {
        let session = cluster.connect(0, "writes").await.map_err(|error| format!("{error:?}"))?;
        let there = session.one("SELECT count(*) FROM t").await.map_err(|error| format!("{error:?}"))?;
        if there == rows.to_string() { Ok(()) } else { Err(there) }
    })
    .await;
}
