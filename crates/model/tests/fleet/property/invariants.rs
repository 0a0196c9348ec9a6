//! What must hold after every step. One function for each rule; none knows how the map is built.

use model::{Command, Entry, Epoch, Outcome, ServerState};

use super::{
    seen::{Moment, Seen},
    step::Step,
};

/// Says what is broken.
pub type Check = fn(&Moment<'_>) -> Result<(), String>;

/// Every rule.
pub const ALL: &[Check] = &[
    invariant_names_and_databases_correspond,
    invariant_epochs_never_fall,
    invariant_a_change_of_owner_raises_the_epoch_by_one,
    invariant_the_owner_is_up_in_that_life,
    invariant_a_life_that_is_over_stays_over,
    invariant_a_draining_server_gets_nothing_new,
    invariant_ids_are_never_given_twice,
    invariant_a_dropped_database_is_fenced_above_all_its_epochs,
    invariant_a_copy_that_forms_is_nobodys_and_its_parent_stays,
    invariant_the_revision_advances,
    invariant_a_rejection_changes_nothing,
    invariant_watchers_learn_of_what_changed,
    invariant_what_changed_left_an_event_and_nothing_else_did,
    invariant_events_tell_the_epochs,
    invariant_one_idempotency_key_makes_one_database,
    invariant_another_map_has_another_digest,
    invariant_equal_histories_give_equal_maps,
    invariant_a_snapshot_is_the_same_map,
];

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

pub fn invariant_names_and_databases_correspond(moment: &Moment<'_>) -> Result<(), String> {
    let Seen { databases, names, databases_len, .. } = moment.after;
    ensure(databases.len() == *databases_len && names.len() == *databases_len, || {
        format!("{databases_len} databases, {} by id, {} names", databases.len(), names.len())
    })?;
    ensure(names.is_sorted_by(|a, b| a < b), || format!("names out of order or twice: {names:?}"))?;
    let lost = databases.iter().find(|(id, database)| database.found != Some(**id));
    ensure(lost.is_none(), || format!("looking up a name finds another database: {lost:?}"))
}

pub fn invariant_epochs_never_fall(moment: &Moment<'_>) -> Result<(), String> {
    let known = |id| moment.past.epochs.get(id).copied().unwrap_or(Epoch(0));
    let fallen = moment.after.databases.iter().find(|(id, database)| database.epoch < known(id));
    ensure(fallen.is_none(), || format!("epoch fell: {fallen:?}"))
}

pub fn invariant_a_change_of_owner_raises_the_epoch_by_one(moment: &Moment<'_>) -> Result<(), String> {
    for (id, after) in &moment.after.databases {
        let Some(before) = moment.before.databases.get(id) else { continue };
        let raised = after.epoch.0.wrapping_sub(before.epoch.0);
        ensure(raised <= 1, || format!("{id} went from epoch {} to {}", before.epoch, after.epoch))?;
        ensure(raised == 1 || before.given_to == after.given_to, || {
            format!("{id} changed its owner at epoch {}", after.epoch)
        })?;
        // An owner is lost without a new epoch only because its life is over, and none is ever gained that way.
        ensure(raised == 1 || before.owner == after.owner || after.owner.is_none(), || {
            format!("{id} got an owner without a new epoch")
        })?;
    }
    Ok(())
}

pub fn invariant_the_owner_is_up_in_that_life(moment: &Moment<'_>) -> Result<(), String> {
    for (id, database) in &moment.after.databases {
        let live = database.given_to.filter(|tenure| moment.after.is_alive(*tenure));
        ensure(database.owner == live, || format!("{id} is owned by {:?}, not {live:?}", database.owner))?;
    }
    Ok(())
}

pub fn invariant_a_life_that_is_over_stays_over(moment: &Moment<'_>) -> Result<(), String> {
    let back = moment.past.ended.iter().find(|ended| moment.after.is_alive(**ended));
    ensure(back.is_none(), || format!("{back:?} was over and is up"))
}

pub fn invariant_a_draining_server_gets_nothing_new(moment: &Moment<'_>) -> Result<(), String> {
    for (id, database) in &moment.after.databases {
        let before = moment.before.databases.get(id).map(|database| (database.epoch, database.owner));
        let Some(owner) = database.owner.filter(|_| before != Some((database.epoch, database.owner))) else {
            continue;
        };
        let state = moment.before.servers.get(&owner.server).map(|(_, state)| *state);
        ensure(state != Some(ServerState::Draining), || {
            format!("{id} was given to {owner:?}, which drains")
        })?;
    }
    Ok(())
}

pub fn invariant_ids_are_never_given_twice(moment: &Moment<'_>) -> Result<(), String> {
    let last = moment.past.epochs.last_key_value().map(|(id, _)| *id);
    // What is adopted comes back under the id that it had.
    let back = match moment.step {
        Step::Entry(Entry { command: Command::AdoptDatabase { database, .. }, .. }) => Some(*database),
        Step::Entry(_) | Step::Empty | Step::Snapshot => None,
    };
    let new = moment.after.databases.keys().filter(|id| !moment.before.databases.contains_key(id));
    let mut new = new.filter(|id| Some(**id) != back);
    let again = new.find(|id| last.is_some_and(|last| **id <= last));
    ensure(again.is_none(), || format!("{again:?} was given before, up to {last:?} were"))
}

pub fn invariant_a_dropped_database_is_fenced_above_all_its_epochs(
    moment: &Moment<'_>,
) -> Result<(), String> {
    for (id, fence) in &moment.after.dropped {
        let highest = moment.past.epochs.get(id).copied().unwrap_or(Epoch(0));
        ensure(*fence > highest, || format!("{id} is fenced at {fence}, its epoch was {highest}"))?;
        ensure(!moment.after.databases.contains_key(id), || format!("{id} is there and dropped"))?;
    }
    Ok(())
}

pub fn invariant_a_copy_that_forms_is_nobodys_and_its_parent_stays(
    moment: &Moment<'_>,
) -> Result<(), String> {
    let Seen { databases, forming, .. } = moment.after;
    for (copy, parent) in forming {
        let owner = databases.get(copy).and_then(|database| database.given_to);
        ensure(owner.is_none(), || format!("{copy} forms and was given to {owner:?}"))?;
        ensure(databases.contains_key(parent) && !forming.contains_key(parent), || {
            format!("{copy} is to be a copy of {parent}, which is not there or forms itself")
        })?;
    }
    Ok(())
}

pub fn invariant_the_revision_advances(moment: &Moment<'_>) -> Result<(), String> {
    let by = match moment.step {
        Step::Entry(_) | Step::Empty => 1,
        Step::Snapshot => 0,
    };
    let (before, after) = (moment.before.revision, moment.after.revision);
    ensure(after.0 == before.0 + by, || format!("revision went from {before} to {after}"))?;
    ensure(moment.after.digest.revision == after, || "the digest is of another revision".into())
}

pub fn invariant_a_rejection_changes_nothing(moment: &Moment<'_>) -> Result<(), String> {
    if matches!(moment.answer, Some(Ok(_))) {
        return Ok(());
    }
    let same = moment.before.lines == moment.after.lines
        && moment.before.digest.value == moment.after.digest.value
        && moment.changes.is_empty();
    ensure(same, || format!("{:?} changed something", moment.answer))
}

pub fn invariant_watchers_learn_of_what_changed(moment: &Moment<'_>) -> Result<(), String> {
    let Moment { changes, before, after, .. } = moment;
    ensure(changes.len() <= 1, || format!("one entry made {} changes", changes.len()))?;
    // Nobody routes by the fleet's id, or by a journal that is gone.
    let watched = !matches!(
        moment.step,
        Step::Entry(Entry { command: Command::Found { .. } | Command::ForgetDatabase { .. }, .. })
    );
    ensure(!watched || before.lines == after.lines || changes.len() == 1, || {
        format!("{:?} became {:?} in secret", before.lines, after.lines)
    })
}

pub fn invariant_what_changed_left_an_event_and_nothing_else_did(moment: &Moment<'_>) -> Result<(), String> {
    let Moment { before, after, .. } = moment;
    let (old, new) = after.events.split_at(before.events.len().min(after.events.len()));
    ensure(old == before.events, || "events were forgotten or changed".into())?;
    let told = new.iter().all(|event| event.id.revision == after.revision);
    ensure(told, || format!("{new:?} came with revision {}", after.revision))?;
    ensure(new.is_sorted_by(|a, b| a.id < b.id), || format!("{new:?} are out of order"))?;
    // A handler or a user that comes again in the very same form is told of, as it may have been away.
    let again = matches!(
        moment.step,
        Step::Entry(Entry {
            command: Command::RegisterHandler { .. } | Command::PutUser { .. } | Command::RecordEvents { .. },
            ..
        })
    );
    let changed = before.lines != after.lines;
    ensure(changed != new.is_empty() || again && !changed, || {
        format!("{:?} became {:?} and {new:?} was told", before.lines, after.lines)
    })?;
    ensure(matches!(moment.answer, Some(Ok(_))) || new.is_empty(), || format!("{new:?} was rejected"))
}

pub fn invariant_events_tell_the_epochs(moment: &Moment<'_>) -> Result<(), String> {
    if matches!(moment.step, Step::Entry(Entry { command: Command::RecordEvents { .. }, .. })) {
        return Ok(());
    }
    let new = moment.after.events.iter().skip(moment.before.events.len());
    for event in new {
        let Some(id) = event.database else { continue };
        let epoch = |seen: &Seen| seen.databases.get(&id).map(|database| database.epoch);
        let told = (event.epoch_before, event.epoch_after);
        let true_ones = (epoch(moment.before), epoch(moment.after));
        ensure(told == true_ones, || format!("{event:?}, but it was {true_ones:?}"))?;
        let given = moment.after.databases.get(&id).and_then(|database| database.given_to);
        ensure(event.to == given.map(|tenure| tenure.server), || {
            format!("{event:?}, but it is {given:?}'s")
        })?;
    }
    Ok(())
}

pub fn invariant_one_idempotency_key_makes_one_database(moment: &Moment<'_>) -> Result<(), String> {
    let Step::Entry(Entry {
        command: Command::CreateDatabase { key: Some(key), .. } | Command::ForkDatabase { key: Some(key), .. },
        ..
    }) = moment.step
    else {
        return Ok(());
    };
    let (Some(made), Some(Ok(outcome))) = (moment.past.made.get(key), &moment.answer) else { return Ok(()) };
    let again = matches!(outcome, Outcome::Database { database, .. } if database == made);
    ensure(again && moment.before.lines == moment.after.lines, || {
        format!("key {key} made {made}, then {outcome:?}")
    })
}

pub fn invariant_another_map_has_another_digest(moment: &Moment<'_>) -> Result<(), String> {
    let Moment { before, after, .. } = moment;
    ensure(before.lines == after.lines || before.digest.value != after.digest.value, || {
        format!("{:?} and {:?} have one digest", before.lines, after.lines)
    })
}

pub fn invariant_equal_histories_give_equal_maps(moment: &Moment<'_>) -> Result<(), String> {
    let (replica, answer) = &moment.replica;
    let same = replica.lines == moment.after.lines
        && replica.events == moment.after.events
        && replica.digest == moment.after.digest
        && *answer == moment.answer;
    ensure(same, || format!("a replica has {:?} and said {answer:?}", replica.lines))
}

pub fn invariant_a_snapshot_is_the_same_map(moment: &Moment<'_>) -> Result<(), String> {
    let (restored, same_bytes) = moment.restored;
    let same = restored.lines == moment.after.lines
        && restored.events == moment.after.events
        && restored.digest == moment.after.digest;
    ensure(same && same_bytes, || format!("a snapshot brings back {:?}", restored.lines))
}
