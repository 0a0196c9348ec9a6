//! `postgres.json`: the carrier.

use directive::{
    acknowledgement, decode,
    postgres::{self, Announcement, Statement},
};
use serde_json::{Value, json};

use crate::file::{File, bytes};

#[test]
fn s9_announcements_are_read_alike() {
    File::open("postgres.json").check("announcements", |case| {
        match Announcement::parse(case["value"].as_str().expect("a text")) {
            Ok(announcement) => {
                let canonical = announcement.value().expect("what was read can be written");
                assert_eq!(Announcement::parse(&canonical).as_ref(), Ok(&announcement));
                let Announcement { version, session, driver, location, can } = announcement;
                let can: Vec<_> = can.iter().map(|kind| kind.name()).collect();
                case["canonical"] = canonical.into();
                case["read"] = json!({ "version": version, "session": session, "driver": driver,
                    "location": location, "can": can });
            }
            Err(refusal) => case["refused"] = refusal.why.code().into(),
        }
    });
}

#[test]
fn s9_the_announcement_is_found_among_other_options() {
    File::open("postgres.json").check("options", |case| {
        let (value, rest) = postgres::split_options(case["options"].as_str().expect("a text"));
        case["value"] = json!(value);
        case["rest"] = rest.into();
    });
}

#[test]
fn r66_acknowledgements_are_read_alike() {
    File::open("postgres.json").check("acknowledgements", |case| {
        match acknowledgement::decode(&bytes(case)) {
            Ok(read) => case["canonical"] = acknowledgement::encode(&read).expect("what was read").into(),
            Err(refusal) => case["refused"] = refusal.why.code().into(),
        }
    });
}

#[test]
fn r94_what_a_client_says_in_its_session_is_told_from_sql() {
    File::open("postgres.json").check("statements", |case| {
        let sql = case["sql"].as_str().expect("a text").to_owned();
        match postgres::statement(&sql) {
            None => case["is"] = Value::Null,
            Some(Err(refusal)) => case["refused"] = refusal.why.code().into(),
            Some(Ok(Statement::Acknowledge(list))) => {
                case["is"] = "acknowledge".into();
                case["canonical"] = postgres::acknowledge(&list).expect("what was read").into();
            }
            Some(Ok(Statement::Announce(announcement))) => {
                case["is"] = "announce".into();
                case["canonical"] = postgres::announce(&announcement).expect("what was read").into();
            }
        }
    });
}

#[test]
fn r48_r58_a_directive_travels_as_a_notice() {
    File::open("postgres.json").check("notices", |case| {
        let directive = decode(case["directive"].to_string().as_bytes()).expect("a directive");
        let notice = postgres::notice(&directive).expect("can be written");
        assert_eq!(postgres::read_notice(notice.sqlstate, &notice.detail), Some(Ok(directive)));
        case["severity"] = notice.severity.into();
        case["sqlstate"] = notice.sqlstate.into();
        case["message"] = notice.message.into();
        case["detail"] = notice.detail.into();
    });
}

#[test]
fn notices_of_others_and_of_later_versions_are_left_alone() {
    for (sqlstate, ours) in [("00000", false), ("01000", false), ("SM002", true), ("SM", false), ("", false)]
    {
        assert_eq!(postgres::read_notice(sqlstate, "{}"), None, "{sqlstate}");
        assert_eq!(postgres::is_directive(sqlstate), ours, "{sqlstate}");
    }
}
