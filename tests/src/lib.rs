//! A cluster of real processes, sockets and files for tests.
//!
//! `Cluster::builder().controllers(3).handlers(2).servers(3).start()` gives one; its processes can be killed, stopped and
//! restarted one by one. The tests themselves are in `tests/cluster/`, one file for each behaviour.
//! Nothing here waits a fixed time: [`until`] waits for a condition, and says at its deadline what it last saw.

mod admin;
mod binary;
mod cli;
mod clients;
mod cluster;
mod listener;
mod logs;
mod ports;
mod process;
mod prometheus;
mod raw;
mod reaper;
mod s3;
mod session;
mod wait;
/// A long line to a server.
#[path = "../../crates/driver/tests/driver/support/wan.rs"]
pub mod wan;

pub use admin::{Sample, get, parse as parse_metrics, post};
pub use binary::binary;
pub use cli::{Cli, Ran, Running};
pub use clients::{PgEnv, java, java_class_path, node, program, python, python_driver, python_has};
pub use cluster::{Builder, Cluster, Host, PASSWORD, Role, USER};
pub use listener::Listener;
pub use logs::Tail;
pub use ports::Ports;
pub use process::Process;
pub use prometheus::{Exporter, Prometheus};
pub use raw::Raw;
pub use reaper::Reaper;
pub use s3::{S3Fault, S3Server};
pub use session::{Session, code, message};
pub use wait::{DEADLINE, until};
