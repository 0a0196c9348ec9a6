//! The fleet's controllers as one thing to ask: follows the leader, goes on to the next when one is gone.
//!
//! Only what had no effect, or is harmless to repeat, is repeated. Every call of [`ControllerApi`](crate::controller::ControllerApi) is harmless to
//! repeat: creates carry a key, changes of owner an expected epoch, and what is named twice stays as it is; the one
//! exception, a drop that went through unnoticed, is settled in [`Controllers::operate`].

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
    limits::{CALL_TIMEOUT, LEADER_TIMEOUT, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN},
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

struct State {
    addresses: Vec<String>,
    /// Index of the controller that answered last, where the next call starts.
    current: usize,
    clients: Vec<Option<ControllerApiClient>>,
}

/// What a call gives: the transport's answer around the controller's.
pub type Called<T> = Result<T, RpcError>;

impl Controllers {
    /// A handle on the controllers at these addresses, `host:port` each.
    pub fn new(addresses: Vec<String>, dial: Arc<dyn Dial>, secret: Secret, role: Role) -> Self {
        assert!(!addresses.is_empty(), "BUG: at least one controller must be named");
        let clients = addresses.iter().map(|_| None).collect();
        let state = Mutex::new(State { addresses, current: 0, clients });
        Self { shared: Arc::new(Shared { dial, secret, role, state }) }
    }

    /// The addresses known now.
    pub fn addresses(&self) -> Vec<String> {
        self.state(|state| state.addresses.clone())
    }

    /// Takes over the addresses that a controller told, so that members added later are found.
    pub fn learn(&self, addresses: &[String]) {
        self.state(|state| {
            for address in addresses {
                state.index_of(address);
            }
        });
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
                self.state(|state| state.next(index));
                if tried % self.state(|state| state.addresses.len()) == 0 {
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
        let client = self.client(index).await?;
        let address = || self.state(|state| state.addresses[index].clone());
        match timeout(CALL_TIMEOUT, call(client, context())).await {
            Ok(Ok(answer)) => answer.map_err(Error::from),
            Ok(Err(source)) => {
                self.state(|state| state.clients[index] = None);
                Err(Error::Call { address: address(), source })
            }
            Err(_) => {
                self.state(|state| state.clients[index] = None);
                Err(Error::Timeout { address: address(), timeout_ms: millis(CALL_TIMEOUT) })
            }
        }
    }

    async fn client(&self, index: usize) -> Result<ControllerApiClient, Error> {
        let (address, client) =
            self.state(|state| (state.addresses[index].clone(), state.clients[index].clone()));
        if let Some(client) = client {
            return Ok(client);
        }
        let Shared { dial, secret, role, .. } = &*self.shared;
        let transport = connect(&**dial, &address, secret, Service::Controller, *role).await?;
        let client = ControllerApiClient::new(tarpc::client::Config::default(), transport).spawn();
        self.state(|state| state.clients[index] = Some(client.clone()));
        Ok(client)
    }

    /// Turns to the leader that a follower named; false when it named none, or named itself.
    fn follow(&self, error: &Error) -> bool {
        let Error::Refused(Refusal::NotLeader { leader: Some(address) }) = error else { return false };
        self.state(|state| {
            let index = state.index_of(address);
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

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.shared.state.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

impl State {
    /// Where an address stands in the list; added when new.
    fn index_of(&mut self, address: &str) -> usize {
        self.addresses.iter().position(|known| known == address).unwrap_or_else(|| {
            self.addresses.push(address.into());
            self.clients.push(None);
            self.addresses.len() - 1
        })
    }

    fn next(&mut self, failed: usize) {
        if self.current == failed {
            self.current = (failed + 1) % self.addresses.len();
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
