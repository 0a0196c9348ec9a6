//! What durability costs, and nothing else: commits of a server in this process beside plain SQLite (`synchronous=FULL`,
//! WAL) on the same disk, in alternating rounds. Sessions are pipes in memory: what they say is PostgreSQL's protocol, but
//! no network and no other process takes part on either side. `cargo xtask bench journal`.
//!
//! `commits [ROUNDS [SECONDS]]`. Single rates scatter with whatever else the machine does; the ratios of rounds side by
//! side are the solid figures.

#[path = "lone/mod.rs"]
mod lone;
#[path = "plain/mod.rs"]
mod plain;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use model::{DatabaseId, Epoch, SessionId};
use rpc::{
    ByteStream, Dial, Secret,
    session::{PARAM_NUMBER, PARAM_SESSION},
};
use tikv_jemallocator::Jemalloc;
use tokio::io::AsyncWriteExt;
use wire::frontend;

use crate::{
    lone::{
        Lone,
        client::{Asking, Login, frame, log_in},
        net::Net,
    },
    plain::{DATABASES, INSERT, SHAPES, TABLE, median, sync_ms},
};

/// The product's.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let rounds = arguments.next().unwrap_or(5);
    let length = Duration::from_secs(arguments.next().unwrap_or(3));
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("plain");
    std::fs::create_dir(&folder).expect("made");
    let (net, secret) = (Net::default(), Secret::new([1; 32]));
    let lone = Lone::start(&net, &secret, dir.path(), false, net.listen("data")).await;
    let mut epochs = Vec::new();
    for number in 0..DATABASES {
        epochs.push(lone.load(DatabaseId(number as u64 + 1)).await);
        let mut session = Session::open(&net, &secret, number, epochs[number]).await;
        let mut table = BytesMut::new();
        frontend::query(&mut table, TABLE).expect("fits");
        session.ask(&table).await;
        plain::open(&folder, number).execute_batch(TABLE).expect("made");
    }
    println!("one append and fdatasync here: {:.3} ms (p50)\n", sync_ms(dir.path()));
    println!("{:<28} {:>10} {:>10} {:>7} {:>7}", "in one process", "ours/s", "plain/s", "ratio", "reach");
    for shape in &SHAPES {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let mut sessions = Vec::new();
            for number in (0..shape.sessions).map(|number| number % shape.databases) {
                let mut session = Session::open(&net, &secret, number, epochs[number]).await;
                session.prepare().await;
                sessions.push(session);
            }
            rates.push((ours(sessions, length).await, plain::rate(&folder, shape, length)));
        }
        let of = |of: fn(&(f64, f64)) -> f64| median(rates.iter().map(of));
        let (ours, plain, ratio) = (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.0 / pair.1));
        println!("{:<28} {ours:>10.0} {plain:>10.0} {ratio:>7.2} {:>7.2}", shape.name, shape.reach);
    }
    lone.stop().await;
}

/// A session.
struct Session {
    stream: Box<dyn ByteStream>,
    input: BytesMut,
}

impl Session {
    async fn open(net: &Net, secret: &Secret, number: usize, epoch: Epoch) -> Self {
        let mut stream = net.dial("data").await.expect("it listens");
        let mut asking = Asking::new(secret, DatabaseId(number as u64 + 1), epoch);
        // As handlers do: what becomes of requests is kept.
        let session = SessionId(u128::from_le_bytes(rand::random())).to_string();
        asking.parameters.extend([(PARAM_SESSION, session), (PARAM_NUMBER, "1".into())]);
        let Login::Welcome(input) = log_in(&mut stream, &asking).await else { panic!("refused") };
        let mut session = Self { stream, input };
        session.answered().await;
        session
    }

    async fn prepare(&mut self) {
        let mut parse = BytesMut::new();
        frontend::parse(&mut parse, "insert", INSERT, &[]).expect("fits");
        frontend::sync(&mut parse);
        self.ask(&parse).await;
    }

    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("room");
        self.answered().await;
    }

    async fn answered(&mut self) {
        loop {
            let (tag, body) = frame(&mut self.stream, &mut self.input).await.expect("an answer");
            match tag {
                b'E' => panic!("{}", String::from_utf8_lossy(&body)),
                b'Z' => return,
                _ => {}
            }
        }
    }
}

/// Commits per second of the server.
async fn ours(sessions: Vec<Session>, length: Duration) -> f64 {
    let until = Instant::now() + length;
    let work = sessions.into_iter().map(|mut session| {
        tokio::spawn(async move {
            let mut insert = BytesMut::new();
            frontend::bind(&mut insert, "", "insert", (&[], &[]), &[]).expect("fits");
            frontend::execute(&mut insert, "", 0).expect("fits");
            frontend::sync(&mut insert);
            let mut done = 0;
            while Instant::now() < until {
                session.ask(&insert).await;
                done += 1;
            }
            done
        })
    });
    let done =
        futures::future::join_all(work).await.into_iter().map(|done: Result<u64, _>| done.expect("done"));
    done.sum::<u64>() as f64 / length.as_secs_f64()
}
