//! The map as JSON lines: the format of `map export` and `map import`, which stays readable for ever.
//!
//! ```text
//! {"kind":"map","version":1,"fleet":"…","revision":120,"digest":"…"}
//! {"kind":"user","name":"alice","verifier":"SCRAM-SHA-256$…"}
//! {"kind":"database","name":"shop","id":"db-1","epoch":3}
//! {"kind":"option","database":"shop","name":"time_limit","value":"2s"}
//! ```
//! Only `name` and `verifier` of users, `name` of databases, and the three of options are needed: who writes such lines
//! by hand leaves the rest away. A later version may add kinds and fields, and then says so in its first line.

use model::{DatabaseId, Epoch, Fleet, FleetId};
use serde::{Deserialize, Serialize};

/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Line {
    /// Where the rest comes from. The first line, if it is there.
    Map {
        /// Of the format.
        version: u32,
        /// The fleet's id.
        #[serde(skip_serializing_if = "Option::is_none")]
        fleet: Option<String>,
        /// The map's.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
        /// The map's.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// A user.
    User {
        /// Its name.
        name: String,
        /// PostgreSQL's text form of a SCRAM-SHA-256 verifier.
        verifier: String,
    },
    /// A database.
    Database {
        /// Its name.
        name: String,
        /// Its id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// How many owners it had.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    },
    /// An option of a database that is not at its default.
    Option {
        /// The database's name.
        database: String,
        /// The option's name.
        name: String,
        /// Its value, as it is typed.
        value: String,
    },
}

impl Line {
    /// A database's line.
    pub fn database(name: &str, id: DatabaseId, epoch: Epoch) -> Self {
        Self::Database { name: name.into(), id: Some(id.to_string()), epoch: Some(epoch.0) }
    }
}

/// The whole map, line by line.
pub fn of(fleet: &Fleet) -> impl Iterator<Item = Line> + '_ {
    let digest = fleet.digest();
    let head = Line::Map {
        version: VERSION,
        fleet: fleet.id().map(|id: FleetId| id.to_string()),
        revision: Some(digest.revision.0),
        digest: Some(digest.to_string()),
    };
    let users = fleet
        .users()
        .map(|(name, user)| Line::User { name: name.to_string(), verifier: user.verifier.clone() });
    let databases = fleet.databases_after(None).flat_map(|(id, database)| {
        let options = fleet.database_options(id).set_ones().into_iter().map(|option| Line::Option {
            database: database.name.to_string(),
            name: option.name().into(),
            value: option.value(),
        });
        std::iter::once(Line::database(&database.name, id, database.epoch)).chain(options)
    });
    std::iter::once(head).chain(users).chain(databases)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden lines: what was once written is read for ever.
    #[test]
    fn lines_of_version_1_are_written_and_read_as_ever() {
        let golden = [
            r#"{"kind":"map","version":1,"fleet":"00","revision":120,"digest":"0f"}"#,
            r#"{"kind":"user","name":"alice","verifier":"SCRAM-SHA-256$4096:a$b:c"}"#,
            r#"{"kind":"database","name":"shop","id":"db-1","epoch":3}"#,
            r#"{"kind":"database","name":"by hand"}"#,
            r#"{"kind":"option","database":"shop","name":"time_limit","value":"2s"}"#,
        ];
        for text in golden {
            let line: Line = serde_json::from_str(text).expect("a good line");
            assert_eq!(serde_json::to_string(&line).expect("it is plain"), text);
        }
        assert!(serde_json::from_str::<Line>(r#"{"kind":"database","name":"x","size":1}"#).is_err());
    }
}
