use std::time::Duration;

use super::*;

#[test]
fn a_balanced_fleet_is_left_alone_s5() {
    let mut world = World::of(4, 10.0);
    (0..4).for_each(|server| _ = world.databases(server, 20, 0.2));
    let mut rounds = Rounds::new();
    for _ in 0..60 {
        assert_eq!(rounds.round(&mut world).moves, []);
    }
}

#[test]
fn a_server_above_the_urgent_limit_gives_at_once_and_stops_within_the_band_r25() {
    let mut world = World::of(4, 10.0);
    world.databases(0, 40, 0.2);
    (1..4).for_each(|server| _ = world.databases(server, 10, 0.2));
    let plan = Rounds::new().round(&mut world);
    assert!(plan.moves.iter().all(|planned| planned.from == 0 && planned.gain > 0.0));
    assert_eq!(plan.moves[0].reason, Reason::Urgent);
    let before = plan.moves[0].before;
    assert!((before.from - 0.8).abs() + (before.to - 0.2).abs() < 1e-5, "{before:?}");
    assert!(world.utilization(0) < plan.limits.ends(0) as f32 + 0.001, "{}", world.utilization(0));
    assert!((1..4).all(|server| world.utilization(server) < 0.4));
}

#[test]
fn a_server_above_its_band_gives_when_that_lasts_s5() {
    let mut world = World::of(2, 10.0);
    world.databases(0, 25, 0.2);
    world.databases(1, 15, 0.2);
    let mut rounds = Rounds::new();
    let moves: Vec<usize> = (0..6).map(|_| rounds.round(&mut world).moves.len()).collect();
    assert_eq!(moves, [0, 0, 0, 4, 0, 0], "three minutes, then down to 5 % above the mean");
    // Half a band more is not enough to begin again.
    world.databases(0, 2, 0.2);
    assert!((0..9).all(|_| rounds.round(&mut world).moves.is_empty()));
}

#[test]
fn a_short_peak_within_the_limits_moves_nothing_s5() {
    let mut world = World::of(2, 10.0);
    let hot = world.databases(0, 25, 0.2) as usize;
    world.databases(1, 20, 0.2);
    let mut rounds = Rounds::new();
    for minute in 0..40 {
        let load = if minute % 2 == 0 { 1.2 } else { 0.2 };
        world.snapshot.servers[0].load += load - world.snapshot.databases[hot].load;
        world.snapshot.databases[hot].load = load;
        assert_eq!(rounds.round(&mut world).moves, [], "minute {minute}");
    }
}

#[test]
fn nobody_gives_below_the_activity_floor_s5() {
    let mut world = World::of(3, 10.0);
    world.databases(0, 19, 0.1);
    let mut rounds = Rounds::new();
    assert!((0..10).all(|_| rounds.round(&mut world).moves.is_empty()));
    world.databases(0, 2, 0.1);
    assert!((0..10).any(|_| !rounds.round(&mut world).moves.is_empty()));
}

#[test]
fn a_moved_database_stays_for_its_cool_down_which_doubles_s5() {
    let (settings, mut memory) = (Settings::default(), Memory::default());
    let database = DatabaseId(1);
    let mut now_ms = 0;
    for minutes in [15, 30, 60, 120, 240, 480, 480] {
        memory.moved(database, Some(ServerId(1)), &settings, now_ms);
        assert_eq!(memory.cooling(database, &settings, now_ms), Duration::from_secs(60 * minutes));
        now_ms += minutes * MINUTE;
        assert_eq!(memory.cooling(database, &settings, now_ms), Duration::ZERO);
    }
    memory.moved(database, None, &settings, now_ms + 24 * 60 * MINUTE);
    let cooling = memory.cooling(database, &settings, now_ms + 24 * 60 * MINUTE);
    assert_eq!(cooling, Duration::from_secs(60 * 15), "a quiet day counts");
}

/// Two servers, the first above the urgent limit with a big database and a few of no account.
fn hot_pair(load: f32) -> World {
    let mut world = World::of(2, 10.0);
    world.databases(0, 1, 1.0);
    world.snapshot.servers[0].load = load;
    world.databases(1, 1, 0.5);
    world
}

#[test]
fn cool_down_and_no_return_hold_up_to_the_hard_limit_s5() {
    for (load, from, expected) in [
        (7.2, None, Some(Skip::CoolingDown)),
        (7.2, Some(ServerId(2)), Some(Skip::CoolingDown)),
        (9.0, None, None),
        (9.0, Some(ServerId(2)), None),
    ] {
        let (world, mut rounds) = (hot_pair(load), Rounds::new());
        rounds.memory.moved(DatabaseId(1), from, &rounds.settings, 0);
        let plan = rounds.look(&world);
        assert_eq!(plan.moves.is_empty(), expected.is_some(), "{load} {from:?}: {plan:?}");
        expected.inspect(|why| assert_eq!(count(&plan, *why), 1, "{load} {from:?}: {plan:?}"));
    }
    // After the cool-down, but within the two hours.
    for (from, moves) in [(ServerId(2), 0), (ServerId(3), 1)] {
        let (world, mut rounds) = (hot_pair(7.2), Rounds::new());
        rounds.memory.moved(DatabaseId(1), Some(from), &rounds.settings, 0);
        rounds.now_ms = 60 * MINUTE;
        assert_eq!(rounds.look(&world).moves.len(), moves, "{from}");
        rounds.now_ms = 125 * MINUTE;
        assert_eq!(rounds.look(&world).moves.len(), 1, "{from}");
    }
}

#[test]
fn a_database_is_not_given_back_and_forth_s5() {
    // One that is too large for the band, and would only carry the hot spot elsewhere.
    let mut world = World::of(2, 10.0);
    world.databases(0, 1, 4.0);
    world.databases(0, 5, 0.2);
    world.databases(1, 5, 0.2);
    let mut rounds = Rounds::new();
    let mut moved = 0;
    for _ in 0..600 {
        moved += rounds.round(&mut world).moves.iter().filter(|planned| planned.id == DatabaseId(1)).count();
    }
    assert_eq!(moved, 0);
}

#[test]
fn no_target_goes_over_the_ceiling() {
    let mut world = World::of(2, 10.0);
    world.databases(0, 4, 2.2);
    world.databases(1, 1, 6.0);
    let plan = Rounds::new().round(&mut world);
    assert_eq!((plan.moves.len(), count(&plan, Skip::NoTarget)), (0, 1), "8.2 of 10 are over it");
    world.databases(0, 4, 0.2);
    let plan = Rounds::new().round(&mut world);
    assert!(!plan.moves.is_empty());
    assert!(f64::from(world.utilization(1)) <= plan.limits.ceiling, "{}", world.utilization(1));
}

#[test]
fn where_all_are_full_the_fullest_still_gives_because_limits_float() {
    let mut world = World::of(4, 10.0);
    world.databases(0, 49, 0.2);
    (1..4).for_each(|server| _ = world.databases(server, 41, 0.2));
    for (float_limits, gives) in [(true, true), (false, false)] {
        let mut rounds = Rounds::new();
        rounds.settings.float_limits = float_limits;
        assert_eq!(!rounds.look(&world).moves.is_empty(), gives, "float_limits = {float_limits}");
    }
}

#[test]
fn budgets_bound_the_moves_of_a_minute_s5() {
    let mut world = World::of(10, 10.0);
    world.databases(0, 90, 0.1);
    let mut rounds = Rounds::new();
    rounds.settings.emergency_moves_per_minute = 7.0;
    rounds.settings.moves_per_minute = 2.0;
    rounds.settings.band_low = 0.0;
    let mut moves = Vec::new();
    for _ in 0..16 {
        let plan = rounds.round(&mut world);
        let urgent = plan.moves.iter().filter(|planned| planned.reason == Reason::Urgent).count();
        moves.push((urgent, plan.moves.len() - urgent));
        assert!(urgent <= 7 && plan.moves.len() - urgent <= 2);
        if count(&plan, Skip::Tokens) == 0 {
            break;
        }
    }
    assert_eq!(moves[..3], [(7, 0), (7, 0), (6, 2)]);
}

#[test]
fn a_new_memory_moves_nothing_for_load_at_once() {
    let mut world = World::of(2, 10.0);
    world.databases(0, 40, 0.2);
    let settings = Settings::default();
    let mut memory = Memory::default();
    let plan = plan(&world.snapshot, &settings, &mut memory, 5 * MINUTE);
    assert_eq!((plan.moves.len(), count(&plan, Skip::Tokens)), (0, 1));
}

#[test]
fn moves_under_way_count_on_both_sides_and_are_bounded() {
    let mut world = World::of(2, 10.0);
    let first = world.databases(0, 40, 0.2);
    world.databases(1, 20, 0.2);
    let mut rounds = Rounds::new();
    rounds.settings.max_in_flight_per_server = 4;
    let plan = rounds.look(&world);
    assert_eq!((plan.moves.len(), count(&plan, Skip::InFlight)), (4, 1));
    world.snapshot.flights = (0..10).map(|at| Flight { database: first + at, from: 0, to: 1 }).collect();
    assert_eq!(rounds.look(&world).moves, [], "they are under way already");
    rounds.settings.max_in_flight_per_server = 100;
    for _ in 0..9 {
        assert_eq!(rounds.look(&world).moves, [], "and are enough");
    }
}

#[test]
fn a_draining_or_dead_server_gets_nothing_and_is_no_giver() {
    for state in [State::Draining, State::Down] {
        let mut world = World::of(3, 10.0);
        world.databases(0, 40, 0.2);
        world.databases(1, 10, 0.2);
        world.snapshot.servers[2].state = state;
        let plan = Rounds::new().look(&world);
        assert!(!plan.moves.is_empty() && plan.moves.iter().all(|planned| planned.to == 1), "{state:?}");
        world.snapshot.servers[0].state = state;
        assert_eq!(Rounds::new().look(&world).moves, [], "{state:?}");
    }
}

#[test]
fn pins_are_obeyed() {
    let mut world = World::of(2, 10.0);
    world.server(1, 10.0);
    let pinned = world.databases(0, 40, 0.2);
    (0..20).for_each(|at| world.pin(pinned + at, Pin::Server(0)));
    (20..30).for_each(|at| world.pin(pinned + at, Pin::Location(0)));
    let mut rounds = Rounds::new();
    for _ in 0..20 {
        for planned in rounds.round(&mut world).moves {
            assert!(planned.database >= pinned + 20, "{planned:?}");
            assert!(planned.database >= pinned + 30 || planned.to == 1, "{planned:?}");
        }
    }
    assert!(world.utilization(0) < 0.5);
}

#[test]
fn what_is_not_where_it_is_pinned_goes_there_load_or_not() {
    let mut world = World::of(2, 10.0);
    world.server(1, 10.0);
    let first = world.databases(0, 4, 0.1);
    world.pin(first, Pin::Server(1));
    world.pin(first + 1, Pin::Location(1));
    world.pin(first + 2, Pin::Location(2));
    world.pin(first + 3, Pin::Server(NOWHERE));
    world.snapshot.frozen = true;
    let plan = Rounds::new().round(&mut world);
    let moves: Vec<_> =
        plan.moves.iter().map(|planned| (planned.database, planned.to, planned.reason)).collect();
    assert_eq!(moves, [(first, 1, Reason::Pin), (first + 1, 2, Reason::Pin)]);
    assert_eq!(plan.unplaceable, [first + 2, first + 3]);
    assert_eq!(count(&plan, Skip::Stale), 1);
}

#[test]
fn stale_loads_move_nothing() {
    let mut world = World::of(2, 10.0);
    let first = world.databases(0, 45, 0.2);
    world.server(1, 10.0);
    (first..45).for_each(|database| world.clients(database, &[(1, 1.0)]));
    world.snapshot.frozen = true;
    let mut rounds = Rounds::new();
    assert!((0..9).all(|_| rounds.round(&mut world).moves.is_empty()));
    world.snapshot.frozen = false;
    assert!(!rounds.round(&mut world).moves.is_empty());
}

#[test]
fn a_hot_database_may_go_over_the_ceiling_where_that_helps() {
    // 60 % of its server; the other one is larger.
    let mut world = World::of(1, 10.0);
    world.server(0, 12.0);
    world.databases(0, 1, 9.0);
    let plan = Rounds::new().round(&mut world);
    assert_eq!(plan.moves.len(), 1);
    assert!(plan.moves[0].after.to > plan.limits.ceiling);
    assert_eq!(Rounds::new().round(&mut world).moves, [], "and stays there");
    let mut same = World::of(2, 10.0);
    same.databases(0, 1, 9.0);
    assert_eq!(Rounds::new().round(&mut same).moves, [], "nothing is won on an equal server");
}

#[test]
fn a_database_that_is_too_hot_for_every_server_is_named_and_not_chased() {
    let mut world = World::of(3, 10.0);
    let hot = world.databases(0, 1, 14.0);
    world.databases(1, 1, 7.0);
    let mut rounds = Rounds::new();
    for _ in 0..200 {
        let plan = rounds.round(&mut world);
        assert_eq!(plan.moves, []);
        assert_eq!(plan.too_hot, [TooHot { database: hot, load: 14.0, capacity_max: 10.0 }]);
    }
}

/// Three locations with one server each, and a database in the first.
fn three_locations() -> (World, u32) {
    let mut world = World::default();
    world.snapshot.round_trips = RoundTrips::new(3, |a, b| Some(if a == b { 1.0 } else { 80.0 }));
    (0..3).for_each(|location| world.server(location, 10.0));
    let database = world.databases(0, 1, 0.1);
    (world, database)
}

#[test]
fn a_database_follows_a_substantial_number_of_its_clients_once_r24() {
    for (shares, expected) in [
        (&[(0, 0.3), (1, 0.7)][..], &[1][..]),
        (&[(0, 0.45), (1, 0.55)], &[]),
        (&[(0, 0.4), (1, 0.6)], &[1]),
        // Half of them are closer to each of two.
        (&[(1, 0.5), (2, 0.5)], &[]),
        (&[(2, 1.0)], &[2]),
        (&[], &[]),
    ] {
        let (mut world, database) = three_locations();
        world.clients(database, shares);
        let mut rounds = Rounds::new();
        let moves: Vec<_> = (0..60).flat_map(|_| rounds.round(&mut world).moves).collect();
        let to: Vec<u32> = moves.iter().map(|planned| planned.to).collect();
        assert_eq!(to, expected, "{shares:?}");
        assert!(moves.iter().all(|planned| planned.reason == Reason::Location));
    }
}

#[test]
fn clients_that_oscillate_move_their_database_once_per_cool_down_r24() {
    let (mut world, database) = three_locations();
    let mut rounds = Rounds::new();
    let mut moves = Vec::new();
    for minute in 0..240 {
        let share = if minute % 8 < 4 { 0.66 } else { 0.34 };
        world.clients(database, &[(0, 1.0 - share), (1, share)]);
        moves.extend(rounds.round(&mut world).moves.iter().map(|_| minute));
    }
    let apart = moves.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert!(apart.is_some_and(|apart| apart >= 15) && moves.len() <= 3, "{moves:?}");
}

#[test]
fn what_was_not_measured_or_saves_little_moves_nothing_for_distance_r24() {
    for (name, far, moves) in
        [("unknown", None, false), ("4 ms of 5", Some(5.0), false), ("far", Some(40.0), true)]
    {
        let (mut world, database) = three_locations();
        let trips = move |client: u16, server: u16| if client == server { Some(1.0) } else { far };
        world.snapshot.round_trips = RoundTrips::new(3, trips);
        world.clients(database, &[(1, 1.0)]);
        let mut rounds = Rounds::new();
        assert_eq!((0..5).any(|_| !rounds.round(&mut world).moves.is_empty()), moves, "{name}");
    }
}

#[test]
fn load_goes_before_distance_near_the_limits() {
    let (mut world, database) = three_locations();
    world.clients(database, &[(1, 1.0)]);
    world.databases(1, 10, 0.72);
    let mut rounds = Rounds::new();
    assert_eq!(rounds.look(&world).limits.ceiling, 0.7);
    assert!((0..9).all(|_| rounds.look(&world).moves.iter().all(|planned| planned.database != database)));
}

#[test]
fn the_loss_of_a_failure_domain_is_foreseen() {
    let mut world = World::of(2, 10.0);
    world.databases(0, 10, 0.5);
    assert_eq!(Rounds::new().look(&world).gauges.without_domain, None);
    world.server(1, 10.0);
    let without = Rounds::new().look(&world).gauges.without_domain;
    assert_eq!(without, Some(0.5));
}

#[test]
fn a_server_whose_load_nobody_knows_neither_gives_nor_gets_but_pins_are_obeyed() {
    let mut world = World::of(3, 10.0);
    let first = world.databases(0, 40, 0.2);
    world.databases(1, 10, 0.2);
    world.pin(first, Pin::Server(2));
    world.snapshot.servers[2].load = f32::NAN;
    let plan = Rounds::new().look(&world);
    assert!(plan.moves.len() > 5 && plan.moves[0].reason == Reason::Pin && plan.moves[0].to == 2);
    assert!(plan.moves[1..].iter().all(|planned| planned.to == 1), "{:?}", plan.moves);
    world.snapshot.servers[0].load = f32::NAN;
    assert_eq!(Rounds::new().look(&world).moves.len(), 1);
}

#[test]
fn what_was_found_closer_days_ago_is_to_be_found_twice_again_r24() {
    let (mut world, database) = three_locations();
    let mut rounds = Rounds::new();
    world.clients(database, &[(1, 1.0)]);
    assert_eq!(rounds.look(&world).moves, [], "found once");
    // Meanwhile nothing is known of its clients.
    world.snapshot.databases[database as usize].clients_len = 0;
    assert_eq!(rounds.look(&world).moves, []);
    world.clients(database, &[(1, 1.0)]);
    assert_eq!(rounds.look(&world).moves, [], "found once again");
    assert_eq!(rounds.look(&world).moves.len(), 1);
}

#[test]
fn an_empty_budget_hides_no_database_that_cannot_be_where_it_is_pinned_to_s10() {
    let mut world = World::of(3, 10.0);
    for _ in 0..5 {
        let movable = world.databases(0, 1, 0.1);
        world.pin(movable, Pin::Server(1));
    }
    let impossible = world.databases(0, 1, 0.1);
    world.pin(impossible, Pin::Server(2));
    world.snapshot.servers[2].state = State::Down;
    let mut rounds = Rounds::new();
    rounds.settings.moves_per_minute = 2.0;
    let plan = rounds.look(&world);
    assert_eq!((plan.moves.len(), count(&plan, Skip::Tokens)), (2, 3));
    assert_eq!(plan.unplaceable, [impossible]);
}
