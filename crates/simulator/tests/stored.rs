//! A day of a small fleet against stored figures; and that they notice when a rule of the policy is missing.
//!
//! The same as `stationmaster simulate --workload w2 --databases 10000 --servers 40 --seeds 1 --check stored.json`.

use model::placement::Settings;
use simulator::{Bound, Kind, Report, Scenario, Stored, VERSION, Workload, World, run};

/// What came of the day with this variant in the place of ours.
fn report(variant: Kind) -> Report {
    let (workload, seed) = (Workload::W2, 1);
    let scenario = Scenario { workload, databases: 10_000, servers: 40, days: 1, seed };
    let outcome = run(World::new(&scenario), &scenario, &[variant], &Settings::default(), |_| ());
    let mut runs = outcome.figures;
    runs.iter_mut().for_each(|run| run.policy = Kind::Stationmaster.name().into());
    Report {
        version: VERSION,
        databases: scenario.databases,
        servers: scenario.servers,
        days: scenario.days,
        runs,
        bounds: vec![Bound { workload: workload.name().into(), seed, round_trip_ms: outcome.bound_ms }],
        gates: Vec::new(),
    }
}

/// What is not as stored then, and the figures.
fn wrong(variant: Kind) -> (String, String) {
    let stored: Stored = serde_json::from_str(include_str!("stored.json")).expect("stored figures");
    let report = report(variant);
    (stored.check(&report).join("\n"), simulator::table(&report))
}

#[test]
fn a_day_of_a_small_fleet_is_as_stored_and_is_not_without_floating_ceilings_or_no_return_r25_s5() {
    let variants = [Kind::Stationmaster, Kind::Fixed, Kind::Returning];
    let threads = variants.map(|variant| std::thread::spawn(move || wrong(variant)));
    let [ours, fixed, returning] = threads.map(|thread| thread.join().expect("no panic"));
    assert_eq!(ours.0, "", "\n{}", ours.1);
    assert!(fixed.0.contains("Overload is"), "without floating ceilings\n{}", fixed.1);
    assert!(returning.0.contains("BackAndForthShare is"), "with returns\n{}", returning.1);
}
