//! Transactions that append to lists and read them: strictly serializable in each database.
//!
//! In all the ways that clients have: a statement alone, a transaction statement by statement, one in a single query.

use history::{Edn, Kind};
use tests::Session;

use super::{
    lane::{Ask, Lane, Trouble, Worker, insist},
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

/// One more transaction for each database, which reads every list.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) {
    for (at, database) in databases.iter().enumerate() {
        let read = async |attempt: usize| {
            let session = target.connect(attempt, database).await?;
            let rows = session.query("SELECT k, v FROM lists ORDER BY k", &[]).await;
            let rows = rows.map_err(|error| tests::message(&error))?;
            let step = |row: &tokio_postgres::Row| {
                let key = at as i64 * KEYS_OF_DATABASE + row.get::<_, i64>(0);
                list(row.get(1)).map(|list| step("r", key, list)).ok_or_else(|| "no list".to_owned())
            };
            rows.iter().map(step).collect::<Result<Edn, String>>()
        };
        let process = 1_000_000_000 + at as i64;
        record.invoke(process, "txn", Edn::Vector(Vec::new()));
        match insist(read).await {
            Ok(value) => record.complete(Kind::Ok, process, "txn", value, Vec::new()),
            Err(why) => {
                let error = vec![("error".to_owned(), Edn::Text(why))];
                record.complete(Kind::Fail, process, "txn", Edn::Vector(Vec::new()), error);
            }
        }
    }
}
