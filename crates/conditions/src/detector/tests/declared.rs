//! Conditions that others declare.

use super::*;

const MAINTENANCE: &str = "[rule.maintenance]\nwhat = \"announced\"\nactions = [\"unload_idle\"]\n";

fn say(by: &str, raised: bool, lasts_s: u64) -> Declaration {
    Declaration {
        kind: "maintenance".parse().expect("a name"),
        scope: Scope::Server,
        raised,
        evidence: format!("{by} says so"),
        by: by.into(),
        lasts: Duration::from_secs(lasts_s),
    }
}

fn told(watched: &mut Watched, second: f64, declaration: Declaration) -> Vec<String> {
    let now = watched.at(second);
    shown(&watched.detector.declare(declaration, now).expect("there is room"))
}

#[test]
fn r61_what_is_declared_is_raised_until_it_is_taken_back() {
    let mut watched = Watched::new(MAINTENANCE);
    assert_eq!(told(&mut watched, 0.0, say("a", true, 60)), ["+maintenance"]);
    assert_eq!(told(&mut watched, 1.0, say("a", true, 60)), [""; 0], "said again");
    let raised = watched.detector.raised();
    assert!(raised[0].declared && raised[0].evidence == "a says so", "{raised:?}");
    assert_eq!(raised[0].actions, [Action::UnloadIdle], "its rule says what to do");
    assert_eq!(told(&mut watched, 2.0, say("b", false, 60)), [""; 0], "b never said so");
    assert_eq!(told(&mut watched, 3.0, say("a", false, 60)), ["-maintenance"]);
    assert_eq!(told(&mut watched, 4.0, say("a", false, 60)), [""; 0]);
    assert!(watched.detector.raised().is_empty());
}

#[test]
fn what_several_say_is_over_when_none_says_it_any_more() {
    let mut watched = Watched::new(MAINTENANCE);
    assert_eq!(told(&mut watched, 0.0, say("a", true, 60)), ["+maintenance"]);
    assert_eq!(told(&mut watched, 0.0, say("b", true, 10)), [""; 0]);
    assert_eq!(told(&mut watched, 5.0, say("a", false, 60)), [""; 0]);
    assert!(watched.step(9.0, &[]).is_empty());
    assert_eq!(watched.step(10.0, &[]), ["-maintenance"], "its time is over");
}

#[test]
fn a_rule_and_a_monitor_may_say_the_same() {
    let mut watched = Watched::new("[rule.maintenance]\nif = [{ source = \"ending\", above = 0 }]\n");
    assert_eq!(watched.step(0.0, &[("ending", 1.0)]), ["+maintenance"]);
    assert_eq!(told(&mut watched, 1.0, say("a", true, 60)), [""; 0]);
    assert!(watched.step(2.0, &[("ending", 0.0)]).is_empty(), "a still says so");
    assert_eq!(told(&mut watched, 3.0, say("a", false, 60)), ["-maintenance"]);
}

#[test]
fn a_flood_of_declarations_is_refused() {
    let mut watched = Watched::new("");
    let now = watched.at(0.0);
    for number in 0..DECLARED_MAX {
        let kind = format!("c{number}").parse().expect("a name");
        watched.detector.declare(Declaration { kind, ..say("a", true, 60) }, now).expect("there is room");
    }
    assert_eq!(watched.detector.declare(say("a", true, 60), now), Err(TooMany));
    assert_eq!(watched.detector.raised().len(), DECLARED_MAX);
}
