//! The network, as far as this project needs one: dialling and listening. Tests bring a simulated one.

use std::io;

use async_trait::async_trait;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};

/// A connected byte stream.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// Opens connections.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Whatever the network says. Callers bound the wait themselves.
    async fn dial(&self, address: &str) -> io::Result<Box<dyn ByteStream>>;
}

/// The real network.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, address: &str) -> io::Result<Box<dyn ByteStream>> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        prepare(&stream)?;
        Ok(Box::new(stream))
    }
}

/// Takes connections.
#[async_trait]
pub trait Listen: Send + 'static {
    /// The next connection, and who opened it, for the logs.
    ///
    /// # Errors
    /// Whatever the network says. Running out of file handles passes: pause and call again.
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)>;
}

#[async_trait]
impl Listen for tokio::net::TcpListener {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        let (stream, peer) = tokio::net::TcpListener::accept(self).await?;
        prepare(&stream)?;
        Ok((Box::new(stream), peer.to_string()))
    }
}

/// Who opened a connection by a socket in the file system.
pub const LOCAL_PEER: &str = "this machine";

/// A socket in the file system, for clients on the same machine.
#[async_trait]
impl Listen for tokio::net::UnixListener {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        let (stream, _) = tokio::net::UnixListener::accept(self).await?;
        Ok((Box::new(stream), LOCAL_PEER.into()))
    }
}

/// Two listeners as one; without the second, the first alone.
#[derive(Debug)]
pub struct Either<A, B>(pub A, pub Option<B>);

#[async_trait]
impl<A: Listen, B: Listen> Listen for Either<A, B> {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        let Self(one, other) = self;
        match other {
            None => one.accept().await,
            Some(other) => tokio::select! {
                accepted = one.accept() => accepted,
                accepted = other.accept() => accepted,
            },
        }
    }
}

/// Small messages leave at once, and an idle connection whose other end vanished without a word ends, too.
fn prepare(stream: &tokio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}
