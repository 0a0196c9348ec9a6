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
    /// What is wrong, the first of it; empty when nothing is.
    pub wrong: Vec<String>,
}

/// Most lines that a finding keeps.
const WRONG_MAX: usize = 12;

impl Finding {
    /// Valid when nothing is wrong, invalid otherwise.
    pub fn of(looked_at: String, mut wrong: Vec<String>) -> Self {
        let verdict = if wrong.is_empty() { Verdict::Valid } else { Verdict::Invalid };
        if wrong.len() > WRONG_MAX {
            let more = wrong.len() - WRONG_MAX;
            wrong.truncate(WRONG_MAX);
            wrong.push(format!("and {more} more"));
        }
        Self { verdict, looked_at, wrong }
    }

    /// No verdict, and why.
    pub fn unknown(looked_at: String, why: String) -> Self {
        Self { verdict: Verdict::Unknown, looked_at, wrong: vec![why] }
    }
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
