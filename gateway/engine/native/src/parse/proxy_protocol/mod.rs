//! The PROXY protocol (HAProxy's proxy-protocol.txt, versions 1 and 2): what a proxy says first on a connection, of who is behind it.

mod crc32c;
mod read;
mod write;

pub use read::{ProxyEnds, ProxyFault, ProxyHeader, ProxyOutcome, Tlvs, parse_proxy_header};
pub use write::{ProvenCaller, ProxiedConnection, ProxyVersion, write_proxy_header};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, its command in the low half.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Type-length-value attributes of version 2 (§2.2).
pub mod tlv {
    pub const ALPN: u8 = 0x01;
    pub const AUTHORITY: u8 = 0x02;
    pub const CRC32C: u8 = 0x03;
    pub const UNIQUE_ID: u8 = 0x05;
    pub const TLS: u8 = 0x20;
    pub const TLS_VERSION: u8 = 0x21;
    /// Where a certificate's common name would stand.
    pub const TLS_NAME: u8 = 0x22;
}
