//! The network, as far as this project needs one: something that dials addresses. Tests bring a simulated one.

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
