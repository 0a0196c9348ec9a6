//! tarpc over any byte stream: length-delimited bincode frames after the handshake.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use tarpc::{ClientMessage, Response, context::Context, serde_transport, tokio_serde::formats::Bincode};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    ByteStream, Dial, Error, Secret,
    handshake::{self, Role, Service},
    limits::{HANDSHAKE_TIMEOUT, MESSAGE_BYTES_MAX},
};

/// Messages of type `Item` come in, `SinkItem` go out.
pub type Framing<Item, SinkItem> =
    serde_transport::Transport<Box<dyn ByteStream>, Item, SinkItem, Bincode<Item, SinkItem>>;

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
    handshake::take(stream, secret, offered).await
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
            tokio::spawn(request);
        }
    }};
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
    Item: DeserializeOwned,
    SinkItem: Serialize,
{
    let codec = LengthDelimitedCodec::builder().max_frame_length(MESSAGE_BYTES_MAX).new_codec();
    serde_transport::new(Framed::new(stream, codec), Bincode::default())
}
