use std::collections::VecDeque;

/// The dynamic table (RFC 7541 §2.3.2, §4), the youngest entry first.
#[derive(Debug)]
pub struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    text: Box<[u8]>,
    name: usize,
    hash: u64,
}

/// Of each entry, beside its bytes.
const OVERHEAD: usize = 32;

impl Entry {
    fn size(&self) -> usize {
        self.text.len() + OVERHEAD
    }

    fn pair(&self) -> (&[u8], &[u8]) {
        self.text.split_at(self.name)
    }
}

impl Table {
    pub fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), size: 0, most }
    }

    /// From 0.
    pub fn get(&self, at: usize) -> Option<(&[u8], &[u8])> {
        self.entries.get(at).map(Entry::pair)
    }

    /// One that is larger than the table empties it (§4.4).
    pub fn insert(&mut self, name: &[u8], value: &[u8], hash: u64) {
        let text: Box<[u8]> = [name, value].concat().into();
        let entry = Entry { text, name: name.len(), hash };
        self.shrink(self.most.saturating_sub(entry.size()));
        if entry.size() <= self.most {
            self.size += entry.size();
            self.entries.push_front(entry);
        }
    }

    pub fn resize(&mut self, most: usize) {
        self.most = most;
        self.shrink(most);
    }

    fn shrink(&mut self, to: usize) {
        while self.size > to {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.size -= oldest.size();
        }
    }

    pub fn find(&self, name: &[u8], value: &[u8], hash: u64) -> Option<usize> {
        self.entries.iter().position(|entry| entry.hash == hash && entry.pair() == (name, value))
    }

    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.size
    }
}

/// For `find`, which compares what it finds.
pub fn hash_of(name: &[u8], value: &[u8]) -> u64 {
    let mix = |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let words = |state: u64, bytes: &[u8]| {
        let (whole, rest) = bytes.as_chunks::<8>();
        let state = whole.iter().fold(state, |state, word| mix(state, u64::from_le_bytes(*word)));
        rest.iter().fold(state, |state, byte| mix(state, u64::from(*byte)))
    };
    words(words(name.len() as u64, name), value)
}
