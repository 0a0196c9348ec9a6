//! How a session is opened: a socket, a tap on what will be readable in it, TLS between them where the application
//! brings it, and PostgreSQL's start-up as tokio-postgres does it.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, future::BoxFuture, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, NoTls,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

use super::{Address, Watch, tap::Tap};

/// What a server says on its own, in order, until the session ends.
pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, tokio_postgres::Error>> + Send>>;

/// A TCP or Unix-domain socket.
pub(crate) type Socket = Pin<Box<dyn ReadWrite>>;

/// What a socket can do.
pub(crate) trait ReadWrite: AsyncRead + AsyncWrite + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Send + Sync> ReadWrite for S {}

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
}

/// Opens sessions, with TLS or without.
pub(crate) trait Dial: Send + Sync {
    /// Opens one. `watch` is told of it from the first byte.
    fn dial<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        watch: Arc<Watch>,
    ) -> BoxFuture<'a, Result<(Client, Messages), DialError>>;

    /// Asks the server at `address` to cancel what a session is doing.
    fn cancel<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        token: tokio_postgres::CancelToken,
    ) -> BoxFuture<'a, Result<(), DialError>>;
}

/// Without TLS.
pub(crate) struct Plain;

impl Dial for Plain {
    fn dial<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        watch: Arc<Watch>,
    ) -> BoxFuture<'a, Result<(Client, Messages), DialError>> {
        Box::pin(async move {
            let socket = Tap::new(open_socket(address, config).await?, watch);
            let (client, connection) = config.connect_raw(socket, NoTls).await?;
            Ok((client, messages(connection)))
        })
    }

    fn cancel<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        token: tokio_postgres::CancelToken,
    ) -> BoxFuture<'a, Result<(), DialError>> {
        Box::pin(async move {
            let socket = open_socket(address, config).await?;
            Ok(token.cancel_query_raw(socket, NoTls).await?)
        })
    }
}

/// With the application's TLS, such as `tokio_postgres_rustls::MakeRustlsConnect`.
pub(crate) struct Tls<T>(pub(crate) T);

impl<T> Dial for Tls<T>
where
    T: MakeTlsConnect<Watched> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Watched>>::Future: Send + 'static,
{
    fn dial<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        watch: Arc<Watch>,
    ) -> BoxFuture<'a, Result<(Client, Messages), DialError>> {
        Box::pin(async move {
            let tls = make(&self.0, address)?;
            let socket = Watched(Tap::new(open_socket(address, config).await?, watch));
            let (client, connection) = config.connect_raw(socket, Within(tls)).await?;
            Ok((client, messages(connection)))
        })
    }

    fn cancel<'a>(
        &'a self,
        address: &'a Address,
        config: &'a Config,
        token: tokio_postgres::CancelToken,
    ) -> BoxFuture<'a, Result<(), DialError>> {
        Box::pin(async move {
            let tls = make(&self.0, address)?;
            let socket = Watched(Tap::new(open_socket(address, config).await?, Arc::default()));
            Ok(token.cancel_query_raw(socket, Within(tls)).await?)
        })
    }
}

fn make<T: MakeTlsConnect<Watched> + Clone>(tls: &T, address: &Address) -> io::Result<T::TlsConnect> {
    tls.clone().make_tls_connect(address.server_name()).map_err(|error| io::Error::other(error.into()))
}

/// A socket on which a TLS session may begin.
pub struct Watched(Tap<Socket>);

/// A TLS session, watched inside.
pub(crate) struct Inside<S>(Tap<S>);

/// Moves the tap from the socket into the TLS session on it.
struct Within<C>(C);

impl<C> TlsConnect<Watched> for Within<C>
where
    C: TlsConnect<Watched>,
    C::Future: Send + 'static,
    C::Stream: 'static,
{
    type Stream = Inside<C::Stream>;
    type Error = Box<dyn std::error::Error + Sync + Send>;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: Watched) -> Self::Future {
        let (socket, watch) = stream.0.blind();
        let connecting = self.0.connect(Watched(socket));
        Box::pin(async move {
            let stream = connecting.await.map_err(Into::into)?;
            Ok(Inside(Tap::new(stream, watch.unwrap_or_default())))
        })
    }
}

impl<S: TlsStream + Unpin> TlsStream for Inside<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.inner().channel_binding()
    }
}

macro_rules! stream_by_field {
    ($name:ty $(, $parameter:ident)?) => {
        impl$(<$parameter: AsyncRead + Unpin>)? AsyncRead for $name {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(cx, buf)
            }
        }

        impl$(<$parameter: AsyncWrite + Unpin>)? AsyncWrite for $name {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(cx, buf)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(cx)
            }

            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    };
}

stream_by_field!(Watched);
stream_by_field!(Inside<S>, S);

fn messages<S, T>(mut connection: Connection<S, T>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(stream::poll_fn(move |cx| connection.poll_message(cx)))
}

/// Connects a socket, within the configuration's time-out.
async fn open_socket(address: &Address, config: &Config) -> io::Result<Socket> {
    let limit = config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(10));
    let opening = async {
        match address {
            Address::Tcp { host, port, .. } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                Ok(Box::pin(socket) as Socket)
            }
            Address::Unix { directory, port } => {
                let socket = UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await?;
                Ok(Box::pin(socket) as Socket)
            }
        }
    };
    let late =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} ms", limit.as_millis()));
    tokio::time::timeout(limit, opening).await.map_err(late)?
}
