use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;

use super::origin::{Peer, flush};
use crate::pattern::Pattern;
use crate::sys::{Interest, would_block};

/// Bodies from here on are written from the pattern itself.
const LARGE: usize = 16_384;

/// A connection of HTTP/1.1 whose requests have no bodies.
pub struct Peer1 {
    stream: TcpStream,
    size: usize,
    answer: Vec<u8>,
    /// Of a request's head that is not whole.
    tail: Vec<u8>,
    out: Vec<u8>,
    /// Large bodies that are owed, and how much of the first has gone.
    owed: usize,
    gone: usize,
}

impl Peer1 {
    pub fn new(stream: TcpStream, size: usize) -> Self {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nserver: bench\r\ncontent-type: text/plain\r\ncontent-length: {size}\r\n\r\n").into_bytes();
        if size < LARGE {
            answer.extend_from_slice(&Pattern::new().from(0)[..size]);
        }
        Self { stream, size, answer, tail: Vec::new(), out: Vec::new(), owed: 0, gone: 0 }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        let read = match (&self.stream).read(buffer) {
            Ok(0) => return Err(Error::other("ended")),
            Err(error) if would_block(&error) => return Ok(()),
            other => other?,
        };
        self.tail.extend_from_slice(&buffer[..read]);
        while let Some(end) = self.tail.windows(4).position(|each| each == b"\r\n\r\n") {
            self.tail.drain(..end + 4);
            if self.size < LARGE {
                self.out.extend_from_slice(&self.answer);
            } else {
                self.owed += 1;
            }
        }
        Ok(())
    }

    /// Whether everything has gone.
    fn write(&mut self, pattern: &Pattern) -> Result<bool> {
        loop {
            if !flush(&self.stream, &mut self.out)? {
                return Ok(false);
            }
            if self.owed == 0 {
                return Ok(true);
            }
            if self.gone == 0 {
                self.out.extend_from_slice(&self.answer);
                if !flush(&self.stream, &mut self.out)? {
                    return Ok(false);
                }
            }
            let next = pattern.from(self.gone as u64);
            match (&self.stream).write(&next[..next.len().min(self.size - self.gone)]) {
                Ok(wrote) => self.gone += wrote,
                Err(error) if would_block(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
            if self.gone == self.size {
                (self.gone, self.owed) = (0, self.owed - 1);
            }
        }
    }
}

impl Peer for Peer1 {
    fn on_event(&mut self, readable: bool, pattern: &Pattern, buffer: &mut [u8]) -> Result<Interest> {
        if readable {
            self.read(buffer)?;
        }
        let all = self.write(pattern)?;
        Ok(Interest::of(true, !all))
    }
}
