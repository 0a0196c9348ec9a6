//! The moving of bytes: both directions of a session, as far as they go without a decision.
//!
//! A direction whose receiver is slow is not read any further, so a slow client slows its own session only.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, sleep_until};
use wire::{Error, SqlState, backend::TransactionStatus, frontend::tag, sqlstate};

use super::{
    Session,
    deadline::{Late, Look},
    down::Heard,
    forwarded::Different,
    loss::Cut,
    up::Stop,
};
use crate::{connection::Client, directives::Urgency, link::Link, sessions::Order};

/// How long ReadyForQuery is.
const READY_BYTES: usize = 6;

/// The session's server.
pub(super) struct Server {
    pub(super) link: Link,
    /// Its inbox has frames that are to be read before more comes.
    fresh: bool,
    /// It takes nothing more. What it has said before is still to be heard.
    deaf: bool,
}

/// What needs a decision.
#[derive(Debug)]
pub(super) enum Event {
    /// The client said good-bye, or its connection broke.
    ClientGone,
    /// The client sent what is no message.
    ClientBroken(Error),
    /// The client asks for something and there is no server.
    Asked,
    /// The next frame is one that the handler answers.
    Own,
    /// Nothing is under way, as was waited for.
    Quiet,
    /// The server has gone.
    Lost(Cut, String),
    /// The server has ended the session for the client to know: the frame that says so.
    Told(Bytes),
    /// The server sent what is no message.
    ServerBroken(Error),
    /// The server's answer is another than the one that the client has read half of.
    Different,
    /// The request in front takes longer than its database allows, or its end was not confirmed in time.
    Overdue(Late),
    /// The server has ended the request that it was told to end, and then things stand like this.
    Ended(TransactionStatus),
    /// The session is to end.
    Ordered,
}

impl Server {
    pub(super) fn new(link: Link) -> Self {
        Self { fresh: !link.inbox.is_empty(), link, deaf: false }
    }

    fn deafen(&mut self) {
        self.deaf = true;
        self.link.outbox = bytes::BytesMut::new();
    }

    /// Writes what waits; false while it does not go on.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        match self.link.poll_flush(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => {
                self.deafen();
                false
            }
            Poll::Pending => false,
        }
    }
}

impl Session<'_> {
    /// Goes on with whatever can go on; ready when a decision is needed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // A direction that waits is not asked again before this task is woken: the other one's progress is not what it
        // waits for.
        let (mut down_waits, mut up_waits) = (false, false);
        loop {
            while !(down_waits && up_waits) {
                match self.client.entry.handle.poll_order_often(cx, &mut self.waker) {
                    Order::GoOn => {}
                    Order::Drain if !self.is_at_rest() => {}
                    Order::Drain | Order::End => return Poll::Ready(Event::Ordered),
                }
                self.slip_in_mail();
                if self.client.entry.handle.is_server_over() {
                    // The word has used the waker up.
                    self.waker = None;
                    let how = "the controllers have declared it dead".into();
                    return Poll::Ready(Event::Lost(Cut::Gone, how));
                }
                if !down_waits {
                    match self.poll_down(cx) {
                        Poll::Ready(Some(event)) => return Poll::Ready(event),
                        Poll::Ready(None) => {}
                        Poll::Pending => down_waits = true,
                    }
                }
                if !up_waits {
                    match self.poll_up(cx) {
                        Poll::Ready(Some(event)) => return Poll::Ready(event),
                        Poll::Ready(None) => {}
                        Poll::Pending => up_waits = true,
                    }
                }
            }
            match ready!(self.poll_deadline(cx)) {
                Some(event) => return Poll::Ready(event),
                None => up_waits = false,
            }
        }
    }

    /// Looks at the clock, if the database has a time limit. Ready without an event when the session goes on.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Self { deadline, timer, tracker, client, server, .. } = self;
        if !deadline.is_on() {
            return Poll::Pending;
        }
        let ledger = &tracker.ledger;
        let client_waits = !ledger.copying_in() && client.link.outbox.is_empty();
        let waiting = server.is_some() && ledger.requests() > 0 && client_waits;
        loop {
            let at = match deadline.look(tracker.answers(), waiting, Instant::now()) {
                Look::Rest => return Poll::Pending,
                Look::Resumed => return Poll::Ready(None),
                Look::Over(late) => return Poll::Ready(Some(Event::Overdue(late))),
                Look::Until(at) => at,
            };
            // One timer for the session, which mostly fires too early and is then put off: setting it anew for every
            // request would cost more than the request.
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.is_elapsed() || timer.deadline() > at {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    /// Tells an idle client of directives, and any client whose next response was waited for in vain: between two
    /// messages, as a server may at any time.
    fn slip_in_mail(&mut self) {
        let Client { link, entry, .. } = &mut *self.client;
        let Some(mailbox) = entry.handle.mail() else { return };
        let convenient = self.tracker.ledger.is_quiet() || mailbox.urgency() == Urgency::Now;
        if convenient && !self.tracker.client_is_mid() {
            self.handler.board.take(mailbox, &mut link.outbox);
        }
    }

    /// Whether nobody loses anything if the session ends here.
    fn is_at_rest(&self) -> bool {
        self.tracker.is_at_rest() && self.client.link.outbox.is_empty() && self.client.link.inbox.is_empty()
    }

    /// Server to client. Ready without an event when something was done.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Self { client, server, tracker, down, holding, handler, counted, .. } = self;
        let Client { link: client, entry, .. } = &mut **client;
        if ready!(client.poll_flush(cx)).is_err() {
            return Poll::Ready(Some(Event::ClientGone));
        }
        let Some(Server { link, fresh, .. }) = server else { return Poll::Pending };
        let relay = |cx: &mut Context<'_>, bytes: &[u8]| {
            let read = down.scan(bytes, tracker, *holding);
            let answering = tracker.ledger.answering();
            let passed = tracker.forwarded.pass(&bytes[..read.forward], read.since, answering);
            let mail = entry.handle.mail().filter(|_| (1..=read.forward).contains(&read.since));
            let sent = passed.map(|known| match (mail, read.since.checked_sub(READY_BYTES)) {
                (Some(mailbox), Some(end)) if known <= end => {
                    // Part of the response, before the ReadyForQuery that ends it.
                    let mut told = BytesMut::new();
                    handler.board.take(mailbox, &mut told);
                    let parts = [&bytes[known..end], &told, &bytes[end..read.forward]];
                    parts.into_iter().try_for_each(|part| client.poll_send(cx, part))
                }
                _ => client.poll_send(cx, &bytes[known..read.forward]),
            });
            handler.traffic.down(read.forward);
            handler.traffic.answered(read.answered);
            if let Some(counted) = counted {
                counted.add(read.answered);
            }
            (read.used, (read.heard, sent))
        };
        let shown = if std::mem::take(fresh) {
            Ok(Some(link.reshow(cx, relay)))
        } else {
            ready!(link.poll_read(cx, relay))
        };
        let (heard, sent) = match shown {
            Ok(Some(shown)) => shown,
            Ok(None) => return Poll::Ready(Some(Event::Lost(Cut::Gone, "it closed the connection".into()))),
            Err(error) => return Poll::Ready(Some(Event::Lost(Cut::Gone, error.to_string()))),
        };
        *fresh = heard != Heard::End && !link.inbox.is_empty();
        Poll::Ready(match (sent, heard) {
            (Err(Different), _) => Some(Event::Different),
            (Ok(Err(_)), _) => Some(Event::ClientGone),
            (Ok(Ok(())), Heard::End | Heard::Private) => None,
            (Ok(Ok(())), Heard::Quiet) => Some(Event::Quiet),
            (Ok(Ok(())), Heard::Ended(status)) => Some(Event::Ended(status)),
            (Ok(Ok(())), Heard::Fatal(code, frame)) => Some(ended(code, frame)),
            (Ok(Ok(())), Heard::Broken(error)) => Some(Event::ServerBroken(error)),
        })
    }

    /// Client to server. Ready without an event when something was done.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Self { client, server, tracker, up, local, client_fresh, holding, handler, deadline, .. } = self;
        let client = &mut client.link;
        let Some(server) = server else { return poll_unserved(client, cx) };
        if !server.poll_flush(cx) || server.deaf || *holding || deadline.is_ending() {
            return Poll::Pending;
        }
        let is_own = |name: &str| local.as_ref().is_some_and(|local| local.knows(name));
        let relay = |cx: &mut Context<'_>, bytes: &[u8]| {
            let (used, stop) = up.scan(bytes, tracker, &is_own);
            let sent = server.link.poll_send(cx, &bytes[..used]);
            handler.traffic.up(used);
            (used, (stop, sent))
        };
        let shown = if std::mem::take(client_fresh) && !client.inbox.is_empty() {
            Ok(Some(client.reshow(cx, relay)))
        } else {
            ready!(client.poll_read(cx, relay))
        };
        let Ok(Some((stop, sent))) = shown else { return Poll::Ready(Some(Event::ClientGone)) };
        if sent.is_err() {
            server.deafen();
        }
        Poll::Ready(match stop {
            Stop::End => None,
            Stop::Own => Some(Event::Own),
            Stop::Terminate => Some(Event::ClientGone),
            Stop::Broken(error) => Some(Event::ClientBroken(error)),
        })
    }
}

/// Waits for the client to want something.
fn poll_unserved(client: &mut Link, cx: &mut Context<'_>) -> Poll<Option<Event>> {
    if client.inbox.is_empty() {
        let read: io::Result<Option<()>> = ready!(client.poll_read(cx, |_, _| (0, ())));
        if !matches!(read, Ok(Some(()))) {
            return Poll::Ready(Some(Event::ClientGone));
        }
    }
    let leaves = client.inbox.first() == Some(&tag::TERMINATE);
    Poll::Ready(Some(if leaves { Event::ClientGone } else { Event::Asked }))
}

/// The server has ended its side of the session.
fn ended(code: SqlState, frame: Bytes) -> Event {
    // With 40003 a server says that it does not know what became of a commit: as good as gone.
    let gone = [
        sqlstate::ADMIN_SHUTDOWN,
        sqlstate::CRASH_SHUTDOWN,
        sqlstate::CANNOT_CONNECT_NOW,
        sqlstate::STATEMENT_COMPLETION_UNKNOWN,
    ];
    if code.as_str() == rpc::session::NOT_OWNER {
        Event::Lost(Cut::Moved, "it does not own the database any more".into())
    } else if gone.contains(&code) {
        Event::Lost(Cut::Gone, format!("it ended the session with {code}"))
    } else {
        Event::Told(frame)
    }
}
