//! The asking end of Raft between controllers: one connection for each peer and purpose, made when needed.
//!
//! Every call is bounded by tokio's clock, and a connection that failed or stayed silent is given up: what was on its
//! way is lost, which Raft can bear.

use std::{
    future::Future,
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use openraft::{
    BasicNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    base::{BoxFuture, BoxStream},
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use rpc::{
    Dial, Secret, Service, connect, context,
    handshake::Role,
    tarpc::{self, client::RpcError},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    LogId, Peers, Snapshot, TypeConfig, Vote,
    service::{Addressee, Piece, RaftApiClient, Refused},
    wire,
};
use crate::{
    limits::{
        APPEND_BYTES_MAX, APPEND_TIMEOUT, APPENDS_IN_FLIGHT_MAX, CONNECT_TIMEOUT, INSTALL_BYTES_PER_SECOND,
        INSTALL_TIMEOUT, SNAPSHOT_CHUNK_BYTES,
    },
    machine::{Image, View},
};

/// Makes connections to the other controllers.
#[derive(Clone)]
pub struct Network {
    dial: Arc<dyn Dial>,
    secret: Secret,
    view: View,
    peers: Arc<Peers>,
}

/// The way to one of them.
pub struct Peer {
    connection: Arc<Connection>,
}

struct Connection {
    id: u64,
    address: String,
    network: Network,
    client: Mutex<Option<RaftApiClient>>,
    /// Since when something is on its way without any answer. Callers may stop waiting at any time, so that a dead
    /// connection shows only here.
    silent_since: StdMutex<Option<Instant>>,
    /// What it refused last, which is logged once.
    refused: StdMutex<Option<Refused>>,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot connect to controller {id}: {source}")]
    Connect { id: u64, source: rpc::Error },
    #[error("controller {id} did not answer in time")]
    Silent { id: u64 },
    #[error("the connection to controller {id} broke: {source}")]
    Broken { id: u64, source: RpcError },
    #[error("controller {id} at {address} refused: {source}")]
    Refused { id: u64, address: String, source: Refused },
    #[error("controller {id} answered nonsense: {source}")]
    Nonsense { id: u64, source: wire::Error },
}

impl Network {
    /// Over this network, with this fleet's secret, for the controller with this map.
    pub fn new(dial: Arc<dyn Dial>, secret: Secret, view: View, peers: Arc<Peers>) -> Self {
        Self { dial, secret, view, peers }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        let connection = Connection {
            id: target,
            address: node.addr.clone(),
            network: self.clone(),
            client: Mutex::new(None),
            silent_since: StdMutex::new(None),
            refused: StdMutex::new(None),
        };
        Peer { connection: Arc::new(connection) }
    }
}

impl Connection {
    /// One call, bounded. `limit` is for the answer, once connected.
    async fn call<T, Fut>(
        &self,
        limit: Duration,
        call: impl FnOnce(RaftApiClient, tarpc::context::Context, Addressee) -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<Result<T, Refused>, RpcError>>,
    {
        let id = self.id;
        let client = self.client().await?;
        let fleet = self.network.view.read(|state| state.fleet().id());
        let to = Addressee { controller: id, fleet, listed: self.network.peers.standing(id).into() };
        let answer = timeout(limit, call(client, context(), to)).await;
        if answer.is_ok() {
            self.silent_since(|since| *since = None);
        }
        match answer {
            Ok(Ok(Ok(answer))) => {
                self.network.peers.heard(id, false);
                Ok(answer)
            }
            Ok(Ok(Err(source))) => {
                self.refused(&source);
                // Another process may hold the address now, or will soon: look again next time.
                self.give_up().await;
                Err(CallError::Refused { id, address: self.address.clone(), source })
            }
            Ok(Err(source)) => {
                self.give_up().await;
                Err(CallError::Broken { id, source })
            }
            Err(_) => {
                self.give_up().await;
                Err(CallError::Silent { id })
            }
        }
    }

    async fn client(&self) -> Result<RaftApiClient, CallError> {
        let mut slot = self.client.lock().await;
        let silent = self.silent_since(|since| since.get_or_insert_with(Instant::now).elapsed());
        if let Some(client) = slot.as_ref().filter(|_| silent < APPEND_TIMEOUT) {
            return Ok(client.clone());
        }
        *slot = None;
        let id = self.id;
        let Network { dial, secret, .. } = &self.network;
        let connecting = connect(&**dial, &self.address, secret, Service::Raft, Role::Controller);
        let transport = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| CallError::Silent { id })?
            .map_err(|source| CallError::Connect { id, source })?;
        let client = RaftApiClient::new(tarpc::client::Config::default(), transport).spawn();
        *slot = Some(client.clone());
        self.silent_since(|since| *since = Some(Instant::now()));
        Ok(client)
    }

    /// Hears why; says what an operator must know, once.
    fn refused(&self, refused: &Refused) {
        match refused {
            Refused::Joining => self.network.peers.heard(self.id, true),
            Refused::Removed { .. } => self.network.peers.removed(),
            Refused::WrongController { .. }
            | Refused::WrongFleet { .. }
            | Refused::Unreadable { .. }
            | Refused::Stopped { .. }
            | Refused::Misfit { .. } => {}
        }
        let mut before = self.refused.lock().expect("BUG: nothing panics while holding this lock");
        let new = before.replace(refused.clone()).as_ref() != Some(refused);
        if new && matches!(refused, Refused::WrongController { .. } | Refused::WrongFleet { .. }) {
            tracing::warn!(controller = self.id, address = self.address, said = %refused, "refused by another controller");
        }
    }

    fn silent_since<T>(&self, with: impl FnOnce(&mut Option<Instant>) -> T) -> T {
        with(&mut self.silent_since.lock().expect("BUG: nothing panics while holding this lock"))
    }

    async fn give_up(&self) {
        *self.client.lock().await = None;
    }

    async fn append(
        &self,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<AppendEntriesResponse<TypeConfig>, CallError> {
        let mut append = wire::Append::new(request);
        let cut = append.cut(APPEND_BYTES_MAX);
        let message = wire::encode(&append);
        let id = self.id;
        let answer =
            self.call(APPEND_TIMEOUT, |client, context, to| async move {
                client.append(context, to, message).await
            })
            .await?;
        let appended: wire::Appended =
            wire::decode(&answer).map_err(|source| CallError::Nonsense { id, source })?;
        Ok(match (appended, cut) {
            (wire::Appended::Success, Some(sent)) => AppendEntriesResponse::PartialSuccess(
                request.entries[..sent].last().map(|entry| entry.log_id),
            ),
            (appended, _) => appended.into(),
        })
    }

    async fn send_snapshot(&self, vote: Vote, image: &Image) -> Result<Vote, SendError> {
        let bytes = image.bytes().await.map_err(SendError::Read)?;
        let transfer = rand::random();
        let total = bytes.len() as u64;
        let mut theirs = vote;
        for (number, piece) in bytes.chunks(SNAPSHOT_CHUNK_BYTES).enumerate() {
            let offset = (number * SNAPSHOT_CHUNK_BYTES) as u64;
            let piece = Piece {
                vote: wire::encode(&wire::Ballot::from(vote)),
                transfer,
                offset,
                total,
                bytes: wire::Blob(piece.to_vec()),
            };
            let last = offset + piece.bytes.0.len() as u64 == total;
            let limit = if last { install_timeout(total) } else { APPEND_TIMEOUT };
            let id = self.id;
            let answer = self
                .call(limit, |client, context, to| async move { client.snapshot(context, to, piece).await });
            let answer = answer.await.map_err(SendError::Call)?;
            let ballot: wire::Ballot = wire::decode(&answer)
                .map_err(|source| SendError::Call(CallError::Nonsense { id, source }))?;
            theirs = ballot.into();
            if theirs > vote {
                break;
            }
        }
        Ok(theirs)
    }
}

/// How long a follower may take for a snapshot of so many bytes once it has all of them.
fn install_timeout(bytes: u64) -> Duration {
    INSTALL_TIMEOUT + Duration::from_secs(bytes / INSTALL_BYTES_PER_SECOND)
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("cannot read the snapshot")]
    Read(#[source] std::io::Error),
    #[error(transparent)]
    Call(CallError),
}

impl From<CallError> for RPCError<TypeConfig> {
    fn from(error: CallError) -> Self {
        match error {
            // Worth another try at once: a new connection may do.
            CallError::Broken { .. } => Self::Network(NetworkError::new(&error)),
            CallError::Connect { .. }
            | CallError::Silent { .. }
            | CallError::Refused { .. }
            | CallError::Nonsense { .. } => Self::Unreachable(Unreachable::new(&error)),
        }
    }
}

type Appends<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Image;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.connection.append(&rpc).await?)
    }

    /// Keeps several requests on their way; the follower takes them in the order they are sent.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _: RPCOption,
    ) -> BoxFuture<'s, Result<Appends<'s>, RPCError<TypeConfig>>>
    where
        S: futures::Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let connection = self.connection.clone();
        let answers = input
            .map(move |request| {
                let connection = connection.clone();
                async move { append_one(&connection, request).await }
            })
            .buffered(APPENDS_IN_FLIGHT_MAX);
        let until_one_fails = stream::unfold(Some(Box::pin(answers)), |answers| async move {
            let mut answers = answers?;
            let (answer, go_on) = answers.next().await?;
            Some((answer, go_on.then_some(answers)))
        });
        let stream: Appends<'s> = Box::pin(until_one_fails);
        Box::pin(async move { Ok(stream) })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let id = self.connection.id;
        let message = wire::encode(&wire::Ask::from(rpc));
        let answer =
            self.connection
                .call(option.soft_ttl(), |client, context, to| async move {
                    client.vote(context, to, message).await
                })
                .await?;
        read_answer(id, &answer)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let id = self.connection.id;
        let message = wire::encode(&wire::Ask::from(rpc));
        let answer = self
            .connection
            .call(option.soft_ttl(), |client, context, to| async move {
                client.pre_vote(context, to, message).await
            })
            .await?;
        read_answer(id, &answer)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sent = tokio::select! {
            biased;
            closed = cancel => return Err(closed.into()),
            sent = self.connection.send_snapshot(vote, &snapshot.snapshot) => sent,
        };
        match sent {
            Ok(vote) => Ok(SnapshotResponse::new(vote)),
            Err(SendError::Call(error)) => Err(RPCError::from(error).into()),
            Err(error @ SendError::Read(_)) => {
                tracing::error!(%error, "a snapshot cannot be sent");
                Err(StreamingError::Unreachable(Unreachable::new(&error)))
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let message = wire::encode(&wire::HandOver::new(&req));
        self.connection
            .call(option.soft_ttl(), |client, context, to| async move {
                client.transfer(context, to, message).await
            })
            .await?;
        Ok(Ok(()))
    }
}

fn read_answer(id: u64, answer: &wire::Blob) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
    let answer: wire::Answer = wire::decode(answer).map_err(|source| CallError::Nonsense { id, source })?;
    Ok(answer.into())
}

/// The answer to one request, and whether those behind it may follow.
async fn append_one(
    connection: &Connection,
    request: AppendEntriesRequest<TypeConfig>,
) -> (Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>, bool) {
    let previous: Option<LogId> = request.prev_log_id;
    let last = request.entries.last().map(|entry| entry.log_id).or(previous);
    match connection.append(&request).await {
        // Nothing comes before the first entry, so nothing can conflict there.
        Ok(AppendEntriesResponse::Conflict) if previous.is_none() => {
            let senseless = Unreachable::from_string("a conflict before the first entry");
            (Err(RPCError::Unreachable(senseless)), false)
        }
        Ok(response) => {
            let result = response.into_stream_result(previous, last);
            let complete = matches!(&result, Ok(upto) if *upto == last);
            (Ok(result), complete)
        }
        Err(error) => (Err(error.into()), false),
    }
}
