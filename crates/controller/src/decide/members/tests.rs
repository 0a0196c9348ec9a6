//! Each row of the table, and every refusal.

use super::*;

/// Voters 1 to `size`, led by 1, all well.
fn members(size: u64) -> Members {
    let voters: BTreeSet<u64> = (1..=size).collect();
    Members {
        me: 1,
        addresses: voters.iter().map(|id| (*id, address(*id))).collect(),
        answering: voters.clone(),
        caught_up: voters.clone(),
        voters,
        settled: true,
        ..Members::default()
    }
}

fn address(id: u64) -> String {
    format!("c{id}:7101")
}

fn newcomer(id: u64) -> Newcomer {
    Newcomer { id, address: address(id), joining: true, fleet: None, level: model::Level::FIRST }
}

fn with_learner(size: u64, id: u64) -> Members {
    let mut members = members(size);
    members.addresses.insert(id, address(id));
    members
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Refuse(reason) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_new_one_is_a_learner_first_and_a_voter_once_it_has_caught_up() {
    let before = members(3);
    assert_eq!(before.add(&newcomer(4)), Answer::Do(Step::AddLearner { id: 4, address: address(4) }));
    assert_eq!(before.of_its_own_accord(), None);
    let mut members = with_learner(3, 4);
    assert_eq!(members.add(&newcomer(4)), Answer::Wait, "repeated, it goes on");
    assert_eq!(members.of_its_own_accord(), None, "it has nothing yet");
    members.caught_up.insert(4);
    assert_eq!(members.of_its_own_accord(), None, "it does not answer any more");
    members.answering.insert(4);
    assert_eq!(members.of_its_own_accord(), Some(Step::Promote { id: 4, instead_of: None }));
    members.voters.insert(4);
    assert_eq!(members.add(&newcomer(4)), Answer::Done);
}

#[test]
fn what_cannot_be_added_is_refused_with_the_reason() {
    let elsewhere = Newcomer { address: "other:1".into(), ..newcomer(2) };
    assert!(refusal(members(3).add(&elsewhere)).contains("is a member already, at c2:7101"));
    let other_id = Newcomer { id: 9, ..newcomer(2) };
    assert!(refusal(members(3).add(&other_id)).contains("address of controller 2"));
    let old = Newcomer { joining: false, ..newcomer(4) };
    assert!(refusal(members(3).add(&old)).contains("earlier membership"));
    assert!(refusal(with_learner(3, 4).add(&newcomer(5))).contains("controller 4 (c4:7101) is being added"));
    let unsettled = Members { settled: false, ..members(3) };
    assert_eq!(unsettled.add(&newcomer(4)), Answer::Wait);
}

#[test]
fn one_is_removed_only_if_the_others_can_do_without_it() {
    assert_eq!(members(3).remove(2), Answer::Do(Step::Remove { id: 2 }));
    assert_eq!(members(3).remove(9), Answer::Done, "it is gone already");
    assert!(refusal(members(1).remove(1)).contains("the only one"));
    let mut one_down = members(3);
    one_down.answering.remove(&3);
    assert_eq!(one_down.remove(3), Answer::Do(Step::Remove { id: 3 }), "the one that is down can go");
    assert!(refusal(one_down.remove(2)).contains("no answer from controller 3 (c3:7101)"));
    let mut of_two = members(2);
    of_two.answering.remove(&2);
    assert!(refusal(of_two.remove(1)).contains("no answer from controller 2"));
    let mut lost_disk = members(3);
    lost_disk.joining.insert(3);
    assert!(refusal(lost_disk.remove(2)).contains("controller 3"), "an empty one counts for nothing");
}

#[test]
fn a_leader_hands_over_before_it_goes() {
    let mut members = members(3);
    members.caught_up.remove(&2);
    assert_eq!(members.remove(1), Answer::HandOver(3));
    assert_eq!(members.transfer(2), Answer::HandOver(2));
    assert_eq!(members.transfer(1), Answer::Done);
    assert!(refusal(members.transfer(9)).contains("no controller 9"));
    members.answering.remove(&2);
    assert!(refusal(members.transfer(2)).contains("does not answer"));
    assert!(refusal(with_learner(3, 4).transfer(4)).contains("does not vote"));
}

#[test]
fn a_replacement_takes_the_old_ones_place_in_one_change() {
    assert_eq!(
        members(3).replace(3, &newcomer(4)),
        Answer::Do(Step::AddLearner { id: 4, address: address(4) })
    );
    let mut members = with_learner(3, 4);
    members.replacing = Some((4, 3));
    assert_eq!(members.replace(3, &newcomer(4)), Answer::Wait);
    members.caught_up.insert(4);
    members.answering.insert(4);
    assert_eq!(members.of_its_own_accord(), Some(Step::Promote { id: 4, instead_of: Some(3) }));
    // The leader that knew whose place it takes has died, and the next one just let it vote.
    members.replacing = None;
    members.voters.insert(4);
    assert_eq!(members.replace(3, &newcomer(4)), Answer::Do(Step::Remove { id: 3 }));
    members.voters.remove(&3);
    members.addresses.remove(&3);
    assert_eq!(members.replace(3, &newcomer(4)), Answer::Done);
}

#[test]
fn a_leader_that_is_replaced_hands_over_in_between() {
    let mut members = with_learner(3, 4);
    members.replacing = Some((4, 1));
    members.caught_up.insert(4);
    members.answering.insert(4);
    assert_eq!(members.of_its_own_accord(), Some(Step::Promote { id: 4, instead_of: None }));
    members.voters.insert(4);
    assert_eq!(members.replace(1, &newcomer(4)), Answer::HandOver(2));
}

#[test]
fn one_that_moves_to_another_machine_leaves_before_it_comes() {
    let moved = Newcomer { address: "new:7101".into(), ..newcomer(3) };
    let mut members = members(3);
    assert_eq!(members.replace(3, &moved), Answer::Do(Step::Remove { id: 3 }));
    members.voters.remove(&3);
    members.addresses.remove(&3);
    assert_eq!(
        members.replace(3, &moved),
        Answer::Do(Step::AddLearner { id: 3, address: "new:7101".into() })
    );
    assert!(refusal(members.replace(9, &newcomer(4))).contains("no controller 9"));
}

#[test]
fn a_voter_that_lost_its_disk_is_not_counted_on_until_it_has_caught_up() {
    let mut members = members(3);
    members.joining.insert(2);
    members.answering.remove(&2);
    members.caught_up.remove(&2);
    assert_eq!(members.of_its_own_accord(), Some(Step::Demote { id: 2 }));
    members.answering.remove(&3);
    assert_eq!(members.of_its_own_accord(), None, "nobody could commit anything without it");
}

#[test]
fn what_a_dead_leader_left_halfway_is_finished() {
    let members = Members { settled: false, halfway: true, ..members(3) };
    assert_eq!(members.of_its_own_accord(), Some(Step::Finish));
    assert_eq!(members.remove(2), Answer::Wait);
}
