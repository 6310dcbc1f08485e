use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::described::Described;
use super::events::{Event, PeerOf, Report};
use crate::identity::Peer;
use crate::tables::Cluster;

/// Events on their way to TypeScript. Bounded: an observer that stands still costs events, never memory or connections. What comes faster than
/// it is worth reading one by one is told in sums: every connection counts, but not each is described.
pub struct EventQueue {
    batch: Mutex<Batch>,
    /// TypeScript has been told, and has not looked yet.
    told: AtomicBool,
    /// When it was last, monotonic ms.
    told_at: AtomicU64,
    /// There are events; and some of them say that something has gone wrong.
    news: AtomicBool,
    urgent: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    /// Where in `events` an attempt that went well stands, by endpoint; none once one has failed there since.
    went_well: HashMap<u32, usize>,
    /// Endpoints of which the last attempt that was told of failed: that one goes well again is no less urgent.
    failed: HashSet<u32>,
    alike: HashMap<Alike, usize>,
    /// So that no address in `alike` becomes another one's.
    kept: Vec<Kept>,
    proven: HashSet<String>,
    described: Described,
}

/// A cluster, and the name of a rule.
type Kept = (Option<Arc<Cluster>>, Option<Arc<str>>);

/// What connections have in common that are told of together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alike {
    pub ended: bool,
    /// Addresses of what is shared: the same thing while the batch stands, as it keeps them.
    /// Or the name of the rule that one goes by in its place.
    pub listener: usize,
    pub cluster: usize,
    pub peer: usize,
    pub endpoint: Option<u32>,
    pub reason: &'static str,
    /// Of callers without mesh of a service's own port, who are counted by address: theirs; and of those that were let in the number, as each counts
    /// for as long as it stands.
    pub in_the_clear: Option<(IpAddr, u64)>,
}

/// Beyond it, events are dropped (sockets handed over are closed).
const MOST: usize = 100_000;
const MOST_FAILED: usize = 10_000;

/// Between one time that TypeScript is told and the next, ms: each is a turn of its loop, whatever there is to read, and on a machine without a CPU to
/// spare connections wait for it. What goes wrong may concern those that come next.
const TELL_EVERY_MS: u64 = 200;
const TELL_OF_TROUBLE_EVERY_MS: u64 = 10;

impl EventQueue {
    pub fn new(tell: Box<dyn Fn() + Send + Sync>) -> Self {
        let (told, news, urgent) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Self { batch: Mutex::default(), told, told_at: AtomicU64::new(0), news, urgent, tell }
    }

    /// By when it is to be told, monotonic ms. None: there is nothing. `released`: there is something beside the events.
    pub fn due_at(&self, released: bool) -> Option<u64> {
        let every = if self.urgent.load(Ordering::Relaxed) { TELL_OF_TROUBLE_EVERY_MS } else { TELL_EVERY_MS };
        (released || self.news.load(Ordering::Relaxed)).then(|| self.told_at.load(Ordering::Relaxed) + every)
    }

    /// Tells it when that is due.
    pub fn tell_by(&self, now: u64, released: bool) {
        if self.due_at(released).is_some_and(|at| at <= now) {
            self.told_at.store(now, Ordering::Relaxed);
            self.tell();
        }
    }

    /// Err: it was dropped.
    pub fn push(&self, event: Event) -> Result<(), Event> {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.events.len() >= MOST {
            return Err(event);
        }
        batch.events.push(event);
        self.news.store(true, Ordering::Relaxed);
        self.urgent.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub fn attempted(&self, cluster: &str, endpoint: u32, result: &'static str) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let Batch { events, went_well, failed, .. } = &mut *batch;
        self.news.store(true, Ordering::Relaxed);
        if result != "ok" {
            went_well.remove(&endpoint);
            // Of endpoints that are no more nothing is heard.
            if failed.len() >= MOST_FAILED {
                failed.clear();
            }
            failed.insert(endpoint);
            self.urgent.store(true, Ordering::Relaxed);
        } else if let Some(Event::Attempt { count, .. }) = went_well.get(&endpoint).and_then(|&at| events.get_mut(at)) {
            *count += 1;
            return;
        } else {
            if failed.remove(&endpoint) {
                self.urgent.store(true, Ordering::Relaxed);
            }
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
            self.news.store(true, Ordering::Relaxed);
        }
    }

    /// `describe` is called for connections that are described one by one, and for the first of those that are alike: beginnings always are, as nobody
    /// asks whose they are, but of those in the clear. `now`: monotonic ms; `of`: whose addresses are in `alike`.
    pub fn report(
        &self,
        now: u64,
        alike: Alike,
        of: (Option<&Arc<Cluster>>, Option<&Arc<str>>),
        sums: Sums,
        describe: impl FnOnce() -> Report,
    ) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        self.news.store(true, Ordering::Relaxed);
        if !(alike.ended && batch.described.admit(now, TELL_EVERY_MS, alike.reason.is_empty())) {
            let Batch { events, alike: known, kept, .. } = &mut *batch;
            if let Some(Event::Forward(report) | Event::Ended(report)) = known.get(&alike).and_then(|&at| events.get_mut(at)) {
                report.count += 1;
                report.bytes_received += sums.received;
                report.bytes_sent += sums.sent;
                report.duration_ms += sums.duration_ms;
                report.attempts += sums.attempts;
                return;
            }
            if events.len() >= MOST {
                return;
            }
            known.insert(alike, events.len());
            kept.push((of.0.cloned(), of.1.cloned()));
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

    pub fn take(&self) -> Vec<Event> {
        self.told.store(false, Ordering::Release);
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        // They are set under this lock, too.
        self.news.store(false, Ordering::Relaxed);
        self.urgent.store(false, Ordering::Relaxed);
        batch.went_well.clear();
        batch.alike.clear();
        batch.proven.clear();
        let kept = std::mem::take(&mut batch.kept);
        let events = std::mem::take(&mut batch.events);
        drop(batch);
        // Outside the lock: the last of a cluster lets go of its endpoints.
        drop(kept);
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

    const NOBODY: (Option<&Arc<Cluster>>, Option<&Arc<str>>) = (None, None);

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
    fn every_connection_counts_and_a_part_is_described_the_longest_of_what_failed() {
        let queue = EventQueue::new(Box::new(|| {}));
        let alike = Alike { ended: true, listener: 1, cluster: 2, peer: 0, endpoint: Some(7), reason: "", in_the_clear: None };
        let sums = Sums { received: 10, sent: 20, duration_ms: 3, attempts: 1 };
        for _ in 0..3_000 {
            queue.report(500, alike, NOBODY, sums, report);
        }
        for _ in 0..2_001 {
            queue.report(500, Alike { reason: "upstream-reset", ..alike }, NOBODY, sums, report);
        }
        let events = queue.take();
        assert_eq!(events.len(), 200 + 1 + 300 + 1);
        let total: (u32, u64) = events.iter().fold((0, 0), |(count, bytes), event| match event {
            Event::Ended(report) => (count + report.count, bytes + report.bytes_sent),
            _ => (count, bytes),
        });
        assert_eq!(total, (5_001, 5_001 * 20));
        queue.report(1_500, alike, NOBODY, sums, report);
        queue.report(1_500, alike, NOBODY, sums, report);
        assert_eq!(queue.take().len(), 2, "the next second describes again");
    }

    #[test]
    fn who_was_let_in_in_the_clear_is_told_of_alone_and_who_was_not_by_address() {
        let queue = EventQueue::new(Box::new(|| {}));
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let sums = Sums { received: 10, sent: 20, duration_ms: 3, attempts: 1 };
        for in_the_clear in [(address(1), 1), (address(1), 2), (address(1), 0), (address(1), 0), (address(2), 0)] {
            let in_the_clear = Some(in_the_clear);
            let alike = Alike { ended: false, listener: 1, cluster: 2, peer: 0, endpoint: Some(7), reason: "", in_the_clear };
            queue.report(500, alike, (None, None), sums, report);
        }
        assert_eq!(queue.take().len(), 4);
    }

    #[test]
    fn that_an_endpoint_fails_or_is_well_again_is_told_sooner() {
        let queue = EventQueue::new(Box::new(|| {}));
        let due = || (queue.due_at(false), queue.take().len()).0;
        queue.attempted("c", 7, "ok");
        assert_eq!(due(), Some(TELL_EVERY_MS));
        queue.attempted("c", 7, "connect");
        assert_eq!(due(), Some(TELL_OF_TROUBLE_EVERY_MS));
        queue.attempted("c", 8, "ok");
        assert_eq!(due(), Some(TELL_EVERY_MS));
        queue.attempted("c", 7, "ok");
        assert_eq!(due(), Some(TELL_OF_TROUBLE_EVERY_MS));
        queue.attempted("c", 7, "ok");
        assert_eq!(due(), Some(TELL_EVERY_MS));
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
