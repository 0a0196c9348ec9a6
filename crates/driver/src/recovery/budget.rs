//! A budget for retries: when most calls fail, repeating each of them only adds to the load.

/// Tries that may be made beyond the first. Each call earns a fifth of one, up to a limit.
#[derive(Debug)]
pub(crate) struct Budget {
    /// In fifths.
    fifths: u32,
}

const MOST: u32 = 50 * 5;

impl Default for Budget {
    fn default() -> Budget {
        Budget { fifths: MOST }
    }
}

impl Budget {
    /// A call began.
    pub(crate) fn earn(&mut self) {
        self.fifths = (self.fifths + 1).min(MOST);
    }

    /// Takes one more try, if there is one.
    pub(crate) fn spend(&mut self) -> bool {
        let enough = self.fifths >= 5;
        if enough {
            self.fifths -= 5;
        }
        enough
    }

    /// Whole tries that are left.
    pub(crate) fn left(&self) -> u32 {
        self.fifths / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r67_retries_stay_a_fraction_of_the_calls() {
        let mut budget = Budget::default();
        let mut tries = 0;
        for _ in 0..10_000 {
            budget.earn();
            while budget.spend() {
                tries += 1;
            }
        }
        assert!((2_000..=2_060).contains(&tries), "{tries} tries beyond 10,000 calls");
        assert_eq!(budget.left(), 0);
    }
}
