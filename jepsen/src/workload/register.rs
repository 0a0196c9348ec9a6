//! Registers: rows that are read, written, and changed if they hold what is expected. Each is linearizable.

use history::{Edn, Kind};
use tests::Session;

use super::{
    lane::{Ask, Lane, Trouble, Worker, insist},
    sql::{self, Sent, trouble},
};
use crate::{Target, record::Record};

/// Operations, of all clients, until other registers are begun: the search for an order grows fast with a history.
const OPERATIONS: i64 = 600;
const REGISTERS: i64 = 4;
/// Keys of one database lie below this.
const KEYS_OF_DATABASE: i64 = 1_000_000;

/// See the module.
#[derive(Default)]
pub struct Client {
    /// What was last seen or written, to expect something likely.
    last: i64,
}

pub fn schema() -> Vec<String> {
    vec!["CREATE TABLE IF NOT EXISTS registers (k bigint PRIMARY KEY, v bigint NOT NULL)".into()]
}

fn pair(key: i64, value: Edn) -> Edn {
    [key.into(), value].into_iter().collect()
}

impl Worker for Client {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        let number = lane.shared.number();
        let register = number / OPERATIONS * REGISTERS + lane.random.below(REGISTERS as u64) as i64;
        let key = lane.database() as i64 * KEYS_OF_DATABASE + register;
        match lane.random.below(10) {
            0..5 => Ask { f: "read", value: pair(key, Edn::Nil) },
            5..8 => Ask { f: "write", value: pair(key, number.into()) },
            _ => Ask { f: "cas", value: pair(key, [self.last.into(), number.into()].into_iter().collect()) },
        }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<Session, String> {
        sql::connect(lane, attempt).await
    }

    async fn call(&mut self, _: &Lane, session: &Session, ask: &Ask) -> Result<Edn, Trouble> {
        let items = ask.value.items().unwrap_or_default();
        let register = items[0].int().unwrap_or_default();
        let key = register % KEYS_OF_DATABASE;
        let failed = |error: tokio_postgres::Error| trouble(&error, Sent::Commit);
        match (ask.f, &items[1]) {
            ("read", _) => {
                let rows =
                    session.query("SELECT v FROM registers WHERE k = $1", &[&key]).await.map_err(failed)?;
                let value = rows.first().map(|row| row.get::<_, i64>(0));
                self.last = value.unwrap_or_default();
                Ok(pair(register, value.map_or(Edn::Nil, Edn::Int)))
            }
            ("write", Edn::Int(value)) => {
                let sql =
                    "INSERT INTO registers VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v";
                session.execute(sql, &[&key, value]).await.map_err(failed)?;
                self.last = *value;
                Ok(ask.value.clone())
            }
            (_, values) => {
                let values = values.items().unwrap_or_default();
                let (old, new) = (values[0].int().unwrap_or_default(), values[1].int().unwrap_or_default());
                let sql = format!("UPDATE registers SET v = {new} WHERE k = {key} AND v = {old}");
                let told = sql::simple(session, &sql).await.map_err(failed)?;
                match told.first().map(|(_, changed)| *changed) {
                    Some(1) => Ok(ask.value.clone()),
                    Some(0) => Err(Trouble::None("it held something else".into())),
                    other => Err(Trouble::Unknown(format!("{other:?} rows changed"))),
                }
            }
        }
    }
}

/// One more read of each register.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) {
    for (at, database) in databases.iter().enumerate() {
        let all = insist(async |attempt| {
            let session = target.connect(attempt, database).await?;
            let rows = session.query("SELECT k FROM registers", &[]).await;
            let rows = rows.map_err(|error| tests::message(&error))?;
            Ok((session, rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>()))
        })
        .await;
        let Ok((session, keys)) = all else { continue };
        for key in keys {
            let (process, register) = (1_000_000_000 + at as i64, at as i64 * KEYS_OF_DATABASE + key);
            record.invoke(process, "read", pair(register, Edn::Nil));
            let read = session.query("SELECT v FROM registers WHERE k = $1", &[&key]).await;
            match read.as_ref().map(|rows| rows.first().map(|row| row.get::<_, i64>(0))) {
                Ok(value) => {
                    let value = pair(register, value.map_or(Edn::Nil, Edn::Int));
                    record.complete(Kind::Ok, process, "read", value, Vec::new());
                }
                Err(_) => record.complete(Kind::Fail, process, "read", pair(register, Edn::Nil), Vec::new()),
            }
        }
    }
}
