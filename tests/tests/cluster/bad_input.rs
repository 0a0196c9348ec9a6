//! Bytes that no client should send, and too many of them: refused or closed with a reason, in bounded memory, and
//! everybody else is served on.

use std::{net::SocketAddr, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tests::{Cluster, Process, Raw, until};

/// Memory that a process may have, whatever strangers send: many times what an idle one has.
const MEMORY_MAX: u64 = 400 << 20;

/// Every port that strangers may reach, with the process behind it.
async fn ports(cluster: &Cluster) -> Vec<(SocketAddr, &Process)> {
    let mut ports = vec![(cluster.handler_address(0), &cluster.handlers[0])];
    let config = |process: &Process, key: &str| {
        let text = std::fs::read_to_string(process.config()).expect("its configuration");
        let line =
            text.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).expect("the setting");
        line.trim_matches('"').parse::<SocketAddr>().expect("an address")
    };
    let server = &cluster.servers[0];
    ports.push((config(server, "data_listen"), server));
    ports.push((config(server, "control_listen"), server));
    ports.push((cluster.controller_address(0), &cluster.controllers[0]));
    ports.extend(cluster.processes().step_by(3).map(|process| (process.admin(), process)));
    ports
}

async fn still_serves(cluster: &Cluster, database: &str) {
    let session = cluster.session(0, database).await;
    assert_eq!(session.one("select 1").await.expect("answered"), "1");
    for process in cluster.processes() {
        assert!(process.is_running(), "{} died:\n{}", process.name(), process.log().last(process.name(), 30));
        let memory = process.memory();
        assert!(memory < MEMORY_MAX, "{} has {memory} bytes", process.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_at_every_port_are_closed_and_everybody_is_served_on() {
    let cluster = Cluster::shared().await;
    cluster.create("beside_noise").await;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for (address, process) in ports(cluster).await {
        let noise: Vec<Vec<u8>> = (0..40)
            .map(|_| {
                let mut bytes = vec![0; random.random_range(1..3000)];
                random.fill(&mut bytes[..]);
                bytes
            })
            .collect();
        join_all(noise.iter().map(async |bytes| {
            let mut raw = Raw::connect(address).await.expect("it listens");
            raw.send(bytes).await;
            raw.end().await;
            raw.rest().await;
        }))
        .await;
        assert!(process.is_running(), "{} died of noise on {address}", process.name());
    }
    still_serves(cluster, "beside_noise").await;
}

#[tokio::test]
async fn a_length_of_a_gibibyte_is_refused_before_anything_is_allocated_08p01() {
    let cluster = Cluster::shared().await;
    cluster.create("beside_giants").await;
    let before = cluster.handlers[0].memory();
    let giants = (0..50).map(async |_| {
        let mut raw = Raw::connect(cluster.handler_address(0)).await.expect("it listens");
        raw.send(&(1u32 << 30).to_be_bytes()).await;
        raw.send(&196_608u32.to_be_bytes()).await;
        let said = raw.rest().await;
        assert!(said.len() < 1000, "a short goodbye");
    });
    join_all(giants).await;
    let grown = cluster.handlers[0].memory().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for 50 lies");
    still_serves(cluster, "beside_giants").await;
}

#[tokio::test]
async fn a_message_that_claims_a_gibibyte_takes_only_what_has_come() {
    let cluster = Cluster::shared().await;
    cluster.create("beside_claims").await;
    let before: u64 = cluster.processes().map(Process::memory).sum();
    let mut claims = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::connect(cluster.handler_address(0)).await.expect("it listens");
        raw.send(&Raw::startup(&[("user", tests::USER), ("database", "beside_claims")])).await;
        assert_eq!(raw.log_in(tests::PASSWORD).await.0, b'Z');
        raw.send(&[&b"Q"[..], &((1u32 << 30) - 2).to_be_bytes(), b"select 1"].concat()).await;
        claims.push(raw);
    }
    still_serves(cluster, "beside_claims").await;
    let grown = cluster.processes().map(Process::memory).sum::<u64>().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes for 8 claims");
    drop(claims);
    still_serves(cluster, "beside_claims").await;
}

#[tokio::test]
async fn an_unknown_message_ends_its_own_session_with_a_reason_08p01() {
    let cluster = Cluster::shared().await;
    cluster.create("beside_unknown").await;
    let neighbour = cluster.session(0, "beside_unknown").await;
    for database in ["beside_unknown", "stationmaster"] {
        let mut raw = Raw::connect(cluster.handler_address(0)).await.expect("it listens");
        raw.send(&Raw::startup(&[("user", tests::USER), ("database", database)])).await;
        let (tag, body) = raw.log_in(tests::PASSWORD).await;
        assert_eq!(tag, b'Z', "{:?}", Raw::fields(&body));
        raw.send(b"~\0\0\0\x08oops").await;
        let fields = Raw::error_in(&raw.rest().await).expect("a reason");
        assert_eq!(fields[&'C'], "08P01", "{fields:?}");
    }
    assert_eq!(neighbour.one("select 1").await.expect("another session goes on"), "1");
}

#[tokio::test]
async fn half_a_start_up_packet_holds_nobody_up() {
    let cluster = Cluster::shared().await;
    cluster.create("beside_halves").await;
    let whole = Raw::startup(&[("user", tests::USER), ("database", "beside_halves")]);
    let mut halves = Vec::new();
    for end in 0..whole.len() {
        let mut raw = Raw::connect(cluster.handler_address(0)).await.expect("it listens");
        raw.send(&whole[..end]).await;
        halves.push(raw);
    }
    still_serves(cluster, "beside_halves").await;
    // Those that stay silent are closed by the handler, by and by.
    join_all(halves.iter_mut().map(Raw::rest)).await;
}

#[tokio::test]
async fn start_up_packets_that_make_no_sense_are_refused_with_a_reason() {
    let cluster = Cluster::shared().await;
    let version = |major: u32, minor: u32| (major << 16 | minor).to_be_bytes();
    let packet =
        |body: &[u8]| [&u32::try_from(body.len() + 4).expect("short").to_be_bytes()[..], body].concat();
    let cases: [(Vec<u8>, &str); 5] = [
        (packet(&[&version(2, 0)[..], b"\0"].concat()), "0A000"),
        (packet(&[&version(4, 0)[..], b"\0"].concat()), "0A000"),
        (packet(&[&version(3, 0)[..], b"user\0alice"].concat()), "08P01"),
        (Raw::startup(&[("database", "x")]), "28000"),
        (Raw::startup(&[("user", tests::USER), ("_stationmaster.epoch", "1")]), "42501"),
    ];
    for (bytes, expected) in cases {
        let mut raw = Raw::connect(cluster.handler_address(0)).await.expect("it listens");
        raw.send(&bytes).await;
        let said = raw.rest().await;
        let fields = Raw::error_in(&said).unwrap_or_else(|| panic!("no reason for {bytes:?}: {said:?}"));
        assert_eq!(fields[&'C'], expected, "{bytes:?}: {fields:?}");
    }
}

/// As many as the issue asks for, or as this process may open.
fn connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let allowed = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let connections = 10_000.min(allowed.saturating_sub(1_000));
    assert!(connections >= 1_000, "{allowed} open files are too few for this test: ulimit -n 20000");
    if connections < 10_000 {
        println!("only {connections} connections, because this process may open {allowed} files only");
    }
    connections
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_silent_connections_take_little_memory_and_lock_nobody_out() {
    let cluster = Cluster::builder().controllers(1).servers(1).handlers(1).start().await;
    cluster.create("beside_crowd").await;
    let address = cluster.handler_address(0);
    let crowd: Vec<_> = stream::iter(0..connections())
        .map(|_| Raw::connect(address))
        .buffer_unordered(100)
        .filter_map(async |connected| connected.ok())
        .collect()
        .await;
    let memory = cluster.handlers[0].memory();
    assert!(memory < MEMORY_MAX, "{memory} bytes for {} connections", crowd.len());
    // Strangers who say nothing are sent away in a while, and whoever knows the password gets in.
    let session = until("a client gets in beside the crowd", async || {
        cluster.connect(0, "beside_crowd").await.map_err(|error| format!("{error:?}"))
    })
    .await;
    assert_eq!(session.one("select 1").await.expect("answered"), "1");
    drop(crowd);
    still_serves(&cluster, "beside_crowd").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_sessions_stay_and_the_one_too_many_is_refused_53300() {
    const SESSIONS: usize = 2_000;
    let cluster = Cluster::builder()
        .controllers(1)
        .servers(1)
        .handlers(1)
        .set(tests::Role::Handler, "sessions_max", SESSIONS)
        .set(tests::Role::Server, "database_sessions_max", 2 * SESSIONS)
        .start()
        .await;
    cluster.create("idle").await;
    let before = cluster.handlers[0].memory();
    let sessions: Vec<_> = stream::iter(0..SESSIONS)
        .map(async |_| cluster.session(0, "idle").await)
        .buffer_unordered(32)
        .collect()
        .await;
    let each = cluster.handlers[0].memory().saturating_sub(before) / SESSIONS as u64;
    println!("{each} bytes of the handler's memory for each idle session");
    assert!(each < 100 << 10, "{each} bytes for each idle session");
    let refused = cluster.connect(0, "idle").await.err().expect("one too many");
    assert_eq!(tests::code(&refused), "53300", "{refused:?}");
    for session in sessions.iter().step_by(97) {
        assert_eq!(session.one("select 1").await.expect("answered"), "1");
    }
    drop(sessions);
    until("there is room again", async || {
        cluster.connect(0, "idle").await.map_err(|error| format!("{error:?}"))
    })
    .await;
}

/// Connections are idle for a while before the system closes them; nothing here may depend on how long.
#[tokio::test]
async fn an_idle_session_is_left_alone() {
    let cluster = Cluster::shared().await;
    cluster.create("quiet").await;
    let mut raw = Raw::connect(cluster.handler_address(1)).await.expect("it listens");
    raw.send(&Raw::startup(&[("user", tests::USER), ("database", "quiet")])).await;
    assert_eq!(raw.log_in(tests::PASSWORD).await.0, b'Z');
    assert!(raw.is_quiet(Duration::from_secs(2)).await);
}
