use model::{Command, Entry, FleetId, Revision};

use super::*;

const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let name = |text: &str| Name::new(text).expect("a good name");
    for (revision, command) in (1..).zip([
        Command::Found { fleet: FleetId(7) },
        Command::CreateDatabase { name: name("shop"), owner: None, key: None },
        Command::PutUser { name: name("alice"), verifier: VERIFIER.into() },
    ]) {
        fleet.apply(Revision(revision), &Entry::new(TimestampMs(0), command)).expect("a good history");
    }
    fleet
}

fn plan(text: &str) -> Result<Plan, Vec<Bad>> {
    Plan::of(text, &fleet(), TimestampMs(5))
}

fn steps(text: &str) -> (Vec<String>, u64) {
    match plan(text) {
        Ok(plan) => (plan.steps.into_iter().map(|step| step.what).collect(), plan.unchanged),
        Err(bad) => panic!("{bad:?}"),
    }
}

fn head(fleet: u128) -> String {
    format!(r#"{{"kind":"map","version":1,"fleet":"{}"}}"#, FleetId(fleet))
}

#[test]
fn what_is_there_already_is_left_alone_and_the_rest_is_made() {
    let text = format!(
        "{}\n{}\n{}\n\n{}\n{}\n",
        head(7),
        r#"{"kind":"option","database":"depot","name":"time_limit","value":"2s"}"#,
        r#"{"kind":"database","name":"shop","id":"db-1","epoch":9}"#,
        r#"{"kind":"database","name":"depot"}"#,
        format_args!(r#"{{"kind":"user","name":"alice","verifier":"{VERIFIER}"}}"#),
    );
    let expected = vec!["create \"depot\"".to_string(), "set time_limit=2s of \"depot\"".into()];
    assert_eq!(steps(&text), (expected, 2));
}

#[test]
fn a_lost_database_of_this_fleet_comes_back_under_its_id_and_one_of_another_fleet_is_made_anew() {
    let line = r#"{"kind":"database","name":"lost","id":"db-9","epoch":3}"#;
    assert_eq!(steps(&format!("{}\n{line}", head(7))).0, ["adopt db-9 as \"lost\""]);
    assert_eq!(steps(&format!("{}\n{line}", head(8))).0, ["create \"lost\""]);
}

#[test]
fn every_bad_line_is_named_and_verifiers_are_not_shown() {
    let lines = [
        head(7),
        "nonsense".into(),
        r#"{"kind":"database","name":""}"#.into(),
        r#"{"kind":"database","name":"db-7"}"#.into(),
        r#"{"kind":"database","name":"shop","id":"db-2"}"#.into(),
        r#"{"kind":"database","name":"other","id":"db-1"}"#.into(),
        r#"{"kind":"database","name":"twice"}"#.into(),
        r#"{"kind":"database","name":"twice"}"#.into(),
        r#"{"kind":"user","name":"bob","verifier":"hunter2"}"#.into(),
        r#"{"kind":"option","database":"nobody","name":"time_limit","value":"2s"}"#.into(),
        r#"{"kind":"option","database":"shop","name":"colour","value":"red"}"#.into(),
        r#"{"kind":"map","version":9}"#.into(),
        r#"{"kind":"table"}"#.into(),
    ];
    let bad = plan(&lines.join("\n")).err().expect("they are bad");
    let named: Vec<usize> = bad.iter().map(|(line, _)| *line).collect();
    assert_eq!(named, [2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13], "{bad:?}");
    assert!(!format!("{bad:?}").contains("hunter2"), "{bad:?}");
}
