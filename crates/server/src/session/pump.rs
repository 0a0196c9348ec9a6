//! One session's life after its start: reads messages, has the engine work on them, sends what came out.
//!
//! At any time it does one of three things: wait for messages (and then it holds no buffer), work on those that came
//! (and then it reads ahead, so that a client that vanishes is noticed and its statement ends), or send. Nothing is read
//! while it sends, and nothing is worked on: a slow client slows only itself, and memory stays bounded.
//! Bytes are sent only once everything that they depend on is durable.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use journal::Position;
use rpc::{ByteStream, session::STATUS_POSITION};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use wire::backend::parameter_status;

use super::{
    Front,
    herald::Herald,
    input::Input,
    roster::Place,
    seat::{Seat, Stepped},
};
use crate::{
    answers::Ending,
    engine::{InterruptHandle, InterruptReason, Step, TransactionStatus},
    limits::{
        GOODBYE_MAX, KEPT_BUFFER_BYTES, MESSAGE_BYTES_MAX, OUTPUT_BYTES, POSITIONS_UNTOLD, WRITE_STALL_MAX,
        WRITER_WAIT_MAX,
    },
    measures,
    residency::{Signal, Signals},
    vitals::Vitals,
};

/// Why a session is over.
pub enum End {
    /// The client said good-bye.
    Terminated,
    /// The client is gone.
    Vanished,
    /// We end it and say why.
    Told(Ending),
}

impl From<Ending> for End {
    fn from(ending: Ending) -> Self {
        Self::Told(ending)
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Vanished
    }
}

/// A session at work.
pub struct Pump {
    stream: Box<dyn ByteStream>,
    input: Input,
    out: BytesMut,
    seat: Seat,
    place: Place,
    herald: Herald,
    signals: Signals,
    interrupt: InterruptHandle,
    /// Reading showed that the client is gone.
    vanished: bool,
    requests: u64,
    /// The whole server's.
    requests_total: Arc<AtomicU64>,
    vitals: Vitals,
    /// The position that was told last, to a handler that wants to know.
    position: Option<Position>,
}

impl Pump {
    /// `out` holds what is to be sent first.
    pub fn new(
        stream: Box<dyn ByteStream>,
        input: Input,
        out: BytesMut,
        mut seat: Seat,
        place: Place,
        front: &Front,
    ) -> Self {
        let (herald, requests_total) = (front.herald.clone(), Arc::clone(&front.requests));
        let vitals = front.vitals.clone();
        let signals = seat.visit().signals();
        let position = seat.visit().is_attached().then(|| seat.visit().position());
        let interrupt = seat.session().interrupt();
        Self {
            stream,
            input,
            out,
            seat,
            place,
            herald,
            signals,
            interrupt,
            vanished: false,
            requests: 0,
            requests_total,
            vitals,
            position,
        }
    }

    /// Runs until the session is over, and says the last words. Returns how many requests there were.
    pub async fn run(mut self) -> (End, u64) {
        let end = match self.converse().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if let End::Told(ending) = &end {
            // What it means for the client comes before it.
            self.place.outbox().write(&mut self.out, "end");
            ending.write(&mut self.out);
            let goodbye = async {
                self.stream.write_all(&self.out).await?;
                self.stream.shutdown().await
            };
            // Last words to somebody who may be gone: that they arrive is not promised.
            let _ = timeout(GOODBYE_MAX, goodbye).await;
        }
        (end, self.requests)
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        self.send().await?;
        loop {
            self.heed()?;
            if self.take()? {
                let _running = (self.vitals.running(), self.place.working());
                self.work().await?;
            } else {
                self.wait().await?;
            }
        }
    }

    /// Ends the session at this moment, between two batches, if that is wanted.
    fn heed(&mut self) -> Result<(), End> {
        match self.signals.now() {
            Signal::Serve => Ok(()),
            Signal::Drain => {
                let session = self.seat.session();
                let between = session.transaction_status() == TransactionStatus::Idle && !session.busy();
                if between && !session.pinned() { Err(self.moved().into()) } else { Ok(()) }
            }
            Signal::Cut(ending) => Err(ending.into()),
        }
    }

    fn moved(&self) -> Ending {
        Ending::NotOwner { epoch: Some(self.seat.visit().epoch()) }
    }

    /// Hands all whole messages to the session; whether there were any.
    fn take(&mut self) -> Result<bool, Ending> {
        let mut any = false;
        let mut requests = 0;
        while let Some(message) = self.input.next(MESSAGE_BYTES_MAX)? {
            requests += u64::from(matches!(message.tag, b'Q' | b'S' | b'F'));
            if self.place.hear(message.tag, &message.body) {
                self.herald.greet(&self.place);
            }
            self.seat.session().push(message.tag, message.body)?;
            any = true;
        }
        if requests > 0 {
            self.requests += requests;
            self.requests_total.fetch_add(requests, Ordering::Relaxed);
            self.seat.visit().used().requested(requests);
            measures::requests(requests);
        }
        Ok(any)
    }

    /// Waits for bytes, a signal or a directive, holding no buffers.
    async fn wait(&mut self) -> Result<(), End> {
        self.place.outbox().write(&mut self.out, "idle");
        self.send().await?;
        self.input.rest();
        self.out = BytesMut::new();
        tokio::select! {
            biased;
            () = self.signals.changed() => {}
            () = self.place.outbox().more() => {}
            read = self.input.fill(&mut self.stream) => match read? {
                0 => return Err(End::Vanished),
                bytes => measures::received(bytes),
            }
        }
        Ok(())
    }

    /// Works until the session has answered everything that it was given.
    async fn work(&mut self) -> Result<(), End> {
        let mut stepped = self.step().await?;
        loop {
            let (inside, out, step) = stepped;
            self.seat.back(inside);
            self.out = out;
            if self.vanished {
                return Err(End::Vanished);
            }
            match step {
                Step::Idle if self.out.len() < OUTPUT_BYTES && self.input.has_message() => {
                    self.take()?;
                }
                Step::Idle => return self.send().await,
                Step::Output => self.send().await?,
                Step::Writer(bound) => {
                    self.send().await?;
                    stepped = self.step_in_turn(bound).await;
                    continue;
                }
                Step::Sleep(pause) => {
                    let interrupt = self.interrupt.clone();
                    let sleeping = async move {
                        // Either way the session finds out for itself.
                        let _ = timeout(pause, interrupt.interrupted()).await;
                    };
                    self.attend(sleeping).await;
                }
                Step::Closed => {
                    self.send().await?;
                    return Err(End::Terminated);
                }
            }
            stepped = self.step().await?;
        }
    }

    async fn step(&mut self) -> Result<Stepped, End> {
        if let Some(bound) = self.seat.session().foresee_wait(&self.out) {
            self.send().await?;
            return Ok(self.step_in_turn(bound).await);
        }
        let stepping = self.seat.step(std::mem::take(&mut self.out));
        Ok(self.attend(stepping).await)
    }

    /// The next step, when it is the session's turn to write; an interrupt, the session's own bound or ours end the wait
    /// without it.
    async fn step_in_turn(&mut self, bound: Option<Duration>) -> Stepped {
        let (place, stepping) = self.seat.step_in_turn(std::mem::take(&mut self.out));
        let interrupt = self.interrupt.clone();
        let turn = async move {
            let mut stepping = pin!(stepping);
            let reason = tokio::select! {
                biased;
                stepped = &mut stepping => return stepped,
                () = interrupt.interrupted() => None,
                () = sleep(bound.unwrap_or(Duration::MAX)), if bound.is_some() => None,
                () = sleep(WRITER_WAIT_MAX) => Some(InterruptReason::Timeout),
            };
            // If it does not wait any more, it is at work, and whatever it was is its own to see.
            if let Some(turn) = place.leave() {
                reason.into_iter().for_each(|reason| interrupt.interrupt(reason));
                turn(None);
            }
            stepping.await
        };
        self.attend(turn).await
    }

    /// Waits for `work`, reading ahead meanwhile; interrupts it when the client vanishes or the session is cut off.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut cut = false;
        loop {
            let reading = !self.vanished && self.input.has_room();
            tokio::select! {
                biased;
                done = &mut work => return done,
                read = self.input.fill(&mut self.stream), if reading => match read {
                    Ok(bytes @ 1..) => measures::received(bytes),
                    Ok(0) | Err(_) => {
                        self.vanished = true;
                        self.interrupt.interrupt(InterruptReason::Shutdown);
                    }
                },
                () = self.signals.changed(), if !cut => {
                    if let Signal::Cut(_) = self.signals.now() {
                        cut = true;
                        self.interrupt.interrupt(InterruptReason::Shutdown);
                        // Still to be heeded when the work is over.
                        self.signals.mark_changed();
                    }
                }
            }
        }
    }

    /// Tells from time to time, between two requests, how far the journal is: who comes back with a position is answered
    /// even if outcomes that are older were evicted.
    fn tell_position(&mut self) -> Result<(), End> {
        let Some(told) = self.position else { return Ok(()) };
        let position = self.seat.visit().position();
        if position.since(told) >= POSITIONS_UNTOLD && !self.seat.session().busy() {
            parameter_status(&mut self.out, STATUS_POSITION, &position.to_string()).map_err(Ending::from)?;
            self.position = Some(position);
        }
        Ok(())
    }

    /// Puts the directives that wait into the answer, before its end (R49).
    fn add_directives(&mut self) {
        // ReadyForQuery: its tag, its length, the status.
        const READY: [u8; 5] = [b'Z', 0, 0, 0, 5];
        let end = self.out.len().checked_sub(READY.len() + 1);
        if let Some(at) = end.filter(|at| self.out[*at..].starts_with(&READY))
            && self.place.outbox().is_waiting()
            && !self.seat.session().busy()
        {
            let ready = self.out.split_off(at);
            self.place.outbox().write(&mut self.out, "response");
            self.out.unsplit(ready);
        }
    }

    /// Sends everything, once it may be seen.
    async fn send(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let gate = self.seat.session().gate();
        let allowed = tokio::select! {
            biased;
            allowed = self.seat.visit().may_leave(gate) => allowed,
            // The newer connection will be told what became of it.
            () = self.signals.replaced() => Err(Ending::Replaced),
        };
        if let Err(ending) = allowed {
            // What is in there may claim a success that is none.
            self.out.clear();
            return Err(ending.into());
        }
        self.add_directives();
        self.tell_position()?;
        let mut sent = 0;
        while sent < self.out.len() {
            let written = tokio::select! {
                biased;
                written = self.stream.write(&self.out[sent..]) => written?,
                () = cut(&mut self.signals) => return Err(End::Vanished),
                () = sleep(WRITE_STALL_MAX) => return Err(End::Vanished),
            };
            if written == 0 {
                return Err(End::Vanished);
            }
            sent += written;
        }
        self.stream.flush().await?;
        measures::sent(sent);
        if self.out.capacity() > KEPT_BUFFER_BYTES {
            self.out = BytesMut::new();
        } else {
            self.out.clear();
        }
        Ok(())
    }
}

/// Waits until the session is cut off, and then a little for a client that is only slow.
async fn cut(signals: &mut Signals) {
    signals.cut().await;
    sleep(GOODBYE_MAX).await;
}
