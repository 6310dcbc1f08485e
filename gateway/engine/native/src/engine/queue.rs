use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::events::{Event, PeerOf, Report};
use crate::identity::Peer;
use crate::tables::Cluster;

/// Events on their way to TypeScript. Bounded: an observer that stands still costs events, never memory or connections. What comes faster than
/// it is worth reading one by one is told in sums: every connection counts, but not each is described.
pub struct EventQueue {
    batch: Mutex<Batch>,
    /// TypeScript has been told, and has not looked yet.
    told: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    /// Where in `events` an attempt that went well stands, by endpoint; none once one has failed there since.
    went_well: HashMap<u32, usize>,
    alike: HashMap<Alike, usize>,
    /// So that no address in `alike` becomes another cluster's.
    clusters: Vec<Arc<Cluster>>,
    proven: HashSet<String>,
    second: u64,
    described: u32,
}

/// What connections have in common that are told of together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alike {
    pub ended: bool,
    /// Addresses of what is shared: the same thing while the batch stands, as it keeps them.
    pub listener: usize,
    pub cluster: usize,
    pub peer: usize,
    pub endpoint: Option<u32>,
    pub reason: &'static str,
}

/// Beyond it, events are dropped (sockets handed over are closed).
const MOST: usize = 100_000;
/// Connections whose ends are described one by one, in a second. Beginnings are told of in sums: nobody asks whose they are.
const DESCRIBED_A_SECOND: u32 = 500;

impl EventQueue {
    pub fn new(tell: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { batch: Mutex::default(), told: AtomicBool::new(false), tell }
    }

    /// Err: it was dropped.
    pub fn push(&self, event: Event) -> Result<(), Event> {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.events.len() >= MOST {
            return Err(event);
        }
        batch.events.push(event);
        Ok(())
    }

    pub fn attempted(&self, cluster: &str, endpoint: u32, result: &'static str) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let Batch { events, went_well, .. } = &mut *batch;
        if result != "ok" {
            went_well.remove(&endpoint);
        } else if let Some(Event::Attempt { count, .. }) = went_well.get(&endpoint).and_then(|&at| events.get_mut(at)) {
            *count += 1;
            return;
        } else {
            went_well.insert(endpoint, events.len());
        }
        if events.len() < MOST {
            events.push(Event::Attempt { cluster: cluster.into(), endpoint, result, count: 1 });
        }
    }

    pub fn proven(&self, peer: &Arc<Peer>) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.events.len() < MOST && batch.proven.insert(peer.fingerprint.clone()) {
            batch.events.push(Event::Peer(PeerOf { peer: Some(peer.clone()) }));
        }
    }

    /// `describe` is called for connections that are described one by one, and for the first of those that are alike. `now`: monotonic ms.
    pub fn report(&self, now: u64, alike: Alike, cluster: Option<&Arc<Cluster>>, sums: Sums, describe: impl FnOnce() -> Report) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now / 1_000;
        if batch.second != second {
            (batch.second, batch.described) = (second, 0);
        }
        if alike.ended && batch.described < DESCRIBED_A_SECOND {
            batch.described += 1;
        } else {
            let Batch { events, alike: known, clusters, .. } = &mut *batch;
            if let Some(Event::Forward(report) | Event::Ended(report)) = known.get(&alike).and_then(|&at| events.get_mut(at)) {
                report.count += 1;
                report.bytes_received += sums.received;
                report.bytes_sent += sums.sent;
                report.duration_ms += sums.duration_ms;
                report.attempts += sums.attempts;
                return;
            }
            known.insert(alike, events.len());
            clusters.extend(cluster.cloned());
        }
        if batch.events.len() < MOST {
            let report = Box::new(describe());
            batch.events.push(if alike.ended { Event::Ended(report) } else { Event::Forward(report) });
        }
    }

    /// TypeScript is to look soon. Costs nothing while it has been told already.
    pub fn tell(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            (self.tell)();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).events.is_empty()
    }

    pub fn take(&self) -> Vec<Event> {
        self.told.store(false, Ordering::Release);
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.went_well.clear();
        batch.alike.clear();
        batch.proven.clear();
        let clusters = std::mem::take(&mut batch.clusters);
        let events = std::mem::take(&mut batch.events);
        drop(batch);
        // Outside the lock: the last of a cluster lets go of its endpoints.
        drop(clusters);
        events
    }

    /// What nobody will fetch any more is closed.
    pub fn discard(&self) {
        for event in self.take() {
            event.close_handed();
        }
    }
}

/// What is added up.
#[derive(Clone, Copy)]
pub struct Sums {
    pub received: u64,
    pub sent: u64,
    pub duration_ms: u64,
    pub attempts: u32,
}

#[cfg(test)]
mod tests {
    use super::super::events::Outcome;
    use super::*;

    fn report() -> Report {
        Report {
            count: 1,
            number: 1,
            listener: "east-west".into(),
            source: ([127, 0, 0, 1], 1).into(),
            destination: None,
            outcome: Outcome::Forward,
            sni: "".into(),
            cluster: "c".into(),
            endpoint: Some(7),
            peer: None,
            end: None,
            bytes_received: 10,
            bytes_sent: 20,
            duration_ms: 3,
            attempts: 1,
            flags: Vec::new(),
            reason: "",
            detail: "".into(),
        }
    }

    #[test]
    fn every_connection_counts_and_five_hundred_a_second_are_described() {
        let queue = EventQueue::new(Box::new(|| {}));
        let alike = Alike { ended: true, listener: 1, cluster: 2, peer: 0, endpoint: Some(7), reason: "" };
        let sums = Sums { received: 10, sent: 20, duration_ms: 3, attempts: 1 };
        for _ in 0..5_000 {
            queue.report(500, alike, None, sums, report);
        }
        queue.report(500, Alike { reason: "upstream-reset", ..alike }, None, sums, report);
        let events = queue.take();
        assert_eq!(events.len(), 502);
        let total: (u32, u64) = events.iter().fold((0, 0), |(count, bytes), event| match event {
            Event::Ended(report) => (count + report.count, bytes + report.bytes_sent),
            _ => (count, bytes),
        });
        assert_eq!(total, (5_001, 5_001 * 20));
        queue.report(1_500, alike, None, sums, report);
        queue.report(1_500, alike, None, sums, report);
        assert_eq!(queue.take().len(), 2, "the next second describes again");
    }

    #[test]
    fn attempts_that_went_well_are_one_event_until_one_fails() {
        let queue = EventQueue::new(Box::new(|| {}));
        for result in ["ok", "ok", "ok", "connect", "ok", "ok"] {
            queue.attempted("c", 7, result);
        }
        queue.attempted("c", 8, "ok");
        let seen = queue.take().into_iter().map(|event| match event {
            Event::Attempt { endpoint, result, count, .. } => (endpoint, result, count),
            _ => unreachable!("only attempts were pushed"),
        });
        assert_eq!(seen.collect::<Vec<_>>(), [(7, "ok", 3), (7, "connect", 1), (7, "ok", 2), (8, "ok", 1)]);
    }
}
