//! Durations in buckets of 1/32 of a power of two: a quantile is at most 3 % too high.

const STEPS: u32 = 5;
const BUCKETS: usize = 64 << STEPS;

pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }

    pub fn add(&mut self, nanoseconds: u64) {
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.max = self.max.max(nanoseconds);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The upper end of the bucket that holds the quantile, ns; 0 when nothing was added.
    pub fn quantile(&self, q: f64) -> u64 {
        let wanted = (self.count as f64 * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, held) in self.buckets.iter().enumerate() {
            seen += held;
            if seen >= wanted {
                return upper(index).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(STEPS + 1);
    ((u64::from(shift) << STEPS) + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let steps = 1_u64 << STEPS;
    let shift = (index as u64 >> STEPS).saturating_sub(1);
    let low = index as u64 - (shift << STEPS);
    debug_assert!(low < 2 * steps);
    ((low + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_its_bucket() {
        for value in (0..100_000).chain((20..60).map(|n| (1 << n) - 1)).chain((20..60).map(|n| 1 << n)) {
            let index = bucket(value);
            assert!(upper(index) >= value && (upper(index) - value) as f64 <= value as f64 / 31.0, "{value}");
            assert!(index == 0 || upper(index - 1) < value, "{value}");
        }
    }

    #[test]
    fn quantiles_are_by_rank() {
        let mut histogram = Histogram::new();
        for value in 1..=10_000 {
            histogram.add(value);
        }
        assert!((5_000..5_200).contains(&histogram.quantile(0.5)));
        assert!((9_900..10_001).contains(&histogram.quantile(0.99)));
        assert_eq!(histogram.quantile(1.0), 10_000);
        assert_eq!(Histogram::new().quantile(0.5), 0);
    }
}
