//! Errors of single statements, and what they prove.

/// Whether a statement that ended with this SQLSTATE surely had no effect, as the chaos suite's README promises: 40001
/// (without effect), 57P03 and class 53 (never begun), classes 22, 23, 25, 3D and 42 (the statement itself failed).
///
/// All else may have been done, 40003 and a lost connection above all.
pub fn had_no_effect(sqlstate: &str) -> bool {
    ["40001", "57P03"].contains(&sqlstate)
        || sqlstate.get(..2).is_some_and(|class| ["22", "23", "25", "3D", "42", "53"].contains(&class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_nothing_is_taken_for_unknown() {
        assert!(["40001", "57P03", "53300", "23505", "42P01"].into_iter().all(had_no_effect));
        assert!(!["40003", "57P01", "XX000", "08006", ""].into_iter().any(had_no_effect));
    }
}
