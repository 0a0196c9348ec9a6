//! Journals that are not what they should be, on a running cluster: whoever asks for such a database is told which
//! database and position, the others are served, nothing acknowledged is given up, and once the journal is as it was,
//! so is the database (issue: bad input and faults; R28, S2).

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use tests::{Cluster, code, until};

const ROWS: usize = 6;

/// What is done to a journal's folder.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// A bit of a record is flipped.
    Flipped,
    /// A record in the middle is gone, with all that says that it was there.
    Missing,
    /// The second half of a record is zeros.
    Cut,
    /// A file that no journal writes lies in the folder.
    Foreign,
    /// The record of another database lies in the place of one.
    Another,
}

const DAMAGES: [Damage; 5] =
    [Damage::Flipped, Damage::Missing, Damage::Cut, Damage::Foreign, Damage::Another];

impl Damage {
    fn database(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// What the client and the log are told, beside the position; nothing when it does no harm.
    fn said(self) -> Option<&'static str> {
        match self {
            Self::Flipped | Self::Cut => Some("fails its checksum"),
            Self::Missing => Some("it is missing"),
            Self::Foreign => None,
            Self::Another => Some("it was written as position"),
        }
    }

    fn inflict(self, record: &Record, other: &Record) {
        let mut bytes = fs::read(&record.pack).expect("readable");
        let Range { start, end } = record.range.clone();
        match self {
            Self::Flipped => bytes[end - 20] ^= 1,
            // The frame before it, and the note behind it that it is durable.
            Self::Missing => bytes[start - 52..end + 64].fill(0),
            Self::Cut => bytes[start + (end - start) / 2 + 70..end].fill(0),
            Self::Foreign => {
                fs::write(record.pack.with_file_name("notes.txt"), "hello").expect("written");
            }
            Self::Another => {
                let other = &fs::read(&other.pack).expect("readable")[other.range.clone()];
                let len = other.len().min(end - start);
                bytes[start..start + len].copy_from_slice(&other[..len]);
            }
        }
        put(&record.pack, &bytes);
    }
}

/// Gives a file these bytes, all at once.
fn put(file: &Path, bytes: &[u8]) {
    let new = file.with_file_name("new");
    fs::write(&new, bytes).expect("written");
    fs::rename(new, file).expect("renamed");
}

/// Where a record is.
struct Record {
    position: u64,
    pack: PathBuf,
    range: Range<usize>,
}

/// The folder of a database's journal.
async fn folder(cluster: &Cluster, database: &str) -> PathBuf {
    let id = cluster.info(database).await.database;
    let fleets = fs::read_dir(cluster.directory().join("journal")).expect("a journal");
    let mut folders = fleets.flatten().map(|fleet| fleet.path().join(format!("{:02x}/{id}", id.0 & 0xff)));
    folders.find(|folder| folder.is_dir()).expect("the database's journal")
}

/// A record in the middle of what a load must replay.
fn middle(folder: &Path) -> Record {
    let pack = folder.join("pack-0000000000000000");
    let bytes = fs::read(&pack).expect("readable");
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let starts: Vec<usize> = (0..bytes.len() - 128).filter(|at| bytes[*at..].starts_with(b"SMSG")).collect();
    let start = starts[starts.len() / 2];
    let body = (number(start + 120) & 0xffff_ffff) as usize;
    Record { position: number(start + 40), pack, range: start..start + 128 + body + 16 }
}

async fn has_everything(cluster: &Cluster, database: &str) {
    until("it is served, with every row", async || {
        let session = cluster.connect(0, database).await.map_err(|error| format!("{error:?}"))?;
        let rows = session.one("SELECT count(*) FROM t").await.map_err(|error| format!("{error:?}"))?;
        if rows == ROWS.to_string() { Ok(()) } else { Err(rows) }
    })
    .await;
}

#[tokio::test]
async fn a_damaged_journal_is_named_with_database_and_position_and_harms_nobody_else() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(2).start().await;
    let names = DAMAGES.map(Damage::database);
    for name in names.iter().map(String::as_str).chain(["whole"]) {
        cluster.create(name).await;
        let session = cluster.session(0, name).await;
        session.batch_execute("CREATE TABLE t (n int)").await.expect("made");
        for row in 0..ROWS {
            session.batch_execute(&format!("INSERT INTO t VALUES ({row})")).await.expect("written");
        }
    }
    // Killed, they put nothing away: all of it must be replayed.
    for server in &cluster.servers {
        server.kill();
    }
    let other = middle(&folder(&cluster, "whole").await);
    let mut good = Vec::new();
    for damage in DAMAGES {
        let record = middle(&folder(&cluster, &damage.database()).await);
        let bytes = fs::read(&record.pack).expect("readable");
        damage.inflict(&record, &other);
        println!("{damage:?} at position {}", record.position);
        good.push((record, bytes));
    }
    for server in &cluster.servers {
        server.start();
        server.ready().await;
    }
    for (damage, (record, _)) in DAMAGES.into_iter().zip(&good) {
        let (name, id) = (damage.database(), cluster.info(&damage.database()).await.database);
        let Some(said) = damage.said() else {
            has_everything(&cluster, &name).await;
            continue;
        };
        let position = record.position;
        let refused = cluster.connect(0, &name).await.err().expect("it cannot be loaded");
        assert_eq!(code(&refused), "57P03", "{refused:?}");
        let told =
            refused.as_db_error().expect("the handler said so").detail().unwrap_or_default().to_owned();
        let place = format!("record of position {position} is damaged");
        for part in [id.to_string().as_str(), &place, said] {
            assert!(told.contains(part), "{damage:?}: no {part:?} in {told:?}");
        }
        let logs: String = cluster.servers.iter().map(|server| server.log().text()).collect();
        let mut lines = logs.lines().filter(|line| line.contains(&id.to_string()) && line.contains(&place));
        assert!(lines.any(|line| line.contains("ERROR")), "{damage:?} is not in the log");
    }
    has_everything(&cluster, "whole").await;

    // What was damaged is untouched but for the damage: put back, all of it is there.
    for (record, bytes) in &good {
        put(&record.pack, bytes);
    }
    for name in &names {
        has_everything(&cluster, name).await;
    }
}
