//! SQL through a handler, by a stock driver, and what its errors are taken for.

use rpc::Dial as _;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use super::Trouble;
use crate::{net::At, roles::handler_address};

/// The user that every fleet has.
pub const USER: &str = "alice";
/// That user's password.
pub const PASSWORD: &str = "open sesame";

/// A session. Its connection ends with it.
pub struct Session {
    client: Client,
    connection: JoinHandle<Result<(), Error>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Session {
    /// Logs in at a handler.
    pub async fn open(at: &At, handler: u64, database: &str) -> Result<Self, String> {
        let stream = at.dial(&handler_address(handler)).await.map_err(|error| error.to_string())?;
        let mut config = Config::new();
        config.user(USER).password(PASSWORD).dbname(database);
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(|error| error.to_string())?;
        Ok(Self { client, connection: tokio::spawn(connection) })
    }

    /// The first column of the rows of one statement, and how many rows it concerned.
    pub async fn ask(&self, statement: &str) -> Result<(Vec<String>, u64), Trouble> {
        let (mut rows, mut count) = (Vec::new(), 0);
        for message in self.client.simple_query(statement).await.map_err(|error| trouble(&error))? {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(row.get(0).unwrap_or_default().to_owned()),
                SimpleQueryMessage::CommandComplete(concerned) => count = concerned,
                _ => {}
            }
        }
        Ok((rows, count))
    }
}

/// Only those SQLSTATEs prove that nothing was done which the chaos suite's README promises that of.
fn trouble(error: &Error) -> Trouble {
    let code = error.code().map_or("", |code| code.code());
    match history::had_no_effect(code) {
        true => Trouble::None(error.to_string()),
        false => Trouble::Unknown(error.to_string()),
    }
}
