//! A set that only grows: every acknowledged token is there once. The table has no key that would hide a second one.

use history::{Edn, Kind};
use tests::Session;

use super::{
    lane::{Ask, Lane, Trouble, Worker, insist},
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

/// One read of all databases together.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) {
    let process = 1_000_000_000;
    record.invoke(process, "read", Edn::Nil);
    let mut tokens = Vec::new();
    for database in databases {
        let found = insist(async |attempt| {
            let session = target.connect(attempt, database).await?;
            let rows = session.query("SELECT token FROM tokens", &[]).await;
            Ok(rows
                .map_err(|error| tests::message(&error))?
                .iter()
                .map(|row| Edn::Int(row.get(0)))
                .collect::<Vec<_>>())
        });
        match found.await {
            Ok(found) => tokens.extend(found),
            Err(why) => {
                let error = vec![("error".to_owned(), Edn::Text(why))];
                record.complete(Kind::Fail, process, "read", Edn::Nil, error);
                return;
            }
        }
    }
    record.complete(Kind::Ok, process, "read", Edn::Vector(tokens), Vec::new());
}
