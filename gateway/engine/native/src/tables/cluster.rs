use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::latency::{ClusterSpreads, Latency};
use super::message::Policy;
use super::places::{Place, Places};
use crate::net::KeepAlive;
use crate::parse::proxy_protocol::ProxyVersion;
use crate::pick::{Picker, Plan};
use crate::tls::Target;

/// Handles of endpoints that nothing refers to any more: neither a table nor a connection.
#[derive(Clone, Default)]
pub struct Released(Arc<Mutex<Vec<u32>>>);

impl Released {
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One place where a service answers, as one table names it.
pub struct Endpoint {
    /// TypeScript's handle.
    pub id: u32,
    /// Err: why nobody can be reached there.
    pub address: Result<SocketAddr, String>,
    /// Only refused connects are its own failure.
    pub via_gateway: bool,
    /// What it must prove; none: plaintext.
    pub tls: Option<Target>,
    /// Connections that run there; the same counter from one table to the next.
    pub active: Arc<AtomicU32>,
    /// None where nobody can be reached.
    pub place: Option<Arc<Place>>,
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
    /// Each connection begins with who called.
    pub proxy_protocol: Option<ProxyVersion>,
    /// See ClusterMessage.
    pub all_suspect: bool,
    pub endpoints: Vec<Arc<Endpoint>>,
    pub keys: Vec<Box<str>>,
    pub policy: Policy,
    pub plan: Plan,
    pub picker: Mutex<Picker>,
    /// Connections that it has been chosen for; the same counter from one table to the next.
    pub open: Arc<AtomicU32>,
    /// Of those, to its endpoints.
    pub upstreams: Arc<AtomicU32>,
    pub spreads: Arc<ClusterSpreads>,
}

/// How many connections each cluster has, by name: a cluster that leaves the tables and comes back while they run counts on.
#[derive(Clone, Default)]
pub struct Standing {
    clusters: Arc<Mutex<HashMap<Box<str>, Counts>>>,
    pub places: Places,
}

#[derive(Clone, Default)]
pub struct Counts {
    pub open: Arc<AtomicU32>,
    pub upstreams: Arc<AtomicU32>,
    pub spreads: Arc<ClusterSpreads>,
}

impl Standing {
    pub(super) fn of(&self, name: &str) -> Counts {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).entry(name.into()).or_default().clone()
    }

    /// Forgets those that nothing refers to any more.
    pub(super) fn prune(&self) {
        let mut counts = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, each| Arc::strong_count(&each.open) > 1 || Arc::strong_count(&each.upstreams) > 1);
    }

    /// How long steps took, by cluster.
    pub fn latencies(&self) -> Vec<Latency> {
        let counts = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().flat_map(|(name, each)| each.spreads.seen(name)).collect()
    }

    /// xDS clusters that open connections have been led to.
    pub fn in_use(&self) -> Vec<String> {
        let counts = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|(_, each)| each.open.load(Ordering::Relaxed) > 0).map(|(name, _)| name.to_string()).collect()
    }
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
