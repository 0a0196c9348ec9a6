//! Tokens in tables without a key: what was acknowledged is there once.

use history::{Edn, Kind};

use super::{Client, DATABASES, Trouble, name, sql::Session};
use crate::{invariant::Records, net::At};

pub const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS tokens (token bigint NOT NULL)";

/// Adds one after the other.
pub async fn add(mut client: Client) {
    while client.pause(150).await {
        let token = client.number();
        let number = client.records.tokens.begin("add", token.into());
        let kind = match client.ask(&format!("INSERT INTO tokens VALUES ({token})")).await {
            Ok(_) => Kind::Ok,
            Err(Trouble::None(_)) => Kind::Fail,
            Err(Trouble::Unknown(_)) => Kind::Info,
        };
        client.records.tokens.end(kind, number, "add", token.into());
    }
}

/// All that are there, in all databases.
pub async fn read_all(at: &At, records: &Records) {
    let number = records.tokens.begin("read", Edn::Nil);
    let mut all = Vec::new();
    for database in 0..DATABASES {
        let Ok(session) = Session::open(at, 1, &name(database)).await else { return };
        let Ok((tokens, _)) = session.ask("SELECT token FROM tokens").await else { return };
        all.extend(tokens.iter().filter_map(|token| token.parse().ok()).map(Edn::Int));
    }
    records.tokens.end(Kind::Ok, number, "read", all.into_iter().collect());
}
