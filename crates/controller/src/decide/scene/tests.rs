use std::time::Duration;

use model::{Command, Entry, Epoch, Revision, TimestampMs};
use rpc::load::LoadSource;

use super::*;
use crate::{
    decide::fleets::{fleet, tenure},
    loads::ServerPicture,
};

fn server(utilization: f64, capacity_cores: f64) -> ServerPicture {
    ServerPicture { utilization, capacity_cores, source: LoadSource::Heartbeat, age_seconds: 0.5 }
}

fn database(id: u64, cores: f64) -> DatabasePicture {
    let clients = vec![("b".into(), 0.75), ("a".into(), 0.25)];
    DatabasePicture { id: DatabaseId(id), cores, requests_per_second: 0.0, clients }
}

fn whole(fleet: &Fleet, picture: Picture, flying: &[(u64, u32, u32)]) -> Scene {
    let now = Instant::now();
    let known = Known {
        fleet,
        tally: &Tally::of(fleet),
        liveness: &Liveness::new(Duration::from_secs(3), Duration::from_secs(1), now),
        pending: &Pending::default(),
        sketch: &Sketch::new(picture, now),
    };
    let flying =
        flying.iter().map(|(id, from, to)| (DatabaseId(*id), (tenure(*from), tenure(*to)))).collect();
    Scene::whole(&known, &flying)
}

#[tokio::test]
async fn what_a_server_uses_beyond_its_databases_is_shared_out_among_them() {
    let fleet = fleet(&[1, 1], &[1, 1, 2]);
    let picture = Picture {
        servers: BTreeMap::from([(ServerId(1), server(0.75, 4.0)), (ServerId(2), server(0.125, 4.0))]),
        databases: vec![database(1, 1.0), database(2, 0.5), database(3, 0.5)],
        ..Picture::default()
    };
    let scene = whole(&fleet, picture, &[]);
    let loads: Vec<f32> = scene.snapshot.databases.iter().map(|database| database.load).collect();
    assert!((loads[0] - 2.0).abs() < 1e-3 && (loads[1] - 1.0).abs() < 1e-3, "{loads:?}");
    assert_eq!(loads[2], 0.5, "the whole of its server's load is its own");
    let servers: Vec<(f32, f32)> =
        scene.snapshot.servers.iter().map(|server| (server.load, server.capacity)).collect();
    assert_eq!(servers, [(3.0, 4.0), (0.5, 4.0)]);
}

#[tokio::test]
async fn a_server_whose_load_nobody_knows_is_neither_giver_nor_target() {
    let fleet = fleet(&[1, 1], &[1, 2]);
    let servers = BTreeMap::from([(ServerId(1), server(0.75, 4.0))]);
    let scene = whole(&fleet, Picture { servers, ..Picture::default() }, &[]);
    let known: Vec<bool> = scene.snapshot.servers.iter().map(|server| !server.load.is_nan()).collect();
    assert_eq!(known, [true, false]);
}

#[tokio::test]
async fn capacities_that_differ_by_an_operators_word_share_out_the_cores() {
    let servers = || BTreeMap::from([(ServerId(1), server(0.5, 4.0)), (ServerId(2), server(0.5, 8.0))]);
    for (said, expected) in [(&[100, 100][..], [4.0, 8.0]), (&[100, 300], [3.0, 9.0])] {
        let fleet = fleet(said, &[]);
        let scene = whole(&fleet, Picture { servers: servers(), ..Picture::default() }, &[]);
        let capacities: Vec<f32> = scene.snapshot.servers.iter().map(|server| server.capacity).collect();
        assert_eq!(capacities, expected, "{said:?}");
    }
}

#[tokio::test]
async fn what_has_arrived_is_not_counted_as_on_its_way_and_clients_are_found() {
    let mut fleet = fleet(&[1, 1], &[1, 1]);
    let to = tenure(2);
    let assign = Command::AssignDatabase { database: DatabaseId(2), epoch_expected: Epoch(1), to };
    fleet.apply(Revision(9), &Entry::new(TimestampMs(0), assign)).expect("it is up");
    let picture = Picture { databases: vec![database(1, 1.0), database(2, 0.5)], ..Picture::default() };
    let scene = whole(&fleet, picture, &[(1, 1, 2), (2, 1, 2)]);
    let flights: Vec<(u32, u32)> =
        scene.snapshot.flights.iter().map(|flight| (flight.from, flight.to)).collect();
    assert_eq!(flights, [(0, 1), (NOWHERE, NOWHERE)]);
    let clients = scene.snapshot.clients_of(&scene.snapshot.databases[0]);
    let shares: Vec<(&str, f32)> =
        clients.iter().map(|part| (scene.location_name(part.location), part.share)).collect();
    assert_eq!(shares, [("b", 0.75), ("a", 0.25)]);
}
