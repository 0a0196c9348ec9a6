//! A bank: transfers between accounts in transactions, and reads of all accounts. The sum stays.

use history::Edn;
use tests::Session;
use tokio_postgres::Row;

use super::{
    lane::{Ask, Lane, Trouble, Worker},
    last,
    sql::{self, Sent, trouble},
};
use crate::{Target, record::Record};

const ACCOUNTS: i64 = 8;
const PUT_IN: i64 = 100;
/// What every read must show.
pub const TOTAL: i64 = ACCOUNTS * PUT_IN;

/// See the module.
pub struct Client;

pub fn schema() -> Vec<String> {
    let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, {PUT_IN})")).collect();
    vec![
        "CREATE TABLE IF NOT EXISTS accounts (id bigint PRIMARY KEY, balance bigint NOT NULL)".into(),
        format!("INSERT INTO accounts VALUES {} ON CONFLICT (id) DO NOTHING", rows.join(", ")),
    ]
}

impl Worker for Client {
    type Link = Session;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        if lane.random.percent(40) {
            return Ask { f: "read", value: Edn::Nil };
        }
        let from = lane.random.below(ACCOUNTS as u64) as i64;
        let to = (from + 1 + lane.random.below(ACCOUNTS as u64 - 1) as i64) % ACCOUNTS;
        let amount = lane.random.between(1, 6) as i64;
        Ask { f: "transfer", value: [from, to, amount].into_iter().map(Edn::Int).collect() }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<Session, String> {
        sql::connect(lane, attempt).await
    }

    async fn call(&mut self, _: &Lane, session: &Session, ask: &Ask) -> Result<Edn, Trouble> {
        let Some(numbers) = ask.value.items() else {
            let rows = session.query(ALL, &[]).await;
            return rows.map(|rows| balances(&rows)).map_err(|error| trouble(&error, Sent::Nothing));
        };
        let [from, to, amount] = [0, 1, 2].map(|at: usize| numbers[at].int().unwrap_or_default());
        let early = |error: tokio_postgres::Error| trouble(&error, Sent::Nothing);
        let update = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";
        session.batch_execute("BEGIN").await.map_err(early)?;
        session.execute(update, &[&-amount, &from]).await.map_err(early)?;
        session.execute(update, &[&amount, &to]).await.map_err(early)?;
        session.batch_execute("COMMIT").await.map_err(|error| trouble(&error, Sent::Commit))?;
        Ok(ask.value.clone())
    }
}

const ALL: &str = "SELECT id, balance FROM accounts ORDER BY id";

fn balances(rows: &[Row]) -> Edn {
    Edn::Map(rows.iter().map(|row| (Edn::Int(row.get(0)), Edn::Int(row.get(1)))).collect())
}

/// One more read of each database. What could not be read.
pub async fn read_all(target: &Target, databases: &[String], record: &Record) -> Vec<String> {
    let mut unread = Vec::new();
    for (at, database) in (0..).zip(databases) {
        record.invoke(last::FIRST + at, "read", Edn::Nil);
        let found = last::rows(target, database, ALL).await.map(|rows| balances(&rows));
        unread.extend(last::complete(record, last::FIRST + at, "read", Edn::Nil, found));
    }
    unread
}
