//! An SQLite file that somebody else made: locked, checked, and copied to an image that a journal can begin with.
//!
//! The copy has the very bytes of the file, so that nothing that depends on them, such as the rowids of a table without
//! a key, is another afterwards.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

/// How every SQLite file begins (<https://www.sqlite.org/fileformat.html>, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Findings that are told of a damaged file.
const FINDINGS_MAX: u32 = 5;

/// An image that a journal can begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of a page.
    pub page_bytes: u32,
    /// How many pages.
    pub pages: u32,
}

/// A file cannot be taken over. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// It is none of SQLite's, or every byte of it is encrypted.
    #[error("{path} is no SQLite database, or it is encrypted")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else has it open.
    #[error(
        "{path} is in use by another program; stop that one, so that nothing it writes is missing afterwards"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// SQLite's own check found something.
    #[error("{path} is damaged: {findings}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it found.
        findings: String,
    },
    /// Its texts are UTF-16.
    #[error(
        "{path} keeps its texts as {encoding}, and only UTF-8 can be served; make one that is with \
         `sqlite3 {path} .dump | sqlite3 NEW`"
    )]
    Encoding {
        /// The file.
        path: PathBuf,
        /// As SQLite calls it.
        encoding: String,
    },
    /// SQLite refuses it.
    #[error("{path} cannot be opened as a database: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The system said no.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Copies the database in a file to the file `image`, which must not exist. Nobody can change it meanwhile.
/// What a program that died has left in a journal or a log beside the file is part of the database, and goes into it.
///
/// # Errors
/// See [`ForeignError`].
pub fn take(path: &Path, image: &Path) -> Result<Taken, ForeignError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    let mut head = [0; MAGIC.len()];
    match file.read_exact(&mut head) {
        Ok(()) if head == *MAGIC => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(failed("read", path)(error));
        }
        Ok(()) | Err(_) => return Err(ForeignError::NotADatabase { path: path.into() }),
    }
    // Closing any handle of a file drops this process's locks on it: the lock comes after, and the next handle lasts.
    drop(file);
    let said = |error| refusal(path, &error);
    let connection = locked(path).map_err(said)?;
    check(&connection, path)?;
    copy(path, image)?;
    drop(connection);
    ready(image).map_err(|error| refusal(image, &error))
}

/// The database, with everybody else locked out.
fn locked(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;")?;
    // Into the file with what its log holds. Does nothing without a log.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path) -> Result<(), ForeignError> {
    let said = |error| refusal(path, &error);
    let mut statement =
        connection.prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})")).map_err(said)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(said)?;
    let lines = lines.collect::<Result<Vec<_>, _>>().map_err(said)?;
    if lines != ["ok"] {
        return Err(ForeignError::Damaged { path: path.into(), findings: lines.join("; ") });
    }
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0)).map_err(said)?;
    if encoding != "UTF-8" {
        return Err(ForeignError::Encoding { path: path.into(), encoding });
    }
    Ok(())
}

fn copy(path: &Path, image: &Path) -> Result<(), ForeignError> {
    let mut from = File::open(path).map_err(failed("open", path))?;
    let to = OpenOptions::new().write(true).create_new(true).open(image);
    let mut to = to.map_err(failed("make", image))?;
    io::copy(&mut from, &mut to).and_then(|_| to.flush()).map_err(failed("copy to", image))
}

/// Servers keep images in WAL mode, which the file itself says.
fn ready(image: &Path) -> rusqlite::Result<Taken> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(image, flags)?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
    let taken = Taken { page_bytes: number("PRAGMA page_size")?, pages: number("PRAGMA page_count")? };
    connection.close().map_err(|(_, error)| error)?;
    Ok(taken)
}

fn refusal(path: &Path, error: &Error) -> ForeignError {
    let path = path.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => ForeignError::NotADatabase { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ForeignError::InUse { path },
        Some(ErrorCode::DatabaseCorrupt) => ForeignError::Damaged { path, findings: error.to_string() },
        Some(ErrorCode::ReadOnly) => {
            let reason = "it cannot be locked, as it or its folder is read-only; copy it first".into();
            ForeignError::Refused { path, reason }
        }
        Some(_) | None => ForeignError::Refused { path, reason: error.to_string() },
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ForeignError {
    let path = path.to_path_buf();
    move |source| ForeignError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::image;

    fn made(path: &Path, sql: &str) -> Connection {
        let connection = Connection::open(path).expect("opened");
        connection.execute_batch(sql).expect("made");
        connection
    }

    const TABLE: &str = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2), (3);
                         DELETE FROM t WHERE n = 1; INSERT INTO t VALUES (4);";

    fn rows(path: &Path) -> Vec<(i64, i64)> {
        let connection = Connection::open(path).expect("opened");
        let mut statement = connection.prepare("SELECT rowid, n FROM t ORDER BY rowid").expect("prepared");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("run");
        rows.collect::<Result<_, _>>().expect("read")
    }

    #[test]
    fn a_file_is_copied_byte_for_byte_whatever_its_mode_and_page_size_r16() {
        let dir = tempfile::tempdir().expect("a directory");
        for (number, pragmas) in
            ["", "PRAGMA page_size=1024;", "PRAGMA journal_mode=WAL;", "PRAGMA auto_vacuum=FULL;"]
                .into_iter()
                .enumerate()
        {
            let (path, image) =
                (dir.path().join(format!("{number}.db")), dir.path().join(number.to_string()));
            drop(made(&path, &format!("{pragmas} {TABLE}")));
            let taken = take(&path, &image).expect("it is sound");
            assert_eq!(
                u64::from(taken.page_bytes) * u64::from(taken.pages),
                image.metadata().expect("there").len()
            );
            assert_eq!(image::check(&image).expect("readable"), Vec::<String>::new());
            assert!(!dir.path().join(format!("{number}-wal")).exists(), "nothing stays beside it");
            assert_eq!(rows(&image), [(2, 2), (3, 3), (4, 4)], "{pragmas}");
            assert_eq!(rows(&path), rows(&image), "the file is as it was");
        }
    }

    #[test]
    fn what_a_dead_program_left_in_its_log_comes_along() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, copy) = (dir.path().join("x.db"), dir.path().join("y.db"));
        let open = made(&path, &format!("PRAGMA journal_mode=WAL; {TABLE}"));
        std::fs::copy(&path, &copy).expect("copied");
        std::fs::copy(dir.path().join("x.db-wal"), dir.path().join("y.db-wal")).expect("copied");
        drop(open);
        let image = dir.path().join("image");
        take(&copy, &image).expect("it is recovered");
        assert_eq!(rows(&image).len(), 3);
    }

    #[test]
    fn what_cannot_be_taken_over_is_refused_in_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let said = |name: &str| take(&path(name), &path("image")).expect_err("refused").to_string();
        std::fs::write(path("empty"), "").expect("written");
        std::fs::write(path("text"), "this is no database at all").expect("written");
        assert!(said("empty").contains("no SQLite database"), "{}", said("empty"));
        assert!(said("text").contains("encrypted"), "{}", said("text"));
        assert!(said("missing").contains("cannot open"), "{}", said("missing"));

        drop(made(&path("wide"), &format!("PRAGMA encoding='UTF-16le'; {TABLE}")));
        assert!(said("wide").contains("UTF-16le"), "{}", said("wide"));
        for mode in ["DELETE", "WAL"] {
            let name = format!("busy-{mode}");
            let open = made(&path(&name), &format!("PRAGMA journal_mode={mode}; {TABLE}"));
            // A program in WAL mode is there as long as its connection is; in the other mode while it does something.
            open.execute_batch("BEGIN; SELECT * FROM t;").expect("reading");
            open.query_row("SELECT n FROM t", [], |_| Ok(())).expect("read");
            assert!(said(&name).contains("in use"), "{}", said(&name));
        }

        drop(made(&path("torn"), &format!("{TABLE} CREATE INDEX i ON t (n);")));
        let mut bytes = std::fs::read(path("torn")).expect("readable");
        let last = bytes.len() - 4096;
        bytes[last..].fill(0xab);
        std::fs::write(path("torn"), bytes).expect("written");
        assert!(said("torn").contains("damaged"), "{}", said("torn"));
        assert!(!path("image").exists());
    }
}
