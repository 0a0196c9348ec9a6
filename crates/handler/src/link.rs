//! One end of a connection: the byte stream, what was read and not yet used, what is to be written.
//!
//! Nothing is held while nothing is under way: the buffer that reads go into belongs to the thread.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use rpc::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use wire::{Header, frame::HEADER_LEN};

use crate::{
    limits::{CHUNK_BYTES, FAREWELL_BYTES_MAX, FAREWELL_TIMEOUT},
    tls::Tls,
};

thread_local! {
    static CHUNK: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK_BYTES].into_boxed_slice());
}

/// A stream and its two queues.
pub(crate) struct Link {
    stream: Box<dyn ByteStream>,
    /// Read, and not yet used.
    pub(crate) inbox: BytesMut,
    /// To be written.
    pub(crate) outbox: BytesMut,
}

/// Why a link gives no more frames.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The other end closed, within a frame.
    #[error("the connection was closed")]
    Closed,
    /// The network failed.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// What came is no frame.
    #[error(transparent)]
    Wire(#[from] wire::Error),
}

impl Link {
    pub(crate) fn new(stream: Box<dyn ByteStream>) -> Self {
        Self { stream, inbox: BytesMut::new(), outbox: BytesMut::new() }
    }

    /// Has TLS begin on the stream that it has.
    ///
    /// # Errors
    /// The client does not speak it as it should, or has sent something before: whoever is between the two could have.
    /// The link is of no use then.
    pub(crate) async fn begin_tls(&mut self, tls: &Tls) -> io::Result<()> {
        if !self.inbox.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let nothing = tokio::io::join(tokio::io::empty(), tokio::io::sink());
        let stream = std::mem::replace(&mut self.stream, Box::new(nothing));
        self.stream = tls.meet(stream).await?;
        Ok(())
    }

    /// Writes the outbox; ready when it is empty.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.outbox.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outbox))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.outbox.advance(written),
            }
        }
        self.outbox = BytesMut::new();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Writes what can be written of `bytes` now and puts the rest into the outbox.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while self.outbox.is_empty() && sent < bytes.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[sent..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => sent += written,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.outbox.extend_from_slice(&bytes[sent..]);
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads once and shows `with` all that is unused: the inbox and what came. `with` returns how much it has used.
    /// Gives `None` when the other end has closed.
    pub(crate) fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        with: impl FnOnce(&mut Context<'_>, &[u8]) -> (usize, T),
    ) -> Poll<io::Result<Option<T>>> {
        // The thread's buffer is taken, not borrowed, while `with` runs: whatever it does may read on this thread.
        let mut chunk = CHUNK.take();
        if chunk.is_empty() {
            chunk = vec![0; CHUNK_BYTES].into_boxed_slice();
        }
        let mut buffer = ReadBuf::new(&mut chunk);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let result = match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Ok(None)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(Some(self.show(cx, buffer.filled(), with)))),
        };
        CHUNK.set(chunk);
        result
    }

    fn show<T>(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &[u8],
        with: impl FnOnce(&mut Context<'_>, &[u8]) -> (usize, T),
    ) -> T {
        if self.inbox.is_empty() {
            let (used, result) = with(cx, fresh);
            self.inbox.extend_from_slice(&fresh[used..]);
            return result;
        }
        self.inbox.extend_from_slice(fresh);
        self.reshow(cx, with)
    }

    /// Shows the inbox again, without reading.
    pub(crate) fn reshow<T>(
        &mut self,
        cx: &mut Context<'_>,
        with: impl FnOnce(&mut Context<'_>, &[u8]) -> (usize, T),
    ) -> T {
        let mut unused = std::mem::take(&mut self.inbox);
        let (used, result) = with(cx, &unused);
        unused.advance(used);
        if !unused.is_empty() {
            self.inbox = unused;
        }
        result
    }

    /// Writes everything.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Reads once, into the inbox; false when the other end has closed.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        let read = poll_fn(|cx| self.poll_read(cx, |_, _| (0, ()))).await?;
        Ok(read.is_some())
    }

    /// Waits until the other end has gone. What it sends meanwhile goes into the inbox, up to a bound or until `more`,
    /// which is told how much it is, wants no more; from then on it is not noticed going. May be dropped at any time.
    pub(crate) async fn gone(&mut self, mut more: impl FnMut(usize) -> bool) {
        let mut wanted = true;
        while wanted && self.inbox.len() < CHUNK_BYTES {
            let before = self.inbox.len();
            if !matches!(self.fill().await, Ok(true)) {
                return;
            }
            wanted = more(self.inbox.len() - before);
        }
        std::future::pending().await
    }

    /// The next frame, without its header; `None` when the other end has closed between two frames. May be dropped
    /// and called again.
    pub(crate) async fn frame(&mut self, len_max: usize) -> Result<Option<(u8, Bytes)>, LinkError> {
        loop {
            if let Some(header) = Header::peek(&self.inbox, len_max)?
                && self.inbox.len() >= header.len
            {
                let mut frame = self.inbox.split_to(header.len).freeze();
                frame.advance(HEADER_LEN);
                if self.inbox.is_empty() {
                    self.inbox = BytesMut::new();
                }
                return Ok(Some((header.tag, frame)));
            }
            if !self.fill().await? {
                return if self.inbox.is_empty() { Ok(None) } else { Err(LinkError::Closed) };
            }
        }
    }

    /// As [`Link::frame`], but a frame longer than `len_max` is thrown away and shows as its tag alone.
    /// Not to be dropped while it throws one away.
    pub(crate) async fn frame_or_tag(
        &mut self,
        len_max: usize,
    ) -> Result<Option<(u8, Option<Bytes>)>, LinkError> {
        while self.inbox.len() < HEADER_LEN && self.fill().await? {}
        match Header::peek(&self.inbox, wire::limits::FRAME_LEN_MAX)? {
            Some(header) if header.len > len_max => {
                self.throw_away(header.len).await?;
                Ok(Some((header.tag, None)))
            }
            Some(_) | None => Ok(self.frame(len_max).await?.map(|(tag, body)| (tag, Some(body)))),
        }
    }

    /// Throws away so many bytes. Not to be dropped and called again.
    pub(crate) async fn throw_away(&mut self, mut len: usize) -> Result<(), LinkError> {
        loop {
            let thrown = len.min(self.inbox.len());
            self.inbox.advance(thrown);
            len -= thrown;
            if len == 0 {
                return Ok(());
            }
            if !self.fill().await? {
                return Err(LinkError::Closed);
            }
        }
    }

    /// Writes everything, says that no more will come, and takes what the other end still sends for a moment:
    /// closing with unread input would take the last words back.
    pub(crate) async fn farewell(mut self) {
        let part = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            let mut left = FAREWELL_BYTES_MAX;
            while left > 0 {
                self.inbox.clear();
                if !self.fill().await? {
                    break;
                }
                left = left.saturating_sub(self.inbox.len());
            }
            io::Result::Ok(())
        };
        if let Err(error) = tokio::time::timeout(FAREWELL_TIMEOUT, part).await.unwrap_or(Ok(())) {
            tracing::debug!(%error, "a connection broke while it was being closed");
        }
    }

    /// Whether a whole frame is in the inbox.
    pub(crate) fn has_frame(&self, len_max: usize) -> bool {
        match Header::peek(&self.inbox, len_max) {
            Ok(Some(header)) => self.inbox.len() >= header.len,
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn link(capacity: usize) -> (Link, tokio::io::DuplexStream) {
        let (near, far) = duplex(capacity);
        (Link::new(Box::new(near)), far)
    }

    #[tokio::test]
    async fn frames_are_found_however_they_are_cut() {
        let (mut link, mut far) = link(64);
        let writer = tokio::spawn(async move {
            for byte in b"Q\0\0\0\x06a\0S\0\0\0\x04X" {
                far.write_all(&[*byte]).await.expect("the near end reads");
            }
        });
        let frame = |tag: u8, body: &'static [u8]| Some((tag, Bytes::from_static(body)));
        assert_eq!(link.frame(100).await.expect("a frame"), frame(b'Q', b"a\0"));
        assert_eq!(link.frame(100).await.expect("a frame"), frame(b'S', b""));
        assert!(matches!(link.frame(100).await, Err(LinkError::Closed)), "the last one has no end");
        writer.await.expect("no panic");
    }

    #[tokio::test]
    async fn nothing_is_held_once_everything_is_used() {
        let (mut link, mut far) = link(1 << 16);
        far.write_all(&[7; 1000]).await.expect("room");
        let used = poll_fn(|cx| link.poll_read(cx, |_, unused| (unused.len(), unused.len()))).await;
        assert_eq!(used.expect("no failure"), Some(1000));
        assert_eq!((link.inbox.capacity(), link.outbox.capacity()), (0, 0));
    }

    #[tokio::test]
    async fn a_slow_reader_gets_everything_in_the_end() {
        let (mut link, mut far) = link(16);
        let text: Vec<u8> = (0..=255).collect();
        poll_fn(|cx| Poll::Ready(link.poll_send(cx, &text))).await.expect("no failure");
        assert_eq!(link.outbox.len(), 240);
        let mut got = vec![0; 256];
        let (flushed, read) = tokio::join!(link.flush(), far.read_exact(&mut got));
        flushed.expect("flushed");
        read.expect("read");
        assert_eq!(got, text);
        assert_eq!(link.outbox.capacity(), 0);
    }
}
