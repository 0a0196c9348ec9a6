//! Which processes make up the cluster: names, ports and configuration files. Pure, but for looking at the ports.

use std::{io, net::SocketAddr};

use anyhow::bail;

use super::{Flags, Folder, Record};
use crate::config::Role;

/// First ports of each kind; the second process of a role has the next port, and so on.
mod port {
    pub const CONTROLLER: u16 = 7101;
    pub const SERVER_DATA: u16 = 7201;
    pub const SERVER_CONTROL: u16 = 7301;
    pub const HANDLER: u16 = 7432;
    pub const CONTROLLER_ADMIN: u16 = 9101;
    pub const SERVER_ADMIN: u16 = 9201;
    pub const HANDLER_ADMIN: u16 = 9301;
}

/// One process of the cluster.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its role.
    pub role: Role,
    /// Its name, as in `server-1`.
    pub name: String,
    /// Where it does its work.
    pub address: String,
    /// Its other port, if it has one.
    pub control: Option<String>,
    /// Its admin port.
    pub admin: String,
    /// Its configuration file's text.
    pub config: String,
}

/// The whole cluster, controllers first.
pub struct Plan {
    /// Its processes.
    pub processes: Vec<Planned>,
}

impl Plan {
    /// The cluster of this shape in this folder.
    pub fn new(record: &Record, folder: &Folder, flags: &Flags) -> Self {
        let writer = Writer { record, folder, flags };
        let controllers = (0..record.controllers).map(|index| writer.controller(index));
        let servers = (0..record.servers).map(|index| writer.server(index));
        let handlers = (0..record.handlers).map(|index| writer.handler(index));
        Self { processes: controllers.chain(servers).chain(handlers).collect() }
    }

    /// The same without those that were removed from their fleet; these.
    ///
    /// # Errors
    /// No controller is left.
    pub fn leave_out(mut self, folder: &Folder) -> anyhow::Result<(Self, Vec<Planned>)> {
        let is_out =
            |planned: &mut Planned| planned.role == Role::Controller && folder.left_out(planned).exists();
        let out: Vec<Planned> = self.processes.extract_if(.., is_out).collect();
        if self.of(Role::Controller).next().is_none() {
            bail!(
                "all controllers in {} were removed from their fleet; go on where that is, or take another \
                 folder with --dir",
                folder.shown()
            );
        }
        Ok((self, out))
    }

    /// Those of one role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Planned> {
        self.processes.iter().filter(move |planned| planned.role == role)
    }

    /// Makes sure that every port is free.
    pub fn check_ports(&self) -> anyhow::Result<()> {
        let ports = self.processes.iter().flat_map(|planned| {
            let control = planned.control.iter().map(|address| (address, "its control port"));
            [(&planned.address, "its port"), (&planned.admin, "its admin port")]
                .into_iter()
                .chain(control)
                .map(|(address, what)| (address.as_str(), what, planned.name.as_str()))
        });
        let taken: Vec<String> =
            ports.filter_map(|(address, what, name)| complaint(address, what, name)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        bail!(
            "nothing was started, because of {}:{}\n  try: stop what listens there (`ss -ltnp` shows it), or \
             --port-offset 1000 with another --dir",
            if taken.len() == 1 { "a port" } else { "some ports" },
            taken.concat()
        )
    }
}

fn complaint(address: &str, what: &str, name: &str) -> Option<String> {
    let parsed: SocketAddr = address.parse().expect("BUG: planned ports are on loopback");
    let error = std::net::TcpListener::bind(parsed).err()?;
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "is taken by another process".into(),
        _ => format!("cannot be used: {error}"),
    };
    Some(format!("\n  {address}, which {name} needs as {what}, {why}"))
}

struct Writer<'a> {
    record: &'a Record,
    folder: &'a Folder,
    flags: &'a Flags,
}

impl Writer<'_> {
    fn controller(&self, index: u16) -> Planned {
        let (id, address) = (index + 1, self.record.address(port::CONTROLLER + index));
        let name = format!("controller-{id}");
        let admin = self.record.address(port::CONTROLLER_ADMIN + index);
        let addresses = self.record.controller_addresses();
        let members = (1..).zip(&addresses).map(|(id, address)| format!("{id} = {}", quoted(address)));
        let config = format!(
            "[controller]\nid = {id}\nmembers = {{ {} }}\ndata_dir = {}\n{}",
            members.collect::<Vec<_>>().join(", "),
            self.path(&name),
            self.rest(&admin)
        );
        Planned { role: Role::Controller, name, address, control: None, admin, config }
    }

    fn server(&self, index: u16) -> Planned {
        let name = format!("server-{}", index + 1);
        let data = self.record.address(port::SERVER_DATA + index);
        let control = self.record.address(port::SERVER_CONTROL + index);
        let admin = self.record.address(port::SERVER_ADMIN + index);
        let config = format!(
            "[server]\nname = {}\ndata_listen = {}\ncontrol_listen = {}\ncontrollers = {}\ndata_dir = {}\n\
             journal = {}\n{}",
            quoted(&name),
            quoted(&data),
            quoted(&control),
            self.controllers(),
            self.path(&name),
            self.path(super::JOURNAL),
            self.rest(&admin)
        );
        Planned { role: Role::Server, name, address: data, control: Some(control), admin, config }
    }

    fn handler(&self, index: u16) -> Planned {
        let name = format!("handler-{}", index + 1);
        let address = self.record.address(port::HANDLER + index);
        let admin = self.record.address(port::HANDLER_ADMIN + index);
        let config = format!(
            "[handler]\nname = {}\nlisten = {}\ncontrollers = {}\n{}",
            quoted(&name),
            quoted(&address),
            self.controllers(),
            self.rest(&admin)
        );
        Planned { role: Role::Handler, name, address, control: None, admin, config }
    }

    fn rest(&self, admin: &str) -> String {
        format!(
            "admin_listen = {}\nsecret_file = {}\n\n[log]\nformat = {}\nfilter = {}\n",
            quoted(admin),
            self.path(super::SECRET),
            quoted(&self.flags.log_format),
            quoted(&self.flags.log_filter)
        )
    }

    fn controllers(&self) -> String {
        let addresses = self.record.controller_addresses();
        format!("[{}]", addresses.iter().map(|address| quoted(address)).collect::<Vec<_>>().join(", "))
    }

    fn path(&self, name: &str) -> String {
        quoted(&self.folder.path(name).display().to_string())
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
