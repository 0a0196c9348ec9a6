//! The shell around [`Local`]: frames in, statements run, answers out.

use std::sync::Arc;

use bytes::BytesMut;
use wire::Frame;

use crate::{
    admin::{self, Asker},
    directives::{self, Heard},
    handler::Handler,
    limits::LOCAL_FRAME_BYTES_MAX,
    link::{Link, LinkError},
    local::{Local, Todo},
    sessions::{Handle, Order},
};

/// A client that the handler answers itself for a while.
pub(crate) struct Answering<'a> {
    pub(crate) handler: &'a Handler,
    pub(crate) asker: Asker<'a>,
    pub(crate) link: &'a mut Link,
    pub(crate) handle: &'a Arc<Handle>,
    /// What the client says of directives is to be taken in; otherwise it has been.
    pub(crate) hears: bool,
}

/// Why answering ended.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// What had to be answered here is answered.
    Over,
    /// The client has gone.
    Gone,
    /// The client broke the protocol.
    Broken(wire::Error),
    /// The session has been told to end.
    Ordered,
}

impl From<LinkError> for Stopped {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Closed | LinkError::Io(_) => Self::Gone,
            LinkError::Wire(error) => Self::Broken(error),
        }
    }
}

impl From<std::io::Error> for Stopped {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

impl Answering<'_> {
    /// Answers frames until nothing more is to be answered here; with `forever`, until the client goes.
    pub(crate) async fn run(&mut self, local: &mut Local, forever: bool) -> Stopped {
        loop {
            if let Err(stopped) = self.step(local).await {
                return stopped;
            }
            if !forever && local.is_over() {
                return Stopped::Over;
            }
        }
    }

    async fn step(&mut self, local: &mut Local) -> Result<(), Stopped> {
        if let Some(mailbox) = self.handle.mail() {
            self.handler.board.take(mailbox, &mut self.link.outbox);
        }
        if !self.link.has_frame(LOCAL_FRAME_BYTES_MAX) {
            self.link.flush().await?;
        }
        // A session outside of a transaction can go at once; another is given until the drain time-out.
        let enough = if local.is_over() { Order::Drain } else { Order::End };
        let frame = tokio::select! {
            biased;
            ordered = self.handle.ordered_or_mail(enough) => match ordered {
                Some(_) => return Err(Stopped::Ordered),
                None => return Ok(()),
            },
            frame = self.link.frame_or_tag(LOCAL_FRAME_BYTES_MAX) => frame?,
        };
        let Some((tag, body)) = frame else { return Err(Stopped::Gone) };
        if let Some(body) = body.as_ref().filter(|_| self.hears) {
            let heard = Heard { handle: self.handle, asker: self.asker };
            directives::hear(self.handler, &heard, Frame { tag, body });
        }
        let mut out = std::mem::take(&mut self.link.outbox);
        let done = match &body {
            Some(body) => take(self.handler, self.asker, local, Frame { tag, body }, &mut out).await,
            None => local.too_long(tag, &mut out).map_err(Stopped::Broken),
        };
        self.link.outbox = out;
        done
    }
}

async fn take(
    handler: &Handler,
    asker: Asker<'_>,
    local: &mut Local,
    frame: Frame<'_>,
    out: &mut BytesMut,
) -> Result<(), Stopped> {
    let mut todo = local.take(frame, out).map_err(Stopped::Broken)?;
    loop {
        todo = match todo {
            Todo::Next => return Ok(()),
            Todo::Close => return Err(Stopped::Gone),
            Todo::Run(job) => {
                let result = admin::run(handler, asker, &job.statement, &job.parameters).await;
                local.ran(job, result, out)
            }
        };
    }
}
