//! What an operator can say about a handler.

use std::time::Duration;

use model::Name;

use crate::{clients::Locations, tls::Tls};

/// A handler's settings, validated by whoever read them. [`Settings::new`] fills in the defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: its identity across restarts.
    pub name: Name,
    /// Where clients and other handlers reach it, `host:port`. At most 260 bytes.
    pub address: String,
    /// Region, zone or rack: free text. Default empty.
    pub location: String,
    /// What tells where its clients are, beside that. Default: nothing, they count as being where the handler is.
    pub client_locations: Locations,
    /// Controllers to ask first, `host:port` each. At least one; the others are learned from these.
    pub controllers: Vec<String>,
    /// Sessions at a time. One more is refused with 53300. Default 20,000.
    pub sessions_max: usize,
    /// Connections that have not authenticated yet, at a time. One more is refused with 53300. Default 4,096.
    pub unauthenticated_max: usize,
    /// How long a connection may take to authenticate before it is closed. Default 10 s.
    pub authentication_timeout: Duration,
    /// How long a session's start, or its next request, waits for a server to serve its database.
    /// Past it the client gets 57P03; for a request whose server was lost, and of which nobody can say what became, 40003.
    /// Default 20 s.
    pub attach_timeout: Duration,
    /// Requests that wait for a server at a time: starts of sessions and requests of sessions whose server is gone.
    /// One more fails at once with 57P03, and its session goes on. Default 10,000.
    pub held_requests_max: usize,
    /// Bytes of such requests. Past it as above. Default 128 MiB.
    pub held_bytes_max: usize,
    /// As [`held_requests_max`](Settings::held_requests_max), for each database. Default 2,000.
    pub held_requests_per_database_max: usize,
    /// As [`held_bytes_max`](Settings::held_bytes_max), for each database. Default 32 MiB.
    pub held_bytes_per_database_max: usize,
    /// How long open transactions and running requests may go on once the handler shuts down. Default 5 s.
    pub drain_timeout: Duration,
    /// Longest message in either direction, in bytes. A longer one ends the session with 08P01.
    /// Default and most: 1 GiB less one byte.
    pub frame_bytes_max: usize,
    /// Threads that serve connections, each with a runtime of its own and its share of the connections: a session then
    /// never wakes another core, which saves about a fifth of the CPU time of a request. 0 serves them on the runtime
    /// that the handler runs on, as simulations want it. Default 0; one for each core is right for production.
    pub threads: usize,
    /// TLS for clients. Default: none is spoken, and who insists on it goes away.
    pub tls: Option<Tls>,
    /// Databases whose route is remembered. The one not used for longest is forgotten first. Default 100,000.
    pub routes_max: usize,
}

impl Settings {
    /// Default of [`sessions_max`](Settings::sessions_max).
    pub const DEFAULT_SESSIONS_MAX: usize = 20_000;
    /// Default of [`unauthenticated_max`](Settings::unauthenticated_max).
    pub const DEFAULT_UNAUTHENTICATED_MAX: usize = 4_096;
    /// Default of [`authentication_timeout`](Settings::authentication_timeout).
    pub const DEFAULT_AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(10);
    /// Default of [`attach_timeout`](Settings::attach_timeout).
    pub const DEFAULT_ATTACH_TIMEOUT: Duration = Duration::from_secs(20);
    /// Default of [`held_requests_max`](Settings::held_requests_max).
    pub const DEFAULT_HELD_REQUESTS_MAX: usize = 10_000;
    /// Default of [`held_bytes_max`](Settings::held_bytes_max).
    pub const DEFAULT_HELD_BYTES_MAX: usize = 128 << 20;
    /// Default of [`held_requests_per_database_max`](Settings::held_requests_per_database_max).
    pub const DEFAULT_HELD_REQUESTS_PER_DATABASE_MAX: usize = 2_000;
    /// Default of [`held_bytes_per_database_max`](Settings::held_bytes_per_database_max).
    pub const DEFAULT_HELD_BYTES_PER_DATABASE_MAX: usize = 32 << 20;
    /// Default of [`drain_timeout`](Settings::drain_timeout).
    pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
    /// Default of [`frame_bytes_max`](Settings::frame_bytes_max).
    pub const DEFAULT_FRAME_BYTES_MAX: usize = wire::limits::FRAME_LEN_MAX;
    /// Default of [`routes_max`](Settings::routes_max).
    pub const DEFAULT_ROUTES_MAX: usize = 100_000;

    /// Settings with every default.
    pub fn new(name: Name, address: String, controllers: Vec<String>) -> Self {
        Self {
            name,
            address,
            location: String::new(),
            client_locations: Locations::default(),
            controllers,
            sessions_max: Self::DEFAULT_SESSIONS_MAX,
            unauthenticated_max: Self::DEFAULT_UNAUTHENTICATED_MAX,
            authentication_timeout: Self::DEFAULT_AUTHENTICATION_TIMEOUT,
            attach_timeout: Self::DEFAULT_ATTACH_TIMEOUT,
            held_requests_max: Self::DEFAULT_HELD_REQUESTS_MAX,
            held_bytes_max: Self::DEFAULT_HELD_BYTES_MAX,
            held_requests_per_database_max: Self::DEFAULT_HELD_REQUESTS_PER_DATABASE_MAX,
            held_bytes_per_database_max: Self::DEFAULT_HELD_BYTES_PER_DATABASE_MAX,
            drain_timeout: Self::DEFAULT_DRAIN_TIMEOUT,
            frame_bytes_max: Self::DEFAULT_FRAME_BYTES_MAX,
            threads: 0,
            tls: None,
            routes_max: Self::DEFAULT_ROUTES_MAX,
        }
    }
}
