//! The fleet's controllers as one thing to ask: follows the leader, goes on to the next when one is gone.
//!
//! Only what had no effect, or is harmless to repeat, is repeated. Every call of [`ControllerApi`](crate::controller::ControllerApi) is harmless to
//! repeat: creates carry a key, changes of owner an expected epoch, and what is named twice stays as it is; the one
//! exception, a drop that went through unnoticed, is settled in [`Controllers::operate`].
//!
//! A controller that hangs (paused, or cut off without a word) must not cost a caller more than an election does:
//! whoever waits for an answer asks meanwhile how the controller is, and turns to the next one when even that is not
//! answered, or when it leads nobody any more.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use model::{Rejection, RequestId};
use tarpc::{client::RpcError, context::Context};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Advice, Dial, Effect, Error, Refusal, Secret,
    controller::{ControllerApiClient, Operated, Operation},
    handshake::{Role, Service},
    limits::{
        ASK_AFTER, CALL_TIMEOUT, HUNG_MEMORY, LEADER_TIMEOUT, MEMBERS_PAUSE, PONG_TIMEOUT,
        QUORUM_SILENCE_MAX, REACH_TIMEOUT, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN,
    },
    transport::{connect, context},
};

/// A handle on all controllers. Cheap to clone; connections are shared and made when needed.
#[derive(Clone)]
pub struct Controllers {
    shared: Arc<Shared>,
}

struct Shared {
    dial: Arc<dyn Dial>,
    secret: Secret,
    role: Role,
    state: Mutex<State>,
}

pub(crate) struct State {
    known: Vec<Known>,
    /// Index of the controller that answered last, where the next call starts.
    pub(crate) current: usize,
}

/// One controller.
struct Known {
    address: String,
    /// Whether it is on the newest list that was told. The others, which were named at the start or have been removed
    /// since, are asked when all of these fail.
    member: bool,
    client: Option<ControllerApiClient>,
    /// When it was last found to hang.
    hung: Option<Instant>,
}

/// What a call gives: the transport's answer around the controller's.
pub type Called<T> = Result<T, RpcError>;

impl Controllers {
    /// A handle on the controllers at these addresses, `host:port` each.
    pub fn new(addresses: Vec<String>, dial: Arc<dyn Dial>, secret: Secret, role: Role) -> Self {
        assert!(!addresses.is_empty(), "BUG: at least one controller must be named");
        let known = addresses.into_iter().map(Known::new).collect();
        let state = Mutex::new(State { known, current: 0 });
        Self { shared: Arc::new(Shared { dial, secret, role, state }) }
    }

    /// The addresses of all members, as far as it is known who they are.
    pub fn addresses(&self) -> Vec<String> {
        self.state(|state| state.members().map(|known| known.address.clone()).collect())
    }

    /// Takes over the list that a controller told: members added later are found, and those removed no longer asked.
    pub fn learn(&self, addresses: &[String]) {
        if addresses.is_empty() {
            return;
        }
        self.state(|state| {
            for known in &mut state.known {
                known.member = addresses.contains(&known.address);
            }
            for address in addresses {
                state.index_of(address);
            }
        });
    }

    /// Keeps asking who the members are, for whoever is not told otherwise; never returns.
    pub async fn keep_up(&self) {
        loop {
            sleep(MEMBERS_PAUSE).await;
            let asked = self.any(|client, context| async move { client.controllers(context).await }.boxed());
            // Without an answer the last list is the best there is.
            if let Ok(members) = asked.await {
                let addresses: Vec<String> = members.into_iter().map(|member| member.address).collect();
                self.learn(&addresses);
            }
        }
    }

    /// Asks any controller: the one that answered last, or the next that does.
    ///
    /// # Errors
    /// [`Error::Refused`] with the answer, or [`Error::NoController`] when none answers within 15 s.
    pub async fn any<T, F>(&self, call: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(ControllerApiClient, Context) -> BoxFuture<'static, Called<T>> + Send + Sync,
    {
        self.leader(move |client, context| call(client, context).map(|called| called.map(Ok)).boxed()).await
    }

    /// Asks the leader, wherever it is.
    ///
    /// # Errors
    /// [`Error::Refused`] with the answer, or [`Error::NoController`] when no leader answers within 15 s.
    pub async fn leader<T, F>(&self, call: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(ControllerApiClient, Context) -> BoxFuture<'static, Called<Result<T, Refusal>>> + Send + Sync,
    {
        self.attempts(|index| self.once(index, &call)).await
    }

    /// Makes an operator's change.
    ///
    /// # Errors
    /// As [`Controllers::leader`].
    pub async fn operate(&self, request: RequestId, operation: Operation) -> Result<Operated, Error> {
        let unsure = &AtomicBool::new(false);
        let result = self
            .attempts(|index| {
                let operation = operation.clone();
                async move {
                    let call = |client: ControllerApiClient, context| {
                        let operation = operation.clone();
                        async move { client.operate(context, request, operation).await }.boxed()
                    };
                    let result = self.once(index, &call).await;
                    if result.as_ref().is_err_and(|error| error.effect() == Effect::Unknown) {
                        unsure.store(true, Ordering::Relaxed);
                    }
                    result
                }
            })
            .await;
        match (&operation, result) {
            // An earlier try broke off and now it is gone: that try did it.
            (Operation::DropDatabase { .. } | Operation::DropUser { .. }, Err(Error::Refused(refusal)))
                if unsure.load(Ordering::Relaxed) && says_gone(&refusal) =>
            {
                Ok(Operated { revision: model::Revision(0), database: None })
            }
            (_, result) => result,
        }
    }

    async fn attempts<T, A, Fut>(&self, attempt: A) -> Result<T, Error>
    where
        A: Fn(usize) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let give_up = Instant::now() + LEADER_TIMEOUT;
        let mut pause = RETRY_PAUSE_MIN;
        let mut tried = 0;
        let mut told = None;
        loop {
            let index = self.state(|state| state.current);
            let error = match attempt(index).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let follow = match error.advice() {
                Advice::GiveUp => return Err(error),
                Advice::AskLeader => self.follow(&error),
                Advice::Retry => false,
            };
            let late = Instant::now() >= give_up;
            let worst = match told.take() {
                Some(before) => worse(before, error),
                None => error,
            };
            if late {
                return Err(self.no_controller(worst));
            }
            told = Some(worst);
            tried += 1;
            if !follow {
                self.state(|state| state.next(index, tried));
                if tried % self.state(|state| state.known.len()) == 0 {
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE_MAX);
                }
            }
        }
    }

    async fn once<T, F>(&self, index: usize, call: &F) -> Result<T, Error>
    where
        F: Fn(ControllerApiClient, Context) -> BoxFuture<'static, Called<Result<T, Refusal>>>,
    {
        let began = Instant::now();
        let client = match timeout(REACH_TIMEOUT, self.client(index)).await {
            Ok(client) => client?,
            Err(_) => {
                self.hangs(index);
                let source = std::io::ErrorKind::TimedOut.into();
                return Err(Error::Connect { address: self.address(index), source });
            }
        };
        let answered = tokio::select! {
            biased;
            answered = timeout(CALL_TIMEOUT, call(client.clone(), context())) => answered.ok(),
            () = hung(&client) => None,
        };
        match answered {
            Some(Ok(answer)) => {
                self.state(|state| state.known[index].hung = None);
                answer.map_err(Error::from)
            }
            Some(Err(source)) => {
                self.state(|state| state.known[index].client = None);
                Err(Error::Call { address: self.address(index), source })
            }
            None => {
                self.hangs(index);
                Err(Error::Timeout { address: self.address(index), timeout_ms: millis(began.elapsed()) })
            }
        }
    }

    async fn client(&self, index: usize) -> Result<ControllerApiClient, Error> {
        if let Some(client) = self.state(|state| state.known[index].client.clone()) {
            return Ok(client);
        }
        let (address, Shared { dial, secret, role, .. }) = (self.address(index), &*self.shared);
        let transport = connect(&**dial, &address, secret, Service::Controller, *role).await?;
        let client = ControllerApiClient::new(tarpc::client::Config::default(), transport).spawn();
        self.state(|state| state.known[index].client = Some(client.clone()));
        Ok(client)
    }

    fn address(&self, index: usize) -> String {
        self.state(|state| state.known[index].address.clone())
    }

    /// It does not answer: its connection is given up, and nobody is sent there for a moment.
    fn hangs(&self, index: usize) {
        self.state(|state| {
            state.known[index].client = None;
            state.known[index].hung = Some(Instant::now());
        });
    }

    /// Turns to the leader that a follower named; false when it named none, or itself, or one that has just been
    /// found to hang: the follower has not noticed yet.
    fn follow(&self, error: &Error) -> bool {
        let Error::Refused(Refusal::NotLeader { leader: Some(address) }) = error else { return false };
        self.state(|state| {
            let index = state.index_of(address);
            if state.known[index].hangs() {
                return false;
            }
            let moved = index != state.current;
            state.current = index;
            moved
        })
    }

    fn no_controller(&self, last: Error) -> Error {
        Error::NoController {
            addresses: self.addresses().join(", "),
            timeout_ms: millis(LEADER_TIMEOUT),
            last: Box::new(last),
        }
    }

    pub(crate) fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.shared.state.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

impl State {
    /// Where an address stands in the list; added when new.
    fn index_of(&mut self, address: &str) -> usize {
        self.known.iter().position(|known| known.address == address).unwrap_or_else(|| {
            self.known.push(Known::new(address.into()));
            self.known.len() - 1
        })
    }

    fn members(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|known| known.member)
    }

    /// Goes on to the next that does not hang, if need be to the same again, or just to the next. Those that are no
    /// members take part once each member has been tried.
    fn next(&mut self, failed: usize, tried: usize) {
        if self.current == failed {
            let turns = 1..=self.known.len();
            let everybody = tried > self.members().count();
            let mut order = turns.map(|step| (failed + step) % self.known.len());
            let first = (failed + 1) % self.known.len();
            let asks =
                |index: &usize| !self.known[*index].hangs() && (everybody || self.known[*index].member);
            self.current = order.find(asks).unwrap_or(first);
        }
    }
}

impl Known {
    fn new(address: String) -> Self {
        Self { address, member: true, client: None, hung: None }
    }

    fn hangs(&self) -> bool {
        self.hung.is_some_and(|at| at.elapsed() < HUNG_MEMORY)
    }
}

/// Returns when a controller hangs: it does not even say how it is, or it leads and no majority has confirmed that for
/// long. Never while it works, however long a call takes.
async fn hung(client: &ControllerApiClient) {
    loop {
        sleep(ASK_AFTER).await;
        let silence = match timeout(PONG_TIMEOUT, client.status(context())).await {
            Ok(Ok(status)) => status.quorum_confirmed_ms_ago.map(Duration::from_millis),
            Ok(Err(_)) | Err(_) => return,
        };
        if silence.is_some_and(|silence| silence > QUORUM_SILENCE_MAX) {
            return;
        }
    }
}

/// Which of two failures to tell. That the effect is unknown must not be lost; otherwise, what a controller said
/// explains more than the silence of another.
fn worse(before: Error, now: Error) -> Error {
    match (before.effect(), now.effect()) {
        (Effect::Unknown, Effect::None) => before,
        (Effect::None, Effect::Unknown) => now,
        (Effect::None, Effect::None) | (Effect::Unknown, Effect::Unknown) => match (&before, &now) {
            (Error::Refused(_), other) if !matches!(other, Error::Refused(_)) => before,
            (_, _) => now,
        },
    }
}

fn says_gone(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::DatabaseNameUnknown { .. }
            | Refusal::Rejected(Rejection::DatabaseUnknown { .. } | Rejection::UserUnknown { .. })
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
