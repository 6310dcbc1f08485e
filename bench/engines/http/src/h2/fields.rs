//! What a head of HTTP/2 must and must not hold (RFC 9113 §8.2, §8.3), as it is decoded.

use crate::limits;
use crate::message::{Head, Known, Span};
use crate::syntax::{self, TOKEN_LOWER};

/// Of each field in a list's size (RFC 9113 §6.5.2).
const OVERHEAD: usize = 32;

/// What is wrong with one message; the connection is none the worse for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A stream error, PROTOCOL_ERROR.
    Malformed,
    /// More than is read.
    TooLarge,
}

/// Fills a head.
pub struct Collector<'a> {
    head: &'a mut Head,
    fault: Option<Fault>,
    size: usize,
}

impl<'a> Collector<'a> {
    pub fn new(head: &'a mut Head) -> Self {
        head.clear();
        Self { head, fault: None, size: 0 }
    }

    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.size += name.len() + value.len() + OVERHEAD;
        if self.size > limits::HEAD || self.head.fields.len() == limits::FIELDS {
            self.fault = Some(Fault::TooLarge);
        }
        if self.fault.is_some() {
            return;
        }
        let fine = if let Some(pseudo) = name.strip_prefix(b":") { self.pseudo(pseudo, value) } else { self.field(name, value) };
        if !fine {
            self.fault = Some(Fault::Malformed);
        }
    }

    /// Once each, and before all others.
    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> bool {
        let head = &mut *self.head;
        if !head.fields.is_empty() || !syntax::is_value(value) {
            return false;
        }
        let mut once = |place: fn(&mut Head) -> &mut Span| {
            let empty = place(head).is_empty() && !value.is_empty();
            let span = head.put(value);
            *place(head) = span;
            empty
        };
        match name {
            b"method" => syntax::is_token(value) && once(|head| &mut head.method),
            b"path" => once(|head| &mut head.path),
            b"authority" => once(|head| &mut head.authority),
            b"scheme" => once(|head| &mut head.scheme),
            b"status" => {
                let digits = value.len() == 3 && value.iter().all(u8::is_ascii_digit);
                let first = head.status == 0;
                head.status = value.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit.wrapping_sub(b'0') & 15));
                digits && first && head.status >= 100
            }
            _ => false,
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> bool {
        let lower = !name.is_empty() && name.iter().all(|byte| TOKEN_LOWER[usize::from(*byte)] == *byte && *byte != 0);
        if !lower || !syntax::is_value(value) {
            return false;
        }
        self.head.push(name, syntax::trim(value));
        match self.head.fields.last().map(|field| field.known) {
            Some(Known::Connection | Known::TransferEncoding | Known::OfThisHop) => false,
            Some(Known::Te) => value.eq_ignore_ascii_case(b"trailers"),
            _ => true,
        }
    }

    pub fn request(self) -> Result<(), Fault> {
        let Self { head, fault, .. } = self;
        fault.map_or(Ok(()), Err)?;
        let host = head.fields.iter().find(|field| field.known == Known::Host);
        if let Some(host) = host.filter(|_| head.authority.is_empty()) {
            head.authority = host.value;
        }
        let whole = !head.method.is_empty() && !head.path.is_empty() && !head.scheme.is_empty() && head.status == 0;
        if whole { Ok(()) } else { Err(Fault::Malformed) }
    }

    pub fn response(self) -> Result<(), Fault> {
        let Self { head, fault, .. } = self;
        fault.map_or(Ok(()), Err)?;
        if head.status != 0 && is_bare(head) { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// No pseudo-header fields at all.
    pub fn trailers(self) -> Result<(), Fault> {
        let Self { head, fault, .. } = self;
        fault.map_or(Ok(()), Err)?;
        if head.status == 0 && is_bare(head) { Ok(()) } else { Err(Fault::Malformed) }
    }
}

fn is_bare(head: &Head) -> bool {
    head.method.is_empty() && head.path.is_empty() && head.authority.is_empty() && head.scheme.is_empty()
}

/// The length that a head says; there must not be two that differ (§8.1.1).
pub fn content_length(head: &Head) -> Result<Option<u64>, Fault> {
    let mut lengths = head.fields.iter().filter(|field| field.known == Known::ContentLength).map(|field| head.get(field.value));
    let Some(first) = lengths.next() else { return Ok(None) };
    let length = syntax::length(first).ok_or(Fault::Malformed)?;
    if lengths.next().is_some() { Err(Fault::Malformed) } else { Ok(Some(length)) }
}
