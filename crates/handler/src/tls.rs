//! TLS for clients (R52): a certificate of our own, and where wanted, one that each client must show.
//!
//! What is behind it is the same link as without. The session's password is asked for all the same.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rpc::ByteStream;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How clients are met. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    /// Whether whoever does not begin TLS is refused, unless it comes by a socket of this machine.
    pub(crate) required: bool,
}

/// The files that make it, as an operator names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, and those that it is signed by, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// Whose certificates clients must show, as PEM; without it, none.
    pub clients: Option<PathBuf>,
    /// Whether clients must use TLS.
    pub required: bool,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file has nothing in it that helps.
    #[error("{path} has no certificate")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// What the files say cannot be used.
    #[error("the certificate of {path} cannot be used")]
    Unusable {
        /// Whose.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The certificates of those who sign clients' cannot be used.
    #[error("clients cannot be told by {path}")]
    Clients {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::server::VerifierBuilderError,
    },
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("required", &self.required).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn of_files(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles { certificate, key, clients, required } = files;
        let unusable = |source| TlsError::Unusable { path: certificate.clone(), source };
        let chain = certificates(certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| TlsError::File { path: key.clone(), source })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path)? {
                    roots.add(root).map_err(|source| TlsError::Unusable { path: path.clone(), source })?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let refused = |source| TlsError::Clients { path: path.clone(), source };
                config.with_client_cert_verifier(verifier.map_err(refused)?)
            }
        };
        let config = config.with_single_cert(chain, secret).map_err(unusable)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), required: *required })
    }

    /// Begins TLS with a client that was told that it may.
    ///
    /// # Errors
    /// The client does not speak it, or has not the certificate that is wanted.
    pub(crate) async fn meet(&self, stream: Box<dyn ByteStream>) -> io::Result<Box<dyn ByteStream>> {
        let stream = self.acceptor.accept(stream).await?;
        Ok(Box::new(Met { stream, unflushed: false }))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::File { path: path.to_path_buf(), source };
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if read.is_empty() { Err(TlsError::Empty { path: path.to_path_buf() }) } else { Ok(read) }
}

/// A stream whose writes leave without being flushed again: TLS keeps what its socket would not take, and whoever relays
/// believes that it has gone. So each write and each read first brings on its way what was kept.
struct Met {
    stream: TlsStream<Box<dyn ByteStream>>,
    unflushed: bool,
}

impl Met {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        flushed
    }
}

impl AsyncRead for Met {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A write that fails shows in the next one.
        if let Poll::Ready(Err(error)) = self.poll_rest(cx) {
            tracing::debug!(%error, "cannot write to a client");
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Met {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_rest(cx))?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.unflushed |= matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = true;
        self.poll_rest(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
