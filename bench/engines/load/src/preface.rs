//! What a client tells the origin first, after the ClientHello if it sends one: what the connection is for.

use crate::hello;

const MAGIC: [u8; 4] = *b"ISBL";
/// Bytes of a preface.
pub const LENGTH: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every byte comes back.
    Echo,
    /// The origin counts and checks what comes; at the client's half-close it answers with a `Trailer`.
    Sink,
    /// As `Sink`, and the origin sends pattern all the while.
    Flood,
    /// One connection of the soak.
    Soak,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preface {
    pub role: Role,
    pub index: u64,
    pub seed: u64,
}

/// What an origin saw, after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    pub sent: u64,
    pub received: u64,
}

impl Preface {
    pub fn echo() -> Self {
        Self { role: Role::Echo, index: 0, seed: 0 }
    }

    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.role as u8;
        bytes[8..16].copy_from_slice(&self.index.to_be_bytes());
        bytes[16..].copy_from_slice(&self.seed.to_be_bytes());
        bytes
    }
}

impl Trailer {
    pub const LENGTH: usize = 16;

    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.sent.to_be_bytes());
        bytes[8..].copy_from_slice(&self.received.to_be_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Self {
        Self { sent: number(&bytes[..8]), received: number(&bytes[8..]) }
    }
}

/// What the front of a connection holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Front {
    /// Not whole yet.
    More,
    /// The preface, how many bytes it and the ClientHello took, and whether there was one.
    Whole(Preface, usize, bool),
    /// Neither a ClientHello nor a preface.
    Strange,
}

/// Skips exactly one TLS record, if one leads.
pub fn read_front(bytes: &[u8]) -> Front {
    let skip = match hello::record_length(bytes) {
        Some(length) => length,
        None if hello::is_handshake(bytes) => return Front::More,
        None => 0,
    };
    let Some(rest) = bytes.get(skip..skip + LENGTH) else {
        return Front::More;
    };
    let role = match rest[4] {
        0 => Role::Echo,
        1 => Role::Sink,
        2 => Role::Flood,
        3 => Role::Soak,
        _ => return Front::Strange,
    };
    if rest[..4] != MAGIC {
        return Front::Strange;
    }
    Front::Whole(Preface { role, index: number(&rest[8..16]), seed: number(&rest[16..]) }, skip + LENGTH, skip > 0)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_read_with_and_without_a_hello_however_it_is_cut() {
        let preface = Preface { role: Role::Soak, index: 7, seed: u64::MAX - 1 };
        for hello in [vec![], hello::client_hello("x.y")] {
            let whole: Vec<u8> = hello.iter().copied().chain(preface.encode()).chain(*b"rest").collect();
            let taken = hello.len() + LENGTH;
            for cut in 0..taken {
                assert_eq!(read_front(&whole[..cut]), Front::More, "{cut}");
            }
            assert_eq!(read_front(&whole), Front::Whole(preface, taken, !hello.is_empty()));
        }
    }

    #[test]
    fn other_bytes_are_strange() {
        assert_eq!(read_front(&[b'x'; 64]), Front::Strange);
    }
}
