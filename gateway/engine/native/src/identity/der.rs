//! A strict DER reader (X.690 §10): definite, minimal lengths and one-byte tags only. Never panics.

use super::oids;

/// What is wrong with the bytes, in the words of core/pki.
pub type DerError = String;

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
pub const SEQUENCE: u8 = 0x30;

/// `[n] EXPLICIT`, or constructed IMPLICIT.
pub const fn constructed(n: u8) -> u8 {
    0xa0 | n
}

/// `[n] IMPLICIT` over a primitive type.
pub const fn primitive(n: u8) -> u8 {
    0x80 | n
}

/// Certificates here are below 2 KiB; nothing bigger than this is looked at.
const MAX_BYTES: usize = 64 * 1024;

/// One element: a view of the bytes that it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Der<'a> {
    /// The identifier octet: class, constructed bit and number.
    pub tag: u8,
    pub content: &'a [u8],
    /// Identifier, length and content: what a signature covers.
    pub raw: &'a [u8],
}

/// Exactly one element and nothing after it.
pub fn read(bytes: &[u8]) -> Result<Der<'_>, DerError> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("more than {MAX_BYTES} bytes"));
    }
    let (der, rest) = read_first(bytes)?;
    if rest.is_empty() { Ok(der) } else { Err("bytes after the end".into()) }
}

/// The element that the bytes begin with, and what is after it.
fn read_first(bytes: &[u8]) -> Result<(Der<'_>, &[u8]), DerError> {
    let truncated = || DerError::from("truncated");
    let [tag, first, ..] = *bytes else { return Err(truncated()) };
    if tag & 0x1f == 0x1f {
        return Err("tag of several bytes".into());
    }
    let (length, head) = if first < 0x80 { (usize::from(first), 2) } else { long_length(bytes, usize::from(first & 0x7f))? };
    let end = head + length;
    let (Some(raw), Some(content), Some(rest)) = (bytes.get(..end), bytes.get(head..end), bytes.get(end..)) else {
        return Err(truncated());
    };
    Ok((Der { tag, content, raw }, rest))
}

/// A length in `count` bytes after the first two, and where the content begins.
fn long_length(bytes: &[u8], count: usize) -> Result<(usize, usize), DerError> {
    if count == 0 || count > 3 {
        return Err("length form".into());
    }
    let head = 2 + count;
    let digits = bytes.get(2..head).ok_or("truncated")?;
    let length = digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if length < 0x80 || length < 1 << (8 * (count - 1)) {
        return Err("length is not minimal".into());
    }
    Ok((length, head))
}

impl<'a> Der<'a> {
    /// Its elements, when it is constructed.
    pub fn children(&self) -> Result<Vec<Der<'a>>, DerError> {
        if self.tag & 0x20 == 0 {
            return Err("not constructed".into());
        }
        let mut found = Vec::new();
        let mut left = self.content;
        while !left.is_empty() {
            let (child, rest) = read_first(left)?;
            found.push(child);
            left = rest;
        }
        Ok(found)
    }
}

pub fn expect<'a>(der: Option<&Der<'a>>, expected: u8) -> Result<Der<'a>, DerError> {
    let der = der.ok_or("missing element")?;
    if der.tag == expected { Ok(*der) } else { Err(format!("tag {:x} where {expected:x} belongs", der.tag)) }
}

/// The elements of a SEQUENCE.
pub fn sequence<'a>(der: Option<&Der<'a>>) -> Result<Vec<Der<'a>>, DerError> {
    expect(der, SEQUENCE)?.children()
}

pub fn read_oid(der: Option<&Der>) -> Result<String, DerError> {
    let content = expect(der, OID)?.content;
    if let Some(known) = oids::known(content) {
        return Ok(known.into());
    }
    let mut arcs: Vec<u64> = Vec::new();
    let (mut value, mut fresh) = (0_u64, true);
    for byte in content {
        if fresh && *byte == 0x80 {
            return Err("OID arc is not minimal".into());
        }
        value = value << 7 | u64::from(byte & 0x7f);
        // As far as core/pki can count.
        if value >= 1 << 46 {
            return Err("OID arc too big".into());
        }
        fresh = byte & 0x80 == 0;
        if !fresh {
            continue;
        }
        if arcs.is_empty() {
            let top = (value / 40).min(2);
            arcs.extend([top, value - 40 * top]);
        } else {
            arcs.push(value);
        }
        value = 0;
    }
    if !fresh || arcs.is_empty() {
        return Err("truncated OID".into());
    }
    Ok(arcs.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

/// Content of a minimal INTEGER ≥ 0, without the sign byte.
pub fn read_unsigned<'a>(der: Option<&Der<'a>>, tagged: u8) -> Result<&'a [u8], DerError> {
    let content = expect(der, tagged)?.content;
    match content {
        [] => Err("empty INTEGER".into()),
        [0x80..=0xff, ..] => Err("negative INTEGER".into()),
        [0, second, ..] if *second < 0x80 => Err("INTEGER is not minimal".into()),
        [0, rest @ ..] if !rest.is_empty() => Ok(rest),
        _ => Ok(content),
    }
}

pub fn read_small_int(der: Option<&Der>) -> Result<u32, DerError> {
    let bytes = read_unsigned(der, INTEGER)?;
    if bytes.len() > 4 {
        return Err("INTEGER too big".into());
    }
    Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

pub fn read_boolean(der: Option<&Der>) -> Result<bool, DerError> {
    match expect(der, BOOLEAN)?.content {
        [0] => Ok(false),
        [0xff] => Ok(true),
        _ => Err("BOOLEAN".into()),
    }
}

/// A BIT STRING of whole bytes.
pub fn read_bits<'a>(der: Option<&Der<'a>>) -> Result<&'a [u8], DerError> {
    match expect(der, BIT_STRING)?.content {
        [0, bits @ ..] => Ok(bits),
        _ => Err("BIT STRING with unused bits".into()),
    }
}

/// Text of 7-bit characters without controls, as IA5String names must be.
pub fn read_ia5(der: &Der) -> Result<String, DerError> {
    if !der.content.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("IA5String with a control or 8-bit character".into());
    }
    Ok(der.content.iter().map(|byte| char::from(*byte)).collect())
}

/// UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows; Unix ms.
pub fn read_time(der: Option<&Der>) -> Result<i64, DerError> {
    let der = der.ok_or("missing time")?;
    let (short, long) = (der.tag == UTC_TIME, der.tag == GENERALIZED_TIME);
    if !short && !long {
        return Err("not a time".into());
    }
    let form = || DerError::from("time form");
    let [digits @ .., b'Z'] = der.content else { return Err(form()) };
    if digits.len() != if long { 14 } else { 12 } {
        return Err(form());
    }
    let mut pairs = Vec::with_capacity(7);
    for pair in digits.chunks_exact(2) {
        let [high @ b'0'..=b'9', low @ b'0'..=b'9'] = pair else {
            return Err(form());
        };
        pairs.push(i64::from(high - b'0') * 10 + i64::from(low - b'0'));
    }
    let (year, rest) = match pairs.as_slice() {
        // Centuries that no certificate is of: as JavaScript's Date.UTC reads years of two digits.
        [0, low, rest @ ..] if long => (1900 + low, rest),
        [high, low, rest @ ..] if long => (100 * high + low, rest),
        [low, rest @ ..] => (low + if *low >= 50 { 1900 } else { 2000 }, rest),
        [] => return Err(form()),
    };
    let [month, day, hour, minute, second] = *rest else {
        return Err(form());
    };
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !valid {
        return Err("no such time".into());
    }
    Ok(1000 * (86_400 * days_since_epoch(year, month, day) + 3_600 * hour + 60 * minute + second))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of the proleptic Gregorian calendar; its years counted from March, so that leap days end them.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
#[path = "der_tests.rs"]
mod tests;
