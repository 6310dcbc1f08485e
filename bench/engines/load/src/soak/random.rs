//! Numbers from a seed (SplitMix64): the same at both ends and in every run.

pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Below `limit`, which is above 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Bytes of a stream by their offset: any part can be made and checked alone.
#[derive(Clone, Copy)]
pub struct Stream {
    seed: u64,
}

impl Stream {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub fn fill(self, offset: u64, bytes: &mut [u8]) {
        self.words(offset, bytes.len()).zip(bytes).for_each(|(made, byte)| *byte = made);
    }

    /// The first byte that is wrong, by its offset.
    pub fn first_wrong(self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let wrong = self.words(offset, bytes.len()).zip(bytes).position(|(made, byte)| made != *byte);
        wrong.map(|at| offset + at as u64)
    }

    fn words(self, offset: u64, length: usize) -> impl Iterator<Item = u8> {
        let skip = (offset % 8) as usize;
        (offset / 8..).flat_map(move |word| mix(self.seed ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93)).to_le_bytes()).skip(skip).take(length)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_is_the_same_however_it_is_cut() {
        let stream = Stream::new(99);
        let mut whole = vec![0; 1_000];
        stream.fill(0, &mut whole);
        for (from, to) in [(0, 1), (3, 8), (7, 9), (8, 1_000), (501, 502)] {
            let mut part = vec![0; to - from];
            stream.fill(from as u64, &mut part);
            assert_eq!(part, whole[from..to]);
            assert_eq!(stream.first_wrong(from as u64, &part), None);
        }
        whole[700] ^= 1;
        assert_eq!(stream.first_wrong(100, &whole[100..]), Some(700));
    }
}
