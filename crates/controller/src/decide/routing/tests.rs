//! Conversations, step by step.

use model::Incarnation;

use super::*;
use crate::decide::Cause;

const OWNER: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };
const OTHER: Tenure = Tenure { server: ServerId(2), incarnation: Incarnation(2) };

fn found(epoch: u64, owner: Option<Tenure>, loaded: bool) -> Found {
    Found { epoch: Epoch(epoch), owner, loaded }
}

fn hint(epoch: u64, why: WhyFailed) -> Option<RouteFailed> {
    Some(RouteFailed { epoch: Epoch(epoch), why })
}

fn avoiding(servers: &[ServerId]) -> Step {
    Step::Assign { avoid: servers.iter().copied().collect() }
}

fn fail(routing: &mut Routing, epoch: u64, why: LoadFailure) {
    routing.on_load_failed(Epoch(epoch), OWNER, why, "no".into());
}

#[test]
fn an_unassigned_database_is_assigned_loaded_and_answered() {
    let mut routing = Routing::new(None, 3);
    assert_eq!(routing.next(&found(0, None, false)), avoiding(&[]));
    routing.on_assigned(Epoch(1));
    assert_eq!(routing.next(&found(1, Some(OWNER), false)), Step::Load(OWNER));
    routing.on_loaded(Epoch(1));
    assert_eq!(routing.next(&found(1, Some(OWNER), true)), Step::Answer);
}

#[test]
fn a_loaded_database_is_answered_at_once() {
    assert_eq!(Routing::new(None, 3).next(&found(4, Some(OWNER), true)), Step::Answer);
}

#[test]
fn a_new_leader_prompts_the_load_again() {
    assert_eq!(Routing::new(None, 3).next(&found(4, Some(OWNER), false)), Step::Load(OWNER));
}

#[test]
fn a_report_about_an_older_epoch_moves_nothing() {
    for why in [WhyFailed::Refused, WhyFailed::Unreachable] {
        assert_eq!(Routing::new(hint(3, why), 3).next(&found(4, Some(OWNER), true)), Step::Answer);
    }
}

#[test]
fn a_refusal_at_the_present_epoch_makes_the_owner_load_again() {
    let mut routing = Routing::new(hint(4, WhyFailed::Refused), 3);
    assert_eq!(routing.next(&found(4, Some(OWNER), true)), Step::Load(OWNER));
    routing.on_loaded(Epoch(4));
    assert_eq!(routing.next(&found(4, Some(OWNER), true)), Step::Answer);
}

#[test]
fn a_spent_epoch_is_assigned_anew_even_to_the_same_server() {
    let mut routing = Routing::new(hint(4, WhyFailed::Refused), 3);
    fail(&mut routing, 4, LoadFailure::EpochSpent);
    assert_eq!(routing.next(&found(4, Some(OWNER), false)), avoiding(&[]));
    routing.on_assigned(Epoch(5));
    assert_eq!(routing.next(&found(5, Some(OWNER), false)), Step::Load(OWNER));
}

#[test]
fn a_server_that_cannot_load_is_avoided() {
    let mut routing = Routing::new(None, 3);
    fail(&mut routing, 4, LoadFailure::Unable);
    assert_eq!(routing.next(&found(4, Some(OWNER), false)), avoiding(&[OWNER.server]));
}

#[test]
fn a_dead_owner_is_expired_first() {
    let mut routing = Routing::new(None, 3);
    fail(&mut routing, 4, LoadFailure::Dead(Cause::Refused));
    assert_eq!(routing.next(&found(4, Some(OWNER), false)), Step::Expire(OWNER, Cause::Refused));
    routing.on_expired();
    assert_eq!(routing.next(&found(4, None, false)), avoiding(&[]));
    routing.on_assigned(Epoch(5));
    assert_eq!(routing.next(&found(5, Some(OTHER), false)), Step::Load(OTHER));
}

#[test]
fn an_unreachable_owner_is_probed_and_asked_when_it_lives() {
    let mut routing = Routing::new(hint(4, WhyFailed::Unreachable), 3);
    assert_eq!(routing.next(&found(4, Some(OWNER), true)), Step::Probe(OWNER));
    routing.on_alive(Epoch(4));
    assert_eq!(routing.next(&found(4, Some(OWNER), true)), Step::Load(OWNER));
}

#[test]
fn a_silent_owner_keeps_what_it_may_be_serving_until_its_lease_lapses() {
    let mut routing = Routing::new(None, 3);
    fail(&mut routing, 4, LoadFailure::Silent);
    assert_eq!(routing.next(&found(4, Some(OWNER), false)), Step::Await(OWNER));
    assert_eq!(routing.next(&found(4, None, false)), avoiding(&[]), "it was declared dead meanwhile");
}

#[test]
fn a_silent_owner_that_answers_again_is_asked_and_that_is_believed_once() {
    let mut routing = Routing::new(None, 3);
    fail(&mut routing, 4, LoadFailure::Silent);
    routing.on_answered(Epoch(4));
    assert_eq!(routing.next(&found(4, Some(OWNER), false)), Step::Load(OWNER));
    fail(&mut routing, 4, LoadFailure::Silent);
    assert!(matches!(routing.next(&found(4, Some(OWNER), false)), Step::Fail(_)));
}

#[test]
fn a_silent_owner_that_the_brake_holds_keeps_it_and_the_request_is_told_why() {
    let mut routing = Routing::new(hint(4, WhyFailed::Unreachable), 3);
    fail(&mut routing, 4, LoadFailure::Silent);
    routing.on_held(Epoch(4), OWNER, "the brake".into());
    let trouble = Trouble { server: OWNER.server, reason: "the brake".into() };
    assert_eq!(routing.next(&found(4, Some(OWNER), true)), Step::Fail(trouble));
}

#[test]
fn a_silent_server_that_just_got_it_is_passed_over_brake_or_not() {
    let mut routing = Routing::new(None, 3);
    routing.on_assigned(Epoch(1));
    routing.on_held(Epoch(1), OWNER, "the brake".into());
    let next = routing.next(&found(1, Some(OWNER), false));
    assert_eq!(next, avoiding(&[OWNER.server]));
}

#[test]
fn a_silent_server_that_just_got_it_is_passed_over() {
    let mut routing = Routing::new(None, 3);
    routing.on_assigned(Epoch(1));
    fail(&mut routing, 1, LoadFailure::Silent);
    assert_eq!(routing.next(&found(1, Some(OWNER), false)), avoiding(&[OWNER.server]));
}

#[test]
fn after_enough_owners_it_gives_up_with_the_last_reason() {
    let mut routing = Routing::new(None, 2);
    for epoch in 1..=2 {
        assert!(matches!(routing.next(&found(epoch - 1, None, false)), Step::Assign { .. }));
        routing.on_assigned(Epoch(epoch));
        fail(&mut routing, epoch, LoadFailure::Unable);
    }
    let trouble = Trouble { server: OWNER.server, reason: "no".into() };
    assert_eq!(routing.next(&found(2, Some(OWNER), false)), Step::Fail(trouble));
}

#[test]
fn what_somebody_else_did_meanwhile_is_taken_as_it_is() {
    let mut routing = Routing::new(hint(4, WhyFailed::Refused), 3);
    fail(&mut routing, 4, LoadFailure::EpochSpent);
    assert_eq!(routing.next(&found(5, Some(OTHER), true)), Step::Answer);
}
