//! Operators who move databases about, one at each controller: whoever leads, one of them is heard.

use std::time::Duration;

use model::RequestId;
use rand::Rng;
use rpc::controller::{DatabaseRef, Operation};
use tokio::time::timeout;

use super::{Client, DATABASES, look_ups, name};
use crate::{run::SERVERS, trace};

/// How long a move may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Moves one after the other. What became of it, look-ups show.
pub async fn move_about(mut client: Client, controller: u64) {
    let mut link = None;
    while client.pause(2_500).await {
        let database = DatabaseRef::parse(&name(client.random.random_range(0..DATABASES)));
        let server = format!("s{}", client.random.random_range(1..=SERVERS));
        let request = RequestId(client.random.random());
        let asked = async {
            let api = match &mut link {
                Some(api) => api,
                None => link.insert(look_ups::connect(&client, controller).await?),
            };
            let wish = Operation::MoveDatabase { database, server };
            let told = api.operate(rpc::context(), request, wish).await.map_err(|error| error.to_string())?;
            // What a controller says no to leaves the connection as it is.
            Ok::<_, String>(told.map_or_else(|refusal| refusal.to_string(), |_| "done".into()))
        };
        let told = timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".into()));
        if told.is_err() {
            link = None;
        }
        trace::note(format_args!("a move at c{controller}: {told:?}"));
    }
}
