//! The kinds of settings there are: what each accepts, and how it is written in TOML.

use std::{net::SocketAddr, path::PathBuf};

use model::{ADDRESS_BYTES_MAX, ControllerId, Name};

use rpc::load::LoadSource;

use super::value::Value;

/// A kind of setting.
pub trait Setting: Sized {
    /// Reads a value of this kind.
    ///
    /// # Errors
    /// What it must be instead, to follow "must be".
    fn read(value: &Value) -> Result<Self, String>;

    /// Its form in a TOML file.
    fn to_toml(&self) -> String;
}

/// An address that others reach this process at: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub String);

/// Where all databases' journals are: a directory or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub String);

/// The controllers that found the fleet: id and address of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(pub Vec<(ControllerId, String)>);

/// Networks of clients, and the location of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientNetworks(pub Vec<(handler::Network, String)>);

/// Where loads come from, those preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadSources(pub Vec<LoadSource>);

/// Where Prometheus servers are, those preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls(pub Vec<String>);

/// How a process writes its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line.
    Json,
}

/// Which log lines are written, in the form of `RUST_LOG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(pub String);

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A text.
pub(super) fn text(value: &Value, expected: &str) -> Result<String, String> {
    match value {
        Value::Text(text) | Value::Outside(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Boolean(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
            Err(expected.into())
        }
    }
}

impl Setting for u64 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Integer(integer) => integer.and_then(|integer| u64::try_from(integer).ok()),
            Value::Outside(text) => text.trim().parse().ok(),
            Value::Text(_) | Value::Boolean(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
        };
        number.ok_or_else(|| "a whole number, not negative".into())
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Setting for bool {
    fn read(value: &Value) -> Result<Self, String> {
        let boolean = match value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::Outside(text) => text.trim().parse().ok(),
            Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
        };
        boolean.ok_or_else(|| "true or false".into())
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    fn read(value: &Value) -> Result<Self, String> {
        text(value, "a text in quotes")
    }

    fn to_toml(&self) -> String {
        quoted(self)
    }
}

impl Setting for PathBuf {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a path in quotes";
        match text(value, expected)? {
            text if text.is_empty() => Err(expected.into()),
            text => Ok(Self::from(text)),
        }
    }

    fn to_toml(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl Setting for Place {
    fn read(value: &Value) -> Result<Self, String> {
        let text = text(value, "a directory or a URL in quotes")?;
        match journal::Place::of(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("a directory or a URL that can be used: {error}")),
        }
    }

    fn to_toml(&self) -> String {
        quoted(&self.0)
    }
}

impl Setting for SocketAddr {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "an IP address and a port to listen on, like \"127.0.0.1:7432\" or \"[::]:7432\"";
        let address: Self = text(value, expected)?.parse().map_err(|_| String::from(expected))?;
        if address.port() == 0 { Err(expected.into()) } else { Ok(address) }
    }

    fn to_toml(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Setting for Name {
    fn read(value: &Value) -> Result<Self, String> {
        Self::new(&text(value, "a name in quotes")?).map_err(|error| format!("a valid name: {error}"))
    }

    fn to_toml(&self) -> String {
        quoted(self)
    }
}

impl Setting for Address {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a host and a port that others can reach, like \"db1.example.org:7432\"";
        let text = text(value, expected)?;
        let sound = text.len() <= ADDRESS_BYTES_MAX
            && !text.contains(char::is_whitespace)
            && text.rsplit_once(':').is_some_and(|(host, port)| {
                let bracketed = host.starts_with('[') && host.ends_with(']');
                !host.is_empty()
                    && (bracketed || !host.contains(':'))
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
        if sound { Ok(Self(text)) } else { Err(expected.into()) }
    }

    fn to_toml(&self) -> String {
        quoted(&self.0)
    }
}

impl Setting for Vec<Address> {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a list of addresses, like [\"127.0.0.1:7101\", \"127.0.0.1:7102\"]";
        let addresses: Self = match value {
            Value::List(items) => items.iter().map(Address::read).collect::<Result<_, _>>(),
            Value::Outside(text) => {
                text.split(',').map(|item| Address::read(&Value::Outside(item.trim().into()))).collect()
            }
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Table(_) | Value::Other(_) => {
                Err(expected.into())
            }
        }
        .map_err(|_| String::from(expected))?;
        let repeated = (1..addresses.len()).find(|at| addresses[..*at].contains(&addresses[*at]));
        match repeated {
            _ if addresses.is_empty() => Err(format!("{expected}, with at least one")),
            Some(at) => Err(format!("a list that names {} once", addresses[at].0)),
            None => Ok(addresses),
        }
    }

    fn to_toml(&self) -> String {
        format!("[{}]", self.iter().map(Setting::to_toml).collect::<Vec<_>>().join(", "))
    }
}

impl Setting for Vec<Name> {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a list of names, like [\"ann\", \"bob\"]";
        match value {
            Value::List(items) => items.iter().map(Name::read).collect::<Result<_, _>>(),
            Value::Outside(text) => text
                .split(',')
                .filter(|item| !item.trim().is_empty())
                .map(|item| Name::read(&Value::Outside(item.trim().into())))
                .collect(),
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Table(_) | Value::Other(_) => {
                Err(expected.into())
            }
        }
        .map_err(|_: String| expected.into())
    }

    fn to_toml(&self) -> String {
        format!("[{}]", self.iter().map(Setting::to_toml).collect::<Vec<_>>().join(", "))
    }
}

impl Setting for Members {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "ids and addresses, like { 1 = \"127.0.0.1:7101\", 2 = \"127.0.0.1:7102\" }";
        let pairs: Vec<(String, Value)> = match value {
            Value::Table(pairs) => pairs.clone(),
            Value::Outside(text) => text
                .split(',')
                .filter_map(|pair| pair.split_once('='))
                .map(|(id, address)| (id.trim().into(), Value::Outside(address.trim().into())))
                .collect(),
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::List(_) | Value::Other(_) => {
                return Err(expected.into());
            }
        };
        let mut members = Vec::with_capacity(pairs.len());
        for (id, address) in pairs {
            let id = id.parse().map(ControllerId).map_err(|_| String::from(expected))?;
            let Address(address) = Address::read(&address).map_err(|_| String::from(expected))?;
            if members.iter().any(|(known, at)| *known == id || *at == address) {
                return Err(format!("ids and addresses that differ; {id} = {address:?} repeats one"));
            }
            members.push((id, address));
        }
        members.sort();
        if members.is_empty() { Err(format!("{expected}, at least one")) } else { Ok(Self(members)) }
    }

    fn to_toml(&self) -> String {
        let pairs = self.0.iter().map(|(id, address)| format!("{id} = {}", quoted(address)));
        format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
    }
}

/// The items of a list, each read by `item`.
fn list<T>(value: &Value, expected: &str, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let items: Option<Vec<T>> = match value {
        Value::List(items) => {
            items.iter().map(|value| text(value, expected).ok().and_then(|text| item(&text))).collect()
        }
        Value::Outside(text) => text.split(',').map(|part| item(part.trim())).collect(),
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Table(_) | Value::Other(_) => None,
    };
    items.filter(|items| !items.is_empty()).ok_or_else(|| expected.into())
}

fn listed<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}

impl Setting for LoadSources {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a list of \"heartbeat\" and \"prometheus\", each once at most";
        let source = |text: &str| {
            [LoadSource::Heartbeat, LoadSource::Prometheus].into_iter().find(|source| source.name() == text)
        };
        let sources = list(value, expected, source)?;
        let repeated = (1..sources.len()).any(|at| sources[..at].contains(&sources[at]));
        if repeated { Err(expected.into()) } else { Ok(Self(sources)) }
    }

    fn to_toml(&self) -> String {
        listed(self.0.iter().map(|source| source.name()))
    }
}

impl Setting for Urls {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "a list of URLs like [\"http://prometheus:9090\"]";
        let url = |text: &str| controller::Place::read(text).is_ok().then(|| text.to_string());
        Ok(Self(list(value, expected, url)?))
    }

    fn to_toml(&self) -> String {
        listed(self.0.iter().map(String::as_str))
    }
}

impl Setting for ClientNetworks {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "networks and locations, like { \"10.1.0.0/16\" = \"west\" }";
        let pairs: Vec<(String, String)> = match value {
            Value::Table(pairs) => {
                let pair =
                    |(network, location): &(String, Value)| Ok((network.clone(), text(location, expected)?));
                pairs.iter().map(pair).collect::<Result<_, String>>()?
            }
            Value::Outside(text) if text.trim().is_empty() => Vec::new(),
            Value::Outside(text) => text
                .split(',')
                .map(|pair| pair.split_once('=').ok_or(expected))
                .map(|pair| pair.map(|(network, location)| (network.trim().into(), location.trim().into())))
                .collect::<Result<_, _>>()?,
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::List(_) | Value::Other(_) => {
                return Err(expected.into());
            }
        };
        let mut networks = Vec::with_capacity(pairs.len());
        for (network, location) in pairs {
            let network = network.parse().map_err(|error| format!("{error}; this is {network:?}"))?;
            networks.push((network, location));
        }
        Ok(Self(networks))
    }

    fn to_toml(&self) -> String {
        let pairs =
            self.0.iter().map(|(network, at)| format!("{} = {}", quoted(&network.to_string()), quoted(at)));
        match &pairs.collect::<Vec<_>>()[..] {
            [] => "{}".into(),
            pairs => format!("{{ {} }}", pairs.join(", ")),
        }
    }
}

impl Setting for LogFormat {
    fn read(value: &Value) -> Result<Self, String> {
        match text(value, "\"text\" or \"json\"")?.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("\"text\" or \"json\"".into()),
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Self::Text => quoted("text"),
            Self::Json => quoted("json"),
        }
    }
}

impl Setting for LogFilter {
    fn read(value: &Value) -> Result<Self, String> {
        let text = text(value, "a filter in quotes, like \"info,controller=debug\"")?;
        tracing_subscriber::EnvFilter::try_new(&text)
            .map(|_| Self(text))
            .map_err(|error| format!("a filter like \"info,controller=debug\" ({error})"))
    }

    fn to_toml(&self) -> String {
        quoted(&self.0)
    }
}
