/// CRC-32C (RFC 3720 §12.1) of a header, whose own four bytes at `place` count as zeros (§2.2.3 of the PROXY protocol). By the bit: headers
/// are short, and few senders add it.
pub(super) fn crc32c(header: &[u8], place: std::ops::Range<usize>) -> u32 {
    let counted = header.iter().enumerate().map(|(at, &byte)| if place.contains(&at) { 0 } else { byte });
    !counted.fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())))
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_check_value_of_the_polynomial() {
        assert_eq!(crc32c(b"123456789", 0..0), 0xe306_9283);
        assert_eq!(crc32c(b"12\x00\x00\x00\x00789", 0..0), crc32c(b"123456789", 2..6));
    }
}
