use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

const SHARDS: usize = 256;

type Shard<T> = HashMap<Box<str>, Arc<T>>;

/// An immutable map of which changed copies are cheap: they share all shards in which nothing changed, so that a change costs the same however
/// many names there are (to 100,000, a few hundred entries are copied).
pub struct Sharded<T> {
    shards: Vec<Arc<Shard<T>>>,
    hasher: RandomState,
    len: usize,
}

impl<T> Sharded<T> {
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.shards[self.shard_of(name)].get(name)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// Copies the shard if anybody else still looks at it.
    pub fn insert(&mut self, name: &str, value: T) {
        let at = self.shard_of(name);
        if Arc::make_mut(&mut self.shards[at]).insert(name.into(), Arc::new(value)).is_none() {
            self.len += 1;
        }
    }

    pub fn remove(&mut self, name: &str) {
        let at = self.shard_of(name);
        if self.shards[at].contains_key(name) {
            Arc::make_mut(&mut self.shards[at]).remove(name);
            self.len -= 1;
        }
    }

    pub fn clear(&mut self) {
        *self = Self { hasher: self.hasher.clone(), ..Self::default() };
    }

    fn shard_of(&self, name: &str) -> usize {
        self.hasher.hash_one(name) as usize % SHARDS
    }
}

impl<T> Default for Sharded<T> {
    fn default() -> Self {
        let empty = Arc::new(Shard::new());
        Self { shards: vec![empty; SHARDS], hasher: RandomState::new(), len: 0 }
    }
}

impl<T> Clone for Sharded<T> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone(), hasher: self.hasher.clone(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut names = Sharded::default();
        for i in 0..1_000 {
            names.insert(&format!("name-{i}"), i);
        }
        let before = names.clone();
        names.insert("name-7", 7_000);
        names.remove("name-8");
        names.insert("new", 1);
        assert_eq!((names.len(), before.len()), (1_000, 1_000));
        assert_eq!((before.get("name-7").map(|v| **v), names.get("name-7").map(|v| **v)), (Some(7), Some(7_000)));
        assert!(before.get("name-8").is_some() && names.get("name-8").is_none() && before.get("new").is_none());
    }
}
