use model::DatabaseOptions;

use super::*;
use crate::sql::Pin;

const MS: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_millis(1_000);

fn deadline() -> (Deadline, Arc<Pace>) {
    let pace = Arc::new(Pace::default());
    let mut options = DatabaseOptions::default();
    options.set(model::DatabaseOption::parse("time_limit", "1s").expect("a limit"));
    pace.tell(&options, model::Revision(1));
    let mut deadline = Deadline::default();
    deadline.follow(pace.clone());
    (deadline, pace)
}

#[test]
fn without_a_limit_nothing_is_measured() {
    let now = Instant::now();
    let mut deadline = Deadline::default();
    assert_eq!(deadline.look(0, true, now), Look::Rest);
    deadline.follow(Arc::default());
    assert_eq!(deadline.look(0, true, now), Look::Rest);
    assert_eq!(deadline.look(0, true, now + LIMIT * 9), Look::Rest);
}

#[test]
fn the_request_in_front_has_the_limit_from_its_sending_r20() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    assert_eq!(deadline.look(0, false, now), Look::Rest);
    assert_eq!(deadline.look(0, true, now + MS), Look::Until(now + MS + LIMIT));
    assert_eq!(deadline.look(0, true, now + LIMIT), Look::Until(now + MS + LIMIT));
    let late = Late { limit: LIMIT, elapsed: LIMIT, quick: 0, repeats: 0 };
    assert_eq!(deadline.look(0, true, now + MS + LIMIT), Look::Over(late));
}

#[test]
fn each_answer_gives_the_next_request_the_whole_limit() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    deadline.look(0, true, now);
    let next = now + MS * 900;
    assert_eq!(deadline.look(1, true, next), Look::Until(next + LIMIT));
    assert_eq!(deadline.look(2, false, next), Look::Rest);
    let third = now + LIMIT * 5;
    assert_eq!(deadline.look(2, true, third), Look::Until(third + LIMIT));
}

#[test]
fn a_client_that_is_waited_for_does_not_use_up_the_limit() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    deadline.look(0, true, now);
    assert_eq!(deadline.look(0, false, now + LIMIT * 2), Look::Rest);
    let again = now + LIMIT * 3;
    assert_eq!(deadline.look(0, true, again), Look::Until(again + LIMIT));
}

#[test]
fn quick_answers_to_other_sessions_are_evidence() {
    let now = Instant::now();
    let (mut slow, pace) = deadline();
    let mut other = Deadline::default();
    other.follow(pace);
    slow.look(0, true, now);
    for (at, answers) in [(0, 0), (10, 1), (20, 2), (900, 3)] {
        other.look(answers, true, now + MS * at);
    }
    let Look::Over(late) = slow.look(0, true, now + LIMIT) else { panic!("it is late") };
    assert_eq!(late.quick, 2, "the third took too long to count");
}

#[test]
fn an_ending_that_is_not_confirmed_in_time_is_over_again() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    let late = Late { limit: LIMIT, elapsed: LIMIT, quick: 0, repeats: 0 };
    deadline.end(4, late, now);
    assert!(deadline.is_ending());
    assert_eq!(deadline.look(4, true, now), Look::Until(now + TERMINATE_PATIENCE));
    assert_eq!(deadline.look(4, true, now + TERMINATE_PATIENCE), Look::Over(late));
    assert_eq!(deadline.ended(), Some(late));
    assert_eq!(deadline.ended(), None);
}

#[test]
fn an_answer_that_came_just_before_the_end_counts() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    deadline.end(4, Late { limit: LIMIT, elapsed: LIMIT, quick: 0, repeats: 0 }, now);
    assert_eq!(deadline.look(5, false, now), Look::Resumed);
    assert!(!deadline.is_ending());
}

#[test]
fn repeats_are_counted_for_one_request_only() {
    let now = Instant::now();
    let (mut deadline, _) = deadline();
    deadline.repeat(7);
    deadline.repeat(7);
    deadline.look(7, true, now);
    let Look::Over(late) = deadline.look(7, true, now + LIMIT) else { panic!("it is late") };
    assert_eq!(late.repeats, 2);
    deadline.look(8, true, now);
    let Look::Over(late) = deadline.look(8, true, now + LIMIT) else { panic!("it is late") };
    assert_eq!(late.repeats, 0);
}

#[test]
fn only_what_cannot_have_been_kept_or_seen_is_provided_again_r21() {
    use TransactionStatus::{Failed, Idle, InTransaction};
    const ALONE: Scene = Scene {
        requests: 1,
        quiet: false,
        status: Idle,
        beyond: false,
        may_commit: false,
        replayable: true,
        pin: None,
        mid_answer: false,
        mid_request: false,
    };
    for (expected, what, scene, seen, after) in [
        (true, "an autocommit statement", ALONE, false, Idle),
        (false, "part of its answer was seen", ALONE, true, Idle),
        (false, "in a transaction", Scene { status: InTransaction, ..ALONE }, false, Failed),
        (false, "it began a transaction", ALONE, false, Failed),
        (false, "its transaction had failed", Scene { status: Failed, ..ALONE }, false, Failed),
        (false, "others wait behind it", Scene { requests: 2, ..ALONE }, false, Idle),
        (false, "another one has begun", Scene { mid_request: true, ..ALONE }, false, Idle),
        (false, "it may have committed", Scene { may_commit: true, ..ALONE }, false, Idle),
        (false, "it was not kept", Scene { replayable: false, ..ALONE }, false, Idle),
        (false, "bound to its server", Scene { pin: Some(Pin::Temporary), ..ALONE }, false, Idle),
        (false, "within a message", Scene { mid_answer: true, ..ALONE }, false, Idle),
    ] {
        assert_eq!(may_repeat(&scene, seen, after), expected, "{what}");
    }
}
