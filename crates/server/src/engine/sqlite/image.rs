//! What is done with an image away from any server: checking it, and making it a file of its own.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::engine::EngineError;

/// Findings after which a check ends.
const FINDINGS_MAX: u32 = 100;

/// Makes an image that a journal has written a plain SQLite file, which needs no other file beside it.
///
/// # Errors
/// [`EngineError::Open`] when it is no image, or cannot be written.
pub fn stand_alone(path: &Path) -> Result<(), EngineError> {
    let failed = |error: rusqlite::Error| refused(path, error.to_string());
    let connection = open(path).map_err(failed)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get(0)).map_err(failed)?;
    if mode == "delete" { Ok(()) } else { Err(refused(path, format!("its journal mode stays {mode}"))) }
}

/// What SQLite's own integrity check finds wrong with a file, at most 100 findings. Nothing: it is sound.
///
/// # Errors
/// [`EngineError::Open`] when the file cannot be read at all.
pub fn check(path: &Path) -> Result<Vec<String>, EngineError> {
    let found = open(path).and_then(|connection| {
        let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})"))?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        lines.collect::<Result<Vec<_>, _>>()
    });
    match found {
        Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
        Ok(lines) => Ok(lines),
        Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
        Err(error) => Err(refused(path, error.to_string())),
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn refused(path: &Path, reason: String) -> EngineError {
    EngineError::Open { path: path.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_file_stands_alone_and_a_damaged_one_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("image");
        super::super::connect::create_image(&path).expect("made");
        stand_alone(&path).expect("it is an image");
        let connection = open(&path).expect("it opens");
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX i ON t (name);
                 WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 500)
                 INSERT INTO t SELECT n, hex(randomblob(20)) FROM g;",
            )
            .expect("filled");
        drop(connection);
        assert_eq!(check(&path).expect("readable"), Vec::<String>::new());
        let files = std::fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(files, 1, "nothing stays beside it");

        let mut bytes = std::fs::read(&path).expect("readable");
        bytes[2 * 4096..3 * 4096].fill(0xab);
        std::fs::write(&path, &bytes).expect("written");
        assert!(!check(&path).expect("readable").is_empty(), "a page of nonsense");
        std::fs::write(&path, "this is no database at all, however long the text of it is made to be")
            .expect("written");
        assert!(check(&path).expect("readable")[0].contains("not a database"));
    }
}
