//! Registers: rows that are read, written, and changed if they hold what is expected. Each is linearizable.
//!
//! Either by clients that do all of it through any handler, or by some that only read, through the first handler, and others
//! that only write, through the others. An owner that is cut off with the first handler alone then hears of no write, which
//! would end it: it may be asked for what is no more for as long as it believes its lease.

use std::collections::{BTreeMap, BTreeSet};

use ::tests::Session;
use history::{Edn, History};

use super::{
    lane::{Ask, Lane, Trouble, Worker},
    last,
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

/// A client that only reads, or only writes, through handlers of its own.
#[derive(Default)]
pub struct Apart(Client);

pub fn schema() -> Vec<String> {
    vec!["CREATE TABLE IF NOT EXISTS registers (k bigint PRIMARY KEY, v bigint NOT NULL)".into()]
}

fn pair(key: i64, value: Edn) -> Edn {
    [key.into(), value].into_iter().collect()
}

/// A number that nobody else gets, and a register of the client's database.
fn next(lane: &mut Lane) -> (i64, i64) {
    let number = lane.shared.number();
    let register = number / OPERATIONS * REGISTERS + lane.random.below(REGISTERS as u64) as i64;
    (number, lane.database() as i64 * KEYS_OF_DATABASE + register)
}

impl Worker for Client {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        let (number, key) = next(lane);
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
                    Some(0) => Err(Trouble::Expected("it held something else".into())),
                    other => Err(Trouble::Unknown(format!("{other:?} rows changed"))),
                }
            }
        }
    }
}

/// Whether it reads. There are both on each of two databases.
fn reads(lane: &Lane) -> bool {
    lane.number % 4 < 2
}

impl Worker for Apart {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        let (number, key) = next(lane);
        match reads(lane) {
            true => Ask { f: "read", value: pair(key, Edn::Nil) },
            false => Ask { f: "write", value: pair(key, number.into()) },
        }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<Session, String> {
        let others = (lane.target.handlers.len() as u64 - 1).max(1);
        sql::connect(lane, if reads(lane) { 0 } else { 1 + attempt % others }).await
    }

    async fn call(&mut self, lane: &Lane, session: &Session, ask: &Ask) -> Result<Edn, Trouble> {
        self.0.call(lane, session, ask).await
    }
}

/// One more read of each register. What could not be read.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) -> Vec<String> {
    let (asked, mut unread) = (record.taken(), Vec::new());
    for (at, database) in (0..).zip(databases) {
        // One query reads them all; each is a read of its own, by a process of its own.
        let registers = registers(at, &asked);
        let begin = |register: i64| record.invoke(last::FIRST + register, "read", pair(register, Edn::Nil));
        registers.iter().for_each(|register| begin(*register));
        let rows = last::rows(target, database, "SELECT k, v FROM registers").await;
        let rows = rows.map(|rows| -> BTreeMap<i64, i64> {
            rows.iter().map(|row| (at * KEYS_OF_DATABASE + row.get::<_, i64>(0), row.get(1))).collect()
        });
        // Rows that nobody asked for prove something, too.
        let invented = rows.iter().flat_map(BTreeMap::keys).filter(|row| !registers.contains(row)).copied();
        let invented: Vec<i64> = invented.collect();
        invented.iter().for_each(|register| begin(*register));
        unread.extend(rows.as_ref().err().cloned());
        for register in registers.into_iter().chain(invented) {
            let value =
                rows.as_ref().map(|rows| rows.get(&register).map_or(Edn::Nil, |value| Edn::Int(*value)));
            let found = value.map(|value| pair(register, value)).map_err(Clone::clone);
            // Said above, once for all.
            last::complete(record, last::FIRST + register, "read", pair(register, Edn::Nil), found);
        }
    }
    unread
}

/// The registers of a database that somebody asked for, whether they have a row or not.
fn registers(at: i64, asked: &History) -> BTreeSet<i64> {
    let keys = asked.events.iter().filter_map(|event| event.value.items()?.first()?.int());
    keys.filter(|key| key / KEYS_OF_DATABASE == at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_asked_for_at_last_whether_it_has_a_row_or_not_c21() {
        let line = |key: i64| format!("{{:process 0 :type :invoke :f :write :value [{key} 7]}}");
        let text: String = [1, 5, 1, 1_000_003].map(line).concat();
        let history = History::from_edn(&text).expect("a history");
        assert_eq!(registers(0, &history), BTreeSet::from([1, 5]));
        assert_eq!(registers(1, &history), BTreeSet::from([1_000_003]));
    }
}
