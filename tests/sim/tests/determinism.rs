//! A seed gives the same run each time, to the last byte of its trace.

use std::process::Command;

/// What the simulation prints of a seed, digest included.
fn run(seed: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    let output = command.args(["--one", "--seed", seed]).output().expect("it was built");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    let [once, again] = std::thread::scope(|scope| {
        [(); 2].map(|()| scope.spawn(|| run("1"))).map(|run| run.join().expect("it ran"))
    });
    assert!(once.contains("trace "), "{once}");
    assert_eq!(once, again);
}
