//! The network, as far as this project needs one: dialling and listening. Tests bring a simulated one.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

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
        stream.set_nodelay(true)?;
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
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer.to_string()))
    }
}
