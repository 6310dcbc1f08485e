//! Header compression (RFC 7541).

mod decode;
mod encode;
mod huffman;
#[cfg(test)]
mod rfc7541;
mod static_table;
mod table;

pub use decode::Decoder;
pub use encode::Encoder;

/// Something that no encoder writes; the connection cannot go on (RFC 9113 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// What both sides begin with, bytes (RFC 9113 §6.5.2), and the most that we use.
pub const TABLE_SIZE: usize = 4_096;
