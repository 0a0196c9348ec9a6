//! Registers: rows that are read, written, and changed if they hold what is expected.
//!
//! Some clients only read: a server that nobody writes to is not told by the journal's fence that it has lost a database.

use history::{Edn, Kind};
use rand::Rng;

use super::{Client, DATABASES, Trouble, name, sql::Session};
use crate::{invariant::Records, net::At, time};

pub const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS registers (k bigint PRIMARY KEY, v bigint NOT NULL)";

/// Other registers are begun after so many milliseconds: the search for an order grows fast with a history.
const PERIOD_MS: u64 = 10_000;
/// Registers of one database at a time.
const REGISTERS: i64 = 2;
/// Keys of one database lie below this.
const KEYS_OF_DATABASE: i64 = 1_000_000;

fn pair(key: i64, value: Edn) -> Edn {
    [Edn::Int(key), value].into_iter().collect()
}

impl Client {
    fn register(&mut self) -> i64 {
        (time::now() / PERIOD_MS) as i64 * REGISTERS + self.random.random_range(0..REGISTERS)
    }

    fn key(&self, register: i64) -> i64 {
        self.database as i64 * KEYS_OF_DATABASE + register
    }

    fn ended(&self, number: i64, f: &str, asked: Edn, told: Result<Edn, Trouble>) {
        let (kind, value) = match told {
            Ok(value) => (Kind::Ok, value),
            Err(Trouble::None(_)) => (Kind::Fail, asked),
            Err(Trouble::Unknown(_)) => (Kind::Info, asked),
        };
        self.records.registers.end(kind, number, f, value);
    }

    async fn read_one(&mut self) {
        let register = self.register();
        let key = self.key(register);
        let number = self.records.registers.begin("read", pair(key, Edn::Nil));
        let told = self.ask(&format!("SELECT v FROM registers WHERE k = {register}")).await;
        let told = told.map(|(rows, _)| pair(key, value(&rows)));
        self.ended(number, "read", pair(key, Edn::Nil), told);
    }
}

fn value(rows: &[String]) -> Edn {
    rows.first().and_then(|text| text.parse().ok()).map_or(Edn::Nil, Edn::Int)
}

/// Only reads.
pub async fn read(mut client: Client) {
    while client.pause(80).await {
        client.read_one().await;
    }
}

/// Writes, changes, and reads now and then.
pub async fn change(mut client: Client) {
    let mut last = 0;
    while client.pause(200).await {
        let (register, new) = (client.register(), client.number());
        let key = client.key(register);
        match client.random.random_range(0..10) {
            0..2 => client.read_one().await,
            2..8 => {
                let asked = pair(key, new.into());
                let number = client.records.registers.begin("write", asked.clone());
                let statement = format!(
                    "INSERT INTO registers VALUES ({register}, {new}) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
                );
                let told = client.ask(&statement).await.map(|_| asked.clone());
                last = new;
                client.ended(number, "write", asked, told);
            }
            _ => {
                let asked = pair(key, [Edn::Int(last), Edn::Int(new)].into_iter().collect());
                let number = client.records.registers.begin("cas", asked.clone());
                let statement = format!("UPDATE registers SET v = {new} WHERE k = {register} AND v = {last}");
                let told = match client.ask(&statement).await {
                    Ok((_, 1)) => Ok(asked.clone()),
                    Ok(_) => Err(Trouble::None("it held something else".into())),
                    Err(trouble) => Err(trouble),
                };
                client.ended(number, "cas", asked, told);
            }
        }
    }
}

/// One more read of each register.
pub async fn read_all(at: &At, records: &Records) {
    for database in 0..DATABASES {
        let Ok(session) = Session::open(at, 1, &name(database)).await else { continue };
        let Ok((keys, _)) = session.ask("SELECT k FROM registers").await else { continue };
        for register in keys.iter().filter_map(|key| key.parse::<i64>().ok()) {
            let key = database as i64 * KEYS_OF_DATABASE + register;
            let number = records.registers.begin("read", pair(key, Edn::Nil));
            let told = session.ask(&format!("SELECT v FROM registers WHERE k = {register}")).await;
            match told {
                Ok((rows, _)) => records.registers.end(Kind::Ok, number, "read", pair(key, value(&rows))),
                Err(_) => records.registers.end(Kind::Fail, number, "read", pair(key, Edn::Nil)),
            }
        }
    }
}
