//! Who may get a database that has to go somewhere: made, failed over, or drained (R26).
//!
//! The model's policy chooses among the servers that were heard of lately, or among all that are up where there is none.

use std::collections::BTreeSet;

use model::{
    DatabaseId, Fleet, PinnedTo, ServerId, ServerState, Tenure,
    placement::{self, Pin, Placement, Wanted},
};
use tokio::time::Instant;

use super::{
    Scene,
    scene::{Known, worth},
};

/// Where a database goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// The server.
    pub tenure: Tenure,
    /// What the database is expected to need there, in cores.
    pub load: f64,
    /// What that means for the server.
    pub placement: Placement,
}

/// The best server for a database: one that was heard of within `fresh` if there is one, else any that is up; none that
/// is to be avoided, and where it is pinned to.
pub fn place(
    database: DatabaseId,
    known: &Known<'_>,
    avoid: &BTreeSet<ServerId>,
    settings: &placement::Settings,
    fresh: std::time::Duration,
    now: Instant,
) -> Option<Chosen> {
    let scene = Scene::of_servers(known);
    let told = known.sketch.database(database);
    let clients = scene.clients(told);
    let load = told.map_or(0.0, |told| told.cores as f32).max(scene.idle);
    let wanted = Wanted {
        id: database,
        load,
        requests: told.map_or(0.0, |told| worth(told) as f32),
        clients: &clients,
        pin: scene.pin(known.fleet.pin(database)),
        owner: placement::NOWHERE,
    };
    let avoided = |index: &u32| avoid.contains(&scene.tenures[*index as usize].server);
    let silent = |index: &u32| known.liveness.silent(scene.tenures[*index as usize], now) > fresh;
    let all = 0..scene.tenures.len() as u32;
    let not_fresh: Vec<u32> = all.clone().filter(|index| avoided(index) || silent(index)).collect();
    let not_allowed: Vec<u32> = all.filter(avoided).collect();
    let place = |avoid: &[u32]| placement::place(&scene.snapshot, settings, &wanted, avoid);
    let placement = place(&not_fresh).or_else(|| place(&not_allowed))?;
    Some(Chosen { tenure: scene.tenures[placement.server as usize], load: load.into(), placement })
}

/// Whether a pin is what leaves a database without a server.
pub fn pinned(database: DatabaseId, known: &Known<'_>) -> bool {
    Scene::of_servers(known).pin(known.fleet.pin(database)) != Pin::Anywhere
}

/// Databases that no server may serve now because of where they are pinned to.
pub fn nowhere(fleet: &Fleet) -> BTreeSet<DatabaseId> {
    let up = || fleet.servers().filter(|(_, record)| record.state == ServerState::Up);
    let servers: BTreeSet<ServerId> = up().map(|(server, _)| server).collect();
    let locations: BTreeSet<&str> = up().map(|(_, record)| &*record.location).collect();
    let lost = fleet.pins().filter(|(_, pin)| match pin {
        PinnedTo::Server(server) => !servers.contains(server),
        PinnedTo::Location(location) => !locations.contains(&**location),
    });
    lost.map(|(database, _)| database).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{Command, Entry, Incarnation, Name, PinnedTo, Revision, TimestampMs};
    use rpc::{controller::ServerLoad, load::LoadSource};

    use super::*;
    use crate::{
        decide::{
            Liveness, Pending, Sketch,
            fleets::{fleet, tenure},
        },
        loads::{Picture, ServerPicture},
        machine::Tally,
    };

    const LEASE: Duration = Duration::from_secs(2);

    fn chosen(heard: &[u32], avoid: &[u32]) -> Option<u32> {
        let start = Instant::now();
        let now = start + LEASE;
        let mut liveness = Liveness::new(LEASE, LEASE / 4, start);
        for server in heard {
            liveness.heard(tenure(*server), ServerLoad::default(), now);
        }
        let fleet = fleet(&[1, 1], &[]);
        let known = Known {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &liveness,
            pending: &Pending::default(),
            sketch: &Sketch::new(Picture::default(), now),
        };
        let avoid = avoid.iter().copied().map(ServerId).collect();
        let chosen = place(DatabaseId(1), &known, &avoid, &placement::Settings::default(), LEASE / 2, now);
        chosen.map(|chosen| chosen.tenure.server.0)
    }

    #[tokio::test]
    async fn a_server_that_was_heard_of_goes_before_a_silent_one() {
        assert_eq!(chosen(&[1], &[]), Some(1));
        assert_eq!(chosen(&[2], &[]), Some(2));
    }

    #[tokio::test]
    async fn a_silent_server_is_better_than_none() {
        assert!(chosen(&[], &[]).is_some());
        assert_eq!(chosen(&[1], &[1]), Some(2));
    }

    #[tokio::test]
    async fn a_server_to_be_avoided_is_never_chosen() {
        assert_eq!(chosen(&[1, 2], &[1, 2]), None);
    }

    /// Places so many databases one after the other, none of which gets into the map: how many go to each.
    fn spread(count: u64, requests: [u64; 2], utilization: &[f64]) -> [u64; 2] {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, LEASE / 4, start);
        for second in 0..10 {
            for (server, requests) in (1..).zip(requests) {
                let tenure = Tenure { server: ServerId(server), incarnation: Incarnation(server.into()) };
                let load = ServerLoad { requests_total: requests * second, ..ServerLoad::default() };
                liveness.heard(tenure, load, start + Duration::from_secs(second));
            }
        }
        let (fleet, pending) = (fleet(&[1, 1], &[]), Pending::default());
        let now = start + Duration::from_secs(9);
        let told = |utilization: &f64| ServerPicture {
            utilization: *utilization,
            capacity_cores: 4.0,
            source: LoadSource::Heartbeat,
            age_seconds: 0.5,
        };
        let servers = (1..).map(ServerId).zip(utilization.iter().map(told)).collect();
        let known = Known {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &liveness,
            pending: &pending,
            sketch: &Sketch::new(Picture { servers, ..Picture::default() }, now),
        };
        let (mut promises, settings) = (Vec::new(), placement::Settings::default());
        for database in 1..=count {
            let chosen = place(DatabaseId(database), &known, &BTreeSet::new(), &settings, LEASE, now);
            let chosen = chosen.expect("two are up");
            promises.push(pending.promise(chosen.tenure, chosen.load));
        }
        [1, 2]
            .map(|server| promises.iter().filter(|promise| promise.tenure.server.0 == server).count() as u64)
    }

    #[tokio::test]
    async fn what_is_on_its_way_counts_r26() {
        assert_eq!(spread(30, [0, 0], &[]), [15, 15]);
        assert_eq!(spread(30, [0, 0], &[0.01, 0.01]), [15, 15]);
    }

    #[tokio::test]
    async fn most_go_to_the_idle_of_two_r26() {
        for utilization in [&[][..], &[0.5, 0.01]] {
            let [busy, idle] = spread(30, [1_000, 0], utilization);
            assert!(idle > 20 && busy + idle == 30, "{utilization:?}: {busy} {idle}");
        }
    }

    #[tokio::test]
    async fn a_pin_is_obeyed_and_names_its_server_alone() {
        let now = Instant::now();
        let mut fleet = fleet(&[1, 1], &[]);
        let mut apply = |number, command| {
            fleet.apply(Revision(number), &Entry::new(TimestampMs(0), command)).expect("a good history");
        };
        apply(3, Command::CreateDatabase { name: Name::new("d").expect("a name"), owner: None, key: None });
        let to = Some(PinnedTo::Server(ServerId(2)));
        apply(4, Command::PinDatabase { database: DatabaseId(1), to });
        let known = Known {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &Liveness::new(LEASE, LEASE / 4, now),
            pending: &Pending::default(),
            sketch: &Sketch::new(Picture::default(), now),
        };
        let settings = placement::Settings::default();
        let place = |avoid| place(DatabaseId(1), &known, &avoid, &settings, LEASE, now);
        assert_eq!(place(BTreeSet::new()).map(|chosen| chosen.tenure.server), Some(ServerId(2)));
        assert_eq!(place(BTreeSet::from([ServerId(2)])), None);
    }
}
