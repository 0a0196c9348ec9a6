//! What came from the client and was not yet looked at: bounded, and nothing while idle.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin, task::Poll};

use bytes::{Buf, Bytes, BytesMut};
use rpc::ByteStream;
use tokio::io::{AsyncRead, ReadBuf};
use wire::{Error, Header, frame::HEADER_LEN};

use crate::limits::{MESSAGE_BYTES_MAX, READ_AHEAD_BYTES, READ_BYTES};

thread_local! {
    /// Every session of a thread reads into this, and copies out what came: waiting needs no memory.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Bytes that were read and not used.
#[derive(Default)]
pub struct Input {
    bytes: BytesMut,
}

/// One whole message.
pub struct Message {
    /// What kind.
    pub tag: u8,
    /// What follows its length.
    pub body: Bytes,
}

impl Input {
    /// Reads what is there, waiting for at least one byte; 0 when the client has closed its side. Cancel-safe.
    pub async fn fill(&mut self, stream: &mut Box<dyn ByteStream>) -> io::Result<usize> {
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) => {
                        let read = buffer.filled();
                        self.bytes.extend_from_slice(read);
                        Poll::Ready(Ok(read.len()))
                    }
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            })
        })
        .await
    }

    /// Whether more may be read while earlier messages are worked on.
    pub fn has_room(&self) -> bool {
        self.bytes.len() < READ_AHEAD_BYTES
    }

    /// Everything that is there, for start-up packets.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first so many bytes were used.
    pub fn consume(&mut self, len: usize) {
        self.bytes.advance(len);
    }

    /// The next message, if it is all there.
    ///
    /// # Errors
    /// When its length is impossible or beyond `len_max`; before waiting for its body.
    pub fn next(&mut self, len_max: usize) -> Result<Option<Message>, Error> {
        let Some(header) = Header::peek(&self.bytes, len_max)? else { return Ok(None) };
        if self.bytes.len() < header.len {
            // Room for the rest at once, but never for more than came already: a length is only a claim.
            self.bytes.reserve((header.len - self.bytes.len()).min(self.bytes.len().max(READ_BYTES)));
            return Ok(None);
        }
        let mut frame = self.bytes.split_to(header.len);
        frame.advance(HEADER_LEN);
        Ok(Some(Message { tag: header.tag, body: frame.freeze() }))
    }

    /// Whether a whole message is there.
    pub fn has_message(&self) -> bool {
        matches!(Header::peek(&self.bytes, MESSAGE_BYTES_MAX), Ok(Some(header)) if self.bytes.len() >= header.len)
    }

    /// Gives memory back if nothing is in it.
    pub fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn messages_come_whole_however_they_were_cut() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let mut server: Box<dyn ByteStream> = Box::new(server);
        let mut input = Input::default();
        for byte in [b'Q', 0, 0, 0, 6, b'x'] {
            client.write_all(&[byte]).await.expect("room");
            assert_eq!(input.fill(&mut server).await.expect("open"), 1);
            assert!(input.next(100).expect("sound").is_none());
        }
        client.write_all(&[0, b'S', 0, 0, 0, 4, b'X']).await.expect("room");
        input.fill(&mut server).await.expect("open");
        assert!(input.has_message());
        let query = input.next(100).expect("sound").expect("whole");
        assert_eq!((query.tag, &query.body[..]), (b'Q', &b"x\0"[..]));
        let sync = input.next(100).expect("sound").expect("whole");
        assert_eq!((sync.tag, sync.body.len()), (b'S', 0));
        assert!(input.next(100).expect("sound").is_none());
        assert!(!input.has_message());
    }

    #[tokio::test]
    async fn an_impossible_length_is_refused_at_once() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server: Box<dyn ByteStream> = Box::new(server);
        let mut input = Input::default();
        client.write_all(&[b'Q', 0x3f, 0xff, 0xff, 0xff]).await.expect("room");
        input.fill(&mut server).await.expect("open");
        assert!(matches!(input.next(MESSAGE_BYTES_MAX), Err(Error::FrameTooLong { .. })));
    }
}
