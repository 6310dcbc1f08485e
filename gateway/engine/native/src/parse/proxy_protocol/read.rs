use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::cursor::Cursor;
use super::crc32c::crc32c;
use super::{LOCAL, PROXY, SIGNATURE, TCP_OVER_IPV4, TCP_OVER_IPV6, tlv};

/// Why no header can come of these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyFault {
    /// It begins as neither version does.
    Absent,
    Oversized,
    Malformed,
}

impl ProxyFault {
    /// Stable words: they are counters' labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "proxy-header-absent",
            Self::Oversized => "proxy-header-oversized",
            Self::Malformed => "proxy-header-malformed",
        }
    }
}

/// `Done` and `Fault` are final: more bytes change neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyOutcome<'a> {
    /// With fewer than `at_least` bytes in all, asking again changes nothing; it is more than there are.
    More {
        at_least: usize,
    },
    Done(ProxyHeader<'a>),
    Fault(ProxyFault),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader<'a> {
    /// Bytes of the header; the connection's own begin behind them.
    pub consumed: usize,
    pub ends: ProxyEnds,
    /// Of version 2; each lies within the header.
    pub attributes: Tlvs<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyEnds {
    /// Who connected to the proxy, and to what.
    Proxied { source: SocketAddr, destination: SocketAddr },
    /// Nobody is behind the proxy (a check of its own), or somebody by other means than TCP over IP: the real ends count (§2.1, §2.2).
    Local,
}

/// Attributes in the order in which they came: type and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = Cursor::new(self.0);
        std::iter::from_fn(move || Some((rest.u8()?, rest.vector16()?)))
    }

    /// The first of a type.
    pub fn get(&self, wanted: u8) -> Option<&'a [u8]> {
        self.iter().find_map(|(kind, value)| (kind == wanted).then_some(value))
    }
}

/// §2.1: with the line's end.
const LONGEST_LINE: usize = 107;
const TEXT_SIGNATURE: &[u8] = b"PROXY ";
const FIXED: usize = 16;
/// Of version 2, whole; §2.2 asks for room for 216 bytes and attributes, and no sender has use for more.
const LONGEST_HEADER: usize = 4_096;

/// Over all bytes read so far, from the first on.
pub fn parse_proxy_header(bytes: &[u8]) -> ProxyOutcome<'_> {
    let begins_as = |signature: &[u8]| bytes.iter().zip(signature).all(|(byte, expected)| byte == expected);
    if bytes.is_empty() {
        ProxyOutcome::More { at_least: 1 }
    } else if begins_as(TEXT_SIGNATURE) {
        read_line(bytes)
    } else if begins_as(&SIGNATURE) {
        read_binary(bytes)
    } else {
        ProxyOutcome::Fault(ProxyFault::Absent)
    }
}

fn read_line(bytes: &[u8]) -> ProxyOutcome<'_> {
    let within = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = within.iter().position(|&byte| byte == b'\n') else {
        return match within.len() {
            LONGEST_LINE => ProxyOutcome::Fault(ProxyFault::Oversized),
            length => ProxyOutcome::More { at_least: length + 1 },
        };
    };
    let line = within.get(..end).and_then(|line| line.strip_suffix(b"\r")).map(String::from_utf8_lossy);
    match line.and_then(|line| parse_line(&line)) {
        Some(ends) => ProxyOutcome::Done(ProxyHeader { consumed: end + 1, ends, attributes: Tlvs::default() }),
        None => ProxyOutcome::Fault(ProxyFault::Malformed),
    }
}

/// Without its end.
fn parse_line(line: &str) -> Option<ProxyEnds> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        // Whatever follows is to be ignored.
        return Some(ProxyEnds::Local);
    }
    let [source, destination, source_port, destination_port] = [words.next()?, words.next()?, words.next()?, words.next()?];
    let address = |text: &str| match family {
        "TCP4" => text.parse().ok().map(IpAddr::V4),
        "TCP6" => text.parse().ok().map(IpAddr::V6),
        _ => None,
    };
    let source = SocketAddr::new(address(source)?, parse_port(source_port)?);
    let destination = SocketAddr::new(address(destination)?, parse_port(destination_port)?);
    words.next().is_none().then_some(ProxyEnds::Proxied { source, destination })
}

/// Without zeros before it.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| plain)
}

fn read_binary(bytes: &[u8]) -> ProxyOutcome<'_> {
    let fixed = bytes.get(SIGNATURE.len()..).unwrap_or_default();
    let malformed = ProxyOutcome::Fault(ProxyFault::Malformed);
    let addresses = match *fixed {
        [command, ..] if command != LOCAL && command != PROXY => return malformed,
        [LOCAL, ..] => Some(0),
        [_, family, ..] => size_of_addresses(family),
        _ => Some(0),
    };
    let Some(addresses) = addresses else { return malformed };
    let [command, family, high, low, ..] = *fixed else {
        return ProxyOutcome::More { at_least: bytes.len() + 1 };
    };
    let consumed = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if consumed > LONGEST_HEADER {
        return ProxyOutcome::Fault(ProxyFault::Oversized);
    }
    if consumed < FIXED + addresses {
        return malformed;
    }
    let Some(body) = bytes.get(FIXED..consumed) else {
        return ProxyOutcome::More { at_least: consumed };
    };
    if command == LOCAL {
        // Its block is to be skipped, whatever is in it.
        return ProxyOutcome::Done(ProxyHeader { consumed, ends: ProxyEnds::Local, attributes: Tlvs::default() });
    }
    match read_block(body, family, addresses) {
        Some((ends, attributes)) if checksum_holds(bytes.get(..consumed).unwrap_or_default(), FIXED + addresses) => {
            ProxyOutcome::Done(ProxyHeader { consumed, ends, attributes })
        }
        _ => malformed,
    }
}

/// Families and transports that §2.2 names: unspecified, IPv4, IPv6 and Unix sockets, each as stream or datagram. `None`: none of them.
fn size_of_addresses(family: u8) -> Option<usize> {
    match family {
        0x00 => Some(0),
        0x11 | 0x12 => Some(12),
        0x21 | 0x22 => Some(36),
        0x31 | 0x32 => Some(216),
        _ => None,
    }
}

fn read_block(body: &[u8], family: u8, addresses: usize) -> Option<(ProxyEnds, Tlvs<'_>)> {
    let mut rest = Cursor::new(body);
    let mut block = Cursor::new(rest.take(addresses)?);
    let ends = match family {
        TCP_OVER_IPV4 => {
            let [source, destination] = [block.array::<4>()?, block.array::<4>()?].map(|address| IpAddr::V4(Ipv4Addr::from(address)));
            proxied(source, destination, &mut block)?
        }
        TCP_OVER_IPV6 => {
            let [source, destination] = [block.array::<16>()?, block.array::<16>()?].map(|address| IpAddr::V6(Ipv6Addr::from(address)));
            proxied(source, destination, &mut block)?
        }
        _ => ProxyEnds::Local,
    };
    let attributes = body.get(addresses..)?;
    while !rest.is_empty() {
        rest.u8()?;
        rest.vector16()?;
    }
    Some((ends, Tlvs(attributes)))
}

/// Of a sender that added none it holds. `at`: where the attributes begin.
fn checksum_holds(header: &[u8], mut at: usize) -> bool {
    for (kind, value) in Tlvs(header.get(at..).unwrap_or_default()).iter() {
        at += 3;
        if kind == tlv::CRC32C {
            return <[u8; 4]>::try_from(value).is_ok_and(|sum| u32::from_be_bytes(sum) == crc32c(header, at..at + 4));
        }
        at += value.len();
    }
    true
}

fn proxied(source: IpAddr, destination: IpAddr, ports: &mut Cursor<'_>) -> Option<ProxyEnds> {
    let [source, destination] = [SocketAddr::new(source, ports.u16()?), SocketAddr::new(destination, ports.u16()?)];
    Some(ProxyEnds::Proxied { source, destination })
}
