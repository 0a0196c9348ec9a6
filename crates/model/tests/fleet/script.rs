//! Scripts: a command, and what it answers and changes, as a readable specification in `tests/scripts/*.txt`.
//!
//! A line `> command` is run on one fleet from the top of the file to its end; the lines below it, up to the next
//! empty line, are what it must print: its answer, then `-` and `+` for each line of the map that went and came.
//! Lines of `#` are comments. `UPDATE_EXPECT=1 cargo test -p model` rewrites what is expected; read the difference.

mod command;
mod interpreter;
mod words;

use std::{collections::BTreeSet, path::PathBuf};

use interpreter::Interpreter;

/// One block of a script.
enum Block {
    /// A comment or an empty line, kept as it is.
    Text(String),
    /// A command; what is expected of it is compared as text, with everything else.
    Command(String),
}

fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("> ") else {
            assert!(line.is_empty() || line.starts_with('#'), "neither a command nor a comment: {line:?}");
            blocks.push(Block::Text(line.into()));
            continue;
        };
        while lines.next_if(|line| !line.is_empty() && !line.starts_with("> ")).is_some() {}
        blocks.push(Block::Command(command.into()));
    }
    blocks
}

/// Runs a script; gives it back with what it really printed.
fn run(blocks: &[Block]) -> String {
    let mut interpreter = Interpreter::default();
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Text(line) => text.push_str(line),
            Block::Command(command) => {
                let printed = interpreter.run(command);
                text.push_str(&format!("> {command}"));
                for line in printed {
                    text.push_str(&format!("\n{line}"));
                }
            }
        }
        text.push('\n');
    }
    text
}

fn first_difference(path: &str, expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((at, (expected, actual))) => {
            format!("{path}:{}:\n expected  {expected}\n   actual  {actual}", at + 1)
        }
        None => format!("{path}: one is longer than the other:\n{actual}"),
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

fn read(name: &str) -> String {
    let path = directory().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn check(name: &str) {
    let expected = read(name);
    let actual = run(&parse(&expected));
    if expected == actual {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(directory().join(name), actual).expect("the script can be written");
        return;
    }
    panic!("{}\n(UPDATE_EXPECT=1 rewrites it)", first_difference(name, &expected, &actual));
}

macro_rules! scripts {
    ($($test:ident: $file:literal,)*) => {
        $(#[test]
        fn $test() {
            check($file);
        })*

        const FILES: &[&str] = &[$($file),*];
    };
}

scripts! {
    a_fleet_is_founded_once: "found.txt",
    a_database_is_created_once_under_a_free_name_r6_r7: "create.txt",
    a_repeated_create_makes_one_database_r6: "idempotency.txt",
    old_idempotency_keys_are_forgotten_in_log_order: "idempotency-bound.txt",
    a_rename_changes_the_name_and_nothing_else_r14: "rename.txt",
    a_dropped_database_is_fenced_until_its_journal_is_gone: "drop.txt",
    every_change_of_owner_is_one_entry_and_one_epoch_r10: "assign.txt",
    a_server_has_one_life_at_a_time_r15_r17: "servers.txt",
    an_expired_server_owns_nothing_by_one_entry_c17: "expire.txt",
    a_draining_server_keeps_what_it_owns_and_gets_nothing_new_r27: "drain.txt",
    every_decision_leaves_an_event_s10: "events.txt",
    old_events_are_forgotten_by_number_and_bytes: "events-bound.txt",
    options_are_set_one_by_one_r20_r21: "options.txt",
    a_handler_keeps_its_id_across_restarts: "handlers.txt",
    users_come_change_and_go: "users.txt",
    directives_stand_until_they_are_ended_or_over_r92: "directives.txt",
    nobody_approves_of_one_thing_and_gets_another_r92: "approvals.txt",
    who_may_send_is_in_the_map_and_code_takes_two_r92: "senders.txt",
    pins_and_a_pause_are_in_the_map: "placement.txt",
    databases_are_looked_up_by_name_and_by_id_r9_r14: "look-up.txt",
    databases_are_listed_by_name_page_by_page: "pages.txt",
    watchers_learn_what_to_look_at_again: "changes.txt",
    a_watcher_too_far_behind_starts_anew: "changes-bound.txt",
    a_snapshot_is_the_same_map_c14: "snapshot.txt",
    a_restored_map_gives_no_id_and_no_epoch_again_r7: "restore.txt",
    a_copy_is_forming_until_its_journal_says_what_it_is_a_copy_of: "fork.txt",
    names_follow_the_identifier_rules: "names.txt",
    a_level_never_falls_and_is_in_every_snapshot: "levels.txt",
    a_journal_becomes_a_database_under_the_id_that_it_has_r16: "adopt.txt",
}

#[test]
fn every_script_is_run() {
    let there: BTreeSet<String> = std::fs::read_dir(directory())
        .expect("the scripts are there")
        .map(|file| file.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    let run: BTreeSet<String> = FILES.iter().map(|file| (*file).into()).collect();
    assert_eq!(there, run);
}

#[test]
fn every_command_and_every_rejection_is_in_a_script() {
    let all: String = FILES.iter().map(|file| read(file)).collect();
    for word in command::VERBS {
        assert!(all.contains(&format!("> {word} ")), "no script uses {word}");
    }
    for name in interpreter::REJECTIONS {
        assert!(all.contains(&format!("rejected {name}:")), "no script is rejected with {name}");
    }
}

#[test]
fn a_script_that_expects_something_else_fails() {
    let script = "> found 1\nanother answer\n";
    let actual = run(&parse(script));
    assert_ne!(script, actual);
    assert!(first_difference("x.txt", script, &actual).starts_with("x.txt:2:\n expected  another answer"));
}
