//! Frames of HTTP/2 (RFC 9113 §4.1, §6), and of HPACK (RFC 7541 §6) what is written without tables.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const LARGEST: usize = 16_384;
/// What both sides begin with.
pub const FIRST_WINDOW: i64 = 65_535;
/// Of a stream, as large as it can be.
pub const STREAM_WINDOW: u32 = 0x7fff_ffff;
/// More of the connection's at the beginning, and each time as much has come.
pub const MORE_WINDOW: u32 = 1 << 28;

pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

/// Takes one from the front; None: not whole yet.
pub fn take<'a>(bytes: &mut &'a [u8]) -> Option<Frame<'a>> {
    let (header, rest) = bytes.split_first_chunk::<9>()?;
    let [a, b, c, kind, flags, stream @ ..] = *header;
    let (payload, rest) = rest.split_at_checked(u32::from_be_bytes([0, a, b, c]) as usize)?;
    *bytes = rest;
    Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
}

pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// SETTINGS with the largest stream window, and more for the connection.
pub fn put_opening(out: &mut Vec<u8>) {
    let mut window = vec![0, 4];
    window.extend_from_slice(&STREAM_WINDOW.to_be_bytes());
    put(out, SETTINGS, 0, 0, &window);
    put(out, WINDOW_UPDATE, 0, 0, &MORE_WINDOW.to_be_bytes());
}

/// A field whose name is in the static table; no table is to keep it.
pub fn put_field(out: &mut Vec<u8>, name: u8, value: &str) {
    // Names from 15 on take a second byte (RFC 7541 §5.1).
    if name < 15 {
        out.push(name)
    } else {
        out.extend_from_slice(&[15, name - 15])
    }
    out.push(value.len() as u8);
    out.extend_from_slice(value.as_bytes());
}

/// The first byte of a block that says `:status: 200`, maybe after a change of the table's size.
pub fn is_ok(block: &[u8]) -> bool {
    let mut rest = block;
    while let [first @ 0x20..0x40, after @ ..] = rest {
        let long = after.iter().position(|byte| byte & 0x80 == 0).map_or(0, |at| at + 1);
        rest = &after[if first & 0x1f == 0x1f { long.min(after.len()) } else { 0 }..];
    }
    rest.first() == Some(&0x88)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole() {
        let mut out = Vec::new();
        put(&mut out, DATA, END_STREAM, 5, &[7; 300]);
        put(&mut out, PING, 0, 0, &[1; 8]);
        let mut rest = out.as_slice();
        assert!(take(&mut rest).is_some_and(|frame| frame.kind == DATA && frame.stream == 5 && frame.payload == [7; 300]));
        assert!(take(&mut &rest[..16]).is_none());
        assert!(take(&mut rest).is_some_and(|frame| frame.kind == PING && rest.is_empty()));
    }

    #[test]
    fn a_200_is_seen_behind_changes_of_the_tables_size() {
        assert!(is_ok(&[0x88]) && is_ok(&[0x20, 0x88]) && is_ok(&[0x3f, 0xe1, 0x1f, 0x88, 1]));
        assert!(!is_ok(&[0x8d]) && !is_ok(&[0x3f, 0xe1]) && !is_ok(&[]));
    }

    #[test]
    fn names_of_the_static_table_take_a_second_byte_from_15_on() {
        let mut out = Vec::new();
        put_field(&mut out, 4, "/");
        put_field(&mut out, 58, "x");
        assert_eq!(out, [4, 1, b'/', 15, 43, 1, b'x']);
    }
}
