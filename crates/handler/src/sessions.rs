//! All sessions of this handler: what others may do to them. Cancel one's request, tell all to end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures::task::AtomicWaker;
use model::{Incarnation, ServerId, ServerState, Tenure};

use crate::{
    cancel::{Key, Target},
    directives::{Mailbox, Urgency},
};

/// What a session has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    GoOn,
    /// End as soon as nothing is under way.
    Drain,
    /// End now.
    End,
}

/// Who has a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) user: String,
    /// As the client named it.
    pub(crate) database: String,
    /// The client's `application_name`.
    pub(crate) application: String,
}

/// The part of a session that others can reach.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    order: AtomicU8,
    /// It waits for a server.
    waiting: AtomicBool,
    /// It has been canceled while it waited.
    canceled: AtomicBool,
    /// The server that it is on.
    owner: Mutex<Option<Tenure>>,
    /// That server's life is over, by what the map says; it may be silent and never say so itself.
    server_over: AtomicBool,
    waker: AtomicWaker,
    target: Mutex<Option<Target>>,
    /// There once the client has said that it understands directives.
    mailbox: OnceLock<Mailbox>,
    /// Set when it begins.
    who: OnceLock<Box<Who>>,
}

impl Handle {
    /// Who has it; `None` before it has begun.
    pub(crate) fn who(&self) -> Option<&Who> {
        self.who.get().map(Box::as_ref)
    }

    /// What the session has been told. Wakes the task when that changes.
    pub(crate) fn poll_order(&self, cx: &mut Context<'_>) -> Order {
        self.waker.register(cx.waker());
        self.order()
    }

    /// As [`Handle::poll_order`], for who asks with every request: registers a waker only when it is another one than
    /// `registered`, or may have been used up.
    pub(crate) fn poll_order_often(&self, cx: &mut Context<'_>, registered: &mut Option<Waker>) -> Order {
        let order = self.order();
        // A word about directives uses the waker up and leaves no order behind.
        let rests = order == Order::GoOn && self.mailbox.get().is_none();
        if rests && registered.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return order;
        }
        *registered = Some(cx.waker().clone());
        self.poll_order(cx)
    }

    /// Waits until the session has been told at least this.
    pub(crate) async fn ordered(&self, at_least: Order) -> Order {
        std::future::poll_fn(|cx| match self.poll_order(cx) {
            order if order >= at_least => Poll::Ready(order),
            _ => Poll::Pending,
        })
        .await
    }

    /// Waits until the session has been told at least this, or is to look at the board of directives.
    pub(crate) async fn ordered_or_mail(&self, at_least: Order) -> Option<Order> {
        std::future::poll_fn(|cx| match self.poll_order(cx) {
            order if order >= at_least => Poll::Ready(Some(order)),
            _ if self.mail().is_some() => Poll::Ready(None),
            _ => Poll::Pending,
        })
        .await
    }

    /// Where the session is told of directives; `None` for one that has not announced itself.
    pub(crate) fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.get()
    }

    /// The mailbox, if the session is to look at the board.
    pub(crate) fn mail(&self) -> Option<&Mailbox> {
        self.mailbox.get().filter(|mailbox| mailbox.urgency() > Urgency::Nothing)
    }

    /// The session has announced itself; false when it had before.
    pub(crate) fn open_mailbox(&self, mailbox: Mailbox) -> bool {
        let opened = self.mailbox.set(mailbox).is_ok();
        self.waker.wake();
        opened
    }

    /// The session is to look at the board of directives when that is convenient.
    pub(crate) fn tell_mail(&self) {
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.look();
            self.waker.wake();
        }
    }

    /// If it has not looked yet, it is to look now.
    pub(crate) fn press_mail(&self) {
        if self.mailbox.get().is_some_and(Mailbox::press) {
            self.waker.wake();
        }
    }

    fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::GoOn,
            1 => Order::Drain,
            _ => Order::End,
        }
    }

    /// Tells the session.
    pub(crate) fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// The session waits for a server until the guard is dropped.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        self.canceled.store(false, Ordering::Release);
        self.waiting.store(true, Ordering::Release);
        Waiting(self.clone())
    }

    /// Cancels what the session waits with; false when it does not wait.
    pub(crate) fn cancel_waiting(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting {
            self.canceled.store(true, Ordering::Release);
            self.waker.wake();
        }
        waiting
    }

    /// Whether it was canceled when it last waited.
    pub(crate) fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Acquire)
    }

    /// Waits until it is canceled.
    pub(crate) async fn canceled(&self) {
        std::future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_canceled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The session is on this server from now on, or on none.
    pub(crate) fn set_owner(&self, owner: Option<Tenure>) {
        let mut now = self.owner.lock().expect("BUG: nothing panics while holding this lock");
        *now = owner;
        self.server_over.store(false, Ordering::Release);
    }

    /// Whether the map says that its server's life is over.
    pub(crate) fn is_server_over(&self) -> bool {
        self.server_over.load(Ordering::Acquire)
    }

    /// A server is in this life now, up or not.
    fn server(&self, server: ServerId, incarnation: Incarnation, state: ServerState) {
        let owner = self.owner.lock().expect("BUG: nothing panics while holding this lock");
        let over = owner.is_some_and(|owner| {
            owner.server == server && (owner.incarnation != incarnation || !state.is_alive())
        });
        if over {
            // Under the lock: the session may be about to go on elsewhere.
            self.server_over.store(true, Ordering::Release);
            self.waker.wake();
        }
    }

    /// Where a cancel request for this session goes now.
    pub(crate) fn target(&self) -> Option<Target> {
        self.target.lock().expect("BUG: nothing panics while holding this lock").clone()
    }

    /// The session has another server, or none.
    pub(crate) fn set_target(&self, target: Option<Target>) {
        *self.target.lock().expect("BUG: nothing panics while holding this lock") = target;
    }
}

/// A session that waits for a server.
pub(crate) struct Waiting(Arc<Handle>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.store(false, Ordering::Release);
    }
}

/// Sessions by cancel key.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Key, Arc<Handle>>>);

/// A session's entry; gone when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    sessions: Arc<Sessions>,
    pub(crate) key: Key,
    pub(crate) handle: Arc<Handle>,
}

impl Sessions {
    /// Enters somebody's session under a key that `draw` makes up.
    pub(crate) fn enter(self: &Arc<Self>, who: Who, mut draw: impl FnMut() -> Key) -> Entry {
        let handle = Arc::new(Handle { who: OnceLock::from(Box::new(who)), ..Handle::default() });
        let mut sessions = self.lock();
        let key = loop {
            let key = draw();
            if !sessions.contains_key(&key) {
                break key;
            }
        };
        sessions.insert(key, handle.clone());
        Entry { sessions: self.clone(), key, handle }
    }

    pub(crate) fn find(&self, key: Key) -> Option<Arc<Handle>> {
        self.lock().get(&key).cloned()
    }

    /// All of them, by process id.
    pub(crate) fn all(&self) -> Vec<(u32, Arc<Handle>)> {
        let mut all: Vec<_> =
            self.lock().iter().map(|(key, handle)| (key.process_id, handle.clone())).collect();
        all.sort_by_key(|(process_id, _)| *process_id);
        all
    }

    /// Tells every session.
    pub(crate) fn tell(&self, order: Order) {
        self.lock().values().for_each(|handle| handle.tell(order));
    }

    /// A server is in this life now, up or not: wakes those whose server's life is over.
    pub(crate) fn server(&self, server: ServerId, incarnation: Incarnation, state: ServerState) {
        self.lock().values().for_each(|handle| handle.server(server, incarnation, state));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Handle>>> {
        self.0.lock().expect("BUG: nothing panics while holding this lock")
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Who {
        Who { user: "ann".into(), database: "shop".into(), application: String::new() }
    }

    fn key(process_id: u32) -> Key {
        Key { process_id, secret: [0; 4] }
    }

    #[tokio::test]
    async fn an_order_reaches_a_waiting_session_and_is_never_taken_back() {
        let sessions = Arc::new(Sessions::default());
        let entry = sessions.enter(ann(), || key(1));
        let handle = entry.handle.clone();
        let waiting = tokio::spawn(async move { handle.ordered(Order::Drain).await });
        tokio::task::yield_now().await;
        sessions.tell(Order::End);
        assert_eq!(waiting.await.expect("no panic"), Order::End);
        sessions.tell(Order::Drain);
        assert_eq!(entry.handle.order(), Order::End);
    }

    #[test]
    fn no_two_sessions_share_a_key_and_an_ended_one_is_forgotten() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.enter(ann(), || key(1));
        let mut draws = [1, 1, 2].into_iter();
        let second = sessions.enter(ann(), || key(draws.next().expect("enough draws")));
        assert_eq!(second.key, key(2));
        drop(first);
        assert!(sessions.find(key(1)).is_none() && sessions.find(key(2)).is_some());
    }
}
