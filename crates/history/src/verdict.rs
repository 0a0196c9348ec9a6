//! What a checker says.

use std::fmt;

/// Whether a promise was kept. Ordered from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing in the history speaks against it.
    Valid,
    /// Nobody can tell: a search was given up, something was not seen, or the harness itself failed.
    Unknown,
    /// The history proves that it was broken.
    Invalid,
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What was looked at, in one line.
    pub looked_at: String,
    /// What is wrong or missing, the first of it; empty when nothing is.
    pub wrong: Vec<String>,
}

/// Most lines that a finding keeps.
const WRONG_MAX: usize = 12;

impl Finding {
    /// Valid when nothing is wrong, invalid otherwise.
    pub fn of(looked_at: String, wrong: Vec<String>) -> Self {
        let verdict = if wrong.is_empty() { Verdict::Valid } else { Verdict::Invalid };
        Self { verdict, looked_at, wrong: first(wrong) }
    }

    /// The same, for which these were missing: what would be valid is unknown, what is invalid stays so.
    pub fn without(self, missing: Vec<String>) -> Self {
        match self.verdict == Verdict::Valid && !missing.is_empty() {
            true => Self { verdict: Verdict::Unknown, wrong: first(missing), ..self },
            false => self,
        }
    }

    /// The same, when what is wrong may be the harness's doing: invalid becomes unknown.
    pub fn doubted(self) -> Self {
        match self.verdict {
            Verdict::Invalid => Self { verdict: Verdict::Unknown, ..self },
            Verdict::Valid | Verdict::Unknown => self,
        }
    }

    /// No verdict, and why.
    pub fn unknown(looked_at: String, why: String) -> Self {
        Self { verdict: Verdict::Unknown, looked_at, wrong: vec![why] }
    }
}

/// As many lines as a finding keeps.
fn first(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > WRONG_MAX {
        let more = lines.len() - WRONG_MAX;
        lines.truncate(WRONG_MAX);
        lines.push(format!("and {more} more"));
    }
    lines
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_in_doubt_is_unknown_and_proof_stays_proof() {
        let (valid, invalid) = (Finding::of("".into(), vec![]), Finding::of("".into(), vec!["lost".into()]));
        let missing = || vec!["the end".to_owned(); 20];
        assert_eq!(valid.clone().without(Vec::new()), valid);
        assert_eq!(valid.clone().without(missing()).verdict, Verdict::Unknown);
        assert_eq!(valid.clone().without(missing()).wrong.len(), WRONG_MAX + 1);
        assert_eq!(invalid.clone().without(missing()), invalid);
        assert_eq!(invalid.doubted().verdict, Verdict::Unknown);
        assert_eq!(valid.clone().doubted(), valid);
    }
}
