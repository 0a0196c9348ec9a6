use model::Incarnation;

use super::{Silence::*, *};

const WINDOW: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

fn tenure(server: u32) -> Tenure {
    Tenure { server: ServerId(server), incarnation: Incarnation(server.into()) }
}

/// Servers 1, 2, … as they stand.
fn up(standing: &[Silence]) -> Vec<(Tenure, Silence)> {
    (1..).map(tenure).zip(standing.iter().copied()).collect()
}

fn brake() -> Brake {
    Brake::new(50, WINDOW, PATIENCE)
}

#[tokio::test(start_paused = true)]
async fn only_more_than_the_share_and_two_at_least_engage_it() {
    let cases: [(&[Silence], usize, bool); 11] = [
        (&[Lapsed], 1, false),
        (&[Lapsed, None], 1, false),
        (&[Lapsed, Lapsed], 0, true),
        (&[Lapsed, Long], 0, true),
        (&[Lapsed, None, None], 1, false),
        (&[Lapsed, Lapsed, None], 0, true),
        (&[Lapsed, Lapsed, None, None], 2, false),
        (&[Lapsed, Long, Long, None], 0, true),
        (&[Long, Long, Long, Long], 0, false),
        (&[None, None], 0, false),
        (&[], 0, false),
    ];
    for (standing, expired, engaged) in cases {
        let mut brake = brake();
        let verdict = brake.tick(&up(standing), Instant::now());
        let found = (verdict.expire.len(), verdict.turn == Some(Turn::Engaged));
        assert_eq!(found, (expired, engaged), "{standing:?}");
        assert_eq!(brake.engaged().is_some(), engaged, "{standing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_of_all_servers_turns_it_off() {
    let verdict = Brake::new(100, WINDOW, PATIENCE).tick(&up(&[Lapsed; 4]), Instant::now());
    assert_eq!((verdict.expire.len(), verdict.turn), (4, Option::None));
}

#[tokio::test(start_paused = true)]
async fn servers_declared_dead_within_the_window_count() {
    let (mut brake, start) = (brake(), Instant::now());
    assert_eq!(brake.tick(&up(&[Lapsed, None, None]), start).expire, [tenure(1)]);
    let rest = [(tenure(2), Lapsed), (tenure(3), None)];
    let verdict = brake.tick(&rest, start + SECOND);
    assert_eq!(verdict, Verdict { expire: vec![], turn: Some(Turn::Engaged) });
    assert_eq!(brake.tick(&rest, start + WINDOW), Verdict::default());
    let later = brake.tick(&rest, start + WINDOW + PATIENCE);
    assert_eq!(later.expire, [tenure(2)], "the first is forgotten, and one alone is no mass");
    assert_eq!(later.turn, Some(Turn::Released(WINDOW + PATIENCE - SECOND)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_came_back_in_another_life_counts_as_it_is_now() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed, None, None]), start);
    let again = Tenure { incarnation: Incarnation(9), ..tenure(1) };
    let all = [(again, None), (tenure(2), Lapsed), (tenure(3), None)];
    assert_eq!(brake.tick(&all, start + SECOND).expire, [tenure(2)]);
}

#[tokio::test(start_paused = true)]
async fn it_lets_go_by_itself_when_enough_are_heard_of_again() {
    let (mut brake, start) = (brake(), Instant::now());
    assert_eq!(brake.tick(&up(&[Lapsed; 3]), start).turn, Some(Turn::Engaged));
    assert!(brake.holds(tenure(1)));
    let still = brake.tick(&up(&[Lapsed, Lapsed, None]), start + SECOND);
    assert_eq!(still, Verdict::default());
    assert_eq!(brake.engaged(), Some(Engaged { since: start, silent: 2, of: 3 }));
    let enough = start + SECOND * 2;
    assert_eq!(brake.tick(&up(&[Lapsed, None, None]), enough), Verdict::default(), "others may follow");
    assert!(brake.holds(tenure(1)));
    let verdict = brake.tick(&up(&[Lapsed, None, None]), enough + PATIENCE);
    assert_eq!(verdict.expire, [tenure(1)], "what is left is an ordinary failure");
    assert_eq!(verdict.turn, Some(Turn::Released(SECOND * 2 + PATIENCE)));
    assert!(!brake.holds(tenure(1)));
}

#[tokio::test(start_paused = true)]
async fn it_lets_go_at_once_when_all_are_heard_of_again() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed; 3]), start);
    let verdict = brake.tick(&up(&[None; 3]), start + SECOND);
    assert_eq!(verdict, Verdict { expire: vec![], turn: Some(Turn::Released(SECOND)) });
}

#[tokio::test(start_paused = true)]
async fn a_relapse_begins_the_patience_anew() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed; 3]), start);
    brake.tick(&up(&[Lapsed, None, None]), start + SECOND);
    brake.tick(&up(&[Lapsed, Long, None]), start + SECOND * 2);
    let again = start + SECOND * 3;
    assert_eq!(brake.tick(&up(&[Lapsed, None, None]), again), Verdict::default());
    assert_eq!(brake.tick(&up(&[Lapsed, None, None]), again + PATIENCE).expire, [tenure(1)]);
}

#[tokio::test(start_paused = true)]
async fn it_stays_on_while_those_that_were_held_back_waver() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed, Lapsed]), start);
    assert_eq!(brake.tick(&up(&[Long, Long]), start + SECOND), Verdict::default());
    assert!(brake.engaged().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_counts_for_those_that_are_silent_then() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed, Lapsed, None, None, Lapsed]), start);
    assert_eq!(brake.release(), 3);
    let verdict = brake.tick(&up(&[Lapsed, Lapsed, Lapsed, None, None]), start + SECOND);
    assert_eq!(verdict, Verdict { expire: vec![tenure(1), tenure(2)], turn: Option::None });
    assert!(brake.holds(tenure(3)), "nothing was said of the third");
    let later = brake.tick(&up(&[Lapsed, Lapsed, Lapsed, None, None]), start + SECOND + PATIENCE);
    assert_eq!(later.expire, [tenure(1), tenure(2), tenure(3)], "and that one alone is no mass");
    assert_eq!(later.turn, Some(Turn::Released(SECOND + PATIENCE)));
    assert_eq!(brake.release(), 0, "nothing is held back");
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_counts_for_those_whose_leases_are_about_to_lapse_too() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed, Long, Long, None]), start);
    assert!(!brake.holds(tenure(2)), "it keeps its lease");
    assert_eq!(brake.release(), 3);
    assert_eq!(brake.tick(&up(&[Lapsed, Long, Long, None]), start).expire, [tenure(1)]);
    let verdict = brake.tick(&up(&[None, Lapsed, Lapsed, None]), start + SECOND);
    assert_eq!(verdict.expire, [tenure(2), tenure(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_ends_when_the_server_is_heard_of_again() {
    let (mut brake, start) = (brake(), Instant::now());
    brake.tick(&up(&[Lapsed, Lapsed]), start);
    brake.release();
    brake.tick(&up(&[None, None]), start + SECOND);
    let verdict = brake.tick(&up(&[Lapsed, Lapsed]), start + SECOND * 2);
    assert_eq!(verdict, Verdict { expire: vec![], turn: Some(Turn::Engaged) });
}

#[tokio::test(start_paused = true)]
async fn a_death_that_was_not_committed_is_asked_for_again_and_counted_once() {
    let (mut brake, start) = (brake(), Instant::now());
    for second in 0..3 {
        let verdict = brake.tick(&up(&[Lapsed, None]), start + SECOND * second);
        assert_eq!(verdict, Verdict { expire: vec![tenure(1)], turn: Option::None });
    }
}
