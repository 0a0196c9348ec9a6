//! Which location a client counts as. The first that is known counts:
//!
//! 1. what it says itself when it announces that it understands directives (`location=…`);
//! 2. what its `application_name` says behind the last `@`, where that is switched on;
//! 3. the network that its address belongs to, the narrowest one in the table;
//! 4. the handler's own location.
//!
//! A client may say only what is some handler's or server's location, or in the table: otherwise anybody could make up as
//! many as they like.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, RwLock},
};

/// A range of addresses, such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    /// Of the 128 bits of an address; those of IPv4 are the last 32.
    bits: u32,
}

/// What a network must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address and a number of bits, like 10.1.0.0/16 or 2001:db8::/32, without bits behind those")]
pub struct NetworkError;

impl std::str::FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = text.split_once('/').ok_or(NetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let bits: u32 = bits.parse().map_err(|_| NetworkError)?;
        let (most, skipped) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        if bits > most {
            return Err(NetworkError);
        }
        let network = Self { base: number(address), bits: bits + skipped };
        if network.base & !network.mask() == 0 { Ok(network) } else { Err(NetworkError) }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = Ipv6Addr::from(self.base);
        match address.to_ipv4_mapped().filter(|_| self.bits >= 96) {
            Some(v4) => write!(f, "{v4}/{}", self.bits - 96),
            None => write!(f, "{address}/{}", self.bits),
        }
    }
}

impl Network {
    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - self.bits).unwrap_or(0)
    }

    fn has(self, address: u128) -> bool {
        address & self.mask() == self.base
    }
}

/// IPv4 addresses as IPv6 maps them.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// What tells a client's location.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// Of networks.
    pub networks: Vec<(Network, String)>,
    /// Whether `application_name` may say it.
    pub by_application: bool,
}

/// What a client says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) announced: Option<&'a str>,
    pub(crate) application: &'a str,
}

/// Tells locations of clients.
#[derive(Debug)]
pub(crate) struct Map {
    own: Arc<str>,
    table: Vec<(Network, Arc<str>)>,
    by_application: bool,
    /// Those that clients may say.
    known: RwLock<BTreeSet<Arc<str>>>,
}

impl Map {
    pub(crate) fn new(own: &str, locations: &Locations) -> Self {
        let mut table: Vec<(Network, Arc<str>)> =
            locations.networks.iter().map(|(network, name)| (*network, name.as_str().into())).collect();
        table.sort_by_key(|(network, _)| std::cmp::Reverse(network.bits));
        let map = Self {
            own: own.into(),
            table,
            by_application: locations.by_application,
            known: RwLock::default(),
        };
        map.learn(std::iter::empty());
        map
    }

    /// The handler's own.
    pub(crate) fn own(&self) -> &Arc<str> {
        &self.own
    }

    /// These are locations of servers and handlers now.
    pub(crate) fn learn<'a>(&self, locations: impl Iterator<Item = &'a str>) {
        let own = self.table.iter().map(|(_, name)| name.clone()).chain([self.own.clone()]);
        let known: BTreeSet<Arc<str>> = locations.map(Arc::from).chain(own).collect();
        *self.known.write().expect("BUG: nothing panics while holding this lock") = known;
    }

    /// Where a client is.
    pub(crate) fn of(&self, peer: &str, said: Said<'_>) -> Arc<str> {
        let application = said.application.rsplit_once('@').map(|(_, location)| location);
        let sayings = [said.announced, application.filter(|_| self.by_application)];
        let known = self.known.read().expect("BUG: nothing panics while holding this lock");
        let said = sayings.into_iter().flatten().find_map(|location| known.get(location).cloned());
        said.or_else(|| self.of_address(peer)).unwrap_or_else(|| self.own.clone())
    }

    fn of_address(&self, peer: &str) -> Option<Arc<str>> {
        if self.table.is_empty() {
            return None;
        }
        let address = number(peer.parse::<SocketAddr>().ok()?.ip());
        self.table.iter().find(|(network, _)| network.has(address)).map(|(_, location)| location.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(by_application: bool) -> Map {
        let network = |text: &str| text.parse().expect("a network");
        let networks = vec![
            (network("10.0.0.0/8"), "west".into()),
            (network("10.1.0.0/16"), "east".into()),
            (network("2001:db8::/32"), "north".into()),
        ];
        let map = Map::new("home", &Locations { networks, by_application });
        map.learn(["south"].into_iter());
        map
    }

    #[test]
    fn the_narrowest_network_tells_the_location_and_else_the_handlers_own_r22() {
        for (peer, location) in [
            ("10.2.3.4:50000", "west"),
            ("10.1.3.4:50000", "east"),
            ("[::ffff:10.1.3.4]:50000", "east"),
            ("[2001:db8:1::1]:5", "north"),
            ("192.168.1.1:5", "home"),
            ("not an address", "home"),
        ] {
            assert_eq!(&*map(false).of(peer, Said::default()), location, "{peer}");
        }
    }

    #[test]
    fn what_a_client_says_counts_when_such_a_location_is_known_r22() {
        let peer = "10.1.3.4:50000";
        for (by_application, announced, application, location) in [
            (false, Some("south"), "", "south"),
            (false, Some("made up"), "", "east"),
            (true, None, "shop@south", "south"),
            (true, None, "shop@a@home", "home"),
            (true, None, "shop@made up", "east"),
            (true, Some("west"), "shop@south", "west"),
            (true, None, "south", "east"),
            (false, None, "shop@south", "east"),
        ] {
            let said = Said { announced, application };
            assert_eq!(&*map(by_application).of(peer, said), location, "{said:?}");
        }
    }

    #[test]
    fn only_networks_are_networks() {
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.1.0.0/8", "x/8", "10.0.0.0/-1", "2001:db8::/129", ""] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
        for same in ["10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0", "::/0"] {
            assert_eq!(same.parse::<Network>().map(|network| network.to_string()), Ok(same.into()));
        }
        let all: Network = "0.0.0.0/0".parse().expect("all of IPv4");
        assert!(all.has(number("203.0.113.9".parse().expect("an address"))));
        assert!(!all.has(number("2001:db8::1".parse().expect("an address"))));
        let every: Network = "::/0".parse().expect("everything");
        assert!(every.has(number("203.0.113.9".parse().expect("an address"))));
    }
}
