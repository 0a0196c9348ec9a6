//! Small fleets for tests of decisions.

use model::{
    Command, Entry, Fleet, Incarnation, Name, Registration, Revision, ServerId, Tenure, TimestampMs,
};

/// Servers `s1`, `s2` … in locations a and b by turns, and databases `d1`, `d2` … on them by owner. Each took a revision.
pub fn fleet(capacities: &[u32], owners: &[u32]) -> Fleet {
    let mut fleet = Fleet::default();
    let mut revision = 0;
    let mut apply = |command| {
        revision += 1;
        fleet.apply(Revision(revision), &Entry::new(TimestampMs(0), command)).expect("a good history");
    };
    for (number, capacity) in (1..).zip(capacities) {
        let registration = Registration {
            name: Name::new(&format!("s{number}")).expect("a name"),
            data_address: "a:1".into(),
            control_address: "a:2".into(),
            location: if number % 2 == 1 { "a".into() } else { "b".into() },
            capacity: *capacity,
        };
        let incarnation = tenure(number).incarnation;
        apply(Command::RegisterServer { registration, supersedes: None, incarnation });
    }
    for (number, owner) in (1..).zip(owners) {
        let name = Name::new(&format!("d{number}")).expect("a name");
        apply(Command::CreateDatabase { name, owner: Some(tenure(*owner)), key: None });
    }
    fleet
}

/// The only life of such a server.
pub fn tenure(number: u32) -> Tenure {
    Tenure { server: ServerId(number), incarnation: Incarnation(number.into()) }
}
