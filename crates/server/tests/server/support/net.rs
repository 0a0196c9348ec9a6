//! A network of in-memory pipes, by address.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use rpc::{ByteStream, Dial, Listen};
use tokio::sync::mpsc;

/// Bytes that a pipe holds in each direction.
const PIPE_BYTES: usize = 64 << 10;

type Incoming = mpsc::UnboundedSender<Box<dyn ByteStream>>;

/// All listeners.
#[derive(Clone, Default)]
pub struct Net(Arc<Mutex<BTreeMap<String, Incoming>>>);

/// One listener.
pub struct Port(mpsc::UnboundedReceiver<Box<dyn ByteStream>>);

impl Net {
    pub fn listen(&self, address: &str) -> Port {
        let (incoming, port) = mpsc::unbounded_channel();
        self.0.lock().expect("no panics").insert(address.into(), incoming);
        Port(port)
    }
}

#[async_trait]
impl Dial for Net {
    async fn dial(&self, address: &str) -> io::Result<Box<dyn ByteStream>> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let incoming = self.0.lock().expect("no panics").get(address).cloned().ok_or_else(refused)?;
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        incoming.send(Box::new(far)).map_err(|_| refused())?;
        Ok(Box::new(near))
    }
}

#[async_trait]
impl Listen for Port {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, "pipe".into())),
            None => std::future::pending().await,
        }
    }
}
