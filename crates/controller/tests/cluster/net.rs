//! A network in memory: named addresses, refused connections, cables that can be cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use rpc::{ByteStream, Dial, Listen};
use tokio::{
    io::duplex,
    sync::{mpsc, watch},
};

/// How much a connection holds on its way.
const PIPE_BYTES: usize = 256 << 10;

type Arrivals = mpsc::UnboundedSender<Box<dyn ByteStream>>;

/// All of it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Net(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    listeners: BTreeMap<String, Arrivals>,
    /// Addresses that nobody reaches and that reach nobody.
    cut_off: BTreeSet<String>,
    /// Pairs that do not reach each other.
    severed: BTreeSet<(String, String)>,
    cables: Vec<(String, String, watch::Sender<bool>)>,
}

/// Dials on behalf of one address.
pub struct From(Net, String);

/// Listens at one address; refuses connections once dropped.
pub struct At(mpsc::UnboundedReceiver<Box<dyn ByteStream>>);

impl Net {
    /// The network as one process sees it.
    pub fn from(&self, address: &str) -> Arc<dyn Dial> {
        Arc::new(From(self.clone(), address.into()))
    }

    /// Takes connections at an address from now on.
    pub fn listen(&self, address: &str) -> At {
        let (arrivals, queue) = mpsc::unbounded_channel();
        self.inner(|inner| inner.listeners.insert(address.into(), arrivals));
        At(queue)
    }

    /// Cuts an address off: its connections stay open and silent, new ones hang.
    pub fn cut_off(&self, address: &str) {
        self.inner(|inner| {
            inner.cut_off.insert(address.into());
            for (from, to, open) in &inner.cables {
                if from == address || to == address {
                    open.send_replace(false);
                }
            }
        });
    }

    /// Connects it again. Cables cut before stay dead.
    pub fn reconnect(&self, address: &str) {
        self.inner(|inner| inner.cut_off.remove(address));
    }

    /// Cuts two addresses off from each other, and from nobody else.
    pub fn sever(&self, one: &str, other: &str) {
        self.inner(|inner| {
            for pair in [(one, other), (other, one)] {
                let (from, to) = (pair.0.to_owned(), pair.1.to_owned());
                for cable in inner.cables.iter().filter(|cable| cable.0 == from && cable.1 == to) {
                    cable.2.send_replace(false);
                }
                inner.severed.insert((from, to));
            }
        });
    }

    /// Undoes every such cut. Cables cut before stay dead.
    pub fn mend(&self) {
        self.inner(|inner| inner.severed.clear());
    }

    fn inner<T>(&self, with: impl FnOnce(&mut Inner) -> T) -> T {
        with(&mut self.0.lock().expect("nothing panics here"))
    }
}

#[async_trait]
impl Dial for From {
    async fn dial(&self, address: &str) -> io::Result<Box<dyn ByteStream>> {
        let Self(net, from) = self;
        let (near, far, open) = net.inner(|inner| {
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let cut_off = inner.cut_off.contains(from)
                || inner.cut_off.contains(address)
                || inner.severed.contains(&(from.clone(), address.to_owned()));
            let (near, here) = duplex(PIPE_BYTES);
            let (there, far) = duplex(PIPE_BYTES);
            let (open, opened) = watch::channel(!cut_off);
            if !cut_off {
                let listener = inner.listeners.get(address).ok_or_else(refused)?;
                listener.send(Box::new(far)).map_err(|_| refused())?;
            }
            inner.cables.retain(|(_, _, open)| !open.is_closed());
            inner.cables.push((from.clone(), address.into(), open));
            Ok::<_, io::Error>((near, (here, there), opened))
        })?;
        tokio::spawn(carry(far, open));
        Ok(Box::new(near))
    }
}

/// Carries bytes both ways until one end closes; a cut cable just holds its ends.
async fn carry(
    (mut here, mut there): (tokio::io::DuplexStream, tokio::io::DuplexStream),
    mut open: watch::Receiver<bool>,
) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
        () = cut(&mut open) => std::future::pending().await,
    }
}

/// Waits until the cable is cut. One that nobody can cut any more stays.
async fn cut(open: &mut watch::Receiver<bool>) {
    if open.wait_for(|open| !open).await.is_err() {
        std::future::pending().await
    }
}

#[async_trait]
impl Listen for At {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, "memory".into())),
            None => std::future::pending().await,
        }
    }
}
