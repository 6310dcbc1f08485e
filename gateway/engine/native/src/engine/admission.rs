use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const SHARDS: usize = 16;
/// As many are open in all as there may be.
pub const TOO_MANY: &str = "too-many-connections";
/// And of one source.
pub const TOO_MANY_FROM_SOURCE: &str = "too-many-from-source";
/// Whoever comes would cost what nobody has.
pub const MEMORY_SHORT: &str = "memory-short";

/// Counts open connections of all threads, in all and by source address.
pub struct Admission {
    most: usize,
    most_per_source: usize,
    open: AtomicUsize,
    /// Nobody is admitted meanwhile.
    short: AtomicBool,
    by_source: [Mutex<HashMap<IpAddr, usize>>; SHARDS],
}

/// A place; given back when it is dropped.
pub struct Place {
    admission: Arc<Admission>,
    /// None: it is not known yet whose it is.
    source: Option<IpAddr>,
}

impl Admission {
    pub fn new(most: usize, most_per_source: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_source, open: AtomicUsize::new(0), short: AtomicBool::new(false), by_source: Default::default() })
    }

    pub fn set_short(&self, short: bool) {
        self.short.store(short, Ordering::Relaxed);
    }

    pub fn short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Err: why there is none.
    pub fn admit(self: &Arc<Self>, source: IpAddr) -> Result<Place, &'static str> {
        let mut place = self.admit_unnamed()?;
        place.name(source)?;
        Ok(place)
    }

    /// Of one that will only say whose it is: until then it counts in all alone.
    pub fn admit_unnamed(self: &Arc<Self>) -> Result<Place, &'static str> {
        if self.short() {
            return Err(MEMORY_SHORT);
        }
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(TOO_MANY);
        }
        Ok(Place { admission: self.clone(), source: None })
    }

    fn shard(&self, source: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        let last = match source {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15] ^ v6.octets()[7],
        };
        &self.by_source[usize::from(last) % SHARDS]
    }
}

impl Place {
    /// Once. Err: why there is no place for more of that source.
    pub fn name(&mut self, source: IpAddr) -> Result<(), &'static str> {
        let mut counts = self.admission.shard(source).lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_insert(0);
        if *count >= self.admission.most_per_source {
            return Err(TOO_MANY_FROM_SOURCE);
        }
        *count += 1;
        drop(counts);
        self.source = Some(source);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        let Some(source) = self.source else { return };
        let mut counts = self.admission.shard(source).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&source);
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
        admission.set_short(true);
        assert_eq!((admission.admit(a).err(), admission.open()), (Some("memory-short"), 0));
        admission.set_short(false);
        assert!(admission.admit(a).is_ok());
    }

    #[test]
    fn who_is_named_later_counts_in_all_from_the_beginning_and_by_source_from_then_on() {
        let admission = Admission::new(2, 1);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = admission.admit(a).ok().unwrap();
        let mut second = admission.admit_unnamed().ok().unwrap();
        assert_eq!(admission.admit_unnamed().err(), Some("too-many-connections"));
        assert_eq!(second.name(a), Err("too-many-from-source"));
        drop(second);
        let mut second = admission.admit_unnamed().ok().unwrap();
        assert_eq!(second.name(b), Ok(()));
        drop(first);
        assert_eq!(admission.admit(b).err(), Some("too-many-from-source"));
        drop(second);
        assert_eq!((admission.open(), admission.admit(b).is_ok()), (0, true));
    }
}
