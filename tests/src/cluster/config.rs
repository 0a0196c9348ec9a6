//! Configuration files, as an operator would write them.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::Role;

/// Settings beside the ones that every process needs. Values are TOML; `balance.mode` is `mode` in `[balance]`.
pub type Extra = Vec<(Whose, String, String)>;

/// Whose a setting is.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Every process's of a role.
    All(Role),
    /// That of the process of this name.
    One(String),
}

/// The files and ports of one cluster.
pub struct Layout<'a> {
    pub directory: &'a Path,
    pub controllers: &'a [String],
    pub extra: &'a Extra,
    pub log: &'a BTreeMap<String, String>,
}

impl Layout<'_> {
    pub fn controller(&self, id: usize, admin: SocketAddr) -> PathBuf {
        let members = self.controllers.iter().enumerate();
        let members: Vec<_> = members.map(|(at, address)| format!("{} = {address:?}", at + 1)).collect();
        let name = format!("controller-{id}");
        self.write(
            Role::Controller,
            &name,
            &[
                ("id", id.to_string()),
                ("members", format!("{{ {} }}", members.join(", "))),
                ("data_dir", self.path(&name)),
                ("admin_listen", text(admin)),
                ("secret_file", self.path("secret")),
            ],
        )
    }

    /// One that is no founder.
    pub fn joining_controller(&self, id: usize, address: &str, admin: SocketAddr) -> PathBuf {
        let name = format!("controller-{id}");
        self.write(
            Role::Controller,
            &name,
            &[
                ("id", id.to_string()),
                ("address", text(address)),
                ("data_dir", self.path(&name)),
                ("admin_listen", text(admin)),
                ("secret_file", self.path("secret")),
            ],
        )
    }

    pub fn handler(&self, number: usize, listen: SocketAddr, admin: SocketAddr) -> PathBuf {
        let name = format!("handler-{number}");
        self.write(
            Role::Handler,
            &name,
            &[
                ("name", text(&name)),
                ("listen", text(listen)),
                ("controllers", format!("{:?}", self.controllers)),
                ("admin_listen", text(admin)),
                ("secret_file", self.path("secret")),
            ],
        )
    }

    pub fn server(&self, number: usize, data: SocketAddr, control: SocketAddr, admin: SocketAddr) -> PathBuf {
        let name = format!("server-{number}");
        self.write(
            Role::Server,
            &name,
            &[
                ("name", text(&name)),
                ("data_listen", text(data)),
                ("control_listen", text(control)),
                ("controllers", format!("{:?}", self.controllers)),
                ("data_dir", self.path(&name)),
                ("journal", self.path("journal")),
                ("admin_listen", text(admin)),
                ("secret_file", self.path("secret")),
            ],
        )
    }

    fn path(&self, name: &str) -> String {
        text(self.directory.join(name).display())
    }

    fn write(&self, role: Role, name: &str, settings: &[(&str, String)]) -> PathBuf {
        let table = match role {
            Role::Controller => "controller",
            Role::Handler => "handler",
            Role::Server => "server",
        };
        let mut toml = format!("[{table}]\n");
        let extra = self.extra.iter().filter(|(whose, _, _)| match whose {
            Whose::All(of) => *of == role,
            Whose::One(of) => of == name,
        });
        let extra: BTreeMap<&str, &String> = extra.map(|(_, key, value)| (&**key, value)).collect();
        let all =
            settings.iter().map(|(key, value)| (*key, value)).filter(|(key, _)| !extra.contains_key(key));
        let (apart, own): (Vec<_>, Vec<_>) = extra.iter().partition(|(key, _)| key.contains('.'));
        for (key, value) in all.chain(own.into_iter().map(|(key, value)| (*key, *value))) {
            writeln!(toml, "{key} = {value}").expect("writing to memory cannot fail");
        }
        let mut tables: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in apart {
            let (table, key) = key.split_once('.').expect("parted by that");
            writeln!(tables.entry(table).or_default(), "{key} = {value}")
                .expect("writing to memory cannot fail");
        }
        for (table, settings) in tables {
            write!(toml, "\n[{table}]\n{settings}").expect("writing to memory cannot fail");
        }
        toml.push_str("\n[log]\n");
        for (key, value) in self.log {
            writeln!(toml, "{key} = {value:?}").expect("writing to memory cannot fail");
        }
        let path = self.directory.join(format!("{name}.toml"));
        std::fs::write(&path, toml).expect("the configuration can be written");
        path
    }
}

/// A TOML string.
fn text(value: impl ToString) -> String {
    format!("{:?}", value.to_string())
}
