//! Where a server can be reached.

use std::{fmt, path::PathBuf};

use tokio_postgres::{Config, config::Host};

use crate::Error;

const PORT: u16 = 5432;

/// A server's address, as it was configured or as a directive says. Names are resolved for each connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Address {
    /// A host name or IP address, without brackets, and a port.
    Tcp { host: String, name: String, port: u16 },
    /// A directory with a server's socket, and the port in its name.
    Unix { directory: PathBuf, port: u16 },
}

impl Address {
    /// Reads `host:port`, as directives write it.
    pub(crate) fn parse(text: &str) -> Option<Address> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        (!host.is_empty()).then_some(())?;
        Some(Address::Tcp { name: host.clone(), host, port: port.parse().ok()? })
    }

    /// The name for a certificate and the host to connect to.
    pub(crate) fn server_name(&self) -> &str {
        match self {
            Address::Tcp { name, .. } => name,
            Address::Unix { .. } => "",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port, .. } if host.contains(':') => write!(out, "[{host}]:{port}"),
            Address::Tcp { host, port, .. } => write!(out, "{host}:{port}"),
            Address::Unix { directory, port } => write!(out, "{}:{port}", directory.display()),
        }
    }
}

/// All addresses of a configuration, in its order.
pub(crate) fn addresses(config: &Config) -> Result<Vec<Address>, Error> {
    let (hosts, hostaddrs, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(hostaddrs.len());
    if count == 0 {
        return Err(Error::Config("give at least one host".into()));
    }
    if !hosts.is_empty() && !hostaddrs.is_empty() && hosts.len() != hostaddrs.len() {
        return Err(Error::Config(format!(
            "{} hosts but {} hostaddrs; give as many",
            hosts.len(),
            hostaddrs.len()
        )));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::Config(format!(
            "{count} hosts but {} ports; give one port, or one for each host",
            ports.len()
        )));
    }
    let address = |index: usize| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
        let literal = hostaddrs.get(index).map(ToString::to_string);
        match (hosts.get(index), literal) {
            (Some(Host::Tcp(name)), literal) => {
                Address::Tcp { host: literal.unwrap_or_else(|| name.clone()), name: name.clone(), port }
            }
            (Some(Host::Unix(directory)), None) => Address::Unix { directory: directory.clone(), port },
            (Some(Host::Unix(_)) | None, literal) => {
                let host = literal.unwrap_or_default();
                Address::Tcp { name: host.clone(), host, port }
            }
        }
    };
    Ok((0..count).map(address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(config: &str) -> Result<Vec<String>, Error> {
        let config = config.parse().expect("a connection string");
        addresses(&config).map(|list| list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn r64_hosts_and_ports_are_paired_as_in_libpq() {
        for (config, expected) in [
            ("host=a", vec!["a:5432"]),
            ("host=a,b port=1,2", vec!["a:1", "b:2"]),
            ("host=a,b port=7", vec!["a:7", "b:7"]),
            ("host=a hostaddr=10.0.0.1", vec!["10.0.0.1:5432"]),
            ("hostaddr=::1 port=3", vec!["[::1]:3"]),
            ("host=/run/pg", vec!["/run/pg:5432"]),
        ] {
            assert_eq!(list(config).expect("right"), expected, "{config}");
        }
        for config in ["user=x", "host=a,b port=1,2,3", "host=a,b hostaddr=10.0.0.1"] {
            assert!(matches!(list(config), Err(Error::Config(_))), "{config}");
        }
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["a.b:1", "[fd00::5]:5432"] {
            assert_eq!(Address::parse(text).expect("an address").to_string(), text);
        }
        for text in ["a", "a:", ":1", "a:x", "a:70000"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
