use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::message::Policy;
use crate::net::KeepAlive;
use crate::pick::{Picker, Plan};
use crate::tls::Target;

/// Handles of endpoints that nothing refers to any more: neither a table nor a connection.
#[derive(Clone, Default)]
pub struct Released(Arc<Mutex<Vec<u32>>>);

impl Released {
    pub fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().expect("nobody panics while holding it"))
    }
}

/// One place where a service answers, as one table names it.
pub struct Endpoint {
    /// TypeScript's handle.
    pub id: u32,
    pub address: SocketAddr,
    /// Only refused connects are its own failure.
    pub via_gateway: bool,
    /// What it must prove; none: plaintext.
    pub tls: Option<Target>,
    /// Connections that run there; the same counter from one table to the next.
    pub active: Arc<AtomicU32>,
    pub released: Released,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Ok(mut ids) = self.released.0.lock() {
            ids.push(self.id);
        }
    }
}

/// One xDS cluster: whom connections are led to.
pub struct Cluster {
    pub name: Arc<str>,
    pub connect_timeout_ms: u64,
    pub idle_timeout_ms: Option<u64>,
    /// 0: for ever.
    pub max_duration_ms: u64,
    pub max_connections: Option<u32>,
    pub keep_alive: Option<KeepAlive>,
    pub endpoints: Vec<Arc<Endpoint>>,
    pub keys: Vec<Box<str>>,
    pub policy: Policy,
    pub plan: Plan,
    pub picker: Mutex<Picker>,
    /// Connections that it has been chosen for; the same counter from one table to the next.
    pub open: Arc<AtomicU32>,
    /// Of those, to its endpoints.
    pub upstreams: Arc<AtomicU32>,
}

/// Counts for as long as it lives.
pub struct Counted(Arc<AtomicU32>);

impl Counted {
    pub fn new(counter: &Arc<AtomicU32>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }

    /// None: there are `most` already.
    pub fn within(counter: &Arc<AtomicU32>, most: Option<u32>) -> Option<Self> {
        let most = most.unwrap_or(u32::MAX);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then(|| count + 1)).ok()?;
        Some(Self(counter.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
