//! The maps of the controllers, as their fingerprints.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use history::{Edn, Kind};
use model::Digest;
use rpc::{Controllers, handshake::Role, tarpc::client::RpcError};
use tokio::time::timeout;

use super::{Client, look_ups};
use crate::{
    net::At,
    roles::{CONTROLLERS, controller_address, secret},
    trace,
};

const PATIENCE: Duration = Duration::from_millis(1_500);

/// Asks one controller again and again.
pub async fn compare(mut client: Client, controller: u64) {
    let mut link = None;
    while client.pause(150).await {
        let number = client.records.maps.begin("digest", Edn::Nil);
        let asked = async {
            let api = match &mut link {
                Some(api) => api,
                None => link.insert(look_ups::connect(&client, controller).await?),
            };
            let failed = |error: RpcError| error.to_string();
            if api.status(rpc::context()).await.map_err(failed)?.state == "leader" {
                client.records.leads(controller);
            }
            api.digest(rpc::context()).await.map_err(failed)
        };
        match timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".into())) {
            Ok(Digest { revision, value }) => {
                let found = [Edn::Int(revision.0 as i64), Edn::Text(format!("{value:032x}"))];
                client.records.maps.end(Kind::Ok, number, "digest", found.into_iter().collect());
            }
            Err(why) => {
                trace::note(format_args!("no fingerprint from c{controller}: {why}"));
                link = None;
                client.records.maps.end(Kind::Fail, number, "digest", Edn::Nil);
            }
        }
    }
}

/// Whether all controllers have the same map now.
pub async fn agree(at: &At) -> Result<(), String> {
    let mut digests = Vec::new();
    for controller in 1..=CONTROLLERS {
        let addresses = vec![controller_address(controller)];
        let one = Controllers::new(addresses, Arc::new(at.clone()), secret(), Role::Operator);
        let asked = one.any(|client, context| async move { client.digest(context).await }.boxed());
        match timeout(PATIENCE, asked).await {
            Ok(Ok(digest)) => digests.push(digest),
            Ok(Err(error)) => return Err(format!("c{controller} does not answer: {error}")),
            Err(_) => return Err(format!("c{controller} does not answer")),
        }
    }
    let agreed = digests.windows(2).all(|pair| pair[0] == pair[1]);
    if agreed { Ok(()) } else { Err(format!("the maps differ: {digests:?}")) }
}
