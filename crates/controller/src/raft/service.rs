//! The answering end of Raft between controllers.
//!
//! Requests of one connection reach the consensus engine in the order they were sent, so that the leader can keep
//! several appends on their way. Each names the controller and the fleet it is meant for.

use std::sync::{Arc, Mutex};

use model::{FleetId, Level};
use openraft::{EntryPayload, raft::VoteRequest};
use rpc::{ByteStream, tarpc};
use serde::{Deserialize, Serialize};
use tarpc::server::Channel as _;

use super::{
    Admission, LogEntry, LogId, Peers, Raft, Snapshot,
    admission::Standing,
    arrivals::{Arrivals, Part},
    types::TypeConfig,
    wire,
};
use crate::{
    answering,
    blocking::Worker,
    machine::{Image, View},
};

/// The service.
#[tarpc::service]
pub trait RaftApi {
    /// Append entries, or just a heartbeat.
    async fn append(to: Addressee, message: wire::Blob) -> Result<wire::Blob, Refused>;
    /// Give a vote.
    async fn vote(to: Addressee, message: wire::Blob) -> Result<wire::Blob, Refused>;
    /// Say whether a vote would be given.
    async fn pre_vote(to: Addressee, message: wire::Blob) -> Result<wire::Blob, Refused>;
    /// Take a piece of a snapshot; the last one installs it. Answers with the own vote.
    async fn snapshot(to: Addressee, piece: Piece) -> Result<wire::Blob, Refused>;
    /// Leadership is handed over.
    async fn transfer(to: Addressee, message: wire::Blob) -> Result<(), Refused>;
}

/// Whom a message is for: an address may have changed hands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Addressee {
    /// Which controller.
    pub controller: u64,
    /// Of which fleet; unknown until the sender's is founded.
    pub fleet: Option<FleetId>,
    /// How the sender's list of controllers names it.
    pub listed: Listed,
}

/// How a list of controllers names one of them, and the entry that holds the list.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Listed {
    /// Not at all, or the sender does not know.
    Not,
    /// It is sent everything, and counted for nothing.
    Learner(wire::Place),
    /// It votes.
    Voter(wire::Place),
}

impl From<Option<Standing>> for Listed {
    fn from(standing: Option<Standing>) -> Self {
        match standing {
            None => Self::Not,
            Some(Standing::Learner(at)) => Self::Learner(at.into()),
            Some(Standing::Voter(at)) => Self::Voter(at.into()),
        }
    }
}

impl From<Listed> for Option<Standing> {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Not => None,
            Listed::Learner(at) => Some(Standing::Learner(at.into())),
            Listed::Voter(at) => Some(Standing::Voter(at.into())),
        }
    }
}

/// A piece of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Piece {
    /// The leader's vote, encoded.
    pub vote: wire::Blob,
    /// Tells this transfer from others.
    pub transfer: u64,
    /// Where in the whole it belongs.
    pub offset: u64,
    /// How long the whole is.
    pub total: u64,
    /// The bytes.
    pub bytes: wire::Blob,
}

/// The message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refused {
    /// It was meant for another controller.
    #[error("this is controller {id}, not {meant}")]
    WrongController {
        /// Who this is.
        id: u64,
        /// Who was meant.
        meant: u64,
    },
    /// It came from another fleet's controller.
    #[error(
        "this controller belongs to fleet {fleet}, the other one to {other}; one of them has a wrong directory"
    )]
    WrongFleet {
        /// This one's.
        fleet: FleetId,
        /// The other one's.
        other: FleetId,
    },
    /// It cannot be read.
    #[error("{reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// This controller stopped taking part.
    #[error("this controller has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// A piece of a snapshot does not fit.
    #[error("{reason}")]
    Misfit {
        /// Why.
        reason: String,
    },
    /// Its disk is new: it must not be counted on, as it may have forgotten what it promised.
    #[error("this controller's disk is new; it gives no vote before it was sent everything")]
    Joining,
    /// Whoever asks is no member of the fleet any more.
    #[error("controller {id} was removed from the fleet")]
    Removed {
        /// Who asks.
        id: u64,
    },
}

/// Answers for one controller. Cheap to clone.
#[derive(Clone)]
pub struct RaftServer {
    id: u64,
    level: Level,
    raft: Raft,
    view: View,
    admission: Arc<Admission>,
    peers: Arc<Peers>,
    /// For long computations.
    calculator: Arc<Worker<()>>,
    arriving: Arc<Mutex<Arrivals>>,
}

impl RaftServer {
    /// Answers for the controller with this id, which knows up to this level.
    pub fn new(
        (id, level): (u64, Level),
        raft: Raft,
        view: View,
        (admission, peers): (Arc<Admission>, Arc<Peers>),
        calculator: Arc<Worker<()>>,
    ) -> Self {
        Self { id, level, raft, view, admission, peers, calculator, arriving: Arc::default() }
    }

    /// Answers one connection until it closes.
    pub async fn serve_connection(self, stream: Box<dyn ByteStream>) {
        // The first step hands a message to the engine; the rest, waiting for the disk, may overlap.
        answering::answer(answering::channel(stream).execute(self.serve())).await;
    }

    /// Whether a candidate may be given a vote at all.
    fn may_vote_for(&self, candidate: u64, last: Option<LogId>) -> Result<(), Refused> {
        if self.peers.was_removed(candidate, last) {
            return Err(Refused::Removed { id: candidate });
        }
        match self.admission.is_joining() {
            true => Err(Refused::Joining),
            false => Ok(()),
        }
    }

    /// Whether anything may be taken from a leader with this list.
    fn may_take(&self, listed: Listed) -> Result<(), Refused> {
        match self.admission.takes(listed.into()) {
            true => Ok(()),
            false => Err(Refused::Joining),
        }
    }

    fn meant(&self, to: Addressee) -> Result<(), Refused> {
        if to.controller != self.id {
            return Err(Refused::WrongController { id: self.id, meant: to.controller });
        }
        match (self.view.read(|state| state.fleet().id()), to.fleet) {
            (Some(fleet), Some(other)) if fleet != other => Err(Refused::WrongFleet { fleet, other }),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }
}

impl RaftApi for RaftServer {
    async fn append(
        self,
        _: tarpc::context::Context,
        to: Addressee,
        message: wire::Blob,
    ) -> Result<wire::Blob, Refused> {
        self.meant(to)?;
        self.may_take(to.listed)?;
        let request = read::<wire::Append>(&message)?.into_request().map_err(unreadable)?;
        known(&request.entries, self.level)?;
        let (previous, committed) = (request.prev_log_id, request.leader_commit);
        let response = self.raft.append_entries(request).await.map_err(stopped)?;
        self.admission.taken(to.listed.into(), previous, committed, &response).await.map_err(stopped)?;
        Ok(wire::encode(&wire::Appended::from(response)))
    }

    async fn vote(
        self,
        _: tarpc::context::Context,
        to: Addressee,
        message: wire::Blob,
    ) -> Result<wire::Blob, Refused> {
        self.meant(to)?;
        let request: VoteRequest<TypeConfig> = read::<wire::Ask>(&message)?.into();
        self.may_vote_for(request.vote.leader_id.node_id, request.last_log_id)?;
        let response = self.raft.vote(request).await.map_err(stopped)?;
        Ok(wire::encode(&wire::Answer::from(response)))
    }

    async fn pre_vote(
        self,
        _: tarpc::context::Context,
        to: Addressee,
        message: wire::Blob,
    ) -> Result<wire::Blob, Refused> {
        self.meant(to)?;
        let request: VoteRequest<TypeConfig> = read::<wire::Ask>(&message)?.into();
        self.may_vote_for(request.vote.leader_id.node_id, request.last_log_id)?;
        let response = self.raft.pre_vote(request).await.map_err(stopped)?;
        Ok(wire::encode(&wire::Answer::from(response)))
    }

    async fn snapshot(
        self,
        _: tarpc::context::Context,
        to: Addressee,
        piece: Piece,
    ) -> Result<wire::Blob, Refused> {
        self.meant(to)?;
        self.may_take(to.listed)?;
        let vote: super::Vote = read::<wire::Ballot>(&piece.vote)?.into();
        let Piece { transfer, offset, total, bytes, .. } = piece;
        let part = Part { leader: vote.leader_id.node_id, transfer, offset, total };
        let taken =
            self.arriving.lock().expect("BUG: nothing panics while holding this lock").take(part, &bytes.0);
        let Some(bytes) = taken.map_err(|misfit| Refused::Misfit { reason: misfit.to_string() })? else {
            return Ok(wire::encode(&wire::Ballot::from(vote)));
        };
        let level = self.level;
        let image = self.calculator.call(move |()| Image::received(bytes, level)).await;
        let image = image.map_err(stopped)?.map_err(unreadable)?;
        let snapshot = Snapshot { meta: image.meta().clone(), snapshot: image };
        let response = self.raft.install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        Ok(wire::encode(&wire::Ballot::from(response.vote)))
    }

    async fn transfer(
        self,
        _: tarpc::context::Context,
        to: Addressee,
        message: wire::Blob,
    ) -> Result<(), Refused> {
        self.meant(to)?;
        if self.admission.is_joining() {
            return Err(Refused::Joining);
        }
        let request = read::<wire::HandOver>(&message)?.into_request();
        let answer = self.raft.handle_transfer_leader(request).await.map_err(stopped)?;
        // Not taken means that leadership has changed or the log is not here yet: the old leader goes on or an
        // election follows. Nobody has to act on it.
        answer.or_else(|reason| {
            tracing::info!(%reason, "leadership not taken over");
            Ok(())
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(message: &wire::Blob) -> Result<T, Refused> {
    wire::decode(message).map_err(unreadable)
}

/// Refuses what only later releases know.
fn known(entries: &[LogEntry], known: Level) -> Result<(), Refused> {
    let levels = entries.iter().filter_map(|entry| match &entry.payload {
        EntryPayload::Normal(proposal) => Some(proposal.entry().level()),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    });
    match levels.max() {
        Some(level) if level > known => Err(Refused::Unreadable {
            reason: format!(
                "the log is of {level}, this release knows up to {known}; upgrade this controller"
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn unreadable(error: impl std::error::Error) -> Refused {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    Refused::Unreadable { reason }
}

fn stopped(error: impl std::error::Error) -> Refused {
    Refused::Stopped { reason: error.to_string() }
}
