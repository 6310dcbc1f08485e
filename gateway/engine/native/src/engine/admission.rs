use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const SHARDS: usize = 16;

/// Counts open connections of all threads, in all and by source address.
pub struct Admission {
    most: usize,
    most_per_source: usize,
    open: AtomicUsize,
    by_source: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
}

/// A place; given back when it is dropped.
pub struct Place {
    admission: Arc<Admission>,
    source: IpAddr,
}

impl Admission {
    pub fn new(most: usize, most_per_source: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_source, open: AtomicUsize::new(0), by_source: Default::default() })
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Err: why there is none.
    pub fn admit(self: &Arc<Self>, source: IpAddr) -> Result<Place, &'static str> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err("too-many-connections");
        }
        let mut counts = self.shard(source).lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_insert(0);
        if *count >= self.most_per_source {
            drop(counts);
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err("too-many-from-source");
        }
        *count += 1;
        drop(counts);
        Ok(Place { admission: self.clone(), source })
    }

    fn shard(&self, source: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        let last = match source {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15] ^ v6.octets()[7],
        };
        &self.by_source[usize::from(last) % SHARDS]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        let mut counts = self.admission.shard(self.source).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_places_come_back() {
        let admission = Admission::new(3, 2);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = admission.admit(a).ok().unwrap();
        let second = admission.admit(a).ok().unwrap();
        assert_eq!(admission.admit(a).err(), Some("too-many-from-source"));
        let third = admission.admit(b).ok().unwrap();
        assert_eq!(admission.admit(b).err(), Some("too-many-connections"));
        assert_eq!(admission.open(), 3);
        drop((first, second));
        assert!(admission.admit(a).is_ok());
        drop(third);
        assert_eq!(admission.open(), 0);
    }
}
