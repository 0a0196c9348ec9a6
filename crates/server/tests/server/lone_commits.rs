//! A session that commits alone has its own thread put the commit; whatever goes wrong there, the owner settles
//! (S1, S2, R28).

use std::{
    ops::Range,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use journal::{
    Local, ObjectError, Objects, Threads,
    objects::{Action, BlockingObjects, Created, ErrorKind, Key, Layout, Listed, OnBroken, RealDisk},
};
use tokio_postgres::SimpleQueryMessage;

use crate::support::{
    eventually,
    fleet::{Fleet, Running, code},
};

/// What becomes of the puts of sessions' threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    Land,
    /// They are refused, and land nowhere.
    Refuse,
    /// They land, and the answer is an error.
    LandUnheard,
    /// They wait until this changes, and land then.
    Hang,
}

/// A real store whose puts on the calling thread go as told.
#[derive(Debug)]
struct Told {
    store: Local,
    here: Mutex<Here>,
    changed: Condvar,
    tried: AtomicU64,
    _dir: tempfile::TempDir,
}

impl Told {
    fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = RealDisk::new(dir.path()).expect("a directory");
        let store = Local::on(disk, Layout::Packs, Threads::Pool, OnBroken::Refuse);
        let (here, changed) = (Mutex::new(Here::Land), Condvar::new());
        Arc::new(Self { store, here, changed, tried: AtomicU64::new(0), _dir: dir })
    }

    fn tell(&self, here: Here) {
        *self.here.lock().expect("no panic") = here;
        self.changed.notify_all();
    }

    fn tried(&self) -> u64 {
        self.tried.load(SeqCst)
    }

    /// Waits until so many more were tried than `before`.
    async fn has_tried(&self, before: u64, more: u64) {
        let tried = async || match self.tried() - before {
            tried if tried == more => Ok(()),
            other => Err(other),
        };
        eventually("puts to be tried", tried).await;
    }
}

impl BlockingObjects for Told {
    fn create_here(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.tried.fetch_add(1, SeqCst);
        let here = *self.here.lock().expect("no panic");
        let failed = |kind| {
            Err(ObjectError { action: Action::Create, key: key.clone(), kind, source: "as told".into() })
        };
        let land = || self.store.blocking().expect("a local store").create_here(key, parts);
        match here {
            Here::Land => land(),
            Here::Refuse => failed(ErrorKind::Refused),
            Here::LandUnheard => land().and_then(|_| failed(ErrorKind::Unknown)),
            Here::Hang => {
                let hangs = |here: &mut Here| *here == Here::Hang;
                let waited = self.changed.wait_while(self.here.lock().expect("no panic"), hangs);
                drop(waited.expect("no panic"));
                land()
            }
        }
    }
}

#[async_trait]
impl Objects for Told {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.store.create(key, parts).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.store.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.store.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.store.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.store.delete(key).await
    }

    fn blocking(&self) -> Option<&dyn BlockingObjects> {
        Some(self)
    }
}

#[tokio::test]
async fn a_database_is_left_though_the_owners_thread_hangs_in_its_disk() {
    let store = Told::new();
    let fleet = Fleet::with_objects(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.connect(1, 1).await);
    }
    // Commits that share a put: then it is the owner who has a thread append, even what comes alone.
    let together = async || {
        clients[0].simple_query("put a 1").await.expect("written");
        let before = store.tried();
        store.tell(Here::Hang);
        let queries: Vec<_> = (0..clients.len()).map(|n| format!("put k{n} v")).collect();
        let puts = clients.iter().zip(&queries).map(|(client, query)| client.simple_query(query));
        let release = async {
            store.has_tried(before, 1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            store.tell(Here::Land);
        };
        let (written, ()) = tokio::join!(futures::future::join_all(puts), release);
        assert!(written.iter().all(Result::is_ok));
        // The first by itself, all others together.
        match store.tried() - before {
            2 => Ok(()),
            puts => Err(puts),
        }
    };
    eventually("commits to share a put", together).await;
    store.tell(Here::Hang);
    let before = store.tried();
    let writing = clients[0].simple_query("put a 2");
    let leaving = async {
        store.has_tried(before, 1).await;
        server.release(1, 1, 50).await
    };
    let (written, released) = tokio::join!(writing, leaving);
    assert_eq!(code(&written.expect_err("it may land or not")), "40003");
    released.expect("left, though the put still hangs");
    store.tell(Here::Land);
    server.load(1, 2).await.expect("it serves again");
    let found = value(&server, 2, "a").await;
    assert!(["1", "2"].contains(&found.as_deref().expect("nothing acknowledged is lost")), "{found:?}");
    for n in 0..clients.len() {
        assert_eq!(value(&server, 2, &format!("k{n}")).await.as_deref(), Some("v"));
    }
}

async fn value(server: &Running, epoch: u64, key: &str) -> Option<String> {
    let client = server.connect(1, epoch).await;
    let read = client.simple_query(&format!("get {key}")).await.expect("read");
    read.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _other => None,
    })
}

#[tokio::test]
async fn each_commit_of_one_alone_is_put_by_its_own_thread_but_for_the_owners_looks() {
    let store = Told::new();
    let fleet = Fleet::with_objects(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    for n in 0..200 {
        client.simple_query(&format!("put k{n} v{n}")).await.expect("written");
    }
    // The first carries the whole image, and every now and then the owner looks, and may be at it for a few.
    assert!((100..200).contains(&store.tried()), "{}", store.tried());
    server.release(1, 1, 0).await.expect("put away");
    server.load(1, 2).await.expect("loads");
    for n in [0, 63, 64, 65, 199] {
        assert_eq!(value(&server, 2, &format!("k{n}")).await, Some(format!("v{n}")));
    }
}

#[tokio::test]
async fn what_a_sessions_thread_could_not_put_the_owner_puts_once() {
    for here in [Here::Refuse, Here::LandUnheard] {
        let store = Told::new();
        let fleet = Fleet::with_objects(store.clone());
        let server = fleet.start("s1").await;
        server.load(1, 1).await.expect("loads");
        let client = server.connect(1, 1).await;
        client.simple_query("put a 1").await.expect("written");
        store.tell(here);
        let before = store.tried();
        client.simple_query("put a 2").await.expect("written by the owner");
        assert_eq!(store.tried(), before + 1, "{here:?}");
        store.tell(Here::Land);
        client.simple_query("put b 3").await.expect("written");
        server.release(1, 1, 0).await.expect("put away");
        server.load(1, 2).await.expect("loads");
        let values = (value(&server, 2, "a").await, value(&server, 2, "b").await);
        assert_eq!(values, (Some("2".into()), Some("3".into())), "{here:?}");
    }
}

#[tokio::test]
async fn another_owners_fence_is_noticed_by_who_commits_alone() {
    let store = Told::new();
    let fleet = Fleet::with_objects(store.clone());
    let (old, new) = (fleet.start("s1").await, fleet.start("s2").await);
    old.load(1, 1).await.expect("loads");
    let client = old.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    new.load(1, 2).await.expect("takes over");
    let before = store.tried();
    let error = client.simple_query("put a 2").await.expect_err("fenced");
    assert_eq!((code(&error).as_str(), store.tried()), ("SM001", before + 1));
    assert_eq!(value(&new, 2, "a").await, Some("1".into()), "what was not acknowledged is not there");
}

#[tokio::test]
async fn threads_that_hang_in_their_disk_hold_up_their_own_databases_alone() {
    /// As many as there are threads at first.
    const HANGING: u64 = 4;
    let store = Told::new();
    let fleet = Fleet::with_objects(store.clone());
    let server = fleet.start("s1").await;
    let mut clients = Vec::new();
    for database in 1..=HANGING + 1 {
        server.load(database, 1).await.expect("loads");
        let client = server.connect(database, 1).await;
        client.simple_query("put a 1").await.expect("written");
        clients.push(client);
    }
    let other = clients.pop().expect("the last");
    store.tell(Here::Hang);
    let before = store.tried();
    let writing = futures::future::join_all(clients.iter().map(|client| client.simple_query("put a 2")));
    let meanwhile = async {
        store.has_tried(before, HANGING).await;
        other.simple_query("get a").await.expect("read");
        let releasing = server.release(1, 1, 50);
        let releasing = std::pin::pin!(releasing);
        let early = tokio::time::timeout(Duration::from_secs(1), releasing).await;
        assert!(early.is_err(), "a thread is still at its journal");
        store.tell(Here::Land);
        server.load(1, 2).await.expect("it serves again");
    };
    let (written, ()) = tokio::join!(writing, meanwhile);
    let mut written = written.into_iter();
    if let Some(Err(error)) = written.next() {
        assert!(["40003", "SM001"].contains(&code(&error).as_str()), "{error}");
    }
    assert!(written.all(|written| written.is_ok()));
    assert_eq!(value(&server, 2, "a").await, Some("2".into()), "it landed in the end");
}
