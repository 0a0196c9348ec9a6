//! A request took longer than its database allows: is the server to blame, or the request (R20, R21)?
//!
//! A slow query on a good server must not send its database through the fleet, and a good query must not die of a slow
//! server. Evidence comes from three sides: how the server feels by its own measurements, what else timed out there and
//! elsewhere lately, and what the handler saw. Rules, the first that fits:
//! - A server that does not confirm the end of a request, or has gone silent, is to blame.
//! - While other requests for the same database are answered quickly, the server is not.
//! - A server that feels slow is to blame.
//! - A server where several other databases timed out lately is, unless the same goes on elsewhere: then it is what they
//!   are asked, or something that all servers share.
//! - Else the request takes so long by itself.

use std::{fmt, time::Duration};

use model::OnTimeLimit;
use rpc::{controller::ServerHealth, time_limit::Blame};

use super::Slowness;
use crate::limits::{OVERRUN_CROWD_MIN, REPEATS_MAX};

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// What the database's owner wants.
    pub policy: OnTimeLimit,
    /// How often the request has been provided again already.
    pub repeats: u32,
    /// Whether the server confirmed that it has ended the request.
    pub confirmed: bool,
    /// Other requests for the database that were answered quickly meanwhile.
    pub quick: u64,
    /// How long the server has been silent.
    pub silent: Duration,
    /// A server that is silent for longer has missed heartbeats.
    pub silent_max: Duration,
    /// What it measured of itself.
    pub health: ServerHealth,
    /// Other databases on this server that timed out lately.
    pub others: usize,
    /// The most databases that timed out lately on any other server.
    pub elsewhere: usize,
    /// Whether another server could take the database.
    pub alternative: bool,
}

/// Why the blame is where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The server did not confirm the end of the request.
    Unconfirmed,
    /// It has been silent for so long.
    Silent(Duration),
    /// Other requests for the database were answered quickly.
    Quick(u64),
    /// It feels slow.
    Slow(ServerHealth),
    /// So many other databases timed out there lately.
    Crowd(usize),
    /// As many timed out on another server.
    Everywhere(usize),
    /// Nothing speaks against the server, which feels like this.
    Well(ServerHealth),
}

/// What is done about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Its database gets another server, and it is provided again there.
    Reassign,
    /// It fails: so the blame has it.
    Cancel,
    /// It fails, because the database's options say so.
    CancelByPolicy,
    /// It fails, because it has been provided often enough.
    CancelRepeated,
    /// It fails, because no other server could take the database.
    CancelAlone,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Who is to blame.
    pub blame: Blame,
    /// By what evidence.
    pub why: Why,
    /// What is done.
    pub measure: Measure,
}

/// Judges.
pub fn judge(evidence: &Evidence, slowness: &Slowness) -> Judgement {
    let (blame, why) = blame(evidence, slowness);
    let wanted = match evidence.policy {
        OnTimeLimit::Auto => blame == Blame::Server,
        OnTimeLimit::Always => true,
        OnTimeLimit::Never => false,
    };
    let measure = if !wanted {
        if blame == Blame::Query { Measure::Cancel } else { Measure::CancelByPolicy }
    } else if evidence.repeats >= REPEATS_MAX {
        Measure::CancelRepeated
    } else if !evidence.alternative {
        Measure::CancelAlone
    } else {
        Measure::Reassign
    };
    Judgement { blame, why, measure }
}

fn blame(evidence: &Evidence, slowness: &Slowness) -> (Blame, Why) {
    let Evidence { health, others, elsewhere, .. } = *evidence;
    let crowd = others >= OVERRUN_CROWD_MIN;
    if !evidence.confirmed {
        (Blame::Server, Why::Unconfirmed)
    } else if evidence.silent > evidence.silent_max {
        (Blame::Server, Why::Silent(evidence.silent))
    } else if evidence.quick > 0 {
        (Blame::Query, Why::Quick(evidence.quick))
    } else if slowness.shows(&health) {
        (Blame::Server, Why::Slow(health))
    } else if crowd && others > elsewhere {
        (Blame::Server, Why::Crowd(others))
    } else if crowd {
        (Blame::Query, Why::Everywhere(elsewhere))
    } else {
        (Blame::Query, Why::Well(health))
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.blame {
            Blame::Server => "the server",
            Blame::Query => "the query",
        };
        write!(f, "{who} is to blame: {}", self.why)?;
        f.write_str(match self.measure {
            Measure::Reassign | Measure::Cancel => "",
            Measure::CancelByPolicy => "; on_time_limit is never",
            Measure::CancelRepeated => "; it was provided again often enough",
            Measure::CancelAlone => "; no other server could take the database",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconfirmed => f.write_str("it does not confirm that it has ended the request"),
            Self::Silent(time) => write!(f, "it has not been heard of for {} ms", time.as_millis()),
            Self::Quick(count) => {
                write!(f, "{count} other requests for the database were answered quickly meanwhile")
            }
            Self::Slow(health) => write!(f, "it measures itself slow ({health})"),
            Self::Crowd(others) => write!(f, "{others} other databases timed out on it lately"),
            Self::Everywhere(others) => write!(f, "{others} databases timed out on another server as well"),
            Self::Well(health) => write!(f, "the server is well ({health})"),
        }
    }
}

#[cfg(test)]
mod tests;
