//! The journal on an S3 server that is not ours: moto, a Python program (`pip install 'moto[server,s3]'`).
//!
//! `.ci/run` installs it where it can be had. Where it is not, the test says so; with `STATIONMASTER_REQUIRE_MOTO` set,
//! as `cargo xtask ci` does, it fails.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::future::join_all;
use journal::{AppendError, OpenError, Store};
use model::Epoch;

use super::{commits_and_takeovers, store_at};
use crate::world::*;

/// moto with one request at a time: it looks whether an object is there and puts it in two steps, so that two owners
/// could both be told that they made it, which no S3 does.
const ONE_AT_A_TIME: &str = "
import sys, threading
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

def answer(environ, start_response):
    with turn:
        return list(moto(environ, start_response))

run_simple('127.0.0.1', int(sys.argv[1]), answer, threaded=True)
";

/// A running moto, ended when dropped.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    /// With an empty bucket. Nothing when it is not installed.
    fn start() -> Option<Self> {
        let Some(program) = program() else {
            let said = "moto_server is not installed: pip install 'moto[server,s3]'";
            assert!(std::env::var_os("STATIONMASTER_REQUIRE_MOTO").is_none(), "{said}");
            eprintln!("SKIPPED: {said}");
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let mut command = Command::new(interpreter(&program));
        command.args(["-c", ONE_AT_A_TIME, &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Self { child: command.spawn().expect("it starts"), port };
        let give_up = Instant::now() + Duration::from_secs(60);
        while !moto.make_bucket() {
            assert!(Instant::now() < give_up, "moto does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(moto)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let request =
            "PUT /bucket HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.lines().next().is_some_and(|line| line.contains(" 200 "))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The Python that a script is for.
fn interpreter(script: &Path) -> PathBuf {
    let text = std::fs::read_to_string(script).expect("moto_server is a script");
    let first = text.lines().next().and_then(|line| line.strip_prefix("#!"));
    PathBuf::from(first.unwrap_or("python3").trim())
}

/// The one that `.ci/run` installed, or one in the path.
fn program() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/moto_server");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&path).map(|folder| folder.join("moto_server"));
    [ours].into_iter().chain(paths).find(|program| program.is_file())
}

#[tokio::test]
async fn moto_passes_the_self_test_and_carries_a_database_s1() {
    let Some(moto) = Moto::start() else { return };
    store_at(&moto.url(), 1).prove().await.expect("it is a good store");
    commits_and_takeovers(|process| store_at(&moto.url(), process)).await;
}

/// Opens under one epoch and commits until somebody else takes over; the commits that were acknowledged.
async fn own(store: Store, epoch: u64) -> u64 {
    let mut writer = match store.open(SHOP, Epoch(epoch), NOW).await {
        Ok((writer, _)) => writer,
        Err(OpenError::Superseded { .. }) => return 0,
        Err(error) => panic!("{error:?}"),
    };
    let mut acknowledged = 0;
    for fill in 0..10 {
        match writer.append(group(1, &[(1, fill)])).await {
            Ok(_) => acknowledged += 1,
            Err(AppendError::Fenced { .. }) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    acknowledged
}

#[tokio::test]
async fn owners_that_race_on_moto_lose_no_acknowledged_commit_s1() {
    let Some(moto) = Moto::start() else { return };
    let mut acknowledged = 0;
    for round in 0..4 {
        let owners = (1..=5).map(|number| own(store_at(&moto.url(), number), 100 * round + number));
        acknowledged += join_all(owners).await.into_iter().sum::<u64>();
        let (_, recovery) = open(&store_at(&moto.url(), 99), 100 * round + 50).await;
        assert_eq!(recovery.state().transactions, acknowledged, "round {round}");
    }
    assert!(acknowledged > 0);
}
