//! Where a new session is to go: the application's configuration, and what a logical name stands for at present.

use std::time::Duration;

use directive::Values;
use tokio_postgres::config::{Config, Host, TargetSessionAttrs};

use super::Shared;
use crate::{
    Error,
    protocol::{Address, addresses},
};

/// A destination.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) addresses: Vec<Address>,
    pub(crate) database: String,
    /// The version of the logical name, where a directive gave it.
    pub(crate) version: Option<u64>,
}

impl Shared {
    /// Where a session for that logical name, or for none, goes now.
    pub(crate) fn plan(&self, source: Option<&str>, database: Option<&str>) -> Result<Plan, Error> {
        let own = &self.config.postgres;
        let base = match source.and_then(|name| self.config.sources.get(name)) {
            Some(source) => merged(source, own),
            None => own.clone(),
        };
        let now = self.processor.now();
        let said = source.and_then(|name| {
            let state = self.processor.state();
            state.source(name, now).map(|source| (source.version, source.parameters.clone()))
        });
        let (mut config, version) = match said {
            Some((version, values)) => (merged(&parameters(&values), &base), Some(version)),
            None => (base, None),
        };
        if let Some(database) = database {
            config.dbname(database);
        }
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default().to_owned();
        Ok(Plan { addresses: addresses(&config)?, config, database, version })
    }
}

/// A data source's parameters, which were checked when they came. What cannot be read is left to the base.
fn parameters(values: &Values) -> Config {
    let mut config = Config::new();
    for (name, value) in values {
        match name.as_str() {
            "host" => drop(config.host(value)),
            "port" => {
                if let Ok(port) = value.parse() {
                    config.port(port);
                }
            }
            "dbname" => drop(config.dbname(value)),
            "user" => drop(config.user(value)),
            "application_name" => drop(config.application_name(value)),
            "connect_timeout" => {
                if let Ok(seconds) = value.parse() {
                    config.connect_timeout(Duration::from_secs(seconds));
                }
            }
            "target_session_attrs" => {
                let wanted = match value.as_str() {
                    "read-write" => TargetSessionAttrs::ReadWrite,
                    "read-only" => TargetSessionAttrs::ReadOnly,
                    _ => TargetSessionAttrs::Any,
                };
                config.target_session_attrs(wanted);
            }
            _ => {}
        }
    }
    config
}

/// What `over` says, and for the rest what `base` does. Secrets and TLS are always those of the application.
fn merged(over: &Config, base: &Config) -> Config {
    let mut config = base.clone();
    if !over.get_hosts().is_empty() || !over.get_hostaddrs().is_empty() || !over.get_ports().is_empty() {
        config = without_hosts(base);
        let hosts = if over.get_hosts().is_empty() && over.get_hostaddrs().is_empty() { base } else { over };
        for host in hosts.get_hosts() {
            match host {
                Host::Tcp(name) => drop(config.host(name)),
                Host::Unix(path) => drop(config.host_path(path)),
            }
        }
        for address in hosts.get_hostaddrs() {
            config.hostaddr(*address);
        }
        let ports = if over.get_ports().is_empty() { base.get_ports() } else { over.get_ports() };
        for port in ports {
            config.port(*port);
        }
    }
    if let Some(user) = over.get_user() {
        config.user(user);
    }
    if let Some(password) = over.get_password() {
        config.password(password);
    }
    if let Some(database) = over.get_dbname() {
        config.dbname(database);
    }
    if let Some(name) = over.get_application_name() {
        config.application_name(name);
    }
    if let Some(limit) = over.get_connect_timeout() {
        config.connect_timeout(*limit);
    }
    if over.get_target_session_attrs() != TargetSessionAttrs::Any {
        config.target_session_attrs(over.get_target_session_attrs());
    }
    config
}

/// tokio-postgres' configuration only adds hosts, so a new one is begun.
fn without_hosts(base: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = base.get_user() {
        config.user(user);
    }
    if let Some(password) = base.get_password() {
        config.password(password);
    }
    if let Some(database) = base.get_dbname() {
        config.dbname(database);
    }
    if let Some(options) = base.get_options() {
        config.options(options);
    }
    if let Some(name) = base.get_application_name() {
        config.application_name(name);
    }
    if let Some(limit) = base.get_connect_timeout() {
        config.connect_timeout(*limit);
    }
    config.ssl_mode(base.get_ssl_mode()).ssl_negotiation(base.get_ssl_negotiation());
    config.channel_binding(base.get_channel_binding());
    config.target_session_attrs(base.get_target_session_attrs());
    config.load_balance_hosts(base.get_load_balance_hosts());
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r87_a_source_changes_where_to_go_and_nothing_about_secrets_or_tls() {
        let base: Config = "host=a,b port=1,2 user=u password=p dbname=d sslmode=require options=-cx.y=1"
            .parse()
            .expect("right");
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let there = merged(&parameters(&values(&[("host", "c"), ("port", "9"), ("dbname", "e")])), &base);
        let list: Vec<_> = addresses(&there).expect("right").iter().map(ToString::to_string).collect();
        assert_eq!(list, ["c:9"]);
        assert_eq!((there.get_dbname(), there.get_user()), (Some("e"), Some("u")));
        assert_eq!(there.get_password(), Some(b"p".as_slice()));
        assert_eq!((there.get_ssl_mode(), there.get_options()), (base.get_ssl_mode(), base.get_options()));
        let same = merged(&parameters(&values(&[("application_name", "x"), ("port", "no")])), &base);
        assert_eq!(addresses(&same).expect("right").len(), 2);
    }
}
