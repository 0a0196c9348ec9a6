//! What became of tests, as `cargo test` prints it.

use std::collections::BTreeMap;

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    NotRun,
}

impl Verdict {
    /// In a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::NotRun => "not run",
        }
    }
}

/// What became of all of them.
#[derive(Clone, Debug, Default)]
pub struct Verdicts(BTreeMap<String, bool>);

impl Verdicts {
    /// Reads an output.
    pub fn read(output: &str) -> Self {
        let mut verdicts = Self::default();
        verdicts.add(output);
        verdicts
    }

    /// Reads one more output, or a line of it. Of tests with one name all must pass.
    pub fn add(&mut self, output: &str) {
        for line in output.lines() {
            let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
            else {
                continue;
            };
            // What a test printed may stand between.
            let passed = verdict.ends_with("ok");
            if passed || verdict.ends_with("FAILED") {
                let name = name.rsplit("::").next().unwrap_or(name).to_owned();
                self.0.entry(name).and_modify(|all| *all &= passed).or_insert(passed);
            }
        }
    }

    /// What became of a test.
    pub fn of(&self, name: &str) -> Verdict {
        match self.0.get(name) {
            Some(true) => Verdict::Passed,
            Some(false) => Verdict::Failed,
            None => Verdict::NotRun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_as_cargo_prints_them() {
        let verdicts = Verdicts::read(
            "running 2 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d ... ignored\ntest other::b ... ok\n\
             test result: ok. 2 passed\n",
        );
        assert_eq!(
            ["b", "c", "d"].map(|name| verdicts.of(name)),
            [Verdict::Passed, Verdict::Failed, Verdict::NotRun]
        );
        let both = Verdicts::read("test a::b ... FAILED\ntest b ... ok");
        assert_eq!(both.of("b"), Verdict::Failed);
    }
}
