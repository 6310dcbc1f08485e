//! Which bytes may stand where (RFC 9110 §5.5, §5.6.2; RFC 9112 §3), as tables.

/// Of a token, that byte in lower case; 0: none of it.
pub static TOKEN_LOWER: [u8; 256] = token(true);
/// Of a token, as it is.
pub static TOKEN: [u8; 256] = token(false);
/// Whether a field's value may hold it: no control character but the tab.
pub static VALUE: [bool; 256] = value();
/// Whether a request's target may: visible ASCII, and bytes above it, which servers take too; never a fragment.
pub static TARGET: [bool; 256] = target();

const fn token(lower: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let is = matches!(byte as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-'
            | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
        if is {
            table[byte] = if lower { (byte as u8).to_ascii_lowercase() } else { byte as u8 };
        }
        byte += 1;
    }
    table
}

const fn value() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte == 9 || (byte >= 32 && byte != 127);
        byte += 1;
    }
    table
}

const fn target() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte > 32 && byte != 127 && byte != b'#' as usize;
        byte += 1;
    }
    table
}

pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)] != 0)
}

pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| VALUE[usize::from(*byte)])
}

/// Origin form, or `*` of OPTIONS.
pub fn is_path(method: &[u8], path: &[u8]) -> bool {
    (path.first() == Some(&b'/') && path.iter().all(|byte| TARGET[usize::from(*byte)])) || (path == b"*" && method == b"OPTIONS")
}

/// What RFC 3986 §3.2.2 lets a host be written with, and the colon of its port; empty is none.
pub fn is_authority(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._~!$&'()*+,;=:%[]-".contains(byte))
}

/// Digits alone, at most 15 of them, as the other readers of the mesh have it.
pub fn length(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.len() <= 15 && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| bytes.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The parts of a list (RFC 9110 §5.6.1) that hold something.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|part| !part.is_empty())
}
