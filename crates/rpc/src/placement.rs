//! What the leader tells of placement: how servers stand, what it would move, what it moved, and why (R23, S10).
//!
//! Utilisations are shares of a server's capacity, 1 for all of it. Nothing here decides anything.

use model::{DatabaseId, Name, ServerState, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::controller::DatabaseRef;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacementRequest {
    /// How servers and budgets stand.
    Status,
    /// What would be moved now. Moves nothing.
    Plan,
    /// What every server would mean for one database.
    Explain {
        /// Which.
        database: DatabaseRef,
    },
    /// The last moves that the policy made, newest last.
    Log {
        /// At most so many.
        limit: u32,
    },
}

/// The answer to each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PlacementAnswer {
    /// To [`PlacementRequest::Status`].
    Status(PlacementStatus),
    /// To [`PlacementRequest::Plan`].
    Plan(PlacementPlan),
    /// To [`PlacementRequest::Explain`].
    Explanation(PlacementExplanation),
    /// To [`PlacementRequest::Log`].
    Log(Vec<LoggedMove>),
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementStatus {
    /// `auto`, `recommend` or `off`.
    pub mode: String,
    /// Why nothing is moved for load and distance at the moment, if so.
    pub held: Option<String>,
    /// The mean utilisation of servers that take databases.
    pub mean: f64,
    /// Above it a server gives at once.
    pub urgent: f64,
    /// No target goes above it.
    pub ceiling: f64,
    /// The mean if the largest location failed; nothing where there is one.
    pub mean_without_largest_location: Option<f64>,
    /// How many moves the budgets allow now: tidying ones, those for distance among them, urgent ones.
    pub tokens: [f64; 3],
    /// Moves under way.
    pub under_way: u32,
    /// Why more was not moved in the last round, and how often.
    pub skipped: Vec<(String, u32)>,
    /// Databases that no server can carry below its limits, and the cores that they need.
    pub too_hot: Vec<(Name, f64)>,
    /// Databases that cannot be where they are pinned to.
    pub unplaceable: Vec<Name>,
    /// All servers.
    pub servers: Vec<PlacementServer>,
}

/// How a server stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementServer {
    /// Its name.
    pub name: Name,
    /// Region, zone or rack.
    pub location: String,
    /// Whether it takes databases.
    pub state: ServerState,
    /// How many it owns.
    pub databases: u64,
    /// What it uses, if that is known.
    pub utilization: Option<f64>,
    /// What it can carry, in cores; where nobody has said so, what its operator said.
    pub capacity: f64,
    /// Who says what it uses.
    pub source: Option<String>,
    /// How old that is, in milliseconds.
    pub age_ms: Option<u64>,
    /// Whether it gives databases away.
    pub gives: bool,
}

/// What would be moved now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementPlan {
    /// Why nothing of it is carried out, if so.
    pub held: Option<String>,
    /// The moves, in order.
    pub moves: Vec<PlannedMove>,
    /// Why it is not more, and how often.
    pub skipped: Vec<(String, u32)>,
}

/// A move, and what it is expected to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedMove {
    /// Which database.
    pub database: DatabaseId,
    /// Its name.
    pub name: Name,
    /// The server that gives it.
    pub from: Name,
    /// The server that gets it.
    pub to: Name,
    /// `load`, `urgent`, `location` or `pin`.
    pub reason: String,
    /// The giver's utilisation before and after.
    pub from_utilization: [f64; 2],
    /// The other's.
    pub to_utilization: [f64; 2],
    /// The clients' mean round trip before and after, in milliseconds.
    pub round_trip_ms: [f64; 2],
    /// What the database adds to the objective by load, before and after.
    pub load_term: [f64; 2],
    /// And by distance.
    pub distance_term: [f64; 2],
    /// What the move gains, its cost taken off.
    pub gain: f64,
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedMove {
    /// When.
    pub at: TimestampMs,
    /// Which database.
    pub database: DatabaseId,
    /// Its name then.
    pub name: Option<Name>,
    /// The server that gave it.
    pub from: String,
    /// The server that got it.
    pub to: String,
    /// Why.
    pub cause: String,
    /// The values that it was decided on, and the effect that was expected.
    pub evidence: String,
    /// What the utilisations of both servers were half a minute after; unknown to a leader that came later.
    pub actual: Option<[f64; 2]>,
}

/// What decides about one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementExplanation {
    /// Which.
    pub database: DatabaseId,
    /// Its name.
    pub name: Name,
    /// Where it is pinned to.
    pub pin: Option<String>,
    /// What it needs, in cores.
    pub cores: f64,
    /// Requests per second.
    pub requests_per_second: f64,
    /// Where they come from, and which share of them.
    pub clients: Vec<(String, f64)>,
    /// In words, why it stays or goes.
    pub summary: String,
    /// Every server, the present one first, then from the best to the worst.
    pub offers: Vec<PlacementOffer>,
}

/// What a server would mean for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementOffer {
    /// The server.
    pub server: Name,
    /// Where it is.
    pub location: String,
    /// Its utilisation without and with the database.
    pub utilization: [f64; 2],
    /// The clients' mean round trip, in milliseconds.
    pub round_trip_ms: f64,
    /// What the database adds to the objective by load.
    pub load_term: f64,
    /// And by distance.
    pub distance_term: f64,
    /// By how much the objective would fall, the cost of moving taken off.
    pub gain: f64,
    /// What speaks for or against it.
    pub verdict: String,
}

/// Where an operator wants a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinTarget {
    /// On this server.
    Server(String),
    /// In this location.
    Location(String),
}
