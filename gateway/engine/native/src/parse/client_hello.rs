//! The first flight of a TLS connection (RFC 8446 §4.1.2, §5.1; RFC 6066 §3; RFC 7301), as far as routing needs it.

use std::borrow::Cow;

use super::hello_message::parse_message;
pub use super::hello_message::{Alpn, ClientHello};

/// Why no hello can come of these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HelloFault {
    /// No TLS handshake record.
    NotTls,
    Oversized,
    Malformed,
    MultipleNames,
}

impl HelloFault {
    /// Stable words, the same in both engines: they are counters' labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotTls => "hello-not-tls",
            Self::Oversized => "hello-oversized",
            Self::Malformed => "hello-malformed",
            Self::MultipleNames => "hello-multiple-names",
        }
    }
}

/// `Hello` and `Fault` are final: more bytes change neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloOutcome<'a> {
    /// With fewer than `at_least` bytes in all, asking again changes nothing; it is more than there are, and no more than the maximum.
    More {
        at_least: usize,
    },
    Hello(ClientHello<'a>),
    Fault(HelloFault),
}

/// Over all bytes read so far, from the first on. `max_bytes` (not 0) counts record headers too: with that many and no whole hello it is
/// oversized. Borrows from `bytes`, unless the hello came in several records. The outcome depends on the bytes alone, not on how they were cut.
pub fn parse_client_hello(bytes: &[u8], max_bytes: usize) -> HelloOutcome<'_> {
    HelloScan::default().read(bytes, max_bytes)
}

const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const LONGEST_FRAGMENT: usize = 16_384;
const MESSAGE_HEADER: usize = 4;
const CLIENT_HELLO: u8 = 1;

/// Where reading of one connection's flight has got to, so that whoever sends it by the byte costs no more than others: each byte is judged
/// once, and those of a whole hello are read once more.
#[derive(Clone, Debug, Default)]
pub struct HelloScan {
    /// Bytes judged. Inside a record header this is where it begins.
    at: usize,
    /// Of the current record's fragment.
    left: usize,
    /// Of the handshake message so far.
    length: usize,
    /// Of the whole message, with its header; 0 while that is not known.
    wanted: usize,
    head: [u8; MESSAGE_HEADER],
    records: usize,
    fault: Option<HelloFault>,
}

enum Step {
    Go,
    /// Until there are so many bytes in all.
    Wait(usize),
    Whole,
    Fault(HelloFault),
}

impl HelloScan {
    /// As `parse_client_hello`. Each call gets the bytes of the one before, and maybe more behind them, and the same maximum.
    pub fn read<'a>(&mut self, bytes: &'a [u8], max_bytes: usize) -> HelloOutcome<'a> {
        let within = bytes.get(..max_bytes).unwrap_or(bytes);
        loop {
            let fault = match self.step(within, max_bytes) {
                Step::Go => continue,
                Step::Whole => return self.parse(within).map_or_else(HelloOutcome::Fault, HelloOutcome::Hello),
                Step::Wait(at_least) if within.len() < max_bytes => {
                    return HelloOutcome::More { at_least: at_least.min(max_bytes) };
                }
                Step::Wait(_) => HelloFault::Oversized,
                Step::Fault(fault) => fault,
            };
            self.fault = Some(fault);
            return HelloOutcome::Fault(fault);
        }
    }

    fn step(&mut self, bytes: &[u8], max_bytes: usize) -> Step {
        match self.fault {
            Some(fault) => Step::Fault(fault),
            None if self.left == 0 => self.read_header(bytes),
            None => self.read_fragment(bytes, max_bytes),
        }
    }

    fn read_header(&mut self, bytes: &[u8]) -> Step {
        let fault = if self.length == 0 { HelloFault::NotTls } else { HelloFault::Malformed };
        match *bytes.get(self.at..).unwrap_or_default() {
            [] => Step::Wait(self.at + 1),
            [kind, ..] if kind != HANDSHAKE => Step::Fault(fault),
            [_] => Step::Wait(self.at + 2),
            [_, major, ..] if major != 3 => Step::Fault(fault),
            [_, _, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                // RFC 8446 §5.1: handshake fragments are never empty; an endless row of them would cost us for nothing.
                if length == 0 || length > LONGEST_FRAGMENT {
                    return Step::Fault(HelloFault::Malformed);
                }
                self.at += RECORD_HEADER;
                self.left = length;
                self.records += 1;
                Step::Go
            }
            _ => Step::Wait(self.at + RECORD_HEADER),
        }
    }

    fn read_fragment(&mut self, bytes: &[u8], max_bytes: usize) -> Step {
        if self.wanted == 0
            && let Some(step) = self.read_message_header(bytes, max_bytes)
        {
            return step;
        }
        let missing = self.wanted - self.length;
        let here = bytes.get(self.at..).unwrap_or_default().len().min(self.left);
        if here < missing {
            self.pass(here);
            return self.onward(missing - here);
        }
        // Nothing may follow a ClientHello in its record before the server has spoken.
        if self.left > missing { Step::Fault(HelloFault::Malformed) } else { Step::Whole }
    }

    /// `None`: `wanted` is known now.
    fn read_message_header(&mut self, bytes: &[u8], max_bytes: usize) -> Option<Step> {
        let here = bytes.get(self.at..).unwrap_or_default();
        let unread = self.head.iter_mut().skip(self.length);
        let taken = unread.zip(here.iter().take(self.left)).map(|(to, from)| *to = *from).count();
        self.pass(taken);
        if self.length < MESSAGE_HEADER {
            return Some(self.onward(MESSAGE_HEADER - self.length));
        }
        let [kind, length @ ..] = self.head;
        let [high, middle, low] = length.map(usize::from);
        let length = high << 16 | middle << 8 | low;
        if kind != CLIENT_HELLO || length == 0 {
            return Some(Step::Fault(HelloFault::Malformed));
        }
        if MESSAGE_HEADER + length > max_bytes {
            return Some(Step::Fault(HelloFault::Oversized));
        }
        self.wanted = MESSAGE_HEADER + length;
        // The record may end here.
        (self.left == 0).then_some(Step::Go)
    }

    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.left -= bytes;
        self.length += bytes;
    }

    /// The next byte that matters is the last one `missing`, or if the record ends before, the first of the next record.
    fn onward(&self, missing: usize) -> Step {
        if self.left == 0 { Step::Go } else { Step::Wait(self.at + missing.min(self.left + 1)) }
    }

    fn parse<'a>(&self, bytes: &'a [u8]) -> Result<ClientHello<'a>, HelloFault> {
        if self.records == 1 {
            let message = bytes.get(RECORD_HEADER..RECORD_HEADER + self.wanted).unwrap_or_default();
            return parse_message(message.get(MESSAGE_HEADER..).unwrap_or_default());
        }
        let message = self.reassemble(bytes);
        parse_message(message.get(MESSAGE_HEADER..).unwrap_or_default()).map(ClientHello::into_owned)
    }

    /// Only of records that `read` has passed.
    fn reassemble(&self, bytes: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.wanted);
        let mut rest = bytes;
        while let [_, _, _, high, low, behind @ ..] = rest
            && message.len() < self.wanted
        {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
            let (fragment, next) = behind.split_at(length);
            message.extend_from_slice(fragment);
            rest = next;
        }
        message.truncate(self.wanted);
        message
    }
}

impl ClientHello<'_> {
    /// The same, of its own memory.
    pub fn into_owned(self) -> ClientHello<'static> {
        ClientHello {
            sni: self.sni.map(|name| Cow::Owned(name.into_owned())),
            alpn: self.alpn.into_owned(),
            encrypted_client_hello: self.encrypted_client_hello,
        }
    }
}
