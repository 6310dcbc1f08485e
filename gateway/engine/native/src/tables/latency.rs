use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Upper bounds of a histogram's buckets, ms; one more is for what is above all of them.
pub const BOUNDS_MS: [f64; 16] =
    [0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0, 30_000.0, 300_000.0, 3_600_000.0];

/// How long something took, of all connections that came so far. Threads add to it without waiting for each other.
#[derive(Default)]
pub struct Spread {
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

impl Spread {
    pub fn add(&self, took: Duration) {
        let ms = took.as_secs_f64() * 1_000.0;
        let at = BOUNDS_MS.partition_point(|bound| *bound < ms);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// None: nothing has been.
    pub fn seen(&self, step: &'static str, of: &str) -> Option<Latency> {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let any = counts.iter().any(|count| *count > 0);
        any.then(|| Latency { step, of: of.into(), counts, sum_ms: self.sum_us.load(Ordering::Relaxed) as f64 / 1_000.0 })
    }
}

/// Of one cluster. No memory where nobody has been led to it.
#[derive(Default)]
pub struct ClusterSpreads(OnceLock<Box<(Spread, Spread)>>);

impl ClusterSpreads {
    /// From asking the endpoint until it stood there, proven if it has to be.
    pub fn connected(&self, took: Duration) {
        self.0.get_or_init(Box::default).0.add(took);
    }

    /// From being accepted to its end.
    pub fn ended(&self, took: Duration) {
        self.0.get_or_init(Box::default).1.add(took);
    }

    pub fn seen(&self, cluster: &str) -> Vec<Latency> {
        let Some(spreads) = self.0.get() else { return Vec::new() };
        [spreads.0.seen("connect", cluster), spreads.1.seen("connection", cluster)].into_iter().flatten().collect()
    }
}

/// gateway/engine/latency-contract.ts Latency, but for the bounds.
#[derive(Serialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub step: &'static str,
    /// An xDS cluster; of handshakes, a listener.
    pub of: String,
    pub counts: Vec<u64>,
    pub sum_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_bound_is_within_it() {
        let spread = Spread::default();
        for took in [Duration::ZERO, Duration::from_micros(250), Duration::from_micros(251), Duration::from_secs(3_601)] {
            spread.add(took);
        }
        let seen = spread.seen("connect", "c").expect("four were added");
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[BOUNDS_MS.len()]), (2, 1, 1));
        assert_eq!(seen.sum_ms, 3_601_000.501);
    }

    #[test]
    fn a_cluster_that_nobody_was_led_to_has_nothing() {
        let spreads = ClusterSpreads::default();
        assert_eq!(spreads.seen("c"), vec![]);
        spreads.ended(Duration::from_millis(3));
        assert_eq!(spreads.seen("c").iter().map(|each| each.step).collect::<Vec<_>>(), vec!["connection"]);
    }
}
