use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::admission::{Admission, Place};
use super::options::Options;
use super::queue::EventQueue;
use crate::net::KeepAlive;
use crate::tables::{Released, Standing, Tables};
use crate::tls::TicketKeys;

/// What all threads of one engine look at.
pub struct Shared {
    pub options: Options,
    pub keep_alive: KeepAlive,
    pub admission: Arc<Admission>,
    pub events: EventQueue,
    pub released: Released,
    pub standing: Standing,
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
    begun: Instant,
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
            tickets: TicketKeys::new()?,
            tables: Mutex::default(),
            version: AtomicU64::new(1),
            next_number: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            ended: Mutex::default(),
            handed: Mutex::default(),
            begun: Instant::now(),
        })
    }

    /// Monotonic ms since the engine began.
    pub fn now(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
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

    /// There is something that TypeScript is to fetch.
    pub fn has_news(&self) -> bool {
        !self.events.is_empty() || !self.released.is_empty()
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

    pub fn hold(&self, number: u64, place: Place) {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).insert(number, place);
    }

    /// A connection that TypeScript served has ended. Idempotent.
    pub fn release(&self, number: u64) {
        let place = self.handed.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        drop(place);
    }

    pub fn handed(&self) -> usize {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
