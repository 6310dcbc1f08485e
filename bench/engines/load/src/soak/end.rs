//! One end of one connection: sends its stream, checks the other's, in the manner of its plan.

use std::io::{Error, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::plan::{Ending, Manner, Plan, Side};
use super::random::Stream;
use crate::hello::GREETING;
use crate::sys::{Interest, would_block};

/// Calls in a row for one end, so that all have their turn.
const TURN: usize = 16;
/// Of readers that are slow: it fills soon. Two segments of loopback and more, or TCP itself crawls.
const SMALL_BUFFER: i32 = 262_144;
/// Between the pieces of a slow ClientHello.
const PIECE_PAUSE: Duration = Duration::from_millis(15);
const PIECES: usize = 4;

/// How an end has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything came, and nothing else, and then the end of the stream.
    Clean,
    /// It has reset the connection, as planned.
    Reset,
    /// It was told of the other side's reset.
    SawReset,
    /// The other side's reset came as an ordinary end of the stream: whoever reads by it takes a part for the whole.
    Truncated(String),
    Failed(String),
}

pub enum Step {
    Running,
    /// The stream is to be reset, not closed.
    Reset,
    Done(Verdict),
}

pub struct End {
    pub stream: TcpStream,
    side: Side,
    own: Manner,
    expected: u64,
    ending: Ending,
    outgoing: Stream,
    incoming: Stream,
    /// Goes ahead of the stream: ClientHello and preface, or the greeting.
    front: Vec<u8>,
    piece: usize,
    greeting: &'static [u8],
    /// Sends nothing but its front before the greeting is there.
    waits: bool,
    sent: u64,
    received: u64,
    writes: u64,
    stalled: bool,
    saw_end: bool,
    half_closed: bool,
    blocked: bool,
    write_at: Option<Instant>,
    read_at: Option<Instant>,
}

impl End {
    /// `front`: what it sends first. `greeted`: it is to see a greeting first.
    pub fn new(stream: TcpStream, side: Side, seed: u64, plan: &Plan, front: Vec<u8>, greeted: bool) -> Self {
        let own = plan.manner(side);
        if own.read_pause_ms > 0 || own.stall.is_some() {
            // Failure leaves a larger buffer, which only hides some of the back-pressure.
            let _ = crate::sys::set_receive_buffer(&stream, SMALL_BUFFER);
        }
        let of = |side| Stream::new(seed.wrapping_mul(2).wrapping_add(u64::from(side == Side::Origin)));
        let slow = side == Side::Client && plan.slow_hello;
        Self {
            stream,
            side,
            own,
            expected: plan.manner(side.other()).bytes,
            ending: plan.ending,
            outgoing: of(side),
            incoming: of(side.other()),
            piece: if slow { front.len().div_ceil(PIECES) } else { front.len() },
            front,
            greeting: if greeted { &GREETING } else { &[] },
            waits: greeted && !plan.early,
            sent: 0,
            received: 0,
            writes: 0,
            stalled: false,
            saw_end: false,
            half_closed: false,
            blocked: false,
            write_at: None,
            read_at: None,
        }
    }

    /// What came in one read with the preface.
    pub fn begin_with(&mut self, rest: &[u8]) -> Result<(), Verdict> {
        self.check(rest)
    }

    /// What to wait for now: readiness, and until when at most.
    pub fn waits_for(&self, now: Instant) -> (Interest, Option<Instant>) {
        let reads = !self.saw_end && self.read_at.is_none_or(|at| at <= now);
        let pauses = [self.read_at.filter(|_| !self.saw_end), self.write_at];
        let wake = pauses.into_iter().flatten().filter(|at| *at > now).min();
        (Interest::of(reads, self.blocked), wake)
    }

    /// Goes on as far as it can. `readable` also where nothing is waited for: then the connection is broken or over.
    pub fn step(&mut self, now: Instant, readable: bool, writable: bool, buffer: &mut [u8]) -> Step {
        if writable {
            self.blocked = false;
        }
        if readable && let Err(verdict) = self.receive(now, buffer) {
            return Step::Done(verdict);
        }
        match self.send(now, buffer) {
            Err(verdict) => Step::Done(verdict),
            Ok(true) => Step::Reset,
            Ok(false) if self.saw_end && self.half_closed => Step::Done(Verdict::Clean),
            Ok(false) => Step::Running,
        }
    }

    /// Bytes sent and received, the front among the sent.
    pub fn moved(&self) -> (u64, u64) {
        (self.sent + self.writes, self.received)
    }

    /// Where it stands, for a failure.
    pub fn standing(&self) -> String {
        let Self { sent, received, own, expected, saw_end, half_closed, .. } = self;
        format!("sent {sent} of {}, received {received} of {expected}, half-closed {half_closed}, saw end {saw_end}", own.bytes)
    }

    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Result<(), Verdict> {
        for _ in 0..TURN {
            if self.saw_end || self.pauses_reading(now) {
                return Ok(());
            }
            let most = self.own.read_chunk.min(buffer.len());
            match (&self.stream).read(&mut buffer[..most]) {
                Ok(0) => return self.end(),
                Ok(read) => self.check(&buffer[..read])?,
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(self.broken(&error)),
            }
            if self.own.read_pause_ms > 0 {
                self.read_at = Some(now + Duration::from_millis(self.own.read_pause_ms));
            }
        }
        Ok(())
    }

    fn pauses_reading(&mut self, now: Instant) -> bool {
        if let Some((at, ms)) = self.own.stall
            && !self.stalled
            && self.received >= at
        {
            self.stalled = true;
            self.read_at = Some(now + Duration::from_millis(ms));
        }
        self.read_at.is_some_and(|at| at > now)
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), Verdict> {
        let (front, rest) = bytes.split_at(bytes.len().min(self.greeting.len()));
        if !self.greeting.starts_with(front) {
            return Err(Verdict::Failed("the greeting is not the origin's".to_owned()));
        }
        self.greeting = &self.greeting[front.len()..];
        if let Some(at) = self.incoming.first_wrong(self.received, rest) {
            return Err(Verdict::Failed(format!("wrong byte at offset {at}; {}", self.standing())));
        }
        self.received += rest.len() as u64;
        if self.received > self.expected {
            return Err(Verdict::Failed(format!("more bytes than were sent; {}", self.standing())));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Verdict> {
        self.saw_end = true;
        match self.received < self.expected {
            true if self.is_to_see_reset() => Err(Verdict::Truncated(self.standing())),
            true => Err(Verdict::Failed(format!("a clean end before the last byte; {}", self.standing()))),
            false => Ok(()),
        }
    }

    fn is_to_see_reset(&self) -> bool {
        matches!(self.ending, Ending::Reset(side, _) if side != self.side)
    }

    fn broken(&self, error: &Error) -> Verdict {
        if self.is_to_see_reset() { Verdict::SawReset } else { Verdict::Failed(format!("broke: {error}; {}", self.standing())) }
    }

    /// Whether it is now to be reset.
    fn send(&mut self, now: Instant, buffer: &mut [u8]) -> Result<bool, Verdict> {
        for _ in 0..TURN {
            if self.blocked || self.half_closed || self.write_at.is_some_and(|at| at > now) {
                return Ok(false);
            }
            if !self.front.is_empty() {
                self.send_front(now)?;
                continue;
            }
            if self.waits && !self.greeting.is_empty() {
                return Ok(false);
            }
            let until = self.may_send();
            if self.sent >= until {
                return self.all_sent();
            }
            let length = (self.own.chunk as u64).min(until - self.sent).min(buffer.len() as u64) as usize;
            self.outgoing.fill(self.sent, &mut buffer[..length]);
            let wrote = self.write(&buffer[..length])?;
            self.sent += wrote as u64;
            self.writes += 1;
            if self.own.pause_every > 0 && self.writes.is_multiple_of(self.own.pause_every) {
                self.write_at = Some(now + Duration::from_millis(self.own.pause_ms));
            }
        }
        // More to send and room for it: the next turn comes with the next event.
        self.blocked = true;
        Ok(false)
    }

    fn send_front(&mut self, now: Instant) -> Result<(), Verdict> {
        let length = self.piece.min(self.front.len());
        let piece: Vec<u8> = self.front[..length].to_vec();
        let wrote = self.write(&piece)?;
        self.front.drain(..wrote);
        if !self.front.is_empty() {
            self.write_at = Some(now + PIECE_PAUSE);
        }
        Ok(())
    }

    fn may_send(&self) -> u64 {
        match self.ending {
            Ending::First(side) if side != self.side && !self.saw_end => self.own.bytes / 2,
            Ending::Reset(side, at) if side == self.side => at,
            _ => self.own.bytes,
        }
    }

    fn all_sent(&mut self) -> Result<bool, Verdict> {
        match self.ending {
            Ending::Reset(side, _) if side == self.side => Ok(true),
            _ if self.sent < self.own.bytes => Ok(false),
            _ => {
                self.stream.shutdown(Shutdown::Write).map_err(|error| self.broken(&error))?;
                self.half_closed = true;
                Ok(false)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Verdict> {
        match (&self.stream).write(bytes) {
            Ok(wrote) => {
                self.blocked = wrote < bytes.len();
                Ok(wrote)
            }
            Err(error) if would_block(&error) => {
                self.blocked = true;
                Ok(0)
            }
            Err(error) => Err(self.broken(&error)),
        }
    }
}
