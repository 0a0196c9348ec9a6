//! How many cancel requests a source may send: a bucket of tokens for each.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::limits::{CANCEL_BURST, CANCEL_SOURCES_MAX, CANCELS_PER_SECOND};

/// Buckets by source. A source that is not listed has a full one.
#[derive(Debug, Default)]
pub(crate) struct Rate(HashMap<String, Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rate {
    /// Whether the source may send one now; if so, it counts.
    pub(crate) fn allow(&mut self, source: &str, now: Instant) -> bool {
        let source = host(source);
        if self.0.len() >= CANCEL_SOURCES_MAX && !self.0.contains_key(source) {
            self.0.retain(|_, bucket| bucket.tokens_at(now) < 1.0);
            if self.0.len() >= CANCEL_SOURCES_MAX {
                return false;
            }
        }
        let bucket =
            self.0.entry(source.to_owned()).or_insert(Bucket { tokens: f64::from(CANCEL_BURST), at: now });
        *bucket = Bucket { tokens: bucket.tokens_at(now), at: now };
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

impl Bucket {
    fn tokens_at(&self, now: Instant) -> f64 {
        let passed: Duration = now.saturating_duration_since(self.at);
        (self.tokens + passed.as_secs_f64() * f64::from(CANCELS_PER_SECOND)).min(f64::from(CANCEL_BURST))
    }
}

/// A peer's address without its port, which changes with every connection.
fn host(peer: &str) -> &str {
    peer.rsplit_once(':').map_or(peer, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_limited_whatever_port_it_comes_from_and_recovers() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let allowed = (0..1_000).filter(|port| rate.allow(&format!("10.0.0.1:{port}"), start)).count();
        assert_eq!(allowed, CANCEL_BURST as usize);
        assert!(rate.allow("10.0.0.2:1", start), "another source has its own");
        let later = start + Duration::from_secs(1);
        let allowed = (0..1_000).filter(|_| rate.allow("10.0.0.1:5", later)).count();
        assert_eq!(allowed, CANCELS_PER_SECOND as usize);
    }

    #[test]
    fn sources_are_bounded_and_those_at_their_limit_stay() {
        let mut rate = Rate::default();
        let start = Instant::now();
        while rate.allow("bad:1", start) {}
        for source in 0..CANCEL_SOURCES_MAX * 2 {
            rate.allow(&format!("{source}:1"), start);
        }
        assert!(rate.0.len() <= CANCEL_SOURCES_MAX);
        assert!(!rate.allow("bad:1", start));
    }
}
