//! A client's session, through tokio-postgres.

use std::{net::SocketAddr, ops::Deref};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};

/// A session. Its connection ends with it.
pub struct Session {
    client: Client,
    connection: JoinHandle<Result<(), Error>>,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// Whatever the other end says.
    pub async fn open(
        address: SocketAddr,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Self, Error> {
        let mut config = Config::new();
        config.host(address.ip().to_string()).port(address.port());
        config.user(user).password(password).dbname(database);
        config.application_name("tests").connect_timeout(std::time::Duration::from_secs(30));
        Self::open_with(&config).await
    }

    /// Logs in with settings of one's own.
    ///
    /// # Errors
    /// Whatever the other end says.
    pub async fn open_with(config: &Config) -> Result<Self, Error> {
        let (client, connection) = config.connect(NoTls).await?;
        Ok(Self { client, connection: tokio::spawn(connection) })
    }

    /// The first column of the only row, as text, by the simple protocol.
    ///
    /// # Errors
    /// Whatever the other end says.
    ///
    /// # Panics
    /// When there is another number of rows.
    pub async fn one(&self, sql: &str) -> Result<String, Error> {
        let messages = self.client.simple_query(sql).await?;
        let rows: Vec<_> = messages
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            })
            .collect();
        assert_eq!(rows.len(), 1, "{sql} gave {} rows", rows.len());
        Ok(rows[0].get(0).unwrap_or("NULL").to_owned())
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The SQLSTATE of an error, or its text when it has none.
pub fn code(error: &Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
}

/// The message of an error that the other end sent.
pub fn message(error: &Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
