//! Names for constraints that have none, chosen as PostgreSQL would.

use std::collections::HashSet;

/// The names used in one schema so far.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    pub fn taken(names: impl Iterator<Item = String>) -> Self {
        Self(names.collect())
    }

    /// The given name, or `table_columns_suffix` with a number behind it where it is taken.
    pub fn choose(&mut self, given: Option<&str>, table: &str, columns: &[String], suffix: &str) -> String {
        if let Some(given) = given {
            self.0.insert(given.to_owned());
            return given.to_owned();
        }
        let mut parts = vec![table.to_owned()];
        parts.extend(columns.iter().cloned());
        parts.push(suffix.to_owned());
        let base = parts.join("_");
        let numbered = (1..).map(|number| format!("{base}{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.expect("BUG: there is always another number");
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let mut names = Names::taken(["t_a_key".to_owned()].into_iter());
        let columns = ["a".to_owned()];
        assert_eq!(names.choose(None, "t", &columns, "key"), "t_a_key1");
        assert_eq!(names.choose(None, "t", &[], "check"), "t_check");
        assert_eq!(names.choose(None, "t", &[], "check"), "t_check1");
        assert_eq!(names.choose(Some("mine"), "t", &[], "check"), "mine");
    }
}
