//! One direction of pattern on a socket, either end of it.

use std::io::{Read, Result, Write};
use std::net::TcpStream;

use crate::pattern::Pattern;
use crate::sys;

/// The most that one call writes or takes, so that connections take turns.
const CHUNK: usize = 262_144;
/// One read in so many is copied and compared; the rest is only counted: a copy costs more than what is measured.
const CHECKED: u64 = 8;

#[derive(Default)]
pub struct Outgoing {
    pub sent: u64,
}

#[derive(Default)]
pub struct Incoming {
    pub received: u64,
    reads: u64,
}

pub enum Taken {
    Some,
    Nothing,
    End,
    /// Not what belongs there; the offset where that read began.
    Wrong(u64),
}

impl Outgoing {
    /// Whether there was room.
    pub fn push(&mut self, mut stream: &TcpStream, pattern: &Pattern) -> Result<bool> {
        let next = pattern.from(self.sent);
        match stream.write(&next[..next.len().min(CHUNK)]) {
            Ok(wrote) => {
                self.sent += wrote as u64;
                Ok(true)
            }
            Err(error) if sys::would_block(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Incoming {
    pub fn take(&mut self, mut stream: &TcpStream, pattern: &Pattern, buffer: &mut [u8]) -> Result<Taken> {
        let checked = self.reads.is_multiple_of(CHECKED);
        self.reads += 1;
        let got = if checked { stream.read(buffer) } else { sys::discard(stream, CHUNK) };
        match got {
            Ok(0) => Ok(Taken::End),
            Ok(read) if checked && !pattern.holds(self.received, &buffer[..read]) => Ok(Taken::Wrong(self.received)),
            Ok(read) => {
                self.received += read as u64;
                Ok(Taken::Some)
            }
            Err(error) if sys::would_block(&error) => Ok(Taken::Nothing),
            Err(error) => Err(error),
        }
    }
}
