use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::Random;
use super::plan::Sharing;
use crate::tables::{Cluster, Endpoint, Policy};

/// The endpoints that one connection tries (gateway/balance/attempts.ts), each once. A gateway behind which something failed may be asked
/// again when nobody else is left, because it then picks another of its backends; one that refused the connection may not.
#[derive(Default)]
pub struct Attempts {
    tried: Vec<u32>,
    refused: Vec<u32>,
    pub count: u32,
    current: Option<u32>,
    held: Option<Arc<Endpoint>>,
}

impl Attempts {
    /// Ends the attempt before, and begins one. None: no attempts or no endpoints are left.
    pub fn next(&mut self, cluster: &Cluster, most: u32, random: &mut Random) -> Option<Arc<Endpoint>> {
        self.end();
        if self.count >= most {
            return None;
        }
        let sharing = match cluster.policy {
            Policy::RoundRobin => Sharing::RoundRobin,
            Policy::LeastRequest => Sharing::LeastRequest,
            Policy::Random => Sharing::Random,
        };
        let mut picker = cluster.picker.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pick = |excluded: &[u32]| picker.pick(&cluster.plan, sharing, &cluster.endpoints, excluded, random);
        let at = pick(&self.tried).or_else(|| if self.count > 0 { pick(&self.refused) } else { None })?;
        drop(picker);
        let endpoint = cluster.endpoints.get(at as usize)?.clone();
        self.count += 1;
        self.tried.push(at);
        self.current = Some(at);
        endpoint.active.fetch_add(1, Ordering::Relaxed);
        self.held = Some(endpoint.clone());
        Some(endpoint)
    }

    /// The one that was tried last. `connect`: it refused the connection itself.
    pub fn failed(&mut self, connect: bool) {
        let via_gateway = self.held.as_ref().is_some_and(|endpoint| endpoint.via_gateway);
        if let Some(at) = self.current.filter(|_| connect || !via_gateway) {
            self.refused.push(at);
        }
    }

    /// The connection is over, however; until then it counts as one that its endpoint serves. Idempotent.
    pub fn end(&mut self) {
        if let Some(endpoint) = self.held.take() {
            endpoint.active.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.end();
    }
}
