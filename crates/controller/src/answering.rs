//! Answering a connection's requests, all in the connection's own task.
//!
//! A batch that one sync made durable, or one confirmation allowed, wakes one task for each connection instead of one
//! for each request, and its answers leave in one write. What computes for long has threads of its own.

use std::future::Future;

use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use rpc::{
    ByteStream, Framing,
    tarpc::{
        ClientMessage, Response,
        server::{BaseChannel, Config},
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Requests and answers of one connection.
type Messages<Req, Resp> = BaseChannel<Req, Resp, Framing<ClientMessage<Req>, Response<Resp>>>;

/// A connection whose handshake is over, for one service.
pub fn channel<Req: DeserializeOwned, Resp: Serialize>(stream: Box<dyn ByteStream>) -> Messages<Req, Resp> {
    let config = Config { pending_response_buffer: rpc::limits::REQUESTS_IN_FLIGHT_MAX };
    BaseChannel::new(config, rpc::frame(stream))
}

/// Answers until the connection closes; what is unfinished then is dropped. Every request takes its first step in the
/// order of their arrival.
pub async fn answer(requests: impl Stream<Item = impl Future<Output = ()>>) {
    let mut requests = std::pin::pin!(requests);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = running.next() => {}
            request = requests.next() => match request {
                Some(request) => {
                    let mut unfinished = None;
                    rpc::begin(request, |rest| unfinished = Some(rest)).await;
                    running.extend(unfinished);
                }
                None => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::stream;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn requests_begin_in_order_and_wait_side_by_side() {
        let said = Mutex::new(Vec::new());
        let (release, released) = oneshot::channel();
        let (mut released, mut release) = (Some(released), Some(release));
        let requests = stream::iter([1, 2, 3]).map(|number| {
            let (wait, free) = match number {
                1 => (released.take(), None),
                3 => (None, release.take()),
                _ => (None, None),
            };
            let said = &said;
            async move {
                said.lock().expect("nobody panics").push(number);
                if let Some(free) = free {
                    free.send(()).expect("the first one waits");
                }
                if let Some(wait) = wait {
                    wait.await.expect("the third one says so");
                    said.lock().expect("nobody panics").push(10 * number);
                }
            }
        });
        // The connection stays open until the first one has been answered.
        let open = stream::once(async {
            while said.lock().expect("nobody panics").len() < 4 {
                tokio::task::yield_now().await;
            }
        });
        let requests = requests.map(futures::future::Either::Left);
        answer(requests.chain(open.map(|()| futures::future::Either::Right(std::future::ready(()))))).await;
        assert_eq!(*said.lock().expect("nobody panics"), [1, 2, 3, 10]);
    }
}
