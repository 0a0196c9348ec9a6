//! Tests, as the sources have them.

use std::{fs, path::Path};

use anyhow::Context;

/// A test that is named for requirements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// The package that has it.
    pub package: String,
    /// Its function.
    pub name: String,
    /// The numbers in its name: 49 for `…_r49`.
    pub numbers: Vec<u32>,
    /// It is none of Rust's: this one runs it.
    pub run_by: Option<&'static str>,
    /// It is there only when rules are built in.
    pub needs_rules: bool,
}

/// The tests in Python that need a database, and what runs them.
const WITH_CLUSTER: (&str, &str) =
    ("drivers/python/tests/cluster.py", "it_obeys_directives_around_a_real_database_r70_to_r88");
/// What runs the others.
const ALONE: &str = "it_reads_the_vectors_of_all_drivers_and_decides_alike_r65_r66_r89";
/// What is compiled only with the feature `rules`.
const RULES: &str = "crates/directive/src/rule";

impl Test {
    /// A test of Rust's.
    pub fn of(package: &str, name: &str) -> Self {
        let number = |part: &str| part.strip_prefix('r')?.parse().ok();
        let numbers = name.split('_').filter_map(number).collect();
        Self { package: package.into(), name: name.into(), numbers, run_by: None, needs_rules: false }
    }
}

/// All of them, by name.
pub fn in_repository(root: &Path) -> anyhow::Result<Vec<Test>> {
    let mut tests = Vec::new();
    for top in ["crates", "tests", "drivers", "jepsen"] {
        let folder = root.join(top);
        if folder.exists() {
            walk(root, &folder, &mut tests)?;
        }
    }
    tests.retain(|test| !test.numbers.is_empty());
    tests.sort();
    Ok(tests)
}

fn walk(root: &Path, folder: &Path, tests: &mut Vec<Test>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() && !path.ends_with("target") {
            walk(root, &path, tests)?;
        } else if matches!(extension, Some("rs" | "py")) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let short = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            tests.extend(in_file(&short, &text));
        }
    }
    Ok(())
}

/// The tests of a file, by its path from the root.
fn in_file(path: &str, text: &str) -> Vec<Test> {
    let mut parts = path.split('/');
    let package = match (parts.next(), parts.next()) {
        (Some("crates"), Some(package)) => package,
        (Some(top), _) => top,
        (None, _) => "",
    };
    if path.ends_with(".py") {
        let run_by = Some(if path == WITH_CLUSTER.0 { WITH_CLUSTER.1 } else { ALONE });
        let tests = names(text, "def test_", |_| true);
        return tests.map(|name| Test { run_by, ..Test::of("tests", &format!("test_{name}")) }).collect();
    }
    let needs_rules = path.starts_with(RULES);
    let of = |name| Test { needs_rules, ..Test::of(package, name) };
    names(text, "fn ", |before| before.is_empty() || before == "async ").map(of).collect()
}

/// What is defined in a text, a line each.
fn names<'a>(
    text: &'a str,
    word: &'a str,
    begins: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a str> {
    let lines = text.lines().map(str::trim_start);
    lines.filter_map(move |line| {
        let (before, rest) = line.split_once(word)?;
        let name = rest.split_once('(')?.0;
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        (begins(before) && plain).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_with_their_package_and_numbers() {
        let found = in_file("crates/server/tests/server/a.rs", "  async fn r48_r49_a_b() {\n// fn r1(");
        assert_eq!(found[0], Test { numbers: vec![48, 49], ..Test::of("server", "r48_r49_a_b") });
        assert_eq!(found.len(), 1);
        let found = in_file("drivers/python/tests/test_x.py", "    def test_r70_r71_held(self):\n");
        assert_eq!((found[0].run_by, &found[0].numbers[..]), (Some(ALONE), &[70, 71][..]));
        assert_eq!(found[0].package, "tests");
        assert_eq!(Test::of("p", "a_range_r70_to_r88_and_bar2").numbers, [70, 88]);
    }
}
