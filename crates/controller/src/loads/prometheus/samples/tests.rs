//! Absurd input, one trap at a time: each falls back for its server, or for all, and says why.

use std::time::Duration;

use super::*;

fn settings() -> PrometheusSettings {
    PrometheusSettings {
        max_age: Duration::from_secs(60),
        warmup: Duration::from_secs(30),
        ..PrometheusSettings::new(vec!["http://p:9090".into()])
    }
}

fn values(pairs: &[(&str, f64)]) -> Values {
    pairs.iter().map(|(server, value)| ((*server).into(), Ok(*value))).collect()
}

fn good() -> Round {
    Round {
        load: Ok(values(&[("s1", 0.5), ("s2", 0.25)])),
        age: Ok(values(&[("s1", 5.0), ("s2", 5.0)])),
        coverage: Some(Ok(values(&[("s1", 4.0), ("s2", 4.0)]))),
    }
}

/// Good rounds every ten seconds up to a minute, then this one: what becomes of s1 and of s2 two seconds later.
fn after(last: Round) -> [Result<f64, String>; 2] {
    let (mut samples, settings) = (Samples::default(), settings());
    for now in [0.0, 10.0, 20.0, 30.0, 40.0, 50.0] {
        samples.on_round(good(), &settings, now);
    }
    samples.on_round(last, &settings, 60.0);
    ["s1", "s2"].map(|server| {
        let told = samples.of(server, &settings, 62.0);
        told.map(|sample| sample.utilization).map_err(|(why, _)| why)
    })
}

#[test]
fn a_good_round_is_used_c18() {
    assert_eq!(after(good()), [Ok(0.5), Ok(0.25)]);
}

#[test]
fn an_absurd_value_spoils_its_server_alone_c18() {
    let one = |server: &str, value: f64, round: &mut Values| drop(round.insert(server.into(), Ok(value)));
    type Spoil = fn(&mut Round, &dyn Fn(&str, f64, &mut Values));
    let traps: [(&str, Spoil, &str); 11] = [
        ("not a number", |round, one| one("s1", f64::NAN, round.load.as_mut().expect("good")), "load is NaN"),
        (
            "infinite",
            |round, one| one("s1", f64::INFINITY, round.load.as_mut().expect("good")),
            "load is inf",
        ),
        ("negative", |round, one| one("s1", -0.1, round.load.as_mut().expect("good")), "load is -0.1"),
        ("too much", |round, one| one("s1", 90.0, round.load.as_mut().expect("good")), "load is 90"),
        (
            "a text",
            |round, _| {
                let load = round.load.as_mut().expect("good");
                load.insert("s1".into(), Err("its value is no number".into()));
            },
            "no number",
        ),
        (
            "scraped five minutes ahead",
            |round, one| {
                one("s1", -300.0, round.age.as_mut().expect("good"));
            },
            "clock",
        ),
        (
            "an old value that look-back returns",
            |round, one| {
                one("s1", 290.0, round.age.as_mut().expect("good"));
            },
            "292 s old",
        ),
        ("no age", |round, _| drop(round.age.as_mut().expect("good").remove("s1")), "age is not told"),
        (
            "a rate over too few samples",
            |round, one| {
                one("s1", 1.0, round.coverage.as_mut().expect("asked").as_mut().expect("good"));
            },
            "window has 1 samples",
        ),
        (
            "no coverage",
            |round, _| {
                drop(round.coverage.as_mut().expect("asked").as_mut().expect("good").remove("s1"));
            },
            "coverage is not told",
        ),
        ("a silent target", |round, _| drop(round.load.as_mut().expect("good").remove("s1")), "no series"),
    ];
    for (trap, spoil, reason) in traps {
        let mut round = good();
        spoil(&mut round, &one);
        let [spoilt, other] = after(round);
        let why = spoilt.expect_err(trap);
        assert!(why.contains(reason), "{trap}: {why:?} should say {reason:?}");
        assert_eq!(other, Ok(0.25), "{trap}: the other server's value counts");
    }
}

#[test]
fn a_round_that_fails_leaves_what_is_known_until_it_is_old_c18() {
    for part in ["load", "age", "coverage"] {
        let (mut samples, settings) = (Samples::default(), settings());
        for now in [0.0, 10.0, 20.0, 30.0] {
            samples.on_round(good(), &settings, now);
        }
        let mut bad = good();
        let failed = || Err("HTTP 401".to_string());
        match part {
            "load" => bad.load = failed(),
            "age" => bad.age = failed(),
            _ => bad.coverage = Some(failed()),
        }
        for now in [40.0, 50.0, 60.0, 70.0, 80.0, 90.0] {
            samples.on_round(bad.clone(), &settings, now);
        }
        assert!(samples.trouble().is_some_and(|why| why.contains("HTTP 401")), "{part}");
        assert!(samples.of("s1", &settings, 84.0).is_ok(), "{part}: 59 s old");
        let (why, _) = samples.of("s1", &settings, 90.0).expect_err("too old");
        assert!(why.contains("65 s old") && why.contains("HTTP 401"), "{part}: {why}");
    }
}

#[test]
fn after_a_start_or_a_stall_rates_are_not_believed_for_a_while_c18() {
    let (mut samples, settings) = (Samples::default(), settings());
    let says = |samples: &Samples, now| samples.of("s1", &settings, now).map_err(|(why, _)| why);
    assert_eq!(says(&samples, 0.0), Err("Prometheus has not answered yet".into()));
    for now in [0.0, 10.0, 20.0] {
        samples.on_round(good(), &settings, now);
        assert!(says(&samples, now).expect_err("warming up").contains("good for"), "{now}");
    }
    samples.on_round(good(), &settings, 30.0);
    assert!(says(&samples, 30.0).is_ok());
    // Stopped for two minutes: the next good one is the first again.
    samples.on_round(good(), &settings, 150.0);
    assert!(says(&samples, 150.0).expect_err("warming up again").contains("good for 0 s"));
    samples.on_round(good(), &settings, 180.0);
    assert!(says(&samples, 180.0).is_ok());
    // A target that was away begins anew, too.
    let without = Round { load: Ok(values(&[("s2", 0.25)])), ..good() };
    samples.on_round(without, &settings, 190.0);
    assert_eq!(says(&samples, 190.0), Err("Prometheus has no series of it".into()));
    samples.on_round(good(), &settings, 200.0);
    assert!(says(&samples, 200.0).expect_err("again").contains("good for 0 s"));
}
