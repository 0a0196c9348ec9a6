//! The course of a session: what follows from each event.

use std::{future::poll_fn, pin::pin};

use model::RequestId;
use rand::Rng;
use rpc::controller::WhyFailed;
use tokio::time::{Instant, interval_at};
use tracing::{Instrument, debug, info, info_span, warn};
use wire::{Frame, backend::TransactionStatus, frontend, sqlstate};

use super::{
    Session,
    loss::{Cut, Fate, Scene, fate},
    relay::{Event, Server},
};
use crate::{
    admin::Asker,
    answering::{Answering, Stopped},
    backend::{Attaching, Backend, Denied, Identity, Restored, attach, restore},
    connection::{Client, End, ready},
    directives::{self, Heard},
    failure::{self, Failure},
    held::Outcome,
    limits::{GATEWAY_PATIENCE, RESTORE_TRIES_MAX},
    local::{Local, Scope},
    metrics::{self, Stage},
    sessions::Order,
};

impl Session<'_> {
    /// Serves until there is a reason to end.
    pub(super) async fn serve(&mut self) -> End {
        // Around what happens now and then only: entering a span with every request would cost as much as relaying it.
        let span =
            info_span!("session", id = %self.id, peer = self.client.peer, user = self.client.login.user);
        if let Err(end) = self.start().instrument(span.clone()).await {
            return end;
        }
        loop {
            // Whatever else may have taken the waker's place has given it up by now.
            self.waker = None;
            let event = poll_fn(|cx| self.poll(cx)).await;
            if let Err(end) = self.on(event).instrument(span.clone()).await {
                return self.leave(end);
            }
        }
    }

    async fn start(&mut self) -> Result<(), End> {
        // The client learns that its password was right before a server is looked for.
        self.client.link.flush().await.map_err(|_| End::Quietly)?;
        let backend = match self.attach(None, Order::Drain).await? {
            Ok(backend) => backend,
            Err(denied) => return Err(self.denied_for_good(denied)),
        };
        self.greet(&backend.greeting);
        self.take_server(backend, self.next_number);
        let Client { link, login, entry, .. } = &mut *self.client;
        ready(link, login, entry.key).map_err(|error| End::Because(Failure::from(&error)))
    }

    async fn on(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::ClientGone => Err(End::Quietly),
            Event::ClientBroken(error) => Err(End::Because(Failure::from(&error))),
            Event::Ordered => Err(End::Because(failure::shutting_down())),
            Event::Told(frame) => {
                self.client.link.outbox.extend_from_slice(&frame);
                Err(End::Quietly)
            }
            Event::ServerBroken(error) => {
                warn!(%error, "a server breaks the protocol");
                Err(End::Because(failure::connection_lost()))
            }
            Event::Different => {
                debug!("the new server's answer is another than the one that the client has read half of");
                Err(End::Because(failure::connection_lost()))
            }
            // Nobody waits for a server in order to say that it understood that there is none.
            Event::Asked if self.speaks_of_directives() => {
                self.concerns_server();
                self.answer().await
            }
            Event::Asked => self.reattach().await,
            Event::Own => self.own().await,
            Event::Quiet => {
                self.holding = false;
                self.client_fresh = true;
                Ok(())
            }
            Event::Lost(cut, how) => self.lost(cut, &how).await,
            Event::Overdue(late) => self.overdue(late).await,
            Event::Ended(after) => self.ended(after).await,
        }
    }

    /// Waits for a server, which is asked about the requests with the numbers in `settle`. The session's end is ordered
    /// by `enough`.
    pub(super) async fn attach(
        &mut self,
        settle: Option<(u64, u64)>,
        enough: Order,
    ) -> Result<Result<Backend, Denied>, End> {
        let Client { link, login, entry, stage, .. } = &mut *self.client;
        stage.to(Stage::Attaching);
        let bytes = link.inbox.len() + self.tracker.replay.len();
        let mut place = match self.handler.held.take(&login.database, bytes) {
            Ok(place) => place,
            Err(full) => {
                let waits = self.handler.settings.attach_timeout;
                return Ok(Err(Denied::Failure(failure::held_full(&login.database, full, waits))));
            }
        };
        let identity =
            Identity { session: self.id, number: self.next_number, settle, begun: self.tracker.begun };
        let attaching = Attaching {
            request: RequestId(rand::rng().random()),
            user: &login.user,
            name: &login.database,
            bound: self.database,
            parameters: login.parameters(),
            lost: self.stale.clone().map(|route| (route, WhyFailed::Refused)),
            identity,
        };
        let _waiting = entry.handle.wait();
        let epoch = self.epoch.0;
        let mut attached = pin!(attach(self.handler, &attaching));
        let mut patience = interval_at(Instant::now() + GATEWAY_PATIENCE, GATEWAY_PATIENCE);
        // Before its first ReadyForQuery a driver may have nobody yet to take a notice.
        let mute = self.database.is_none() || self.tracker.client_is_mid();
        let (outcome, result) = loop {
            tokio::select! {
                backend = &mut attached => break match backend {
                    Ok(backend) => (Outcome::Served, Ok(Ok(backend))),
                    Err(denied) => (Outcome::Denied, Ok(Err(denied))),
                },
                ordered = entry.handle.ordered_or_mail(enough), if !mute => match (ordered, entry.handle.mail()) {
                    (None, Some(mailbox)) => {
                        self.handler.board.take(mailbox, &mut link.outbox);
                        // Whatever does not leave now leaves with what comes next.
                        let _sent = futures::FutureExt::now_or_never(link.flush());
                    }
                    (None, None) => {}
                    (Some(_), _) => break (Outcome::Ended, Err(End::Because(failure::shutting_down()))),
                },
                _ = entry.handle.ordered(enough), if mute => {
                    break (Outcome::Ended, Err(End::Because(failure::shutting_down())));
                }
                _ = patience.tick() => {
                self.handler.board.waits(&login.database, epoch, (self.handler.host.clock)());
            }
            // What is to be settled is settled first.
                () = entry.handle.canceled(), if settle.is_none() => {
                    break (Outcome::Canceled, Ok(Err(Denied::Failure(failure::canceled_waiting()))));
                }
                () = link.gone(|bytes| place.grow(bytes)) => break (Outcome::Ended, Err(End::Quietly)),
            }
        };
        if matches!(result, Ok(Ok(_))) {
            self.handler.board.served(&login.database, (self.handler.host.clock)());
        }
        place.outcome = outcome;
        result
    }

    /// Makes a server the session's own. The client's next request has this number.
    fn take_server(&mut self, backend: Backend, number: u64) {
        let Backend { link, route, target, told, .. } = backend;
        self.tracker.number = number;
        self.tracker.begun = told.position.or(self.tracker.begun);
        self.client.stage.to(Stage::Serving);
        self.client.entry.handle.set_target(Some(target));
        self.client.entry.handle.set_owner(Some(route.owner));
        if self.database != Some(route.database) {
            self.counted = self.handler.counts.of(route.database, &self.client.location(self.handler));
        }
        self.database = Some(route.database);
        self.epoch = route.epoch;
        self.stale = None;
        self.deadline.follow(self.handler.router.pace(&route));
        self.route = Some(route);
        self.down.reset();
        self.server = Some(Server::new(link));
    }

    /// Tells the client what a server reports of itself.
    fn greet(&mut self, reports: &[u8]) {
        self.tracker.greeted(reports);
        self.client.link.outbox.extend_from_slice(reports);
    }

    /// The client asks for something while there is no server: gets one, made to be like the one before.
    async fn reattach(&mut self) -> Result<(), End> {
        for _ in 0..RESTORE_TRIES_MAX {
            let backend = match self.attach(None, Order::Drain).await? {
                Ok(backend) => backend,
                Err(denied) => return self.denied(denied).await,
            };
            if self.go_on(backend).await? {
                return Ok(());
            }
        }
        self.denied(Denied::Failure(failure::servers_vanish(&self.client.login.database))).await
    }

    /// Makes the session on a new server like the one before; false when that one is gone already.
    pub(super) async fn go_on(&mut self, mut backend: Backend) -> Result<bool, End> {
        let lost = self.tracker.memory.lost();
        let begin = backend.told.begin(self.next_number);
        let restored = tokio::select! {
            restored = restore(&mut backend, &lost, self.id, begin) => restored,
            _ = self.client.entry.handle.ordered(Order::End) => {
                return Err(End::Because(failure::shutting_down()));
            }
        };
        match restored {
            Ok(Restored { news, number }) => {
                self.greet(&news);
                self.take_server(backend, number);
                self.client_fresh = true;
                Ok(true)
            }
            Err(error) => {
                debug!(%error, "the new server went away at once");
                Ok(false)
            }
        }
    }

    /// There is no server to be had: the request fails, and the session goes on if the next one may do better.
    async fn denied(&mut self, denied: Denied) -> Result<(), End> {
        self.client.stage.to(Stage::Serving);
        match denied {
            Denied::Failure(failure) if passes(&failure) && !self.tracker.client_is_mid() => {
                self.tracker.forwarded.clear();
                self.local().refuse(1, failure);
                self.answer().await
            }
            denied => Err(self.denied_for_good(denied)),
        }
    }

    fn denied_for_good(&mut self, denied: Denied) -> End {
        match denied {
            Denied::Failure(failure) => End::Because(failure),
            Denied::Told(frame) => {
                self.client.link.outbox.extend_from_slice(&frame);
                End::Quietly
            }
        }
    }

    /// The next frame is one that the handler answers: outside of transactions and series, once nothing is under way.
    async fn own(&mut self) -> Result<(), End> {
        let ledger = &self.tracker.ledger;
        let alone = !ledger.series_open() && !ledger.copying_in();
        if alone && !ledger.is_quiet() {
            self.holding = true;
            return Ok(());
        }
        if !alone || ledger.status() != TransactionStatus::Idle || self.concerns_server() {
            // The server does not know the statement: it refuses, and what it belongs to fails there.
            self.up.let_through = true;
            self.client_fresh = true;
            return Ok(());
        }
        self.answer().await
    }

    fn speaks_of_directives(&self) -> bool {
        let frame = Frame::split(&self.client.link.inbox, self.handler.settings.frame_bytes_max);
        let idle = self.tracker.ledger.status() == TransactionStatus::Idle;
        idle && matches!(frame, Ok(Some((frame, _))) if directives::speaks(frame))
    }

    /// Whether the next frame speaks of directives that are the server's: it is heard here, too, and goes on.
    fn concerns_server(&mut self) -> bool {
        let Client { link, login, entry, .. } = &mut *self.client;
        let asker = Asker {
            request: RequestId(0),
            user: &login.user,
            database: &login.database,
            process_id: entry.key.process_id,
            application: login.application(),
            key: login.key,
        };
        let frame = Frame::split(&link.inbox, self.handler.settings.frame_bytes_max);
        let heard = Heard { handle: &entry.handle, asker };
        matches!(frame, Ok(Some((frame, _))) if directives::hear(self.handler, &heard, frame))
    }

    /// Answers the client here, until what has to be answered here is.
    pub(super) async fn answer(&mut self) -> Result<(), End> {
        self.client_fresh = true;
        self.local();
        let Self { handler, client, local: Some(local), .. } = self else { unreachable!("BUG: made above") };
        let Client { link, login, entry, .. } = &mut **client;
        let asker = Asker {
            request: RequestId(rand::rng().random()),
            user: &login.user,
            database: &login.database,
            process_id: entry.key.process_id,
            application: login.application(),
            key: login.key,
        };
        let mut answering = Answering { handler, asker, link, handle: &entry.handle, hears: false };
        match answering.run(local, false).await {
            Stopped::Over => Ok(()),
            Stopped::Gone => Err(End::Quietly),
            Stopped::Broken(error) => Err(End::Because(Failure::from(&error))),
            Stopped::Ordered => Err(End::Because(failure::shutting_down())),
        }
    }

    pub(super) fn local(&mut self) -> &mut Local {
        self.local.get_or_insert_with(|| Box::new(Local::new(Scope::Session)))
    }

    /// The server has gone. What that means for the client, [`fate`] decides.
    pub(super) async fn lost(&mut self, cut: Cut, how: &str) -> Result<(), End> {
        let scene = self.tracker.scene();
        let mut fate = fate(cut, &scene);
        if fate == Fate::Replay && !self.tracker.may_replay() {
            fate = Fate::FailRequests(failure::sent_around(&self.client.login.database));
        }
        self.part(cut, how, &scene, fate).await
    }

    /// Leaves the server, which may be at work still: what is unanswered fails with this.
    pub(super) async fn abandon(&mut self, failure: Failure) -> Result<(), End> {
        let scene = self.tracker.scene();
        let told = !scene.mid_answer && !scene.beyond;
        let fate = if told { Fate::FailRequests(failure) } else { Fate::End(failure::connection_lost()) };
        self.part(Cut::Gone, "it does not end a request", &scene, fate).await
    }

    /// The session goes on, or ends, without its server.
    async fn part(&mut self, cut: Cut, how: &str, scene: &Scene, fate: Fate) -> Result<(), End> {
        self.deadline.ended();
        info!(
            database = self.client.login.database,
            ?cut,
            how,
            outcome = fate.label(),
            "session lost its server"
        );
        metrics::backend_lost(fate.label());
        self.server = None;
        self.client.entry.handle.set_target(None);
        self.client.entry.handle.set_owner(None);
        self.stale = self.route.take().filter(|_| cut == Cut::Moved);
        self.holding = false;
        self.tracker.forwarded.cut(scene.mid_answer);
        let requests = self.tracker.unanswered().numbers();
        self.next_number = self.tracker.number + requests;
        match fate {
            Fate::Reattach | Fate::Replay => {
                self.unsend();
                Ok(())
            }
            Fate::Settle => self.settle().await,
            Fate::Refuse => self.refuse().await,
            Fate::FailTransaction => {
                self.unsend();
                self.tracker.forwarded.clear();
                self.local();
                let Self { local: Some(local), tracker, .. } = self else { unreachable!("BUG: made above") };
                local.fail_transaction(failure::transaction_lost(), tracker.memory.committing());
                self.answer().await
            }
            Fate::FailRequests(failure) => {
                self.unsend();
                self.tracker.forwarded.clear();
                self.local().refuse(requests, failure);
                self.answer().await
            }
            Fate::End(failure) => Err(End::Because(failure)),
        }
    }

    /// Takes back what is unanswered, as if the client had just sent it.
    pub(super) fn unsend(&mut self) {
        let mut unanswered = self.tracker.unsend();
        if !unanswered.is_empty() {
            unanswered.unsplit(std::mem::take(&mut self.client.link.inbox));
            self.client.link.inbox = unanswered;
        }
        self.up.reset();
        self.client_fresh = true;
    }

    /// Says good-bye to the server, if it can hear it at once.
    fn leave(&mut self, end: End) -> End {
        if let Some(Server { link, .. }) = &mut self.server
            && !self.tracker.mid_request
        {
            frontend::terminate(&mut link.outbox);
            // Closing says the same, only less politely.
            let _sent = futures::FutureExt::now_or_never(link.flush());
        }
        self.client.entry.handle.set_target(None);
        self.client.entry.handle.set_owner(None);
        match end {
            End::Because(failure) if self.tracker.client_is_mid() => {
                debug!(
                    reason = failure.message,
                    "the client is in the middle of a message and cannot be told"
                );
                End::Quietly
            }
            end => end,
        }
    }
}

/// Whether the next request may do better.
fn passes(failure: &Failure) -> bool {
    [sqlstate::CANNOT_CONNECT_NOW, sqlstate::QUERY_CANCELED].contains(&failure.code)
}
