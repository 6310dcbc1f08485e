//! Flow control (RFC 9113 §5.2): what the other side may still send, and what we may.

use super::frame::Code;

const MOST: i64 = 0x7fff_ffff;

/// What we let the other side send ahead.
#[derive(Debug)]
pub struct Inbound {
    left: i64,
    size: u32,
    /// Taken on, and not told yet.
    owed: u32,
    /// Received, and not taken on.
    held: u32,
}

impl Inbound {
    /// `size`: what the other side has been told.
    pub fn new(size: u32) -> Self {
        Self { left: i64::from(size), size, owed: 0, held: 0 }
    }

    pub fn received(&mut self, bytes: usize) -> Result<(), Code> {
        self.left -= bytes as i64;
        self.held += bytes as u32;
        if self.left < 0 { Err(Code::FLOW_CONTROL_ERROR) } else { Ok(()) }
    }

    /// So many have gone on: what to tell the other side, once it is worth a frame.
    pub fn taken(&mut self, bytes: u32) -> Option<u32> {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.owed += bytes;
        if self.owed < self.size / 2 {
            return None;
        }
        self.left += i64::from(self.owed);
        Some(std::mem::take(&mut self.owed))
    }

    pub fn held(&self) -> u32 {
        self.held
    }
}

/// What we may still send. Below 0 where the other side has made its windows smaller (§6.9.2).
#[derive(Debug)]
pub struct Outbound(i64);

impl Outbound {
    pub fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    pub fn left(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub fn spend(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    pub fn add(&mut self, bytes: i64) -> Result<(), Code> {
        self.0 += bytes;
        if self.0 > MOST { Err(Code::FLOW_CONTROL_ERROR) } else { Ok(()) }
    }
}
