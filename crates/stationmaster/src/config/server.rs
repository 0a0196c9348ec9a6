//! `[server]`: serves databases.

use std::{net::SocketAddr, path::PathBuf};

use server::{Settings, engine::Limits};

use super::{
    handler::controllers,
    process::{Common, advertised},
    reader::Reader,
    setting::Place,
};

/// What the table says: where to listen, and the role's own settings.
pub struct Server {
    /// Its PostgreSQL port.
    pub data_listen: SocketAddr,
    /// Its control port.
    pub control_listen: SocketAddr,
    /// Where its console is, if it has one.
    pub console_listen: Option<SocketAddr>,
    /// Rules for conditions, beside the built-in ones.
    pub rules_file: Option<PathBuf>,
    /// What monitors have to show when they post.
    pub monitor_token_file: Option<PathBuf>,
    /// The role's own.
    pub settings: Settings,
}

/// Reads the table; `None` only after a complaint.
pub fn read(reader: &mut Reader<'_>) -> (Option<Server>, Common) {
    let name = reader.required("name", "\"server-1\"");
    let data_listen = reader.required("data_listen", "\"127.0.0.1:7201\"");
    let data_address = advertised(reader, "data_address", data_listen);
    let control_listen = reader.required("control_listen", "\"127.0.0.1:7301\"");
    let control_address = advertised(reader, "control_address", control_listen);
    let location = reader.or("location", String::new());
    let capacity = reader.number("capacity", Settings::DEFAULT_CAPACITY.into(), 1..=1_000_000);
    let cpu_millicores = reader.optional::<u64>("cpu_millicores");
    if cpu_millicores.is_some_and(|cores| !(10..=10_000_000).contains(&cores)) {
        reader.complain("cpu_millicores", "must be a whole number from 10 to 10000000".into());
    }
    let controllers = controllers(reader);
    let journal = reader.required("journal", "\"/srv/stationmaster/journal\"").map(|Place(place)| place);
    let history = reader.millis("history_ms", Settings::DEFAULT_HISTORY, 0..=YEAR_MS);
    let data_dir = reader.required::<PathBuf>("data_dir", "\"/var/lib/stationmaster/server\"");
    let loaded = reader.count("databases_loaded_max", Settings::DEFAULT_DATABASES_LOADED_MAX, 1..=10_000_000);
    let idle = reader.millis("idle_put_away_ms", Settings::DEFAULT_IDLE_PUT_AWAY, 0..=MONTH_MS);
    let sessions_max = reader.count("sessions_max", Settings::DEFAULT_SESSIONS_MAX, 1..=1_000_000);
    let database = limits(reader);
    let console_listen = reader.optional("console_listen");
    let rules_file = reader.optional("rules_file");
    let monitor_token_file = reader.optional("monitor_token_file");
    let common = Common::read(reader);
    let server = (|| {
        let settings = Settings {
            name: name?,
            data_address: data_address?,
            control_address: control_address?,
            location,
            capacity: u32::try_from(capacity).expect("BUG: bounded above"),
            cpu_cores: cpu_millicores.map(|cores| cores as f64 / 1e3),
            controllers: controllers?,
            data_dir: data_dir?,
            journal: journal?,
            history,
            databases_loaded_max: loaded,
            idle_put_away: idle,
            sessions_max,
            database,
        };
        let (data_listen, control_listen) = (data_listen?, control_listen?);
        Some(Server { data_listen, control_listen, console_listen, rules_file, monitor_token_file, settings })
    })();
    (server, common)
}

/// The longest time that makes sense for waiting, in milliseconds.
const MONTH_MS: u64 = 30 * 24 * 3_600_000;
/// The longest history that makes sense, in milliseconds.
const YEAR_MS: u64 = 366 * 24 * 3_600_000;

/// What one database may use.
fn limits(reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    let value = reader.number("database_value_bytes_max", default.value_bytes_max.into(), 1024..=(1 << 30));
    Limits {
        size_bytes_max: reader.number(
            "database_size_bytes_max",
            default.size_bytes_max,
            (1 << 20)..=(1 << 46),
        ),
        value_bytes_max: u32::try_from(value).expect("BUG: bounded above"),
        sessions_max: reader.count("database_sessions_max", default.sessions_max, 1..=1_000_000),
        statement_timeout: reader.millis(
            "database_statement_timeout_ms",
            default.statement_timeout,
            0..=MONTH_MS,
        ),
        ..default
    }
}
