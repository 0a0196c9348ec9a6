//! `[handler]`: a front door.

use std::{net::SocketAddr, path::PathBuf};

use handler::{Locations, Settings, TlsFiles};

use super::{
    process::{Common, advertised},
    reader::Reader,
    setting::{Address, ClientNetworks},
};

/// What the table says: where to listen, and the role's own settings.
pub struct Handler {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where clients of this machine find a socket, if there is one.
    pub unix_socket_directory: Option<PathBuf>,
    /// TLS for clients, if any.
    pub tls: Option<TlsFiles>,
    /// The role's own.
    pub settings: Settings,
}

/// The longest time that a client is kept waiting, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// Reads the table; `None` only after a complaint.
pub fn read(reader: &mut Reader<'_>) -> (Option<Handler>, Common) {
    let name = reader.required("name", "\"handler-1\"");
    let listen = reader.required("listen", "\"127.0.0.1:7432\"");
    let unix_socket_directory = reader.optional("unix_socket_directory");
    let address = advertised(reader, "address", listen);
    let location = reader.or("location", String::new());
    let by_application = reader.or("client_location_from_application", false);
    let ClientNetworks(networks) = reader.or("client_networks", ClientNetworks(Vec::new()));
    let client_locations = Locations { networks, by_application };
    let controllers = controllers(reader);
    let sessions_max = reader.count("sessions_max", Settings::DEFAULT_SESSIONS_MAX, 1..=1_000_000);
    let unauthenticated_max =
        reader.count("unauthenticated_max", Settings::DEFAULT_UNAUTHENTICATED_MAX, 1..=1_000_000);
    let authentication_timeout =
        reader.millis("authentication_timeout_ms", Settings::DEFAULT_AUTHENTICATION_TIMEOUT, 100..=HOUR_MS);
    let attach_timeout = reader.millis("attach_timeout_ms", Settings::DEFAULT_ATTACH_TIMEOUT, 100..=HOUR_MS);
    let held = held(reader);
    let drain_timeout = reader.millis("drain_timeout_ms", Settings::DEFAULT_DRAIN_TIMEOUT, 0..=25_000);
    let most = Settings::DEFAULT_FRAME_BYTES_MAX as u64;
    let frame_bytes_max = reader.count("frame_bytes_max", Settings::DEFAULT_FRAME_BYTES_MAX, 16_384..=most);
    let routes_max = reader.count("routes_max", Settings::DEFAULT_ROUTES_MAX, 16..=100_000_000);
    let threads = reader.count("threads", 0, 0..=1024);
    let tls = tls(reader);
    let common = Common::read(reader);
    let handler = (|| {
        let settings = Settings {
            name: name?,
            address: address?,
            location,
            client_locations,
            controllers: controllers?,
            sessions_max,
            unauthenticated_max,
            authentication_timeout,
            attach_timeout,
            held_requests_max: held.requests_max,
            held_bytes_max: held.bytes_max,
            held_requests_per_database_max: held.requests_per_database_max,
            held_bytes_per_database_max: held.bytes_per_database_max,
            drain_timeout,
            frame_bytes_max,
            threads: if threads == 0 { cores() } else { threads },
            routes_max,
            // Read by whoever plays the role.
            tls: None,
        };
        Some(Handler { listen: listen?, unix_socket_directory, tls, settings })
    })();
    (handler, common)
}

/// The files of TLS: both of its own, or none.
fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let certificate = reader.optional::<PathBuf>("tls_certificate_file");
    let key = reader.optional::<PathBuf>("tls_key_file");
    let clients = reader.optional::<PathBuf>("tls_client_ca_file");
    let required = reader.or("tls_required", false);
    if clients.is_some() && !required {
        let why = "needs tls_required = true: who comes without TLS shows no certificate";
        reader.complain("tls_client_ca_file", why.into());
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, clients, required }),
        (None, None) if clients.is_none() && !required => None,
        (None, _) => {
            reader.complain("tls_certificate_file", "is needed for TLS".into());
            None
        }
        (Some(_), None) => {
            reader.complain("tls_key_file", "is needed for TLS".into());
            None
        }
    }
}

/// Bounds of the requests that wait for a server.
struct Held {
    requests_max: usize,
    bytes_max: usize,
    requests_per_database_max: usize,
    bytes_per_database_max: usize,
}

fn held(reader: &mut Reader<'_>) -> Held {
    // A request and what its client sends meanwhile must fit, or nothing is ever held.
    let bytes = 262_144..=1 << 40;
    Held {
        requests_max: reader.count("held_requests_max", Settings::DEFAULT_HELD_REQUESTS_MAX, 1..=1_000_000),
        bytes_max: reader.count("held_bytes_max", Settings::DEFAULT_HELD_BYTES_MAX, bytes.clone()),
        requests_per_database_max: reader.count(
            "held_requests_per_database_max",
            Settings::DEFAULT_HELD_REQUESTS_PER_DATABASE_MAX,
            1..=1_000_000,
        ),
        bytes_per_database_max: reader.count(
            "held_bytes_per_database_max",
            Settings::DEFAULT_HELD_BYTES_PER_DATABASE_MAX,
            bytes,
        ),
    }
}

/// How many cores this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Where the controllers are.
pub fn controllers(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let addresses = reader.required::<Vec<Address>>("controllers", "[\"127.0.0.1:7101\"]")?;
    Some(addresses.into_iter().map(|Address(address)| address).collect())
}
