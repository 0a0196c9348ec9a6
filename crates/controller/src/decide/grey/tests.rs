use model::{Incarnation, ServerId};

use super::*;

const AFTER: Duration = Duration::from_secs(30);
const SLOW: Option<bool> = Some(true);
const WELL: Option<bool> = Some(false);

fn tenure(server: u32) -> Tenure {
    Tenure { server: ServerId(server), incarnation: Incarnation(1) }
}

fn patients<const N: usize>(all: [(Care, Option<bool>); N]) -> [Patient; N] {
    let mut number = 0;
    all.map(|(care, slow)| {
        number += 1;
        Patient { tenure: tenure(number), care, slow }
    })
}

/// What is done after servers have felt like this for so many seconds, looked at every second.
fn after<const N: usize>(
    grey: &mut Grey,
    from: u64,
    to: u64,
    all: [(Care, Option<bool>); N],
) -> Option<Treatment> {
    let start = *START.get_or_init(Instant::now);
    let mut treatments =
        (from..=to).filter_map(|second| grey.tick(&patients(all), start + Duration::from_secs(second)));
    treatments.next()
}

static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

#[test]
fn the_table_of_who_is_emptied() {
    use Care::{Drained, Emptied, Up};
    let empty = |server| Some(Treatment::Empty(tenure(server)));
    for (what, all, expected) in [
        ("all well", [(Up, WELL), (Up, WELL), (Up, WELL)], None),
        ("one slow", [(Up, WELL), (Up, SLOW), (Up, WELL)], empty(2)),
        ("as many slow as well", [(Up, WELL), (Up, SLOW), (Up, None)], empty(2)),
        ("more slow than well", [(Up, SLOW), (Up, SLOW), (Up, WELL)], None),
        ("all slow", [(Up, SLOW), (Up, SLOW), (Up, SLOW)], None),
        ("nobody else says anything", [(Up, SLOW), (Up, None), (Up, None)], None),
        ("another one is emptied", [(Up, SLOW), (Emptied, SLOW), (Up, WELL)], None),
        ("an operator has it drained", [(Drained, SLOW), (Up, WELL), (Up, WELL)], None),
        ("an operator has another drained", [(Up, SLOW), (Drained, WELL), (Up, WELL)], empty(1)),
        ("who is drained helps nobody", [(Up, SLOW), (Drained, WELL), (Up, None)], None),
    ] {
        assert_eq!(after(&mut Grey::new(AFTER), 0, 40, all), expected, "{what}");
    }
}

#[test]
fn only_lasting_slowness_counts() {
    let mut grey = Grey::new(AFTER);
    let one = |slow| [(Care::Up, slow), (Care::Up, WELL)];
    assert_eq!(after(&mut grey, 0, 29, one(SLOW)), None);
    assert_eq!(after(&mut grey, 30, 30, one(WELL)), None, "well for a moment");
    assert_eq!(after(&mut grey, 31, 60, one(SLOW)), None);
    assert_eq!(after(&mut grey, 61, 61, one(None)), None, "silent for a moment");
    assert_eq!(after(&mut grey, 62, 91, one(SLOW)), None);
    assert_eq!(after(&mut grey, 92, 92, one(SLOW)), Some(Treatment::Empty(tenure(1))));
}

#[test]
fn it_is_restored_after_twice_the_time_and_the_next_one_has_to_wait() {
    let mut grey = Grey::new(AFTER);
    let up = [(Care::Up, SLOW), (Care::Up, WELL), (Care::Up, WELL)];
    assert_eq!(after(&mut grey, 0, 40, up), Some(Treatment::Empty(tenure(1))));
    let emptied = |slow| [(Care::Emptied, slow), (Care::Up, WELL), (Care::Up, SLOW)];
    assert_eq!(after(&mut grey, 41, 99, emptied(SLOW)), None, "one at a time");
    assert_eq!(after(&mut grey, 100, 159, emptied(WELL)), None);
    assert_eq!(after(&mut grey, 160, 160, emptied(WELL)), Some(Treatment::Restore(tenure(1))));
    let next = [(Care::Up, WELL), (Care::Up, WELL), (Care::Up, SLOW)];
    assert_eq!(after(&mut grey, 161, 329, next), None, "not so soon after the last one");
    assert_eq!(after(&mut grey, 330, 340, next), Some(Treatment::Empty(tenure(3))));
}

#[test]
fn another_life_begins_anew() {
    let mut grey = Grey::new(AFTER);
    let start = Instant::now();
    let patient = |incarnation, slow| Patient {
        tenure: Tenure { server: ServerId(1), incarnation: Incarnation(incarnation) },
        care: Care::Up,
        slow,
    };
    let other = Patient { tenure: tenure(2), care: Care::Up, slow: WELL };
    assert_eq!(grey.tick(&[patient(1, SLOW), other], start), None);
    assert_eq!(grey.tick(&[patient(2, SLOW), other], start + AFTER), None);
    assert!(grey.tick(&[patient(2, SLOW), other], start + AFTER * 2).is_some());
}

#[test]
fn zero_turns_it_off() {
    let all = [(Care::Up, SLOW), (Care::Up, WELL)];
    assert_eq!(after(&mut Grey::new(Duration::ZERO), 0, 1_000, all), None);
}
