use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::admission::{Admission, Place};
use super::options::Options;
use super::queue::EventQueue;
use crate::net::KeepAlive;
use crate::tables::{Cluster, Latency, Released, Spread, Standing, Tables};
use crate::tls::TicketKeys;

/// What all threads of one engine look at.
pub struct Shared {
    pub options: Options,
    pub keep_alive: KeepAlive,
    pub admission: Arc<Admission>,
    pub events: EventQueue,
    pub released: Released,
    pub standing: Standing,
    /// Of all connections that are passed on.
    pub passthrough: Arc<Cluster>,
    /// By which callers resume their sessions here, whatever the SVID of the moment.
    pub tickets: TicketKeys,
    tables: Mutex<Arc<Tables>>,
    /// Of the tables; a thread that has this version need not ask for them.
    version: AtomicU64,
    next_number: AtomicU64,
    pub accepted: AtomicU64,
    ended: Mutex<HashMap<&'static str, u64>>,
    /// Places of connections that TypeScript serves.
    handed: Mutex<HashMap<u64, Place>>,
    /// Callers' mTLS, by listener.
    handshakes: Mutex<HashMap<Box<str>, Arc<Spread>>>,
    /// Connections of which TypeScript has one side, and whether it has broken that off.
    cut: Mutex<HashMap<u64, Arc<AtomicBool>>>,
    /// Held alone by the thread that refuses a caller with its spare descriptor, and together by those that take new ones: a descriptor that is put down
    /// for a moment is not to become somebody else's.
    pub descriptors: RwLock<()>,
    begun: Instant,
    /// Why nobody is taken. Empty: everybody is.
    overloaded: Mutex<Box<str>>,
}

impl Shared {
    /// Err: the system has no randomness.
    pub fn new(options: Options, events: EventQueue) -> Result<Self, String> {
        Ok(Self {
            keep_alive: KeepAlive { after_s: options.keep_alive_s },
            admission: Admission::new(options.limits.max_connections, options.limits.max_connections_per_source),
            options,
            events,
            released: Released::default(),
            standing: Standing::default(),
            passthrough: Arc::new(Cluster::passthrough()),
            tickets: TicketKeys::new()?,
            tables: Mutex::default(),
            version: AtomicU64::new(1),
            next_number: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            ended: Mutex::default(),
            handed: Mutex::default(),
            handshakes: Mutex::default(),
            cut: Mutex::default(),
            descriptors: RwLock::default(),
            begun: Instant::now(),
            overloaded: Mutex::default(),
        })
    }

    /// Monotonic ms since the engine began.
    pub fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// Memory is short, as it says; empty: it is not any more.
    pub fn overload(&self, detail: &str) {
        *self.overloaded.lock().unwrap_or_else(PoisonError::into_inner) = detail.into();
        self.admission.set_short(!detail.is_empty());
    }

    /// Why nobody is taken.
    pub fn overloaded(&self) -> Box<str> {
        self.overloaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn tables(&self) -> Arc<Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_tables(&self, tables: Arc<Tables>) {
        let before = std::mem::replace(&mut *self.tables.lock().unwrap_or_else(PoisonError::into_inner), tables);
        self.version.fetch_add(1, Ordering::Release);
        // Outside the lock: it may be the last of many.
        drop(before);
    }

    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// By when TypeScript is to be told that there is something to fetch, monotonic ms.
    pub fn telling_at(&self) -> Option<u64> {
        self.events.due_at(!self.released.is_empty())
    }

    pub fn tell_by(&self, now: u64) {
        self.events.tell_by(now, !self.released.is_empty());
    }

    pub fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn count_end(&self, reason: &'static str) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_insert(0) += 1;
    }

    /// By reason.
    pub fn ended(&self) -> HashMap<&'static str, u64> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the caller's hello until it has proven who it is.
    pub fn shook_hands(&self, listener: &str, took: Duration) {
        let mut handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        match handshakes.get(listener) {
            Some(spread) => spread.add(took),
            None => handshakes.entry(listener.into()).or_default().add(took),
        }
    }

    /// How long the steps of connections took.
    pub fn latencies(&self) -> Vec<Latency> {
        let handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        let shaken = handshakes.iter().filter_map(|(listener, spread)| spread.seen("handshake", listener));
        shaken.chain(self.standing.latencies()).collect()
    }

    pub fn hold(&self, number: u64, place: Place) {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).insert(number, place);
    }

    /// A connection that TypeScript served has ended. Idempotent.
    pub fn release(&self, number: u64) {
        let place = self.handed.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        drop(place);
    }

    /// TypeScript gets one side of this connection. What is returned says, before that side has closed, whether it is broken off.
    pub fn share(&self, number: u64) -> Arc<AtomicBool> {
        let cut = Arc::new(AtomicBool::new(false));
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).insert(number, cut.clone());
        cut
    }

    /// TypeScript closes its side next, and that is no end. Nothing where the connection is over.
    pub fn cut(&self, number: u64) {
        if let Some(cut) = self.cut.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
            cut.store(true, Ordering::Release);
        }
    }

    pub fn unshare(&self, number: u64) {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    pub fn handed(&self) -> usize {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
