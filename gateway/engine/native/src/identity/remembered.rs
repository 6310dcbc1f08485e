use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::certificate::Certificate;
use super::peer::Peer;
use super::signature::sha256;

/// A peer that was verified against one bundle, and when that holds. Demands of who it must be are not part of it.
#[derive(Clone, Debug)]
pub struct Verified {
    pub peer: Arc<Peer>,
    /// Unix ms, both included: within them every certificate of its path is in its time.
    pub not_before: i64,
    pub not_after: i64,
}

impl Verified {
    /// The leaf first.
    pub fn new(peer: Peer, path: &[&Certificate]) -> Self {
        let not_before = path.iter().map(|each| each.not_before).max().unwrap_or(i64::MAX);
        Self { not_before, not_after: peer.not_after_ms, peer: Arc::new(peer) }
    }
}

/// Verdicts about whole chains, by what a bundle is immutable for: a peer that comes again, resumes a session or is asked about once more costs
/// a hash in place of its signatures. Refusals are never kept, so only those whom the bundle's authorities signed for can fill it; the older
/// half goes when it is full.
#[derive(Debug, Default)]
pub struct Remembered {
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<[u8; 32], Verified>,
    older: HashMap<[u8; 32], Verified>,
}

/// About 1 KB each.
const MAX_HALF: usize = 2_048;

/// SHA-256 over the certificates with their lengths, so that no two chains have one key.
pub fn key_of(chain: &[&[u8]]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> = chain.iter().map(|der| (der.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> = lengths.iter().zip(chain).flat_map(|(length, der)| [length.as_slice(), der]).collect();
    sha256(&parts)
}

impl Remembered {
    pub fn get(&self, key: &[u8; 32], now: i64) -> Option<Verified> {
        let mut halves = self.lock();
        let found = match halves.newer.get(key) {
            Some(found) => found.clone(),
            None => {
                let found = halves.older.remove(key)?;
                halves.insert(*key, found.clone());
                found
            }
        };
        (found.not_before..=found.not_after).contains(&now).then_some(found)
    }

    pub fn insert(&self, key: [u8; 32], verified: Verified) {
        self.lock().insert(key, verified);
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn insert(&mut self, key: [u8; 32], verified: Verified) {
        if self.newer.len() >= MAX_HALF {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified() -> Verified {
        Verified { peer: Arc::new(Peer::default()), not_before: 10, not_after: 20 }
    }

    #[test]
    fn holds_in_its_time_alone() {
        let remembered = Remembered::default();
        remembered.insert([1; 32], verified());
        let hits = [9, 10, 20, 21].map(|now| remembered.get(&[1; 32], now).is_some());
        assert_eq!(hits, [false, true, true, false]);
        assert!(remembered.get(&[2; 32], 15).is_none());
    }

    #[test]
    fn is_bounded_and_keeps_what_is_asked_for() {
        let remembered = Remembered::default();
        let key = |n: usize| key_of(&[&n.to_be_bytes()]);
        for n in 0..5 * MAX_HALF {
            remembered.insert(key(n), verified());
            assert!(remembered.get(&key(0), 15).is_some(), "asked for all the time, {n}");
        }
        let halves = remembered.lock();
        assert!(halves.newer.len() + halves.older.len() <= 2 * MAX_HALF);
    }

    #[test]
    fn chains_that_differ_in_where_certificates_end_have_different_keys() {
        assert_ne!(key_of(&[b"ab", b"c"]), key_of(&[b"a", b"bc"]));
        assert_ne!(key_of(&[b"abc"]), key_of(&[b"abc", b""]));
    }
}
