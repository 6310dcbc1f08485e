use super::TABLE_SIZE;
use super::static_table::{STATIC, index_of};
use super::table::{Table, hash_of};

/// One connection's encoder: whole fields from both tables, literals as they are. No Huffman code is written: it saves bytes, which a data centre
/// has, for time, which this is to save.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// To be said at the beginning of the next block (§4.2): the lowest size that was meanwhile, and the last.
    announce: Option<(usize, usize)>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { table: Table::new(TABLE_SIZE), announce: None }
    }
}

/// What differs with each message would only push out what does not.
fn is_fleeting(name: &[u8]) -> bool {
    matches!(
        name,
        b":path"
            | b"x-request-id"
            | b"content-length"
            | b"content-range"
            | b"date"
            | b"etag"
            | b"if-none-match"
            | b"if-modified-since"
            | b"last-modified"
            | b"location"
            | b"set-cookie"
            | b"traceparent"
    )
}

/// What nobody's table is to hold (§7.1.3).
fn is_secret(name: &[u8]) -> bool {
    matches!(name, b"authorization" | b"cookie" | b"proxy-authorization")
}

impl Encoder {
    /// By the other side's SETTINGS_HEADER_TABLE_SIZE.
    pub fn limit(&mut self, most: u32) {
        let most = TABLE_SIZE.min(most as usize);
        self.table.resize(most);
        let lowest = self.announce.map_or(most, |(lowest, _)| lowest.min(most));
        self.announce = Some((lowest, most));
    }

    /// Before the first field of a block.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        let Some((lowest, last)) = self.announce.take() else { return };
        if lowest < last {
            integer(out, 0x20, 5, lowest);
        }
        integer(out, 0x20, 5, last);
    }

    /// `name`: in lower case.
    pub fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let fleeting = is_fleeting(name);
        if fleeting || is_secret(name) {
            return literal(out, if fleeting { 0 } else { 0x10 }, 4, name, value);
        }
        let hash = hash_of(name, value);
        if let Some(at) = self.table.find(name, value, hash) {
            return integer(out, 0x80, 7, at + 62);
        }
        if let Some(at) = STATIC.iter().position(|each| *each == (name, value)) {
            return integer(out, 0x80, 7, at + 1);
        }
        literal(out, 0x40, 6, name, value);
        self.table.insert(name, value, hash);
    }

    /// A response's.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        match status {
            200 => out.push(0x88),
            204 => out.push(0x89),
            206 => out.push(0x8a),
            304 => out.push(0x8b),
            400 => out.push(0x8c),
            404 => out.push(0x8d),
            500 => out.push(0x8e),
            _ => literal(out, 0, 4, b":status", status.to_string().as_bytes()),
        }
    }

    /// A request's, where it is a common one.
    pub fn method(&mut self, method: &[u8], out: &mut Vec<u8>) {
        match method {
            b"GET" => out.push(0x82),
            b"POST" => out.push(0x83),
            _ => self.field(b":method", method, out),
        }
    }
}

fn literal(out: &mut Vec<u8>, pattern: u8, prefix: u32, name: &[u8], value: &[u8]) {
    match index_of(name) {
        Some(index) => integer(out, pattern, prefix, index),
        None => {
            out.push(pattern);
            text(out, name);
        }
    }
    text(out, value);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

fn integer(out: &mut Vec<u8>, pattern: u8, prefix: u32, value: usize) {
    let mask = (1usize << prefix) - 1;
    if value < mask {
        return out.push(pattern | value as u8);
    }
    out.push(pattern | mask as u8);
    let mut left = value - mask;
    while left >= 128 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}
