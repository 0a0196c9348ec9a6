//! A stream that hops from frame to frame as bytes pass, and tells a [`Watch`] what they were.
//!
//! It keeps a header and a few bytes of a body at most, changes nothing, and reads no SQL.
//! The one thing that it refuses is a notice so long that it could only be meant to fill the client's memory.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Watch;

/// Longest notice or error that is let in, in bytes. Directives have 8 KiB; PostgreSQL's own are far shorter than this.
pub(super) const NOTICE_BYTES_MAX: usize = 1 << 20;

/// How much of a body is looked at: a command tag as long as `ROLLBACK`, with its end.
const BODY_BYTES: usize = 9;

const SSL_REQUEST: u32 = 80_877_103;

/// A stream that is watched, until it is made [blind](Tap::blind).
pub(crate) struct Tap<S> {
    inner: S,
    watch: Option<Arc<Watch>>,
    down: Frames,
    up: Frames,
    /// Frames of the start-up have no tag.
    starting: bool,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S, watch: Arc<Watch>) -> Tap<S> {
        Tap { inner, watch: Some(watch), down: Frames::default(), up: Frames::default(), starting: true }
    }

    /// The stream alone, no longer watched: what passes from now on is encrypted. The watch for whoever decrypts it.
    pub(super) fn blind(mut self) -> (Tap<S>, Option<Arc<Watch>>) {
        let watch = self.watch.take();
        (self, watch)
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }

    fn received(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        while let Some((tag, body)) = self.down.next(&mut bytes, true) {
            watch.on_received(tag, body);
        }
        if matches!(self.down.tag(), Some(b'N' | b'E')) && self.down.remaining > NOTICE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server sent a notice of more than 1 MiB",
            ));
        }
        Ok(())
    }

    fn sent(&mut self, mut bytes: &[u8]) {
        let Some(watch) = &self.watch else { return };
        while !bytes.is_empty() {
            let Some((tag, body)) = self.up.next(&mut bytes, !self.starting) else { return };
            if !self.starting {
                watch.on_sent(tag);
            } else if body.get(..4) == Some(SSL_REQUEST.to_be_bytes().as_slice()) {
                // It is answered by one byte that is no frame.
                self.down.skip = 1;
            } else {
                self.starting = false;
                watch.on_start_up();
            }
        }
    }
}

/// Where in a frame a direction stands.
#[derive(Default)]
struct Frames {
    head: [u8; 5],
    have: usize,
    body: [u8; BODY_BYTES],
    kept: usize,
    remaining: usize,
    skip: usize,
    /// A length that cannot be: nothing more is read out of this direction.
    lost: bool,
}

impl Frames {
    /// The tag of the frame that has begun, once its header is complete.
    fn tag(&self) -> Option<u8> {
        (self.have == 5).then_some(self.head[0])
    }

    /// Takes bytes until a frame is complete; its tag and the beginning of its body.
    fn next(&mut self, bytes: &mut &[u8], tagged: bool) -> Option<(u8, &[u8])> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        *bytes = &bytes[skipped..];
        if self.lost {
            *bytes = &[];
            return None;
        }
        if self.have == 0 && !tagged && !bytes.is_empty() {
            self.have = 1;
            self.head[0] = 0;
        }
        while self.have < 5 {
            let (first, rest) = bytes.split_first()?;
            (self.head[self.have], *bytes) = (*first, rest);
            self.have += 1;
            if self.have == 5 {
                let [_, length @ ..] = self.head;
                let length = u32::from_be_bytes(length) as usize;
                (self.kept, self.remaining, self.lost) = (0, length.saturating_sub(4), length < 4);
            }
        }
        let taken = self.remaining.min(bytes.len());
        let (part, rest) = bytes.split_at(taken);
        let kept = part.len().min(BODY_BYTES - self.kept);
        self.body[self.kept..self.kept + kept].copy_from_slice(&part[..kept]);
        self.kept += kept;
        self.remaining -= taken;
        *bytes = rest;
        if self.remaining > 0 || self.lost {
            return None;
        }
        self.have = 0;
        Some((self.head[0], &self.body[..self.kept]))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let me = &mut *self;
        Poll::Ready(me.received(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.sent(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
