//! Latencies in powers of two.

/// Counts durations in microseconds; bucket `n` holds those below 2^n.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    buckets: [u64; 32],
    count: u64,
    longest_us: u64,
    sum_us: u64,
}

impl Histogram {
    pub(crate) fn add(&mut self, us: u64) {
        let bucket = (64 - us.leading_zeros() as usize).min(self.buckets.len() - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.longest_us = self.longest_us.max(us);
        self.sum_us = self.sum_us.saturating_add(us);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn sum_us(&self) -> u64 {
        self.sum_us
    }

    pub(crate) fn longest_us(&self) -> u64 {
        self.longest_us
    }

    /// What `per_mille` of them are not longer than, as the upper end of its bucket; 0 when there are none.
    pub(crate) fn quantile_us(&self, per_mille: u64) -> u64 {
        let rank = (self.count * per_mille).div_ceil(1_000);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && *count > 0 {
                return ((1_u64 << bucket) - 1).min(self.longest_us);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r76_quantiles_are_within_a_factor_of_two() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile_us(500), 0);
        for us in 0..1_000 {
            histogram.add(us);
        }
        histogram.add(u64::MAX);
        assert!((499..1_000).contains(&histogram.quantile_us(500)), "{}", histogram.quantile_us(500));
        assert!((990..1_024).contains(&histogram.quantile_us(990)));
        assert_eq!((histogram.count(), histogram.longest_us()), (1_001, u64::MAX));
    }
}
