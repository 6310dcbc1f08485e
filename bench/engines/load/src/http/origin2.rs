use std::collections::VecDeque;
use std::io::{Error, Read, Result};
use std::net::TcpStream;

use super::frames::{
    self, ACK, DATA, END_HEADERS, END_STREAM, FIRST_WINDOW, HEADERS, LARGEST, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use super::origin::{Peer, flush};
use crate::pattern::Pattern;
use crate::sys::{Interest, would_block};

/// What is queued for a socket at most.
const QUEUED: usize = 262_144;

/// A connection of HTTP/2. What requests ask for is not looked at.
pub struct Peer2 {
    stream: TcpStream,
    size: usize,
    block: Vec<u8>,
    held: Vec<u8>,
    out: Vec<u8>,
    opened: bool,
    window: i64,
    first: i64,
    /// Streams whose bodies are on their way, in turn.
    open: VecDeque<Open>,
}

struct Open {
    id: u32,
    gone: usize,
    window: i64,
}

impl Peer2 {
    pub fn new(stream: TcpStream, size: usize) -> Self {
        let mut block = vec![0x88];
        frames::put_field(&mut block, 54, "bench");
        frames::put_field(&mut block, 31, "text/plain");
        frames::put_field(&mut block, 28, &size.to_string());
        let (held, out, open) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { stream, size, block, held, out, opened: false, window: FIRST_WINDOW, first: FIRST_WINDOW, open }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        let read = match (&self.stream).read(buffer) {
            Ok(0) => return Err(Error::other("ended")),
            Err(error) if would_block(&error) => return Ok(()),
            other => other?,
        };
        self.held.extend_from_slice(&buffer[..read]);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        if !self.opened && rest.len() >= PREFACE.len() {
            rest = rest.strip_prefix(PREFACE).ok_or_else(|| Error::other("no preface"))?;
            self.opened = true;
            frames::put_opening(&mut self.out);
        }
        while self.opened {
            let Some(frame) = frames::take(&mut rest) else { break };
            self.on_frame(&frame);
        }
        self.held = rest.to_vec();
        Ok(())
    }

    fn on_frame(&mut self, frame: &frames::Frame<'_>) {
        match frame.kind {
            HEADERS => {
                frames::put(&mut self.out, HEADERS, END_HEADERS, frame.stream, &self.block);
                self.open.push_back(Open { id: frame.stream, gone: 0, window: self.first });
            }
            RST_STREAM => self.open.retain(|each| each.id != frame.stream),
            PING if frame.flags & ACK == 0 => frames::put(&mut self.out, PING, ACK, 0, frame.payload),
            SETTINGS if frame.flags & ACK == 0 => {
                for [a, b, c, d, e, f] in frame.payload.as_chunks::<6>().0 {
                    if [*a, *b] == [0, 4] {
                        let first = i64::from(u32::from_be_bytes([*c, *d, *e, *f]));
                        self.open.iter_mut().for_each(|each| each.window += first - self.first);
                        self.first = first;
                    }
                }
                frames::put(&mut self.out, SETTINGS, ACK, 0, &[]);
            }
            WINDOW_UPDATE => {
                let more = frame.payload.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
                match self.open.iter_mut().find(|each| each.id == frame.stream) {
                    Some(open) => open.window += more,
                    None if frame.stream == 0 => self.window += more,
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// A frame of each in turn, as far as windows allow.
    fn fill(&mut self, pattern: &Pattern) {
        let mut stuck = 0;
        while self.out.len() < QUEUED && stuck < self.open.len() {
            let Some(mut open) = self.open.pop_front() else { return };
            let left = self.size - open.gone;
            let length = left.min(LARGEST).min(open.window.min(self.window).max(0) as usize);
            if length == 0 && left > 0 {
                stuck += 1;
                self.open.push_back(open);
                continue;
            }
            stuck = 0;
            let last = length == left;
            let next = pattern.from(open.gone as u64);
            frames::put(&mut self.out, DATA, if last { END_STREAM } else { 0 }, open.id, &next[..length]);
            (open.gone, open.window) = (open.gone + length, open.window - length as i64);
            self.window -= length as i64;
            if !last {
                self.open.push_back(open);
            }
        }
    }
}

impl Peer for Peer2 {
    fn on_event(&mut self, readable: bool, pattern: &Pattern, buffer: &mut [u8]) -> Result<Interest> {
        if readable {
            self.read(buffer)?;
        }
        loop {
            self.fill(pattern);
            if !flush(&self.stream, &mut self.out)? {
                return Ok(Interest::of(true, true));
            }
            if self.open.is_empty() || self.window <= 0 || self.open.iter().all(|each| each.window <= 0) {
                return Ok(Interest::READ);
            }
        }
    }
}
