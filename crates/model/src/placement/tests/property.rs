//! What holds for every fleet, whatever its loads.

use proptest::prelude::*;

use super::*;

fn server() -> impl Strategy<Value = (u16, f32, u8)> {
    (0..3u16, prop_oneof![Just(1.0f32), Just(2.0), 0.5..4.0f32], 0..8u8)
}

fn database() -> impl Strategy<Value = (u32, f32, u8, u16)> {
    (0..12u32, prop_oneof![4 => 0.0..0.1f32, 2 => 0.0..1.0f32, 1 => 0.0..6.0f32], 0..20u8, 0..4u16)
}

fn world() -> impl Strategy<Value = World> {
    (prop::collection::vec(server(), 1..10), prop::collection::vec(database(), 0..200)).prop_map(
        |(servers, databases)| {
            let mut world = World::of(0, 1.0);
            for (location, capacity, state) in servers {
                world.server(location, capacity);
                let server = world.snapshot.servers.last_mut().expect("just made");
                server.state =
                    [State::Draining, State::Down].get(usize::from(state)).copied().unwrap_or(State::Up);
            }
            let servers = world.snapshot.servers.len() as u32;
            for (owner, load, pin, location) in databases {
                let database = world.databases(if owner < servers { owner } else { NOWHERE }, 1, load);
                match pin {
                    0 => world.pin(database, Pin::Server(owner)),
                    1 => world.pin(database, Pin::Location(location)),
                    2..10 => world.clients(database, &[(location.min(2), 0.8), (0, 0.2)]),
                    _ => {}
                }
            }
            world
        },
    )
}

/// Which rules a plan breaks.
fn broken(before: &World, plan: &Plan, settings: &Settings) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut rule = |kept: bool, name| broken.extend((!kept).then_some(name));
    let mut seen = std::collections::BTreeSet::new();
    let (mut gave, mut got) = ([0; 16], [0; 16]);
    for planned in &plan.moves {
        let database = &before.snapshot.databases[planned.database as usize];
        let pinned = planned.reason == Reason::Pin;
        let hot = planned.before.from > plan.limits.hard;
        rule(seen.insert(planned.database), "moved twice");
        rule(before.snapshot.servers[planned.to as usize].state == State::Up, "to one that takes none");
        rule(before.snapshot.allows(database.pin, planned.to), "against its pin");
        rule(planned.from != planned.to, "nowhere");
        rule(pinned != before.snapshot.allows(database.pin, planned.from), "for a pin it has not");
        rule(pinned || hot || planned.after.to <= plan.limits.ceiling + 1e-6, "over the ceiling");
        rule(pinned || planned.gain > 0.0, "for nothing");
        gave[planned.from as usize] += 1;
        got[planned.to as usize] += 1;
    }
    rule(
        gave.iter().chain(&got).all(|moves| *moves <= settings.max_in_flight_per_server),
        "too many at once",
    );
    broken
}

#[test]
fn planted_moves_break_the_rules() {
    let mut world = World::of(3, 10.0);
    world.databases(0, 40, 0.2);
    let pinned = world.databases(0, 1, 0.2);
    world.pin(pinned, Pin::Server(0));
    world.snapshot.servers[2].state = State::Draining;
    let mut rounds = Rounds::new();
    rounds.settings.max_in_flight_per_server = 3;
    let good = rounds.look(&world);
    assert_eq!((good.moves.len(), broken(&world, &good, &rounds.settings)), (3, vec![]));
    type Plant = fn(&mut Move);
    let plants: [(&str, Plant); 7] = [
        ("moved twice", |_| ()),
        ("to one that takes none", |planted| planted.to = 2),
        ("against its pin", |planted| planted.database = 40),
        ("nowhere", |planted| planted.to = planted.from),
        ("for a pin it has not", |planted| planted.reason = Reason::Pin),
        ("over the ceiling", |planted| (planted.before.from, planted.after.to) = (0.7, 0.9)),
        ("for nothing", |planted| planted.gain = -1e-3),
    ];
    for (name, plant) in plants {
        let mut plan = good.clone();
        match name {
            "moved twice" => plan.moves[1] = plan.moves[0],
            _ => plant(&mut plan.moves[0]),
        }
        assert!(broken(&world, &plan, &rounds.settings).contains(&name), "{name}");
    }
    rounds.settings.max_in_flight_per_server = 2;
    assert_eq!(broken(&world, &good, &rounds.settings), ["too many at once"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_move_keeps_the_rules(mut world in world()) {
        let mut rounds = Rounds::new();
        rounds.settings.max_in_flight_per_server = 3;
        for _ in 0..6 {
            let before = world.clone();
            let plan = rounds.round(&mut world);
            prop_assert_eq!(broken(&before, &plan, &rounds.settings), Vec::<&str>::new());
        }
    }

    #[test]
    fn the_same_input_gives_the_same_plan_r34(world in world()) {
        let (mut one, mut two) = (Rounds::new(), Rounds::new());
        for _ in 0..4 {
            prop_assert_eq!(one.look(&world), two.look(&world));
        }
        prop_assert_eq!(one.memory, two.memory);
    }

    #[test]
    fn a_fleet_comes_to_rest_s5(mut world in world()) {
        let mut rounds = Rounds::new();
        (0..80).for_each(|_| _ = rounds.round(&mut world));
        // Past every cool-down, what is left is left for good.
        rounds.now_ms += 100 * 60 * MINUTE;
        let late: usize = (0..80).map(|_| rounds.round(&mut world).moves.len()).sum();
        prop_assert!(late <= 4, "{late} moves");
    }
}
