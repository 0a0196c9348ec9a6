//! The handshake against a stranger, who does not know the secret.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::FutureExt as _;
use rpc::{ByteStream, Secret, Service, handshake::Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What either end may answer a stranger at most: each of its messages once.
const ANSWER_BYTES_MAX: usize = 72;

/// A stranger that says what it says, and counts what it hears.
struct Stranger {
    says: io::Cursor<Vec<u8>>,
    heard: usize,
}

/// The first byte says which end the stranger is, and what it is offered.
pub fn handshake(input: &[u8]) {
    let Some((end, says)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    let secret = Secret::new([7; 32]);
    let mut stranger = Stranger { says: io::Cursor::new(says.to_vec()), heard: 0 };
    let taken = if end % 2 == 0 {
        let stream: &mut dyn ByteStream = &mut stranger;
        let offered = [Service::Controller, Service::Raft];
        rpc::handshake::take(stream, &secret, &offered).now_or_never().map(|taken| taken.map(|_| ()))
    } else {
        let opened = rpc::handshake::open(&mut stranger, &secret, Service::Server, Role::Controller);
        opened.now_or_never().map(|opened| opened.map(|_| ()))
    };
    assert!(matches!(taken, Some(Err(_))), "a stranger was let in, or waited for");
    assert!(stranger.heard <= ANSWER_BYTES_MAX, "{} bytes for a stranger", stranger.heard);
    #[cfg(feature = "planted")]
    crate::planted::handshake(input);
}

impl AsyncRead for Stranger {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.says).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stranger {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
