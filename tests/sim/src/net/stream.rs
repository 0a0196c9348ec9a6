//! One end of a connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Inner, Name, Net, Pipe};
use crate::time;

/// Bytes that one direction holds before its writer has to wait.
const WINDOW: usize = 256 << 10;

/// Reads from one pipe and writes to another.
pub struct Stream {
    net: Net,
    read: u64,
    write: u64,
}

impl Stream {
    pub fn new(net: &Net, read: u64, write: u64) -> Self {
        Self { net: net.clone(), read, write }
    }
}

impl Inner {
    pub(super) fn pipe(&mut self, number: u64) -> &mut Pipe {
        self.pipes.get_mut(&number).expect("BUG: a pipe stays while one of its ends is held")
    }

    /// From whom, and to whom.
    pub(super) fn ends(&mut self, number: u64) -> (Name, Name) {
        let pipe = self.pipe(number);
        (pipe.from.clone(), pipe.to.clone())
    }

    /// Bytes are written: they go as they are, or message by message.
    fn write(&mut self, number: u64, bytes: &[u8]) {
        let Some(reader) = &mut self.pipe(number).messages else {
            return self.send(number, Some(Bytes::copy_from_slice(bytes)));
        };
        let (shake, messages) = reader.take(bytes);
        if !shake.is_empty() {
            self.send(number, Some(shake));
        }
        for (message, bytes) in messages {
            let (arrives, again) = self.fate(number, message);
            if let Some(late_ms) = again {
                self.pipe(number).late.push((time::now() + late_ms, bytes.clone()));
            }
            if arrives {
                self.send(number, Some(bytes));
            }
        }
    }

    fn send(&mut self, number: u64, what: Option<Bytes>) {
        let (from, to) = self.ends(number);
        let due = time::now() + self.latency(&from, &to);
        let pipe = self.pipe(number);
        let due = pipe.flight.back().map_or(due, |(last, _)| due.max(*last));
        if !pipe.mute && !pipe.broken {
            pipe.flight.push_back((due, what));
        }
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.net.lock();
        let pipe = inner.pipe(self.read);
        if !pipe.arrived.is_empty() {
            let len = pipe.arrived.len().min(buffer.remaining());
            buffer.put_slice(&pipe.arrived[..len]);
            pipe.arrived.advance(len);
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
        } else if pipe.broken {
            return reset();
        } else if !pipe.ended {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.net.lock();
        let pipe = inner.pipe(self.write);
        if pipe.broken || !pipe.held.0 && !pipe.mute {
            return reset();
        }
        let flying: usize = pipe.flight.iter().filter_map(|(_, bytes)| bytes.as_ref().map(Bytes::len)).sum();
        if flying + pipe.arrived.len() >= WINDOW {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        inner.write(self.write, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.net.lock().send(self.write, None);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut inner = self.net.lock();
        inner.send(self.write, None);
        inner.pipe(self.write).held.1 = false;
        let read = inner.pipe(self.read);
        read.held.0 = false;
        read.lose_all();
        if let Some(writer) = read.writer.take() {
            writer.wake();
        }
    }
}
