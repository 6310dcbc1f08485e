//! The code of RFC 7541, appendix B. It is canonical: codes of one length follow each other in the order of their symbols, and those of the next
//! length follow them. So the lengths are all of it.

use super::Malformed;

/// Symbols of each length, in order; 256 is the end of a string, which is never written.
const BY_LENGTH: &[(u32, &[u16])] = &[
    (5, &[48, 49, 50, 97, 99, 101, 105, 111, 115, 116]),
    (6, &[32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100, 102, 103, 104, 108, 109, 110, 112, 114, 117]),
    (
        7,
        &[
            58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120,
            121, 122,
        ],
    ),
    (8, &[38, 42, 44, 59, 88, 90]),
    (10, &[33, 34, 40, 41, 63]),
    (11, &[39, 43, 124]),
    (12, &[35, 62]),
    (13, &[0, 36, 64, 91, 93, 126]),
    (14, &[94, 125]),
    (15, &[60, 96, 123]),
    (19, &[92, 195, 208]),
    (20, &[128, 130, 131, 162, 184, 194, 224, 226]),
    (21, &[153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]),
    (
        22,
        &[129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232, 233],
    ),
    (
        23,
        &[
            1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191,
            197, 231, 239,
        ],
    ),
    (24, &[9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]),
    (25, &[199, 207, 234, 235]),
    (26, &[192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]),
    (27, &[203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]),
    (28, &[2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249]),
    (30, &[10, 13, 22, 256]),
];
const LONGEST: u32 = 30;
const FAST_BITS: u32 = 8;

/// Codes of up to eight bits by what eight bits begin with: symbol, and length; a length of 0: it is longer.
static FAST: [(u8, u8); 256] = fast();

const fn fast() -> [(u8, u8); 256] {
    let mut table = [(0, 0); 256];
    let (mut group, mut code, mut length) = (0, 0u32, 0);
    while group < BY_LENGTH.len() && BY_LENGTH[group].0 <= FAST_BITS {
        let (bits, symbols) = BY_LENGTH[group];
        code <<= bits - length;
        length = bits;
        let mut at = 0;
        while at < symbols.len() {
            let first = code << (FAST_BITS - bits);
            let mut each = first;
            while each < first + (1 << (FAST_BITS - bits)) {
                table[each as usize] = (symbols[at] as u8, bits as u8);
                each += 1;
            }
            code += 1;
            at += 1;
        }
        group += 1;
    }
    table
}

/// Appends what it says. What is left at the end must be fewer than eight bits, all of them 1 (§5.2).
pub fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut rest = bytes.iter();
    // The bits that are to be read stand at the top.
    let (mut bits, mut count) = (0u64, 0u32);
    loop {
        while count <= 56 {
            let Some(byte) = rest.next() else { break };
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let (symbol, length) = FAST[(bits >> (64 - FAST_BITS)) as usize];
        let (symbol, length) = match u32::from(length) {
            0 => match slow((bits >> (64 - LONGEST)) as u32) {
                Some(found) => found,
                None if count >= LONGEST => return Err(Malformed),
                None => (0, u32::MAX),
            },
            length => (symbol, length),
        };
        if length > count {
            let padding = count < 8 && bits.leading_ones() >= count;
            return if padding { Ok(()) } else { Err(Malformed) };
        }
        out.push(symbol);
        bits <<= length;
        count -= length;
    }
}

/// Of 30 bits; None: the end of a string.
fn slow(window: u32) -> Option<(u8, u32)> {
    let (mut code, mut length) = (0u32, 0);
    for (bits, symbols) in BY_LENGTH {
        code <<= bits - length;
        length = *bits;
        let at = (window >> (LONGEST - bits)).wrapping_sub(code) as usize;
        if let Some(symbol) = symbols.get(at) {
            return u8::try_from(*symbol).ok().map(|symbol| (symbol, *bits));
        }
        code += symbols.len() as u32;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_complete_and_has_each_symbol_once() {
        let mut seen = [0; 257];
        let mut sum = 0u64;
        for (bits, symbols) in BY_LENGTH {
            assert!(symbols.is_sorted());
            sum += (symbols.len() as u64) << (LONGEST - bits);
            symbols.iter().for_each(|symbol| seen[usize::from(*symbol)] += 1);
        }
        assert_eq!((sum, seen), (1 << LONGEST, [1; 257]));
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        let decoded = |bytes: &[u8]| {
            let mut out = Vec::new();
            decode(bytes, &mut out).map(|()| out)
        };
        // "a" is 00011.
        assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".to_vec()));
        assert_eq!(decoded(&[0b0001_1110]), Err(Malformed));
        assert_eq!(decoded(&[0b0001_1111, 0xff]), Err(Malformed));
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(Malformed));
        assert_eq!(decoded(&[]), Ok(vec![]));
    }
}
