//! Asking the servers of clients that understand directives whether they are there, and telling the clients (R59).
//!
//! The question is the first one of PostgreSQL's protocol: whether the server wants encryption. A process that hangs does
//! not answer it, though its machine takes the connection. It costs one connection a round for each such server.

use std::{collections::BTreeMap, io, sync::Arc};

use bytes::BytesMut;
use futures::future::join_all;
use rpc::controller::DatabaseRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use wire::startup;

use super::silence::{Answer, Finding, Place, Silence};
use crate::{
    handler::Handler,
    limits::{PROBE_EVERY, PROBE_TIMEOUT, PROBED_SERVERS_MAX},
    metrics,
};

/// Asks until dropped.
pub(crate) async fn probe(handler: &Handler) {
    let mut silence = Silence::default();
    loop {
        sleep(PROBE_EVERY).await;
        let places = places(handler);
        let known = places.values().flatten();
        let mut asked: Vec<&str> = known.map(|place| place.address.as_str()).collect();
        asked.sort_unstable();
        asked.dedup();
        asked.truncate(PROBED_SERVERS_MAX);
        let answers = join_all(asked.iter().map(|address| ask(handler, address))).await;
        let answers = asked.into_iter().map(str::to_owned).zip(answers).collect();
        for finding in silence.round(&places, &answers) {
            let clock = (handler.host.clock)();
            match finding {
                Finding::Silent(database, Place { address, epoch }) => {
                    handler.board.silent(&database, &address, epoch, clock);
                }
                Finding::Over(database) => handler.board.served(&database, clock),
            }
        }
        metrics::silent_servers(silence.servers());
    }
}

/// Where the databases are of those that would hear of it; none where nobody knows.
fn places(handler: &Handler) -> BTreeMap<String, Option<Place>> {
    let mut places = BTreeMap::new();
    for handle in handler.board.announced() {
        let Some(mailbox) = handle.mailbox() else { continue };
        let database = mailbox.audience().database;
        if places.contains_key(database) {
            continue;
        }
        let route = handler.router.peek(&DatabaseRef::parse(database));
        let place = route.map(|route| Place { address: route.address.clone(), epoch: route.epoch.0 });
        places.insert(database.to_owned(), place);
    }
    places
}

async fn ask(handler: &Handler, address: &str) -> Answer {
    let dial = Arc::clone(&handler.host.dial);
    let asking = async {
        let mut stream = dial.dial(address).await?;
        let mut question = BytesMut::new();
        startup::ssl(&mut question);
        stream.write_all(&question).await?;
        stream.flush().await?;
        stream.read_u8().await
    };
    match timeout(PROBE_TIMEOUT, asking).await {
        Ok(Ok(_)) => Answer::Said,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Answer::Refused,
        // Taken and closed again, or out of reach: like silence.
        Ok(Err(_)) | Err(_) => Answer::Nothing,
    }
}
