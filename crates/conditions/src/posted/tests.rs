use super::*;

#[test]
fn r60_events_are_read_one_or_several_and_belong_to_the_outside() {
    let one = events(br#"{"source": "rack_temperature", "value": 41.5}"#).expect("sound");
    let expected = Measurement {
        source: "external.rack_temperature".parse().expect("a name"),
        scope: Scope::Server,
        value: 41.5,
        unit: Unit::Count,
        affects: None,
    };
    assert_eq!(one, [expected]);
    let several = br#"[{"source": "external.a", "value": 1, "unit": "ratio", "database": "db-5", "affects": ["failure"]},
                      {"source": "cpu_used_ratio", "value": -2e3}]"#;
    let several = events(several).expect("sound");
    assert_eq!(several[0].scope, Scope::Database(DatabaseId(5)));
    assert_eq!((several[0].unit, several[0].affects), (Unit::Ratio, Some((false, true))));
    assert_eq!(several[1].source.as_ref(), "external.cpu_used_ratio", "nobody speaks for the server itself");
}

#[test]
fn r61_conditions_are_read_with_when_and_how_long() {
    let body =
        br#"{"condition": "maintenance", "starts_in_s": 600, "lasts_s": 1800, "reason": "new\nkernel"}"#;
    let told = conditions(body).expect("sound");
    assert_eq!(told[0].evidence, "new kernel; begins in 600 s, lasts 1800 s");
    assert_eq!((told[0].raised, told[0].lasts), (true, Duration::from_secs(2400)));
    let over = conditions(br#"[{"condition": "maintenance", "state": "cleared"}]"#).expect("sound");
    assert_eq!((over[0].raised, &over[0].by), (false, &told[0].by));
}

#[test]
fn r61_alertmanagers_notifications_are_read() {
    let body = br#"{"version": "4", "groupKey": "{}", "status": "firing", "receiver": "stationmaster", "alerts": [
        {"status": "firing", "labels": {"alertname": "NodeDiskSlow", "instance": "a"}, "fingerprint": "f1",
         "annotations": {"summary": "disk of a is slow"}, "startsAt": "2026-11-22T02:30:00Z"},
        {"status": "resolved", "labels": {"alertname": "X", "condition": "maintenance", "database": "db-5"}}]}"#;
    let told = alerts(body).expect("sound");
    assert_eq!((told[0].kind.as_ref(), told[0].raised), ("node_disk_slow", true));
    assert_eq!(told[0].evidence, "alert NodeDiskSlow: disk of a is slow");
    assert_eq!(told[0].by, "alertmanager f1");
    assert_eq!((told[1].kind.as_ref(), told[1].raised), ("maintenance", false));
    assert_eq!(told[1].scope, Scope::Database(DatabaseId(5)));
}

#[test]
fn absurd_posts_are_refused_with_what_is_wrong() {
    let of = |error: BadPost| error.to_string();
    for (body, part) in [
        ("", "not understood"),
        ("{", "not understood"),
        ("7", "number 1: invalid type"),
        (r#"{"source": "a"}"#, "missing field `value`"),
        (r#"{"source": "a", "value": "much"}"#, "invalid type"),
        (r#"{"source": "a", "value": 1e999}"#, "out of range"),
        (r#"{"source": "A b", "value": 1}"#, "is no name of a source"),
        (r#"{"source": "a", "value": 1, "unit": "kg"}"#, "`unit` is one of \"ratio\""),
        (r#"{"source": "a", "value": 1, "database": "shop"}"#, "an id like db-5"),
        (r#"{"source": "a", "value": 1, "affects": ["mood"]}"#, "\"mood\" is neither"),
        (r#"{"source": "a", "value": 1, "colour": 1}"#, "unknown field `colour`, expected one of"),
        (r#"[{"source": "a", "value": 1}, 3]"#, "number 2"),
    ] {
        let told = of(events(body.as_bytes()).expect_err(body));
        assert!(told.contains(part) && told.len() < 600, "{body}: {told}");
    }
    for (body, part) in [
        (r#"{"condition": "Über"}"#, "is no name of a condition"),
        (r#"{"condition": "a", "state": "maybe"}"#, "`state` is \"raised\" or \"cleared\""),
        (r#"{"condition": "a", "lasts_s": 99999999}"#, "`lasts_s` is at most 86400"),
    ] {
        let told = of(conditions(body.as_bytes()).expect_err(body));
        assert!(told.contains(part), "{body}: {told}");
    }
    for (body, part) in [
        (r#"{"version": "3", "alerts": []}"#, "version \"4\""),
        (r#"{"alerts": []}"#, "missing field `version`"),
        (r#"{"version": "4", "alerts": [{"status": "firing"}]}"#, "neither a label"),
        (r#"{"version": "4", "alerts": [{"status": "?", "labels": {"alertname": "a"}}]}"#, "`status` is"),
    ] {
        let told = of(alerts(body.as_bytes()).expect_err(body));
        assert!(told.contains(part), "{body}: {told}");
    }
    let many = vec![r#"{"source": "a", "value": 1}"#; POSTED_MAX + 1].join(",");
    assert_eq!(events(format!("[{many}]").as_bytes()), Err(BadPost::TooMany(POSTED_MAX + 1)));
}

mod any_bytes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read_or_refused = (events(&bytes).is_ok(), conditions(&bytes).is_ok(), alerts(&bytes).is_ok());
        }

        #[test]
        fn texts_are_short_and_on_one_line(reason in "\\PC{0,400}|[\\x00-\\x20]{0,400}") {
            let body = serde_json::json!({ "condition": "a", "reason": reason }).to_string();
            let told = conditions(body.as_bytes()).expect("sound");
            let evidence = &told[0].evidence;
            prop_assert!(evidence.len() <= EVIDENCE_BYTES_MAX && !evidence.chars().any(char::is_control));
        }
    }
}
