use std::os::fd::{AsRawFd, OwnedFd};

use isthmus_engine::net::{self, Errno};

use super::slab::Token;
use crate::limits;

/// From here on bytes that find nothing queued before them are written from where they were read.
const DIRECT: usize = 16_384;
/// A queue that has grown beyond it is not kept.
const KEPT: usize = 65_536;

/// One socket, and what waits on either side of it.
pub struct Base {
    pub fd: OwnedFd,
    pub token: Token,
    /// To be written.
    out: Vec<u8>,
    sent: usize,
    /// Read, and not taken yet.
    pub held: Vec<u8>,
    /// As far as the last edge and the last short read tell.
    pub readable: bool,
    pub writable: bool,
    /// The other side has ended its direction: reads go on until they say so.
    pub ended: bool,
    /// Nothing is read: who takes it is full, or the answer is not there yet.
    pub paused: bool,
    /// Closed when all is written.
    pub closing: bool,
    /// In the worker's list of those to write.
    pub dirty: bool,
    /// Epoll says when it can be written to again.
    pub room: bool,
}

/// A connection that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Over;

impl Base {
    pub fn new(fd: OwnedFd, token: Token, connected: bool) -> Self {
        Self {
            fd,
            token,
            out: Vec::new(),
            sent: 0,
            held: Vec::new(),
            readable: connected,
            writable: connected,
            ended: false,
            paused: false,
            closing: false,
            dirty: false,
            room: !connected,
        }
    }

    /// Where to write to; whoever does tells the worker.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub fn queued(&self) -> usize {
        self.out.len() - self.sent
    }

    /// How long `out` may become until it is full.
    pub fn most(&self) -> usize {
        self.sent + limits::QUEUED
    }

    pub fn is_full(&self) -> bool {
        self.queued() >= limits::QUEUED
    }

    pub fn is_low(&self) -> bool {
        self.queued() <= limits::QUEUED_LOW
    }

    /// As much as the socket takes.
    pub fn flush(&mut self) -> Result<(), Over> {
        while self.sent < self.out.len() && self.writable {
            match net::write(self.fd.as_raw_fd(), &self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) => self.stopped(error)?,
            }
        }
        if self.sent == self.out.len() {
            self.sent = 0;
            if self.out.capacity() > KEPT { self.out = Vec::new() } else { self.out.clear() }
        }
        Ok(())
    }

    /// Bytes as they are, in order after what is queued; those of a bulk are not copied if they can be written now.
    pub fn write_through(&mut self, mut data: &[u8]) -> Result<(), Over> {
        if data.len() >= DIRECT {
            self.flush()?;
            while self.queued() == 0 && self.writable && !data.is_empty() {
                match net::write(self.fd.as_raw_fd(), data) {
                    Ok(count) => data = &data[count..],
                    Err(error) => self.stopped(error)?,
                }
            }
        }
        if self.sent > KEPT {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        self.out.extend_from_slice(data);
        Ok(())
    }

    fn stopped(&mut self, error: Errno) -> Result<(), Over> {
        match error {
            error if error.would_block() => self.writable = false,
            error if error.interrupted() => {}
            _ => return Err(Over),
        }
        Ok(())
    }
}
