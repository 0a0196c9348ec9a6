//! The server role: loads databases, serves them over the PostgreSQL wire and puts them away.

pub mod engine;
