//! What one connection of the soak does, all of it from its seed: both ends derive the same, and say no more to each other than the seed.

use super::random::Random;

/// The end of a connection that something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Origin,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Each end half-closes when it has sent all.
    Both,
    /// That side half-closes first; the other sends its second half only when it has seen that.
    First(Side),
    /// That side resets after so many bytes of its own, fewer than it was to send.
    Reset(Side, u64),
}

/// How one end behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Bytes that it sends.
    pub bytes: u64,
    /// The most in one write.
    pub chunk: usize,
    /// One write in so many is followed by a pause; 0: none.
    pub pause_every: u64,
    pub pause_ms: u64,
    /// The most in one read.
    pub read_chunk: usize,
    /// After each read; 0: as fast as it comes.
    pub read_pause_ms: u64,
    /// Reads nothing for so long once it has so many bytes.
    pub stall: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub client: Manner,
    pub origin: Manner,
    pub ending: Ending,
    /// The ClientHello goes out in pieces with pauses between.
    pub slow_hello: bool,
    /// The client does not wait for the greeting, as with early data; then it may half-close ahead of it, too.
    pub early: bool,
}

/// What `--endings` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endings {
    All,
    Resets,
    Clean,
}

const LARGEST: u64 = 4 << 20;
/// Of one end, in each direction: what is planned is over in seconds, so that standing still is a fault.
const MOST_PAUSES: u64 = 150;

impl Plan {
    pub fn of(seed: u64, endings: Endings) -> Self {
        let mut random = Random::new(seed);
        let (mut client, mut origin) = (Manner::of(&mut random), Manner::of(&mut random));
        client.reads_within_reason(origin.bytes);
        origin.reads_within_reason(client.bytes);
        let side = if random.one_in(2) { Side::Client } else { Side::Origin };
        let resets = match endings {
            Endings::All => random.one_in(6),
            Endings::Resets => true,
            Endings::Clean => false,
        };
        let bytes = if side == Side::Client { client.bytes } else { origin.bytes };
        let ending = match () {
            () if resets => Ending::Reset(side, random.below(bytes.max(1))),
            () if random.one_in(3) => Ending::Both,
            () => Ending::First(side),
        };
        Self { client, origin, ending, slow_hello: random.one_in(8), early: random.one_in(4) }
    }

    pub fn manner(&self, side: Side) -> Manner {
        if side == Side::Client { self.client } else { self.origin }
    }
}

impl Side {
    pub fn other(self) -> Self {
        if self == Self::Client { Self::Origin } else { Self::Client }
    }
}

impl Manner {
    fn of(random: &mut Random) -> Self {
        // By their logarithm: most are small, and some fill every buffer on the way.
        let magnitude = random.below(u64::from(LARGEST.ilog2()) + 1);
        let bytes = 1 + random.below(1 << magnitude);
        let magnitude = 4 + random.below(15);
        let chunk = 1 + random.below(1 << magnitude) as usize;
        // Small writes of many bytes would only cost time.
        let chunk = chunk.max((bytes / 2_048) as usize);
        let slow = random.one_in(8);
        let stall = random.one_in(10).then(|| (random.below(bytes), 20 + random.below(300)));
        Self {
            bytes,
            chunk,
            pause_every: if random.one_in(3) { (1 + random.below(16)).max(bytes / chunk as u64 / MOST_PAUSES) } else { 0 },
            pause_ms: random.below(15),
            read_chunk: if slow { 512 + random.below(16_384) as usize } else { 262_144 },
            read_pause_ms: if slow { 1 + random.below(8) } else { 0 },
            stall,
        }
    }

    fn reads_within_reason(&mut self, expected: u64) {
        self.read_chunk = self.read_chunk.max((expected / MOST_PAUSES) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_everything() {
        assert_eq!(Plan::of(7, Endings::All), Plan::of(7, Endings::All));
    }

    #[test]
    fn a_reset_comes_before_the_last_byte() {
        for seed in 0..10_000 {
            if let Ending::Reset(side, at) = Plan::of(seed, Endings::Resets).ending {
                assert!(at < Plan::of(seed, Endings::Resets).manner(side).bytes, "{seed}");
            } else {
                panic!("seed {seed} resets nothing");
            }
        }
    }

    #[test]
    fn all_endings_and_sizes_come_up() {
        let plans: Vec<Plan> = (0..5_000).map(|seed| Plan::of(seed, Endings::All)).collect();
        for side in [Side::Client, Side::Origin] {
            assert!(plans.iter().any(|plan| plan.ending == Ending::First(side)));
            assert!(plans.iter().any(|plan| matches!(plan.ending, Ending::Reset(which, _) if which == side)));
        }
        assert!(plans.iter().any(|plan| plan.ending == Ending::Both));
        assert!(plans.iter().any(|plan| plan.client.bytes > 1 << 20) && plans.iter().any(|plan| plan.client.bytes < 64));
    }
}
