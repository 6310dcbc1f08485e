use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// What is known of the connections to one address and port, whatever clusters lead there: enough to notice that a machine has vanished without
/// a word, which says nothing on all of them at once (gateway/health/silence.ts).
#[derive(Default)]
pub struct Place {
    /// TypeScript's handle of an endpoint there.
    endpoint: AtomicU32,
    open: AtomicU32,
    /// Of those: something was sent, and nothing has come since; or it is being connected.
    waiting: AtomicU32,
    /// Bytes that have come, in all.
    heard: AtomicU64,
}

/// All of them.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<SocketAddr, Arc<Place>>>>);

/// One place of which somebody waits or hears.
#[derive(Serialize)]
pub struct PlaceNews {
    /// 0: of none.
    pub endpoint: u32,
    pub address: SocketAddr,
    pub heard: u64,
    pub waiting: bool,
}

impl Places {
    pub(super) fn of(&self, address: SocketAddr, endpoint: u32) -> Arc<Place> {
        let place = self.at(address);
        place.endpoint.store(endpoint, Ordering::Relaxed);
        place
    }

    /// For somebody who knows the endpoint by its address.
    pub(super) fn at(&self, address: SocketAddr) -> Arc<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(address).or_default().clone()
    }

    /// Those that connections lead to. Forgets what nothing refers to any more.
    pub fn news(&self) -> Vec<PlaceNews> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| Arc::strong_count(place) > 1);
        let open = places.iter().filter(|(_, place)| place.open.load(Ordering::Relaxed) > 0);
        open.map(|(address, place)| PlaceNews {
            address: *address,
            endpoint: place.endpoint.load(Ordering::Relaxed),
            heard: place.heard.load(Ordering::Relaxed),
            waiting: place.waiting.load(Ordering::Relaxed) > 0,
        })
        .collect()
    }
}

/// One connection's part in that. Gone with it.
pub struct Watched {
    place: Arc<Place>,
    waiting: bool,
    heard: u64,
    sent: u64,
}

impl Watched {
    /// It is being connected. `heard` and `sent`: what the connection has counted before, with somebody else.
    pub fn new(place: Arc<Place>, heard: u64, sent: u64) -> Self {
        place.open.fetch_add(1, Ordering::Relaxed);
        place.waiting.fetch_add(1, Ordering::Relaxed);
        Self { place, waiting: true, heard, sent }
    }

    /// `heard` and `sent` are counters. Which came first, when both have moved, is not known: then nothing is waited for.
    pub fn look(&mut self, connecting: bool, heard: u64, sent: u64) {
        let (more, said) = (heard.saturating_sub(self.heard), sent != self.sent);
        (self.heard, self.sent) = (heard, sent);
        if more > 0 {
            self.place.heard.fetch_add(more, Ordering::Relaxed);
        }
        self.wait(connecting || (more == 0 && (self.waiting || said)));
    }

    /// TCP stands, and nothing was said yet.
    pub fn connected(&mut self) {
        self.place.heard.fetch_add(1, Ordering::Relaxed);
        self.wait(false);
    }

    /// It has proven who it is, and nothing was said yet. `heard` and `sent` as in `look`.
    pub fn proven(&mut self, heard: u64, sent: u64) {
        (self.heard, self.sent) = (heard, sent);
        self.connected();
    }

    fn wait(&mut self, waiting: bool) {
        match (self.waiting, waiting) {
            (false, true) => self.place.waiting.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.place.waiting.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        self.waiting = waiting;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.wait(false);
        self.place.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_waits_while_one_of_its_connections_does() {
        let places = Places::default();
        let address = ([10, 0, 0, 1], 80).into();
        let place = places.of(address, 7);
        assert!(places.news().is_empty(), "nobody has connected");
        let mut one = Watched::new(place.clone(), 0, 0);
        let mut other = Watched::new(place.clone(), 0, 0);
        let waiting = || places.news().first().map(|news| (news.endpoint, news.waiting));
        assert_eq!(waiting(), Some((7, true)));
        one.connected();
        other.connected();
        assert_eq!(waiting(), Some((7, false)));
        one.look(false, 0, 10);
        assert_eq!(waiting(), Some((7, true)), "it was asked");
        one.look(false, 5, 10);
        assert_eq!(waiting(), Some((7, false)), "it has answered");
        other.look(false, 0, 3);
        one.look(false, 5, 10);
        assert_eq!(waiting(), Some((7, true)));
        drop(other);
        assert_eq!(waiting(), Some((7, false)));
        one.look(true, 5, 20);
        assert_eq!(waiting(), Some((7, true)), "its handshake");
        one.proven(5, 30);
        one.look(false, 5, 30);
        assert_eq!(waiting(), Some((7, false)), "it is idle");
        drop((one, place));
        assert!(places.news().is_empty());
    }
}
