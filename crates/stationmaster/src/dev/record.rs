//! What a cluster in a folder looks like, remembered from start to start.

use std::{fs, io, net::Ipv4Addr, path::Path};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::Flags;
use crate::failure::Usage;

/// The file it is kept in.
const FILE: &str = "cluster.toml";
/// The first controller's port.
const CONTROLLER_PORT: u16 = 7101;
/// Most controllers: the last one's port is 7109.
const CONTROLLERS_MAX: u16 = 9;
/// Most handlers, and most servers.
const OTHERS_MAX: u16 = 64;
/// The highest port without an offset is 9364.
const OFFSET_MAX: u16 = u16::MAX - 9364;

/// The shape of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Controllers. Fixed: they know each other.
    pub controllers: u16,
    /// Handlers.
    pub handlers: u16,
    /// Servers.
    pub servers: u16,
    /// Added to every port. Fixed: the controllers know each other by address.
    pub port_offset: u16,
}

impl Record {
    /// That of a folder, if a cluster is there.
    pub fn load(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let record = toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(record))
    }

    /// Keeps it in a folder.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FILE);
        let text = toml::to_string(self).expect("BUG: four numbers are TOML");
        fs::write(&path, format!("# The cluster that `stationmaster dev` keeps here.\n{text}"))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The cluster that was there, with what the flags change.
    pub fn decide(before: Option<Self>, flags: &Flags) -> anyhow::Result<Self> {
        let default = Self { controllers: 3, handlers: 2, servers: 3, port_offset: 0 };
        let was = before.as_ref().unwrap_or(&default);
        let record = Self {
            controllers: flags.controllers.unwrap_or(was.controllers),
            handlers: flags.handlers.unwrap_or(was.handlers),
            servers: flags.servers.unwrap_or(was.servers),
            port_offset: flags.port_offset.unwrap_or(was.port_offset),
        };
        within("--controllers", record.controllers, 1, CONTROLLERS_MAX)?;
        within("--handlers", record.handlers, 1, OTHERS_MAX)?;
        within("--servers", record.servers, 1, OTHERS_MAX)?;
        within("--port-offset", record.port_offset, 0, OFFSET_MAX)?;
        if let Some(before) = before {
            fixed("--controllers", before.controllers, record.controllers, flags)?;
            fixed("--port-offset", before.port_offset, record.port_offset, flags)?;
        }
        Ok(record)
    }

    /// Where its controllers listen.
    pub fn controller_addresses(&self) -> Vec<String> {
        (0..self.controllers).map(|index| self.address(CONTROLLER_PORT + index)).collect()
    }

    /// A port of this cluster on loopback.
    pub fn address(&self, port: u16) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, port.saturating_add(self.port_offset))
    }
}

fn within(flag: &str, number: u16, least: u16, most: u16) -> anyhow::Result<()> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    bail!(Usage(format!("{flag} must be from {least} to {most}, not {number}")))
}

fn fixed(flag: &str, before: u16, now: u16, flags: &Flags) -> anyhow::Result<()> {
    if before == now {
        return Ok(());
    }
    let dir = flags.dir.display();
    bail!(Usage(format!(
        "the cluster in {dir} was made with {flag} {before}, which stays; leave {flag} out, \
         or take another folder with --dir"
    )))
}
