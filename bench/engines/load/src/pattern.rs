//! Bytes that either end can check without being told them: a period that no buffer size divides, so that bytes lost, doubled or out of order show.

const PERIOD: usize = 65_521;
/// The most that `from` hands out.
const LONGEST: usize = 4 * PERIOD;

pub struct Pattern {
    bytes: Vec<u8>,
}

impl Pattern {
    pub fn new() -> Self {
        let mut word = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes: Vec<u8> = Vec::with_capacity(LONGEST + PERIOD);
        for _ in 0..PERIOD {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            bytes.push((word >> 24) as u8);
        }
        bytes.extend_from_within(..);
        bytes.extend_from_within(..);
        bytes.extend_from_within(..PERIOD);
        Self { bytes }
    }

    /// What comes at that offset of a stream: 256 KiB less a little, or more.
    pub fn from(&self, offset: u64) -> &[u8] {
        &self.bytes[(offset % PERIOD as u64) as usize..]
    }

    /// Whether these are the bytes at that offset.
    pub fn holds(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut at = offset;
        bytes.chunks(PERIOD).all(|chunk| {
            let same = self.from(at).get(..chunk.len()) == Some(chunk);
            at += chunk.len() as u64;
            same
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_known_by_their_offset() {
        let pattern = Pattern::new();
        let stream: Vec<u8> = pattern.from(0).iter().chain(pattern.from(5 * PERIOD as u64)).copied().collect();
        assert!(pattern.holds(0, &stream));
        assert!(pattern.holds(1_000, &stream[1_000..400_000]));
        assert!(!pattern.holds(0, &stream[1..]));
        let mut wrong = stream.clone();
        wrong[300_000] ^= 1;
        assert!(!pattern.holds(0, &wrong));
    }
}
