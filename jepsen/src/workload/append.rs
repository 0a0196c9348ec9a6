//! Transactions that append to lists and read them: strictly serializable in each database.
//!
//! In all the ways that clients have: a statement alone, a transaction statement by statement, one in a single query.

use std::collections::BTreeSet;

use ::tests::Session;
use history::{Edn, History};

use super::{
    lane::{Ask, Lane, Trouble, Worker},
    last,
    sql::{self, Sent, trouble},
};
use crate::{Target, record::Record};

/// Keys of one database lie below this.
const KEYS_OF_DATABASE: i64 = 1_000_000;
/// Appends, of all clients, until other lists are begun; and lists at a time.
const APPENDS: i64 = 200;
const LISTS: i64 = 4;

/// The default, read committed, promises less.
const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// See the module.
#[derive(Default)]
pub struct Client {
    way: u64,
}

pub fn schema() -> Vec<String> {
    vec!["CREATE TABLE IF NOT EXISTS lists (k bigint PRIMARY KEY, v text NOT NULL)".into()]
}

/// `[:append k v]` or `[:r k found]`.
fn step(f: &str, key: i64, value: Edn) -> Edn {
    [Edn::keyword(f), key.into(), value].into_iter().collect()
}

fn statement(of: &Edn) -> String {
    let items = of.items().unwrap_or_default();
    let key = items.get(1).and_then(Edn::int).unwrap_or_default() % KEYS_OF_DATABASE;
    match items.get(2) {
        Some(Edn::Int(element)) => format!(
            "INSERT INTO lists VALUES ({key}, '{element}') ON CONFLICT (k) DO UPDATE SET v = v || ' ' || excluded.v"
        ),
        _ => format!("SELECT v FROM lists WHERE k = {key}"),
    }
}

/// The same with what was found in it.
fn answered(of: &Edn, rows: &[Vec<String>]) -> Result<Edn, Trouble> {
    let items = of.items().unwrap_or_default();
    if items.first().and_then(Edn::name) == Some("append") {
        return Ok(of.clone());
    }
    let text = rows.first().and_then(|row| row.first()).map_or("", String::as_str);
    let key = items.get(1).and_then(Edn::int).unwrap_or_default();
    list(text).map(|list| step("r", key, list)).ok_or_else(|| Trouble::Unknown(format!("no list: {text}")))
}

fn list(text: &str) -> Option<Edn> {
    let elements = text.split_whitespace().map(|element| element.parse().map(Edn::Int));
    Some(Edn::Vector(elements.collect::<Result<_, _>>().ok()?))
}

impl Worker for Client {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        self.way = lane.random.below(4);
        let steps = if self.way < 2 { 1 } else { lane.random.between(2, 5) };
        let step = |lane: &mut Lane| {
            let number = lane.shared.number();
            let list = number / APPENDS * LISTS + lane.random.below(LISTS as u64) as i64;
            let key = lane.database() as i64 * KEYS_OF_DATABASE + list;
            match lane.random.percent(50) {
                true => step("append", key, number.into()),
                false => step("r", key, Edn::Nil),
            }
        };
        Ask { f: "txn", value: (0..steps).map(|_| step(lane)).collect() }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<Session, String> {
        sql::connect(lane, attempt).await
    }

    async fn call(&mut self, _: &Lane, session: &Session, ask: &Ask) -> Result<Edn, Trouble> {
        let steps = ask.value.items().unwrap_or_default();
        match self.way {
            0 => prepared(session, &steps[0]).await,
            1 | 2 => at_once(session, steps).await,
            _ => one_by_one(session, steps).await,
        }
    }
}

/// One statement by the extended protocol.
async fn prepared(session: &Session, of: &Edn) -> Result<Edn, Trouble> {
    let rows = session.query(&statement(of), &[]).await.map_err(|error| trouble(&error, Sent::Commit))?;
    let rows: Vec<Vec<String>> = rows.iter().map(|row| vec![row.get(0)]).collect();
    Ok(Edn::Vector(vec![answered(of, &rows)?]))
}

/// All in one simple query.
async fn at_once(session: &Session, steps: &[Edn]) -> Result<Edn, Trouble> {
    let statements: Vec<String> = steps.iter().map(statement).collect();
    let (query, first) = match steps.len() {
        1 => (statements[0].clone(), 0),
        _ => (format!("{BEGIN}; {}; COMMIT", statements.join("; ")), 1),
    };
    let told = sql::simple(session, &query).await.map_err(|error| trouble(&error, Sent::Commit))?;
    if told.len() < first + steps.len() {
        return Err(Trouble::Unknown(format!("{} answers to {query}", told.len())));
    }
    steps.iter().zip(&told[first..]).map(|(step, (rows, _))| answered(step, rows)).collect()
}

/// A transaction, statement by statement.
async fn one_by_one(session: &Session, steps: &[Edn]) -> Result<Edn, Trouble> {
    let early = |error: tokio_postgres::Error| trouble(&error, Sent::Nothing);
    session.batch_execute(BEGIN).await.map_err(early)?;
    let mut done = Vec::new();
    for step in steps {
        let told = sql::simple(session, &statement(step)).await.map_err(early)?;
        done.push(answered(step, told.first().map_or(&[], |(rows, _)| rows))?);
    }
    session.batch_execute("COMMIT").await.map_err(|error| trouble(&error, Sent::Commit))?;
    Ok(Edn::Vector(done))
}

/// One more transaction for each database, which reads every list. What could not be read.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) -> Vec<String> {
    let (asked, mut unread) = (record.taken(), Vec::new());
    for (at, database) in (0..).zip(databases) {
        let (process, nothing) = (last::FIRST + at, Edn::Vector(Vec::new()));
        record.invoke(process, "txn", nothing.clone());
        let rows = last::rows(target, database, "SELECT k, v FROM lists ORDER BY k").await;
        let rows = rows.map(|rows| rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<_>>());
        let found = rows.and_then(|rows| found(at, &asked, &rows));
        unread.extend(last::complete(record, process, "txn", nothing, found));
    }
    unread
}

/// Reads of all lists of a database: those that there are, and as empty ones those that somebody asked for and that are not.
fn found(at: i64, asked: &History, rows: &[(i64, String)]) -> Result<Edn, String> {
    let steps = asked.events.iter().filter_map(|event| event.value.items()).flatten();
    let keys = steps.filter_map(|step| step.items()?.get(1)?.int());
    let mut missing: BTreeSet<i64> = keys.filter(|key| key / KEYS_OF_DATABASE == at).collect();
    let mut reads = Vec::new();
    for (key, text) in rows {
        let key = at * KEYS_OF_DATABASE + key;
        missing.remove(&key);
        reads.push(step("r", key, list(text).ok_or_else(|| format!("list {key} is none: {text}"))?));
    }
    reads.extend(missing.into_iter().map(|key| step("r", key, Edn::Vector(Vec::new()))));
    Ok(Edn::Vector(reads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_whose_row_is_gone_is_read_as_empty_and_proves_the_loss_c21() {
        let line = |kind: &str, value: &str| format!("{{:process 0 :type :{kind} :f :txn :value {value}}}");
        let done = |value: &str| line("invoke", value) + &line("ok", value);
        let text = done("[[:append 1 1]]") + &done("[[:append 1000002 2]]");
        let history = History::from_edn(&text).expect("a history");
        let reads = |at, rows: &[(i64, &str)]| {
            let rows: Vec<_> = rows.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
            found(at, &history, &rows).map(|found| found.to_string())
        };
        assert_eq!(reads(0, &[(1, "1")]).expect("lists"), "[[:r 1 [1]]]");
        assert_eq!(reads(0, &[]).expect("lists"), "[[:r 1 []]]");
        assert_eq!(reads(1, &[]).expect("lists"), "[[:r 1000002 []]]");
        assert!(reads(1, &[(2, "2 x")]).is_err());
        let with = |read: &str| History::from_edn(&(text.clone() + &done(read))).expect("a history");
        let lost = with("[[:r 1 [1]] [:r 1000002 []]]");
        assert_eq!(history::check_append(&lost).verdict, history::Verdict::Invalid);
        assert_eq!(history::check_append(&with("[[:r 1 [1]]]")).verdict, history::Verdict::Unknown);
    }
}
