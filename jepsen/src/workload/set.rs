//! A set that only grows: every acknowledged token is there once. The table has no key that would hide a second one.

use history::Edn;
use tests::Session;

use super::{
    lane::{Ask, Lane, Trouble, Worker},
    last,
    sql::{self, Sent, trouble},
};
use crate::{Target, record::Record};

/// See the module.
pub struct Client;

pub fn schema() -> Vec<String> {
    vec!["CREATE TABLE IF NOT EXISTS tokens (token bigint NOT NULL)".into()]
}

impl Worker for Client {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        Ask { f: "add", value: lane.shared.number().into() }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<Session, String> {
        sql::connect(lane, attempt).await
    }

    async fn call(&mut self, lane: &Lane, session: &Session, ask: &Ask) -> Result<Edn, Trouble> {
        let failed = |error: tokio_postgres::Error| trouble(&error, Sent::Commit);
        let token = ask.value.int().unwrap_or_default();
        match lane.number % 2 {
            0 => session
                .batch_execute(&format!("INSERT INTO tokens VALUES ({token})"))
                .await
                .map_err(failed)?,
            _ => {
                let sql = "INSERT INTO tokens VALUES ($1) RETURNING token";
                let told = session.query_one(sql, &[&token]).await.map_err(failed)?.get::<_, i64>(0);
                if told != token {
                    return Err(Trouble::Unknown(format!("the answer is another request's: {told}")));
                }
            }
        }
        Ok(ask.value.clone())
    }
}

/// One read of all databases together. What could not be read.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) -> Vec<String> {
    record.invoke(last::FIRST, "read", Edn::Nil);
    let mut tokens = Ok(Vec::new());
    for database in databases {
        let rows = last::rows(target, database, "SELECT token FROM tokens").await;
        match (&mut tokens, rows) {
            (Ok(tokens), Ok(rows)) => tokens.extend(rows.iter().map(|row| Edn::Int(row.get(0)))),
            (Ok(_), Err(why)) => tokens = Err(why),
            (Err(_), _) => {}
        }
    }
    last::complete(record, last::FIRST, "read", Edn::Nil, tokens.map(Edn::Vector)).into_iter().collect()
}
