//! Maps of a given size.

use model::{
    Command, DatabaseId, Entry, Fleet, FleetId, IdempotencyKey, Name, Registration, Revision, ServerId,
    Tenure, TimestampMs,
};

use crate::servers;

/// A map with all servers and no database.
pub fn with_servers() -> anyhow::Result<Fleet> {
    let mut fleet = Fleet::default();
    apply(&mut fleet, Command::Found { fleet: FleetId(7) })?;
    for number in 1..=servers::COUNT {
        let registration = Registration {
            name: Name::new(&format!("server-{number}"))?,
            data_address: servers::address(number),
            control_address: servers::address(number),
            location: "west".into(),
            capacity: 1,
        };
        let incarnation = servers::incarnation(number);
        apply(&mut fleet, Command::RegisterServer { registration, supersedes: None, incarnation })?;
    }
    Ok(fleet)
}

/// Makes so many databases more, spread over all servers.
pub fn create(fleet: &mut Fleet, databases: u64) -> anyhow::Result<()> {
    for _ in 0..databases {
        let number = fleet.databases_len() as u64 + 1;
        let server = (number % u64::from(servers::COUNT)) as u32 + 1;
        let owner = Some(Tenure { server: ServerId(server), incarnation: servers::incarnation(server) });
        let key = Some(IdempotencyKey(u128::from(number)));
        apply(fleet, Command::CreateDatabase { name: name(number)?, owner, key })?;
    }
    Ok(())
}

/// Names come in no order of their own, as in real life.
fn name(number: u64) -> anyhow::Result<Name> {
    Ok(Name::new(&format!("customer-{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))?)
}

/// Whether the database of that number is found by its name.
pub fn look_up(fleet: &Fleet, number: u64) -> bool {
    name(number).is_ok_and(|name| fleet.database_named(&name) == Some(DatabaseId(number)))
}

fn apply(fleet: &mut Fleet, command: Command) -> anyhow::Result<()> {
    let revision = Revision(fleet.revision().0 + 1);
    fleet.apply(revision, &Entry::new(TimestampMs(0), command))?;
    Ok(())
}
