//! The server role over its own ports: real tasks, threads and journal, an invented network and controllers.

mod support;

mod commits;
mod directives;
mod exactly_once;
mod history;
mod lone_commits;
mod ports;
mod protection;
mod residency;
mod sessions;
mod sqlite;
