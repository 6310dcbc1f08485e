//! What both ends of each connection have come to.

use std::collections::HashMap;

use super::end::Verdict;
use super::plan::{Ending, Endings, Plan, Side};

const MOST_NAMED: usize = 20;

#[derive(Default)]
struct Record {
    client: Option<Verdict>,
    origin: Option<Verdict>,
}

pub struct Book {
    seed: u64,
    endings: Endings,
    records: HashMap<u64, Record>,
    /// Connections at the origin that ended before they had said which they are.
    pub unnamed: u64,
}

/// The whole of a soak.
#[derive(Default)]
pub struct Summary {
    pub clean: u64,
    pub resets: u64,
    pub failed: u64,
    /// Of the failed: resets that came as ordinary ends.
    pub truncated: u64,
    /// The first of them, with what is needed to see it again.
    pub failures: Vec<String>,
}

impl Book {
    pub fn new(seed: u64, endings: Endings) -> Self {
        Self { seed, endings, records: HashMap::new(), unnamed: 0 }
    }

    /// A connection alone is `--connections 1 --seed` this.
    pub fn seed_of(&self, index: u64) -> u64 {
        self.seed.wrapping_add(index)
    }

    pub fn plan_of(&self, index: u64) -> Plan {
        Plan::of(self.seed_of(index), self.endings)
    }

    pub fn note(&mut self, index: u64, side: Side, verdict: Verdict) {
        let record = self.records.entry(index).or_default();
        let place = if side == Side::Client { &mut record.client } else { &mut record.origin };
        // A connection that comes to the origin twice is a fault whatever became of it.
        let again = place.is_some() && side == Side::Origin;
        *place = Some(if again { Verdict::Failed("the origin got it twice".to_owned()) } else { verdict });
    }

    pub fn close(&self) -> Summary {
        let mut summary = Summary::default();
        let mut indices: Vec<&u64> = self.records.keys().collect();
        indices.sort();
        for index in indices {
            self.judge(*index, &self.records[index], &mut summary);
        }
        summary
    }

    fn judge(&self, index: u64, record: &Record, summary: &mut Summary) {
        let plan = self.plan_of(index);
        let mut faults = Vec::new();
        for (name, verdict) in [("client", &record.client), ("origin", &record.origin)] {
            match verdict {
                Some(Verdict::Truncated(why)) => {
                    summary.truncated += 1;
                    faults.push(format!("{name}: a reset came as an end; {why}"));
                }
                Some(Verdict::Failed(why)) => faults.push(format!("{name}: {why}")),
                // Who resets at once may never be seen at the other end.
                None if name == "origin" && matches!(plan.ending, Ending::Reset(Side::Client, _)) => {}
                None => faults.push(format!("{name}: never heard of")),
                Some(_) => {}
            }
        }
        if faults.is_empty() {
            let reset = matches!(plan.ending, Ending::Reset(..));
            summary.resets += u64::from(reset);
            summary.clean += u64::from(!reset);
            return;
        }
        summary.failed += 1;
        if summary.failures.len() < MOST_NAMED {
            summary.failures.push(format!("seed {}: {}; {:?}", self.seed_of(index), faults.join("; "), plan.ending));
        }
    }
}
