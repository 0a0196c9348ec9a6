//! tarpc over any byte stream: length-delimited bincode frames after the handshake.

use std::{
    future::{Future, poll_fn},
    io,
    marker::PhantomData,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use bincode::Options as _;
use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tarpc::{
    ClientMessage, Response,
    context::Context,
    serde_transport,
    tokio_serde::{Deserializer, Serializer, formats::Bincode},
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    ByteStream, Dial, Error, Secret,
    handshake::{self, Role, Service},
    limits::{DEADLINE_MAX, HANDSHAKE_TIMEOUT, MESSAGE_BYTES_MAX},
};

/// Messages of type `Item` come in, `SinkItem` go out.
pub type Framing<Item, SinkItem> =
    serde_transport::Transport<Box<dyn ByteStream>, Item, SinkItem, Codec<Item, SinkItem>>;

/// A message that comes in.
pub trait Incoming: DeserializeOwned {
    /// Looks at the bytes of one before they are decoded.
    ///
    /// # Errors
    /// Decoding them would not go well.
    fn check(frame: &[u8]) -> io::Result<()>;
}

/// tarpc adds the deadline that a caller sends to its own clock, and puts it on a timer: either panics when it is too far
/// away. Ours are an hour away, and nobody's may be further than a day.
impl<T: DeserializeOwned> Incoming for ClientMessage<T> {
    fn check(frame: &[u8]) -> io::Result<()> {
        /// How a request begins.
        #[derive(serde::Deserialize)]
        enum Head {
            Request { seconds: u64, _nanoseconds: u32 },
        }
        match bincode::DefaultOptions::new().allow_trailing_bytes().deserialize(frame) {
            Ok(Head::Request { seconds, .. }) if seconds > DEADLINE_MAX.as_secs() => {
                Err(io::Error::new(io::ErrorKind::InvalidData, format!("a deadline {seconds} s away")))
            }
            // No request, or none at all: decoding tells.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl<T: DeserializeOwned> Incoming for Response<T> {
    fn check(_: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of one message in its frame: bincode.
pub struct Codec<Item, SinkItem>(PhantomData<fn(SinkItem) -> Item>);

impl<Item: Incoming, SinkItem> Deserializer<Item> for Codec<Item, SinkItem> {
    type Error = io::Error;

    fn deserialize(self: Pin<&mut Self>, frame: &BytesMut) -> io::Result<Item> {
        Item::check(frame)?;
        std::pin::pin!(Bincode::<Item, ()>::default()).deserialize(frame)
    }
}

impl<Item, SinkItem: Serialize> Serializer<SinkItem> for Codec<Item, SinkItem> {
    type Error = io::Error;

    fn serialize(self: Pin<&mut Self>, message: &SinkItem) -> io::Result<Bytes> {
        std::pin::pin!(Bincode::<(), SinkItem>::default()).serialize(message)
    }
}

/// Dials an address and proves who we are. Give the result to the service's generated client.
///
/// # Errors
/// [`Error::Connect`] when nobody is there, [`Error::Handshake`] when it is the wrong one. Nothing was changed.
pub async fn connect<Req, Resp>(
    dial: &dyn Dial,
    address: &str,
    secret: &Secret,
    service: Service,
    role: Role,
) -> Result<Framing<Response<Resp>, ClientMessage<Req>>, Error>
where
    Req: Serialize,
    Resp: DeserializeOwned,
{
    let connect = |source| Error::Connect { address: address.into(), source };
    let mut stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, dial.dial(address))
        .await
        .map_err(|_| connect(std::io::ErrorKind::TimedOut.into()))?
        .map_err(connect)?;
    handshake::open(&mut stream, secret, service, role).await?;
    Ok(frame(stream))
}

/// Lets a caller prove itself; tells what it wants and who it is. Then give the stream to the service.
///
/// # Errors
/// [`Error::Handshake`] or [`Error::Io`]: close the stream and go on.
pub async fn accept(
    stream: &mut Box<dyn ByteStream>,
    secret: &Secret,
    offered: &[Service],
) -> Result<(Service, Role), Error> {
    // All versions that this release speaks have the same messages.
    handshake::take(stream, secret, offered).await.map(|(service, role, _)| (service, role))
}

/// Answers one connection until it closes. `$serve` is the service's generated `.serve()`.
///
/// A macro, because only where the service is known does the compiler know that its answers can cross threads.
/// A call that the caller dropped is dropped here too.
#[macro_export]
macro_rules! serve {
    ($stream:expr, $serve:expr) => {{
        use $crate::StreamExt as _;
        use $crate::tarpc::server::Channel as _;
        let config =
            $crate::tarpc::server::Config { pending_response_buffer: $crate::limits::REQUESTS_IN_FLIGHT_MAX };
        let channel = $crate::tarpc::server::BaseChannel::new(config, $crate::frame($stream));
        let mut requests = std::pin::pin!(channel.execute($serve));
        while let Some(request) = requests.next().await {
            $crate::begin(request, |rest| drop(tokio::spawn(rest))).await;
        }
    }};
}

/// Takes the first step of answering a request here, whatever the task's budget, and leaves the rest to `go_on`, if
/// there is any. What needs no waiting costs no task, and its answer travels with those around it.
#[doc(hidden)]
pub async fn begin<F: Future<Output = ()>>(request: F, go_on: impl FnOnce(Pin<Box<F>>)) {
    let mut request = Box::pin(request);
    let step = poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_ready()));
    if !tokio::task::unconstrained(step).await {
        go_on(request);
    }
}

/// The context of a call. tarpc's own deadline reads the machine's clock, so it is set far away: callers bound their
/// wait with [`tokio::time::timeout`], which the simulation can steer.
pub fn context() -> Context {
    let mut context = Context::current();
    context.deadline += Duration::from_secs(3600);
    context
}

/// Frames a stream whose handshake is over.
pub fn frame<Item, SinkItem>(stream: Box<dyn ByteStream>) -> Framing<Item, SinkItem>
where
    Item: Incoming,
    SinkItem: Serialize,
{
    let codec = LengthDelimitedCodec::builder().max_frame_length(MESSAGE_BYTES_MAX).new_codec();
    serde_transport::new(Framed::new(stream, codec), Codec(PhantomData))
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;
    use crate::server::ServerApiRequest;

    /// The first frame of a stream with a call whose deadline is that far away.
    fn called(seconds: u64) -> Option<io::Result<ClientMessage<ServerApiRequest>>> {
        let options = bincode::DefaultOptions::new();
        let head = (0u32, seconds, 0u32, [1u8; 16], 5u64, 0u32, 7u64);
        let call = [options.serialize(&head).expect("in memory"), {
            options.serialize(&ServerApiRequest::Status {}).expect("in memory")
        }];
        let call = call.concat();
        let stream = [&u32::try_from(call.len()).expect("it is short").to_be_bytes()[..], &call].concat();
        frame::<_, ()>(Box::new(io::Cursor::new(stream))).next().now_or_never().flatten()
    }

    #[test]
    fn a_deadline_beyond_all_measure_is_refused_and_no_panic() {
        assert!(matches!(called(3_600), Some(Ok(ClientMessage::Request(request))) if request.id == 7));
        assert!(called(DEADLINE_MAX.as_secs()).is_some_and(|called| called.is_ok()));
        for seconds in [DEADLINE_MAX.as_secs() + 1, 1 << 40, u64::MAX] {
            let refused = called(seconds).expect("a frame").expect_err("too far away");
            assert!(refused.to_string().contains("deadline"), "{refused}");
        }
    }
}
