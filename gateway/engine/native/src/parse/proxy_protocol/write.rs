use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{LOCAL, PROXY, SIGNATURE, TCP_OVER_IPV4, TCP_OVER_IPV6, UNSPECIFIED, tlv};

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyVersion {
    V1,
    V2,
}

/// What a receiver is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxiedConnection<'a> {
    /// Who connected, and to what, as the proxy saw it; `None` where an end has no IP address.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// This and all below: version 2 alone, and left out where empty. Cut after 128 bytes.
    pub unique_id: &'a str,
    /// Server name and ALPN of the caller's TLS.
    pub authority: &'a str,
    pub alpn: &'a [u8],
    /// `None`: no TLS, or without a client certificate.
    pub tls: Option<ProvenCaller<'a>>,
}

/// Of a caller whose certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenCaller<'a> {
    /// As `TLSv1.3`.
    pub version: &'a str,
    /// Its identity, where a certificate's common name would stand.
    pub name: &'a str,
}

/// Connected over TLS, with a certificate, in this connection and in its session.
const PROVEN_CLIENT: u8 = 0x07;
const LONGEST_UNIQUE_ID: usize = 128;

/// Appends the bytes that begin a connection. Without a caller (a check of the proxy's own) they say so, and the receiver takes the real ends.
/// Version 1 has at most 107 bytes. An attribute that the header has no room for (2^16 bytes in all) is left out.
pub fn write_proxy_header(version: ProxyVersion, connection: Option<&ProxiedConnection<'_>>, to: &mut Vec<u8>) {
    match version {
        ProxyVersion::V1 => write_text(connection, to),
        ProxyVersion::V2 => write_binary(connection, to),
    }
}

fn write_text(connection: Option<&ProxiedConnection<'_>>, to: &mut Vec<u8>) {
    let written = match connection.and_then(same_family) {
        None => write!(to, "PROXY UNKNOWN\r\n"),
        Some((source, destination)) => {
            let family = if source.is_ipv4() { 4 } else { 6 };
            let [from, at] = [source.ip(), destination.ip()];
            write!(to, "PROXY TCP{family} {from} {at} {} {}\r\n", source.port(), destination.port())
        }
    };
    debug_assert!(written.is_ok(), "a Vec takes everything");
}

fn write_binary(connection: Option<&ProxiedConnection<'_>>, to: &mut Vec<u8>) {
    to.extend_from_slice(&SIGNATURE);
    let Some(connection) = connection else {
        to.extend_from_slice(&[LOCAL, UNSPECIFIED, 0, 0]);
        return;
    };
    let mut body = Vec::with_capacity(128);
    let family = match same_family(connection) {
        None => UNSPECIFIED,
        Some((source, destination)) => {
            push_address(source.ip(), &mut body);
            push_address(destination.ip(), &mut body);
            body.extend_from_slice(&source.port().to_be_bytes());
            body.extend_from_slice(&destination.port().to_be_bytes());
            if source.is_ipv4() { TCP_OVER_IPV4 } else { TCP_OVER_IPV6 }
        }
    };
    push_attributes(connection, &mut body);
    to.extend_from_slice(&[PROXY, family]);
    push_vector(&body, to);
}

/// Of two families the IPv4 one is written mapped into IPv6.
fn same_family(connection: &ProxiedConnection<'_>) -> Option<(SocketAddr, SocketAddr)> {
    let (source, destination) = connection.ends?;
    if source.is_ipv4() == destination.is_ipv4() {
        return Some((source, destination));
    }
    let mapped = |end: SocketAddr| SocketAddr::new(IpAddr::V6(in_ipv6(end.ip())), end.port());
    Some((mapped(source), mapped(destination)))
}

fn in_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn push_address(address: IpAddr, to: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => to.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => to.extend_from_slice(&address.octets()),
    }
}

fn push_attributes(connection: &ProxiedConnection<'_>, to: &mut Vec<u8>) {
    let ProxiedConnection { unique_id, authority, alpn, tls, .. } = *connection;
    let unique_id = unique_id.as_bytes();
    let unique_id = unique_id.get(..LONGEST_UNIQUE_ID).unwrap_or(unique_id);
    for (kind, value) in [(tlv::ALPN, alpn), (tlv::AUTHORITY, authority.as_bytes()), (tlv::UNIQUE_ID, unique_id)] {
        if !value.is_empty() {
            push_attribute(kind, value, to);
        }
    }
    if let Some(ProvenCaller { version, name }) = tls {
        // Flags, then the verdict on the certificate: 0, it holds.
        let mut inner = vec![PROVEN_CLIENT, 0, 0, 0, 0];
        push_attribute(tlv::TLS_VERSION, version.as_bytes(), &mut inner);
        push_attribute(tlv::TLS_NAME, name.as_bytes(), &mut inner);
        push_attribute(tlv::TLS, &inner, to);
    }
}

fn push_attribute(kind: u8, value: &[u8], to: &mut Vec<u8>) {
    if to.len() + 3 + value.len() <= usize::from(u16::MAX) {
        to.push(kind);
        push_vector(value, to);
    }
}

/// Of at most 65,535 bytes.
fn push_vector(value: &[u8], to: &mut Vec<u8>) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend(value.iter().take(length.into()));
}
