//! What the picture says, and when it says that it may not be used.

use model::Epoch;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn tenure(server: u32) -> Tenure {
    Tenure { server: ServerId(server), incarnation: Incarnation(1) }
}

fn named(server: u32) -> (Tenure, Name) {
    (tenure(server), Name::new(&format!("s{server}")).expect("a good name"))
}

fn report(loads: &mut Loads, server: u32, second: u32, now: Instant) {
    let usage = ServerUsage {
        server: ServerId(server),
        incarnation: Incarnation(1),
        cpu_us: u64::from(second) * 1_000_000,
        capacity_millicores: 2_000,
        databases: vec![DatabaseUsage {
            database: DatabaseId(server.into()),
            epoch: Epoch(1),
            cpu_us: u64::from(second) * 500_000,
            requests: u64::from(second),
        }],
    };
    loads.on_usage(&usage, |_| true, now);
}

/// So many servers are up, these report each second: what the picture says after so many seconds.
fn after(seconds: u32, up: u32, reporting: &[u32]) -> (Loads, Instant) {
    let start = Instant::now();
    let mut loads = Loads::new(LoadSettings::default(), None, start);
    for second in 0..=seconds {
        let now = start + SECOND * second;
        for server in reporting {
            report(&mut loads, *server, second, now);
        }
        loads.tick((1..=up).map(named), now);
    }
    (loads, start + SECOND * seconds)
}

#[test]
fn a_picture_has_every_server_and_database_with_its_load_r25() {
    let (loads, now) = after(60, 2, &[1, 2]);
    let picture = loads.picture(now);
    assert_eq!(picture.stale, None);
    assert_eq!(picture.servers.len(), 2);
    let server = picture.servers[&ServerId(1)];
    assert!((server.utilization - 0.5).abs() < 0.02, "{server:?}");
    assert_eq!((server.capacity_cores, server.source), (2.0, LoadSource::Heartbeat));
    let database = picture.databases.iter().find(|database| database.id == DatabaseId(1)).expect("used");
    assert!((database.cores - 0.5).abs() < 0.02, "{database:?}");
}

#[test]
fn a_new_leader_is_stale_until_it_has_heard_enough_s5() {
    for (seconds, up, reporting, stale) in [
        (0, 0, &[][..], Some("warming up")),
        (1, 2, &[1, 2], Some("warming up")),
        (9, 2, &[1, 2], Some("warming up")),
        (10, 2, &[1, 2], None),
        // One that says nothing is waited for, but not for ever.
        (30, 3, &[1, 2], Some("2 of 3")),
        (60, 3, &[1, 2], None),
        (60, 3, &[1], Some("only 1 of 3")),
        (60, 3, &[], Some("only 0 of 3")),
    ] {
        let (loads, now) = after(seconds, up, reporting);
        let picture = loads.picture(now);
        let said = picture.stale.clone().unwrap_or_default();
        assert_eq!(picture.stale.is_some(), stale.is_some(), "{seconds} s, {up} up: {said}");
        assert!(said.contains(stale.unwrap_or_default()), "{seconds} s, {up} up: {said}");
    }
}

#[test]
fn a_silent_server_is_left_out_and_not_taken_for_idle_s5() {
    let (mut loads, now) = after(60, 3, &[1, 2, 3]);
    let later = now + SECOND * 20;
    for server in [1, 2] {
        report(&mut loads, server, 80, later);
    }
    loads.tick((1..=3).map(named), later);
    let picture = loads.picture(later);
    assert_eq!(picture.stale, None);
    assert_eq!(picture.servers.keys().copied().collect::<Vec<_>>(), [ServerId(1), ServerId(2)]);
    let (uses, sources) = loads.explained(ServerId(3), later);
    assert_eq!(uses, None);
    assert_eq!(sources[0].refused.as_deref(), Some("silent for 20 s"));
    // All silent: nothing may be moved.
    let picture = loads.picture(later + SECOND * 20);
    assert!(picture.stale.is_some_and(|why| why.contains("silent for 20 s")), "all are silent");
}

/// Two servers report for a minute, and Prometheus tells of them every ten seconds what `round` says.
fn with_prometheus(sources: &[LoadSource], round: impl Fn(u32) -> Option<Round>) -> (Loads, Instant) {
    let start = Instant::now();
    let settings = LoadSettings { sources: sources.to_vec(), ..LoadSettings::default() };
    let prometheus = PrometheusSettings {
        warmup: SECOND * 20,
        max_age: SECOND * 30,
        ..PrometheusSettings::new(vec!["http://p:9090".into()])
    };
    let mut loads = Loads::new(settings, Some(prometheus), start);
    for second in 0..=60 {
        let now = start + SECOND * second;
        for server in [1, 2] {
            report(&mut loads, server, second, now);
        }
        if second % 10 == 0
            && let Some(round) = round(second)
        {
            loads.on_round(round, now);
        }
        loads.tick((1..=2).map(named), now);
    }
    (loads, start + SECOND * 60)
}

fn round(loads: &[(&str, f64)]) -> Round {
    let of = |value: fn(f64) -> f64| {
        Ok(loads.iter().map(|(server, load)| ((*server).to_string(), Ok(value(*load)))).collect())
    };
    Round { load: of(|load| load), age: of(|_| 3.0), coverage: Some(of(|_| 4.0)) }
}

const BOTH: [LoadSource; 2] = [LoadSource::Prometheus, LoadSource::Heartbeat];

/// What each server's load is, and who says so.
fn said(loads: &Loads, now: Instant) -> Vec<(u32, f64, LoadSource)> {
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    let servers = loads.picture(now).servers.into_iter();
    servers.map(|(server, picture)| (server.0, rounded(picture.utilization), picture.source)).collect()
}

#[test]
fn the_preferred_source_counts_for_each_server_as_long_as_it_is_good_c18() {
    use LoadSource::{Heartbeat, Prometheus};
    let nan = |second| if second < 60 { 0.9 } else { f64::NAN };
    type Case<'a> =
        (&'a str, &'a [LoadSource], &'a dyn Fn(u32) -> Option<Round>, [(u32, f64, LoadSource); 2]);
    let cases: [Case<'_>; 6] = [
        (
            "both tell of both",
            &BOTH,
            &|_| Some(round(&[("s1", 0.9), ("s2", 0.1)])),
            [(1, 0.9, Prometheus), (2, 0.1, Prometheus)],
        ),
        (
            "heartbeats are preferred",
            &[Heartbeat, Prometheus],
            &|_| Some(round(&[("s1", 0.9), ("s2", 0.1)])),
            [(1, 0.5, Heartbeat), (2, 0.5, Heartbeat)],
        ),
        (
            "one is missing",
            &BOTH,
            &|_| Some(round(&[("s1", 0.9)])),
            [(1, 0.9, Prometheus), (2, 0.5, Heartbeat)],
        ),
        (
            "one turns absurd",
            &BOTH,
            &|second| Some(round(&[("s1", nan(second)), ("s2", 0.1)])),
            [(1, 0.5, Heartbeat), (2, 0.1, Prometheus)],
        ),
        ("it never answers", &BOTH, &|_| None, [(1, 0.5, Heartbeat), (2, 0.5, Heartbeat)]),
        (
            "it has just begun to answer",
            &BOTH,
            &|second| (second >= 50).then(|| round(&[("s1", 0.9), ("s2", 0.1)])),
            [(1, 0.5, Heartbeat), (2, 0.5, Heartbeat)],
        ),
    ];
    for (case, sources, told, expected) in cases {
        let (loads, now) = with_prometheus(sources, told);
        assert_eq!(said(&loads, now), expected, "{case}");
        assert_eq!(loads.picture(now).stale, None, "{case}");
    }
}

#[test]
fn without_any_good_source_nothing_may_be_moved_and_it_is_said_why_c18_s5() {
    let (mut loads, now) =
        with_prometheus(&[LoadSource::Prometheus], |_| Some(round(&[("s1", 0.9), ("s2", 0.1)])));
    assert_eq!(loads.gauges(now).used[&LoadSource::Prometheus].0, 2);
    let failed = Round { load: Err("HTTP 401: the token is missing or wrong".into()), ..round(&[]) };
    loads.on_round(failed, now + SECOND);
    let later = now + SECOND * 40;
    let why = loads.picture(later).stale.expect("nobody knows");
    assert!(why.contains("only 0 of 2") && why.contains("43 s old") && why.contains("401"), "{why}");
    assert!(loads.gauges(later).stale);
    assert_eq!(loads.gauges(later).without, 2);
    assert!(loads.prometheus_trouble().is_some_and(|why| why.contains("401")));
    // It answers again, and after a while is believed again.
    for (after, stale) in [(41, true), (51, true), (61, false)] {
        let then = now + SECOND * after;
        loads.on_round(round(&[("s1", 0.9), ("s2", 0.1)]), then);
        assert_eq!(loads.picture(then).stale.is_some(), stale, "{after} s");
    }
    assert_eq!(loads.prometheus_trouble(), None);
}

#[test]
fn it_is_measured_how_much_the_sources_differ_c18() {
    let (loads, now) = with_prometheus(&BOTH, |_| Some(round(&[("s1", 0.9), ("s2", 0.45)])));
    let disagreement = loads.gauges(now).disagreement;
    assert!((disagreement - 0.4).abs() < 0.02, "{disagreement}");
}

#[test]
fn what_was_moved_is_counted_at_its_new_server_before_rates_show_it_c18() {
    let (mut loads, now) = with_prometheus(&BOTH, |_| Some(round(&[("s1", 0.6), ("s2", 0.1)])));
    // Half a core of two.
    loads.moved(DatabaseId(1), tenure(2), now);
    assert_eq!(said(&loads, now), [(1, 0.35, LoadSource::Prometheus), (2, 0.35, LoadSource::Prometheus)]);
}
