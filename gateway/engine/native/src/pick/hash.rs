/// MurmurHash3 x86_32, as gateway/balance/hash.ts: the same in every proxy. Not a defence against chosen keys: who chooses keys chooses where it
/// goes itself.
pub fn hash32(bytes: &[u8], seed: u32) -> u32 {
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks
        .iter()
        .fold(seed, |hash, block| (hash ^ scramble(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64));
    if !tail.is_empty() {
        hash ^= scramble(tail.iter().rev().fold(0, |last, byte| (last << 8) | u32::from(*byte)));
    }
    mix32(hash ^ bytes.len() as u32)
}

fn mix32(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::hash32;

    #[test]
    fn published_values() {
        let cases: [(&[u8], u32, u32); 4] =
            [(b"", 0, 0), (b"", 1, 0x514e_28b7), (b"Hello, world!", 0x9747_b28c, 0x2488_4cba), (b"aaa", 0x9747_b28c, 0x283e_0130)];
        for (bytes, seed, expected) in cases {
            assert_eq!(hash32(bytes, seed), expected, "{bytes:?}");
        }
    }
}
