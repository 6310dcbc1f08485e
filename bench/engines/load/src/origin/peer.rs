use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};

use crate::flow::{Incoming, Outgoing, Taken};
use crate::hello::GREETING;
use crate::pattern::Pattern;
use crate::preface::{Front, Preface, Role, Trailer, read_front};
use crate::sys::{Interest, would_block};

/// The longest front that is waited for: a ClientHello record and a preface.
const LONGEST_FRONT: usize = 32_768;

/// What is to be done with a connection after an event.
pub enum Next {
    Watch(Interest),
    Close,
    /// With what was wrong.
    Reset(String),
}

/// One connection of the origin.
pub struct Peer {
    pub stream: TcpStream,
    pub watched: Interest,
    role: Option<Role>,
    front: Vec<u8>,
    /// Read and not yet written: of echoes, and the trailer.
    held: Vec<u8>,
    ended: bool,
    incoming: Incoming,
    outgoing: Outgoing,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        Self { stream, watched: Interest::READ, role: None, front: vec![], held: vec![], ended: false, incoming, outgoing }
    }

    /// A connection that breaks is closed: the client is who judges.
    pub fn on_event(&mut self, readable: bool, writable: bool, pattern: &Pattern, buffer: &mut [u8]) -> Next {
        let next = match self.role {
            None => self.begin(pattern, buffer),
            Some(Role::Echo) => self.echo(readable, writable, buffer),
            Some(role) => self.count(role, readable, writable, pattern, buffer),
        };
        next.unwrap_or(Next::Close)
    }

    fn begin(&mut self, pattern: &Pattern, buffer: &mut [u8]) -> Result<Next> {
        let read = match (&self.stream).read(buffer) {
            Ok(0) => return Ok(Next::Close),
            Err(error) if would_block(&error) => return Ok(Next::Watch(Interest::READ)),
            other => other?,
        };
        self.front.extend_from_slice(&buffer[..read]);
        let (preface, taken, greet) = match read_front(&self.front) {
            Front::More if self.front.len() < LONGEST_FRONT => return Ok(Next::Watch(Interest::READ)),
            Front::Whole(preface, taken, hello) => (preface, taken, hello && preface.role != Role::Echo),
            Front::More | Front::Strange => {
                return Ok(Next::Reset("a connection begins with neither a ClientHello nor a preface".to_owned()));
            }
        };
        let rest = std::mem::take(&mut self.front).split_off(taken);
        self.role = Some(preface.role);
        // Into an empty buffer: it is taken whole.
        if greet && (&self.stream).write(&GREETING)? != GREETING.len() {
            return Ok(Next::Reset("a greeting was not taken whole".to_owned()));
        }
        self.take_rest(preface, &rest, pattern)
    }

    /// What came in one read with the preface.
    fn take_rest(&mut self, preface: Preface, rest: &[u8], pattern: &Pattern) -> Result<Next> {
        match preface.role {
            Role::Echo => {
                self.held.extend_from_slice(rest);
                self.flush()?;
                Ok(Next::Watch(Interest::of(self.held.is_empty(), !self.held.is_empty())))
            }
            Role::Sink | Role::Flood if !pattern.holds(0, rest) => {
                Ok(Next::Reset("the first bytes are not what the client sends".to_owned()))
            }
            Role::Sink | Role::Flood => {
                self.incoming.received += rest.len() as u64;
                Ok(Next::Watch(Interest::of(true, preface.role == Role::Flood)))
            }
            Role::Soak => Ok(Next::Reset("a connection of the soak, whose origin is the soak itself".to_owned())),
        }
    }

    fn echo(&mut self, readable: bool, writable: bool, buffer: &mut [u8]) -> Result<Next> {
        if writable && !self.held.is_empty() {
            self.flush()?;
        }
        if readable && self.held.is_empty() && !self.ended {
            match (&self.stream).read(buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => self.answer(&buffer[..read])?,
                Err(error) if would_block(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if self.ended && self.held.is_empty() {
            self.end()
        } else {
            Ok(Next::Watch(Interest::of(self.held.is_empty(), !self.held.is_empty())))
        }
    }

    /// Most echoes fit at once, and are not copied.
    fn answer(&mut self, bytes: &[u8]) -> Result<()> {
        let wrote = match (&self.stream).write(bytes) {
            Err(error) if would_block(&error) => 0,
            other => other?,
        };
        self.held.extend_from_slice(&bytes[wrote..]);
        Ok(())
    }

    fn count(&mut self, role: Role, readable: bool, writable: bool, pattern: &Pattern, buffer: &mut [u8]) -> Result<Next> {
        if readable && !self.ended {
            match self.incoming.take(&self.stream, pattern, buffer)? {
                Taken::Wrong(at) => return Ok(Next::Reset(format!("bytes from offset {at} on are not what the client sent"))),
                Taken::End => {
                    self.ended = true;
                    self.held = Trailer { sent: self.outgoing.sent, received: self.incoming.received }.encode().to_vec();
                }
                Taken::Some | Taken::Nothing => {}
            }
        }
        if self.ended {
            self.flush()?;
            return if self.held.is_empty() { self.end() } else { Ok(Next::Watch(Interest::WRITE)) };
        }
        if writable && role == Role::Flood {
            self.outgoing.push(&self.stream, pattern)?;
        }
        Ok(Next::Watch(Interest::of(true, role == Role::Flood)))
    }

    fn flush(&mut self) -> Result<()> {
        while !self.held.is_empty() {
            match (&self.stream).write(&self.held) {
                Ok(wrote) => drop(self.held.drain(..wrote)),
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<Next> {
        self.stream.shutdown(Shutdown::Write)?;
        Ok(Next::Close)
    }
}
