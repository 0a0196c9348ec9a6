//! The same small application, with a stock driver and with ours, through a killed server and a planned move under load:
//! what it notices. `cargo xtask bench drivers`.
//!
//! Each of its sessions writes a row of its own and reads it back, again and again, on a database of its own. What fails is
//! counted, and done once more on a new connection where the old one is gone: all that a stock driver can do.
//! The statements can be repeated without harm, and our driver is told that they can: in that alone the two differ.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use driver::{Client, Driver};
use tests::{Cluster, PASSWORD, Role, Session, USER};
use tokio_postgres::{Config, SimpleQueryMessage};

const DATABASES: usize = 4;
/// How long the application goes on after something happened.
const AFTER: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// Which way to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// tokio-postgres, and a handler that makes nobody wait for longer than it must.
    Bare,
    /// tokio-postgres, and a handler as it comes.
    Stock,
    /// Our driver, and the handler that makes nobody wait.
    Ours,
    /// Our driver, and a handler as it comes.
    Both,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bare, Self::Stock, Self::Ours, Self::Both];

    fn holds(self) -> bool {
        matches!(self, Self::Stock | Self::Both)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "stock driver, handler does not hold",
            Self::Stock => "stock driver",
            Self::Ours => "our driver, handler does not hold",
            Self::Both => "our driver",
        }
    }
}

/// What became of one run.
#[derive(Debug, Default)]
pub struct Noticed {
    /// Errors that the application saw.
    pub errors: u64,
    /// Requests that were answered.
    pub answered: usize,
    /// Rows that were acknowledged and are not there.
    pub wrong: u64,
    /// Milliseconds that answered requests took, sorted.
    pub took_ms: Vec<f64>,
}

impl Noticed {
    fn at(&self, share: f64) -> f64 {
        let place = (self.took_ms.len() as f64 * share) as usize;
        self.took_ms.get(place).or(self.took_ms.last()).copied().unwrap_or(f64::NAN)
    }

    fn row(&self, way: Way, what: &str) -> String {
        format!(
            "{:<36} {what:<14} {:>7} {:>9} {:>9.1} {:>9.1} {:>9.1} {:>7}",
            way.name(),
            self.errors,
            self.answered,
            self.at(0.5),
            self.at(0.99),
            self.took_ms.last().copied().unwrap_or(f64::NAN),
            self.wrong,
        )
    }
}

/// Runs all of it and prints a table.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
pub async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(3, |text| text.parse().expect("a number"));
    println!(
        "{:<36} {:<14} {:>7} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "", "", "errors", "answered", "p50 ms", "p99 ms", "longest", "wrong"
    );
    for holds in [false, true] {
        let cluster = cluster(holds).await;
        for way in Way::ALL.into_iter().filter(|way| way.holds() == holds) {
            let killed = measure(&cluster, way, rounds, Happening::Kill).await;
            println!("{}", killed.row(way, "killed server"));
            let moved = measure(&cluster, way, rounds, Happening::Move).await;
            println!("{}", moved.row(way, "planned move"));
        }
    }
}

/// A cluster whose handler makes requests wait for servers, or gives up as soon as it can be told to.
pub async fn cluster(holds: bool) -> Cluster {
    // A killed server is found dead within milliseconds where a refused connection proves it; here it takes a lease, as
    // for one that hangs or is cut off.
    let builder = Cluster::builder().controllers(1).handlers(1);
    // A short one: a driver that tries five times, with pauses of 3.1 to 6.2 s in all, is to outlast it.
    let builder = builder.set(Role::Controller, "refused_is_dead", false);
    let builder = builder.set(Role::Controller, "lease_ms", 1_500);
    let builder = if holds { builder } else { builder.set(Role::Handler, "attach_timeout_ms", 100) };
    let cluster = builder.start().await;
    for number in 0..DATABASES {
        cluster.create(&name(number)).await;
        tests::until("the table is made", async || {
            let session = cluster.connect(0, &name(number)).await.map_err(|error| error.to_string())?;
            let made = session.batch_execute("CREATE TABLE IF NOT EXISTS t (n text PRIMARY KEY)").await;
            made.map_err(|error| error.to_string())
        })
        .await;
    }
    cluster
}

fn name(number: usize) -> String {
    format!("db{number}")
}

/// What happens while the application works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Each round the server with the first database is killed, and started again.
    Kill,
    /// Each round every database is moved to another server.
    Move,
}

/// The application's state.
struct App {
    way: Way,
    over: AtomicBool,
    errors: AtomicU64,
    took_ms: Mutex<Vec<f64>>,
    acknowledged: Mutex<Vec<(usize, String)>>,
}

/// Has the application work while something happens, and counts what it noticed.
pub async fn measure(cluster: &Cluster, way: Way, rounds: usize, happening: Happening) -> Noticed {
    let app = App {
        way,
        over: AtomicBool::new(false),
        errors: AtomicU64::new(0),
        took_ms: Mutex::default(),
        acknowledged: Mutex::default(),
    };
    let happen = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..rounds {
            match happening {
                Happening::Kill => kill(cluster).await,
                Happening::Move => relocate(cluster).await,
            }
        }
        app.over.store(true, Ordering::Relaxed);
    };
    let sessions = (0..DATABASES).map(|number| app.work(cluster, number));
    futures::future::join(happen, futures::future::join_all(sessions)).await;
    let mut took_ms = app.took_ms.into_inner().expect("nobody panics");
    took_ms.sort_by(f64::total_cmp);
    let acknowledged = app.acknowledged.into_inner().expect("nobody panics");
    Noticed {
        errors: app.errors.into_inner(),
        answered: took_ms.len(),
        wrong: wrong(cluster, &acknowledged).await,
        took_ms,
    }
}

async fn kill(cluster: &Cluster) {
    let server = cluster.owner(&name(0)).await.unwrap_or(0);
    cluster.servers[server].kill();
    tokio::time::sleep(AFTER).await;
    cluster.servers[server].start();
    cluster.servers[server].ready().await;
}

async fn relocate(cluster: &Cluster) {
    for number in 0..DATABASES {
        let owner = cluster.owner(&name(number)).await.unwrap_or(0);
        let other = &cluster.servers[(owner + 1) % cluster.servers.len()];
        cluster.cli().run(&["databases", "move", &name(number), "--to", other.name()]).ok();
        tokio::time::sleep(PAUSE * 10).await;
    }
}

/// Acknowledged rows that are not there.
async fn wrong(cluster: &Cluster, acknowledged: &[(usize, String)]) -> u64 {
    let mut wrong = 0;
    for number in 0..DATABASES {
        let found = tests::until("the rows can be read", async || {
            let session = cluster.connect(0, &name(number)).await.map_err(|error| error.to_string())?;
            let messages =
                session.simple_query("SELECT n FROM t").await.map_err(|error| error.to_string())?;
            let row = |message: &SimpleQueryMessage| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            };
            Ok::<_, String>(messages.iter().filter_map(row).collect::<std::collections::BTreeSet<String>>())
        })
        .await;
        let own = acknowledged.iter().filter(|(of, _)| *of == number);
        wrong += own.filter(|(_, row)| !found.contains(row)).count() as u64;
    }
    wrong
}

/// A connection, by either driver.
enum Link {
    Stock(Session),
    Ours(Client),
}

impl Link {
    async fn open(cluster: &Cluster, way: Way, number: usize) -> Result<Self, String> {
        let address = cluster.handler_address(0);
        let mut config = Config::new();
        config.host(address.ip().to_string()).port(address.port());
        config.user(USER).password(PASSWORD).dbname(name(number)).application_name("side-by-side");
        config.connect_timeout(Duration::from_secs(10));
        match way {
            Way::Bare | Way::Stock => {
                Session::open_with(&config).await.map(Self::Stock).map_err(|error| error.to_string())
            }
            Way::Ours | Way::Both => {
                let driver = Driver::new(config.into()).map_err(|error| error.to_string())?;
                let client = driver.connect().await.map_err(|error| error.to_string())?;
                Ok(Self::Ours(client.idempotent()))
            }
        }
    }

    async fn execute(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Stock(session) => {
                session.execute(sql, &[]).await.map(drop).map_err(|error| error.to_string())
            }
            Self::Ours(client) => client.execute(sql, &[]).await.map(drop).map_err(|error| error.to_string()),
        }
    }

    /// Whether there is no going on with it.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Stock(session) if session.is_closed())
    }
}

impl App {
    /// One session, until all is over.
    async fn work(&self, cluster: &Cluster, number: usize) {
        let mut link = None;
        while !self.over.load(Ordering::Relaxed) {
            let row = format!("{:032x}", rand::random::<u128>());
            for sql in [
                format!("INSERT INTO t VALUES ('{row}') ON CONFLICT DO NOTHING"),
                format!("SELECT n FROM t WHERE n = '{row}'"),
            ] {
                self.ask(cluster, number, &mut link, &sql).await;
            }
            self.acknowledged.lock().expect("nobody panics").push((number, row));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks until there is an answer. Each error counts; the time is that of the try that was answered.
    async fn ask(&self, cluster: &Cluster, number: usize, link: &mut Option<Link>, sql: &str) {
        loop {
            let began = Instant::now();
            let answer = match link {
                None => Link::open(cluster, self.way, number).await.map(|opened| *link = Some(opened)),
                Some(open) => match open.execute(sql).await {
                    Ok(()) => {
                        let took_ms = began.elapsed().as_secs_f64() * 1e3;
                        return self.took_ms.lock().expect("nobody panics").push(took_ms);
                    }
                    Err(error) => {
                        if open.is_gone() {
                            *link = None;
                        }
                        Err(error)
                    }
                },
            };
            if answer.is_err() {
                self.errors.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
