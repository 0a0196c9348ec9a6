//! An eye on a server's data port: under which epoch it answers which request, and when it took that request.
//!
//! Handlers say the epoch when they log in (`rpc::session`). A request is a Query or Sync, an answer its ReadyForQuery, if
//! something was done before it.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use history::{Edn, Kind};
use rpc::{ByteStream, Listen, session::PARAM_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Frame, limits::FRAME_LEN_MAX, startup::Startup};

use crate::{net::Door, record::Record};

/// Listens for a server, and looks at what it says.
pub struct Tapped {
    /// Its data port.
    pub door: Door,
    /// The server's number.
    pub server: i64,
    /// Where answers are noted.
    pub record: Arc<Record>,
}

#[async_trait]
impl Listen for Tapped {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        let (stream, peer) = self.door.accept().await?;
        let eye = Eye { server: self.server, record: self.record.clone(), ..Eye::default() };
        Ok((Box::new(Watched { stream, eye }), peer))
    }
}

/// A connection that is looked at.
struct Watched {
    stream: Box<dyn ByteStream>,
    eye: Eye,
}

/// What was seen on one connection.
#[derive(Default)]
struct Eye {
    server: i64,
    record: Arc<Record>,
    up: BytesMut,
    down: BytesMut,
    /// The database and the epoch that the handler named.
    named: Option<(i64, i64)>,
    /// Requests without an answer, by their numbers in the record.
    open: VecDeque<i64>,
    /// Whether the session has begun: its first ReadyForQuery answers nothing.
    greeted: bool,
    /// Whether something was done since the last ReadyForQuery.
    done: bool,
}

impl Eye {
    fn taken(&mut self, bytes: &[u8]) {
        self.up.extend_from_slice(bytes);
        if self.named.is_none() {
            self.start();
        }
        let Some((database, _)) = self.named else { return };
        while let Some(tag) = next(&mut self.up) {
            if matches!(tag, b'Q' | b'S') {
                self.open.push_back(self.record.begin("answer", pair(database, Edn::Nil)));
            }
        }
    }

    fn start(&mut self) {
        let Ok(Some((Startup::Start(start), rest))) = Startup::split(&self.up) else { return };
        let epoch = start.parameters.get(PARAM_EPOCH).and_then(|epoch| epoch.parse().ok());
        let database = start.database().ok().and_then(|id| id.parse::<model::DatabaseId>().ok());
        let len = self.up.len() - rest.len();
        self.named = database.zip(epoch).map(|(id, epoch)| (id.0 as i64, epoch));
        self.up.advance(len);
    }

    fn said(&mut self, bytes: &[u8]) {
        self.down.extend_from_slice(bytes);
        while let Some(tag) = next(&mut self.down) {
            match tag {
                b'C' => self.done = true,
                b'Z' => self.answered(),
                _ => {}
            }
        }
    }

    fn answered(&mut self) {
        let done = std::mem::take(&mut self.done);
        if !std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let (Some(number), Some((database, epoch))) = (self.open.pop_front(), self.named) else { return };
        let found = [Edn::Int(epoch), Edn::Int(self.server)].into_iter().collect();
        let kind = if done { Kind::Ok } else { Kind::Fail };
        self.record.end(kind, number, "answer", pair(database, found));
    }
}

/// The tag of the next whole frame, which is taken.
fn next(bytes: &mut BytesMut) -> Option<u8> {
    let (tag, len) = match Frame::split(bytes, FRAME_LEN_MAX) {
        Ok(Some((frame, _))) => (frame.tag, frame.len()),
        Ok(None) | Err(_) => return None,
    };
    bytes.advance(len);
    Some(tag)
}

fn pair(database: i64, value: Edn) -> Edn {
    [Edn::Int(database), value].into_iter().collect()
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.eye.taken(&buffer.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(len)) = polled {
            self.eye.said(&bytes[..len]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
