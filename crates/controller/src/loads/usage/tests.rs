//! What reports make of levels.

use super::*;

const HALF_LIFE: HalfLife = HalfLife(90.0);
const LIFE: Incarnation = Incarnation(1);
const DATABASE: DatabaseId = DatabaseId(7);

/// A server with four cores that has used so many seconds, and a database there.
fn report(server: u32, cpu: f64, database: Option<(u64, f64, u64)>) -> ServerUsage {
    let told = |(epoch, cpu, requests): (u64, f64, u64)| DatabaseUsage {
        database: DATABASE,
        epoch: Epoch(epoch),
        cpu_us: (cpu * 1e6) as u64,
        requests,
    };
    ServerUsage {
        server: ServerId(server),
        incarnation: LIFE,
        cpu_us: (cpu * 1e6) as u64,
        capacity_millicores: 4_000,
        databases: database.map(told).into_iter().collect(),
    }
}

fn tenure(server: u32) -> Tenure {
    Tenure { server: ServerId(server), incarnation: LIFE }
}

/// Server 1 uses two cores, and the database one of them with ten requests a second, for so long.
fn busy(seconds: u32) -> Usage {
    let mut usage = Usage::new(HALF_LIFE);
    for second in 0..=seconds {
        let now = f64::from(second);
        usage.on_report(
            &report(1, 100.0 + now * 2.0, Some((3, 50.0 + now, u64::from(second) * 10))),
            |_| true,
            now,
        );
        usage.on_report(&report(2, 5.0, None), |_| true, now);
    }
    usage
}

fn utilization(usage: &Usage, server: u32, now: f64) -> f64 {
    usage.server(tenure(server), now).expect("it has reported").utilization
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 0.03, "{value}, not {expected}");
}

#[test]
fn levels_are_what_was_used_per_second_r25() {
    for seconds in [10, 300] {
        let (usage, now) = (busy(seconds), f64::from(seconds));
        near(utilization(&usage, 1, now), 0.5);
        near(utilization(&usage, 2, now), 0.0);
        let level = usage.databases(now).next().expect("one database");
        near(level.cores, 1.0);
        assert!((level.requests_per_second - 10.0).abs() < 0.3, "{}", level.requests_per_second);
    }
}

#[test]
fn lost_and_repeated_reports_change_nothing() {
    let mut usage = busy(100);
    // Twenty seconds of silence, then one report with all that was used meanwhile, three times.
    for now in [120.0, 120.2, 120.4] {
        usage.on_report(&report(1, 340.0, Some((3, 170.0, 1_200))), |_| true, now);
    }
    near(utilization(&usage, 1, 120.4), 0.5);
    near(usage.databases(120.4).next().expect("one").cores, 1.0);
}

#[test]
fn a_count_that_goes_back_says_nothing_of_the_time_between() {
    let mut usage = busy(100);
    usage.on_report(&report(1, 1.0, Some((3, 1.0, 1))), |_| true, 101.0);
    let level = utilization(&usage, 1, 101.0);
    assert!(level > 0.4 && level < 0.51, "{level}");
    usage.on_report(&report(1, 3.0, Some((3, 2.0, 2))), |_| true, 102.0);
    let level = utilization(&usage, 1, 102.0);
    assert!(level > 0.4 && level < 0.51, "{level}");
}

#[test]
fn a_new_epochs_counts_begin_with_it_and_an_older_one_says_nothing() {
    let mut usage = busy(100);
    let before = usage.databases(100.0).next().expect("one").cores;
    usage.on_report(&report(1, 300.0, Some((4, 30.0, 0))), |_| true, 100.0);
    let after = usage.databases(100.0).next().expect("one").cores;
    assert!(after > before + 0.2, "{before} {after}: what was used since the epoch began is all new");
    usage.on_report(&report(1, 300.0, Some((3, 900.0, 0))), |_| true, 100.0);
    assert_eq!(usage.databases(100.0).next().expect("one").cores, after);
}

#[test]
fn what_is_not_the_servers_own_does_not_count() {
    let mut usage = Usage::new(HALF_LIFE);
    usage.on_report(&report(1, 0.0, Some((3, 50.0, 1))), |_| false, 0.0);
    assert_eq!(usage.databases(0.0).count(), 0);
}

#[test]
fn a_moved_databases_load_is_counted_at_its_new_owner_at_once_and_once() {
    for watched in [15, 300] {
        let (mut usage, then) = (busy(watched), f64::from(watched));
        usage.moved(DATABASE, tenure(2), then);
        usage.moved(DATABASE, tenure(2), then);
        near(utilization(&usage, 1, then), 0.25);
        near(utilization(&usage, 2, then), 0.25);
        // Its reports from there say the same, and nothing is counted twice while the levels follow.
        for second in 1..=300_u32 {
            let (now, more) = (then + f64::from(second), f64::from(second));
            usage.on_report(&report(1, 100.0 + 2.0 * then + more, None), |_| true, now);
            let told = Some((4, more, u64::from(second) * 10));
            usage.on_report(&report(2, 5.0 + more, told), |_| true, now);
            near(utilization(&usage, 1, now), 0.25);
            near(utilization(&usage, 2, now), 0.25);
        }
    }
}

#[test]
fn silence_is_not_idleness_and_another_life_is_not_this_one() {
    let usage = busy(100);
    near(utilization(&usage, 1, 130.0), 0.5);
    let heard = usage.server(tenure(1), 130.0).expect("it has reported");
    assert_eq!((heard.age, heard.watched), (30.0, 100.0));
    let other = Tenure { incarnation: Incarnation(2), ..tenure(1) };
    assert_eq!(usage.server(other, 130.0), None);
}

#[test]
fn what_nobody_uses_any_more_is_forgotten() {
    let mut usage = busy(100);
    usage.forget(|_, _| true, 200.0);
    assert_eq!(usage.databases(200.0).count(), 1);
    usage.forget(|server, _| server == ServerId(2), 3_000.0);
    assert_eq!(usage.databases(3_000.0).count(), 0);
    assert_eq!(usage.server(tenure(1), 3_000.0), None);
}
