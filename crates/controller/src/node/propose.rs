//! Proposing a change: what its caller learns, whatever happens to it.

use std::{fmt::Display, pin::pin};

use model::{COMMAND_BYTES_MAX, Command, Entry, Field, Level, Outcome, Rejection, Revision, Why};
use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader, RaftError};
use rpc::Refusal;
use tokio::time::{Instant, timeout};

use super::Node;
use crate::{
    limits::PROPOSE_TIMEOUT,
    meter::{self, Fate},
    raft::{Proposal, TypeConfig},
};

/// A change that was applied: where in the log, and what the map said.
pub struct Proposed {
    /// The revision with the change in it.
    pub revision: Revision,
    /// What the map said.
    pub outcome: Result<Outcome, Rejection>,
}

impl Proposed {
    /// A rejection is a refusal for most callers.
    pub fn accepted(self) -> Result<(Revision, Outcome), Refusal> {
        Ok((self.revision, self.outcome?))
    }
}

impl Node {
    /// Proposes a change and waits until it is applied here.
    ///
    /// # Errors
    /// [`Refusal::NotLeader`] and [`Refusal::Unavailable`]: it had no effect. [`Refusal::Lost`]: nobody knows.
    pub(super) async fn propose(&self, command: Command) -> Result<Proposed, Refusal> {
        self.propose_entry(Entry::new((self.host.clock)(), command)).await
    }

    /// The same, and says why: events keep it.
    ///
    /// # Errors
    /// As [`Node::propose`].
    pub(super) async fn propose_because(
        &self,
        why: impl Into<Why>,
        command: Command,
    ) -> Result<Proposed, Refusal> {
        let entry = Entry::new((self.host.clock)(), command);
        self.propose_entry(Entry { why: Some(why.into()), ..entry }).await
    }

    async fn propose_entry(&self, mut entry: Entry) -> Result<Proposed, Refusal> {
        let level = self.view.read(|state| state.fleet().level());
        if level < Level::EVENTS {
            entry.why = None;
        }
        let raises = matches!(entry.command, Command::RaiseLevel { .. });
        if entry.level() > level && !raises {
            return Err(Rejection::LevelLow { level, needed: entry.level() }.into());
        }
        let began = Instant::now();
        let proposal = Proposal::new(entry);
        let bytes = proposal.bytes().len();
        if bytes > COMMAND_BYTES_MAX {
            return Err(
                Rejection::TooLong { what: Field::Command, bytes, bytes_max: COMMAND_BYTES_MAX }.into()
            );
        }
        let writing = pin!(timeout(PROPOSE_TIMEOUT, self.raft.client_write(proposal)));
        let Ok(written) = self.while_leading(writing).await else {
            meter::proposed(Fate::Lost, began.elapsed());
            return Err(lost("leadership was handed over, as the disk does not finish a write"));
        };
        let result = match written {
            Ok(Ok(response)) => {
                Ok(Proposed { revision: Revision(response.log_id.index), outcome: response.data.0 })
            }
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => {
                Err(lost(format!("no quorum confirmed it within {PROPOSE_TIMEOUT:?}; {}", self.quorum())))
            }
        };
        meter::proposed(fate(&result), began.elapsed());
        result
    }

    pub(super) fn failed(&self, error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Refusal {
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => self.forward(&forward),
            RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
                lost("another controller became the leader meanwhile")
            }
            RaftError::APIError(
                error
                @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)),
            ) => Refusal::Unavailable { reason: error.to_string() },
            RaftError::Fatal(fatal) => lost(fatal),
        }
    }

    /// A refusal for a caller that has to turn to somebody else.
    pub(super) fn forward(&self, forward: &ForwardToLeader<TypeConfig>) -> Refusal {
        match (&forward.leader_node, forward.reason) {
            (Some(node), ForwardReason::NotLeader | ForwardReason::LeadershipTransfer) => {
                Refusal::NotLeader { leader: Some(node.addr.clone()) }
            }
            (None, ForwardReason::NotLeader | ForwardReason::LeadershipTransfer) => self.not_leading(),
            (_, ForwardReason::LeaseExpired) => Refusal::Unavailable { reason: self.quorum() },
        }
    }
}

fn lost(reason: impl Display) -> Refusal {
    Refusal::Lost { reason: reason.to_string() }
}

fn fate(result: &Result<Proposed, Refusal>) -> Fate {
    match result.as_ref().map_err(Refusal::effect) {
        Ok(_) => Fate::Applied,
        Err(rpc::Effect::None) => Fate::Refused,
        Err(rpc::Effect::Unknown) => Fate::Lost,
    }
}
