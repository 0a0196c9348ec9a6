//! The last look: when all is well again everything is read once more. What cannot be read is told; it is no success.

use history::{Edn, Kind};
use tokio_postgres::Row;

use super::lane::insist;
use crate::{Target, record::Record};

/// Where numbers of processes begin that look for the last time.
pub const FIRST: i64 = 1_000_000_000;

/// All rows of a query. A table that is gone has none: it was there before anybody worked.
///
/// # Errors
/// Why it cannot be read.
pub async fn rows(target: &Target, database: &str, sql: &str) -> Result<Vec<Row>, String> {
    let read = async |attempt: usize| {
        let session = target.connect(attempt, database).await?;
        match session.query(sql, &[]).await {
            Err(error) if tests::code(&error) == "42P01" => Ok(Vec::new()),
            rows => rows.map_err(|error| format!("{} {}", tests::code(&error), tests::message(&error))),
        }
    };
    insist(read).await.map_err(|why| format!("{database} cannot be read: {why}"))
}

/// Records what became of a read; says what could not be read.
pub fn complete(
    record: &Record,
    process: i64,
    f: &str,
    asked: Edn,
    found: Result<Edn, String>,
) -> Option<String> {
    match found {
        Ok(value) => {
            record.complete(Kind::Ok, process, f, value, Vec::new());
            None
        }
        Err(why) => {
            let error = vec![("error".to_owned(), Edn::Text(why.clone()))];
            record.complete(Kind::Fail, process, f, asked, error);
            Some(why)
        }
    }
}
