//! Measurements, all of optimised builds: figures of others say nothing.

pub mod cluster;
pub mod etcd;
pub mod relay;
mod slow_sync;
pub mod wire;
