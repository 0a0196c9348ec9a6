use super::*;

fn wanted(id: u64, load: f32) -> Wanted<'static> {
    let id = DatabaseId(id);
    Wanted { id, load, requests: load, clients: &[], pin: Pin::Anywhere, owner: NOWHERE }
}

fn placed(world: &World, wanted: &Wanted<'_>, avoid: &[u32]) -> Option<u32> {
    place(&world.snapshot, &Settings::default(), wanted, avoid).map(|placement| placement.server)
}

#[test]
fn nobody_is_chosen_from_nobody() {
    assert_eq!(placed(&World::default(), &wanted(1, 0.1), &[]), None);
    assert_eq!(placed(&World::of(1, 1.0), &wanted(1, 0.1), &[0]), None);
}

#[test]
fn most_go_to_the_idle_of_two_and_none_is_overloaded_r26() {
    let mut world = World::of(2, 10.0);
    world.snapshot.servers[0].load = 5.0;
    let mut to = [0, 0];
    for id in 0..30 {
        let server = placed(&world, &wanted(id, 0.2), &[]).expect("two are up");
        world.snapshot.servers[server as usize].load += 0.2;
        to[server as usize] += 1;
    }
    assert!(to[1] > 25, "{to:?}");
    assert!(world.utilization(0) < 0.6 && world.utilization(1) < 0.6);
}

#[test]
fn equal_servers_share_whatever_the_order() {
    let world = World::of(4, 10.0);
    let mut hits = [0; 4];
    for id in 0..400 {
        hits[placed(&world, &wanted(id, 0.1), &[]).expect("four are up") as usize] += 1;
    }
    assert!(hits.iter().all(|hits| *hits > 60), "{hits:?}");
}

#[test]
fn a_server_carries_for_its_capacity() {
    let mut world = World::of(1, 10.0);
    world.server(0, 40.0);
    let mut to = [0, 0];
    for id in 0..100 {
        let server = placed(&world, &wanted(id, 0.1), &[]).expect("two are up");
        world.snapshot.servers[server as usize].load += 0.1;
        to[server as usize] += 1;
    }
    assert!((15..=25).contains(&to[0]), "{to:?}");
}

#[test]
fn clients_are_near_below_the_soft_limit_and_load_decides_above_r23() {
    let mut world = World::of(1, 10.0);
    world.server(1, 10.0);
    let clients = [ClientShare { location: 1, share: 1.0 }];
    for (load, expected) in [(0.0, 1), (2.0, 1), (8.0, 0)] {
        world.snapshot.servers[1].load = load;
        let wanted = Wanted { clients: &clients, ..wanted(1, 0.5) };
        assert_eq!(placed(&world, &wanted, &[]), Some(expected), "{load}");
    }
}

#[test]
fn what_must_not_get_it_does_not() {
    let mut world = World::of(3, 10.0);
    world.server(1, 10.0);
    world.snapshot.servers[0].state = State::Draining;
    world.snapshot.servers[1].state = State::Down;
    for (pin, owner, avoid, expected) in [
        (Pin::Anywhere, NOWHERE, &[3][..], Some(2)),
        (Pin::Anywhere, 2, &[], Some(3)),
        (Pin::Anywhere, 2, &[3], None),
        (Pin::Server(2), NOWHERE, &[], Some(2)),
        (Pin::Server(0), NOWHERE, &[], None),
        (Pin::Server(NOWHERE), NOWHERE, &[], None),
        (Pin::Location(1), NOWHERE, &[], Some(3)),
        (Pin::Location(2), NOWHERE, &[], None),
    ] {
        let wanted = Wanted { pin, owner, ..wanted(1, 0.1) };
        assert_eq!(placed(&world, &wanted, avoid), expected, "{pin:?} {owner} {avoid:?}");
    }
}

#[test]
fn what_fails_over_is_spread_so_that_nobody_is_overloaded_r26() {
    // 300 databases of a dead server, biggest first, on four survivors that are unevenly loaded.
    let mut world = World::of(5, 10.0);
    world.snapshot.servers[0].state = State::Down;
    for (server, load) in [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)] {
        world.snapshot.servers[server].load = load;
    }
    for id in 0..300 {
        let load = if id < 3 { 0.8 } else { 0.02 };
        let server = placed(&world, &wanted(id, load), &[]).expect("four are up");
        world.snapshot.servers[server as usize].load += load;
    }
    assert!((1..5).all(|server| world.utilization(server) < 0.5), "{:?}", world.snapshot.servers);
}

#[test]
fn an_explanation_says_what_speaks_against_each_server_r23() {
    let mut world = World::of(5, 10.0);
    world.server(1, 10.0);
    let database = world.databases(0, 1, 0.5);
    world.databases(0, 10, 0.7);
    world.databases(1, 1, 6.9);
    world.snapshot.servers[2].state = State::Draining;
    world.snapshot.servers[3].state = State::Down;
    world.databases(4, 1, 3.0);
    let settings = Settings::default();
    let mut memory = Memory::default();
    let verdicts = |world: &World, memory: &Memory| {
        let explanation = explain(&world.snapshot, &settings, memory, database, MINUTE).expect("it is there");
        let mut verdicts: Vec<_> =
            explanation.offers.iter().map(|offer| (offer.placement.server, offer.verdict)).collect();
        assert_eq!(verdicts[0].1, Verdict::Current);
        verdicts.sort_by_key(|(server, _)| *server);
        verdicts.into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>()
    };
    use Verdict::{Best, Better, Current, Down, Draining, NoReturn, NotWorthIt, OverCeiling, Pinned};
    assert_eq!(verdicts(&world, &memory), [Current, OverCeiling, Draining, Down, Better, Best]);
    world.pin(database, Pin::Location(0));
    assert_eq!(verdicts(&world, &memory), [Current, OverCeiling, Draining, Down, Best, Pinned]);
    world.pin(database, Pin::Anywhere);
    world.snapshot.servers[0].load = 7.0;
    memory.moved(DatabaseId(1), Some(ServerId(6)), &settings, 0);
    assert_eq!(verdicts(&world, &memory), [Current, OverCeiling, Draining, Down, Best, NoReturn]);
    world.snapshot.servers[0].load = 0.5;
    assert_eq!(verdicts(&world, &memory)[4], NotWorthIt);
    assert_eq!(explain(&world.snapshot, &settings, &memory, 99, 0), None);
}

#[test]
fn an_explanation_agrees_with_the_plan_s10() {
    let mut world = World::of(4, 10.0);
    let database = world.databases(0, 1, 2.0);
    world.databases(0, 30, 0.2);
    world.databases(1, 10, 0.3);
    world.databases(2, 10, 0.1);
    world.databases(3, 10, 0.2);
    let mut rounds = Rounds::new();
    let plan = rounds.look(&world);
    let planned = plan.moves.iter().find(|planned| planned.database == database).expect("the biggest moves");
    let explanation = explain(&world.snapshot, &rounds.settings, &rounds.memory, database, rounds.now_ms)
        .expect("it is there");
    let best = explanation.offers.iter().find(|offer| offer.verdict == Verdict::Best).expect("one is");
    assert_eq!((best.placement.server, explanation.giving), (planned.to, Giving::Yes));
    assert!((best.gain - planned.gain).abs() < 1e-9);
}

#[test]
fn an_explanation_says_when_clients_are_too_few_or_a_load_is_not_known_s10() {
    for (share, verdict) in [(0.55, Verdict::TooFewCloser), (0.7, Verdict::Best)] {
        let mut world = World::of(2, 10.0);
        world.server(1, 10.0);
        let database = world.databases(0, 1, 0.5);
        world.databases(1, 1, 0.5);
        world.clients(database, &[(0, 1.0 - share), (1, share)]);
        world.snapshot.servers[1].load = f32::NAN;
        let memory = Memory::default();
        let explanation = explain(&world.snapshot, &Settings::default(), &memory, database, MINUTE);
        let offers = explanation.expect("it is there").offers;
        let of =
            |server| offers.iter().find(|offer| offer.placement.server == server).map(|offer| offer.verdict);
        assert_eq!((of(1), of(2)), (Some(Verdict::Unknown), Some(verdict)), "{share}");
    }
}
