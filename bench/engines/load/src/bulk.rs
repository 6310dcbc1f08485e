//! `bulk`: bytes as fast as they are taken, up or both ways, for a while; both ends count them and compare.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::args::{Args, Target};
use crate::connecting::Opening;
use crate::flow::{Incoming, Outgoing, Taken};
use crate::hello::GREETING;
use crate::pattern::Pattern;
use crate::phases::{Line, told_to_go};
use crate::preface::{Preface, Role, Trailer};
use crate::sys::{self, Interest, Poll};

pub const KNOWN: &[&str] = &["target", "sni", "routes", "connections", "direction", "ms"];
/// After the time is up: until everything that is on the way has come.
const DRAIN: Duration = Duration::from_secs(20);

struct Bulk {
    stream: TcpStream,
    sends: bool,
    up: Outgoing,
    down: Incoming,
    /// What came last: the end of it is the origin's trailer.
    tail: Vec<u8>,
    half_closed: bool,
    done: bool,
}

pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let count = args.number("connections", 1_usize)?.max(1);
    let window = Duration::from_millis(args.number("ms", 1_000_u64)?);
    let (role, sends) = match args.text("direction").unwrap_or("up") {
        "up" => (Role::Sink, true),
        "down" => (Role::Flood, false),
        "both" => (Role::Flood, true),
        other => return Err(format!("--direction {other}: one of up, down, both")),
    };
    let opening = Opening::new(&target, Preface { role, index: 0, seed: 0 }, vec![]);
    Line::new("ready").say()?;
    if !told_to_go() {
        return Ok(());
    }
    let mut poll = Poll::new().map_err(|error| format!("epoll: {error}"))?;
    let begun = Instant::now();
    let mut all = Vec::with_capacity(count);
    for nth in 0..count {
        let bulk = connect(&target, &opening.of(nth), sends)?;
        poll.add(&bulk.stream, nth, Interest::of(true, true)).map_err(|error| format!("epoll: {error}"))?;
        all.push(bulk);
    }
    drive(&mut poll, &mut all, begun + window)?;
    let (up, down) = all.iter().fold((0, 0), |(up, down), each| (up + each.up.sent, down + each.down.received));
    Line::new("done")
        .number("bytes", up + down)
        .number("up", up)
        .number("down", down)
        .micros("wallUs", begun.elapsed().as_nanos() as u64)
        .say()
}

/// The front goes out at once: it is smaller than any socket's buffer.
fn connect(target: &Target, front: &[u8], sends: bool) -> Result<Bulk, String> {
    let mut stream = TcpStream::connect(target.address).map_err(|error| format!("connect: {error}"))?;
    let prepared = stream.set_nodelay(true).and_then(|()| stream.write_all(front));
    prepared.map_err(|error| format!("connect: {error}"))?;
    if target.sni.is_some() {
        await_greeting(&mut stream).map_err(|error| format!("greeting: {error}"))?;
    }
    stream.set_nonblocking(true).map_err(|error| format!("connect: {error}"))?;
    Ok(Bulk { stream, sends, up: Outgoing::default(), down: Incoming::default(), tail: vec![], half_closed: false, done: false })
}

fn await_greeting(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut greeting = [0; GREETING.len()];
    stream.set_read_timeout(Some(DRAIN))?;
    stream.read_exact(&mut greeting)?;
    if greeting == GREETING { Ok(()) } else { Err(std::io::Error::other("not the origin's")) }
}

fn drive(poll: &mut Poll, all: &mut [Bulk], end: Instant) -> Result<(), String> {
    let pattern = Pattern::new();
    let mut buffer = vec![0; 262_144];
    let mut running = all.len();
    for (token, each) in all.iter().enumerate() {
        if !each.sends {
            poll.change(&each.stream, token, Interest::READ).map_err(|error| format!("epoll: {error}"))?;
        }
    }
    let mut stopping = false;
    while running > 0 {
        let now = Instant::now();
        if now > end && !stopping {
            stopping = true;
            for (token, each) in all.iter_mut().enumerate() {
                each.half_close().map_err(|error| format!("half-close: {error}"))?;
                poll.change(&each.stream, token, Interest::READ).map_err(|error| format!("epoll: {error}"))?;
            }
        }
        if now > end + DRAIN {
            return Err(format!("{running} connections did not end within {} s of their half-close", DRAIN.as_secs()));
        }
        for (token, readable, writable) in poll.wait(50).map_err(|error| format!("epoll: {error}"))? {
            let Some(each) = all.get_mut(token).filter(|each| !each.done) else {
                continue;
            };
            if writable && each.sends && !each.half_closed {
                each.up.push(&each.stream, &pattern).map_err(|error| format!("write: {error}"))?;
            }
            if readable && each.receive(&pattern, &mut buffer)? {
                each.done = true;
                running -= 1;
            }
        }
    }
    all.iter().try_for_each(Bulk::judge)
}

impl Bulk {
    fn half_close(&mut self) -> std::io::Result<()> {
        self.half_closed = true;
        self.stream.shutdown(Shutdown::Write)
    }

    /// Whether the origin has ended. From the half-close on every byte is looked at: the last are the trailer, in its own bytes and not pattern.
    fn receive(&mut self, pattern: &Pattern, buffer: &mut [u8]) -> Result<bool, String> {
        if !self.half_closed {
            return match self.down.take(&self.stream, pattern, buffer).map_err(|error| format!("read: {error}"))? {
                Taken::Wrong(at) => Err(format!("bytes from offset {at} on are not what the origin sent")),
                Taken::End => Err("the origin's side ended before the client's".to_owned()),
                Taken::Some | Taken::Nothing => Ok(false),
            };
        }
        match (&self.stream).read(buffer) {
            Ok(0) => Ok(true),
            Ok(read) => {
                self.tail.extend_from_slice(&buffer[..read]);
                if let Some(ripe) = self.tail.len().checked_sub(Trailer::LENGTH) {
                    if !pattern.holds(self.down.received, &self.tail[..ripe]) {
                        return Err(format!("bytes from offset {} on are not what the origin sent", self.down.received));
                    }
                    self.down.received += ripe as u64;
                    self.tail.drain(..ripe);
                }
                Ok(false)
            }
            Err(error) if sys::would_block(&error) => Ok(false),
            Err(error) => Err(format!("read: {error}")),
        }
    }

    /// Both ends must agree on both directions.
    fn judge(&self) -> Result<(), String> {
        let tail =
            self.tail.as_slice().try_into().map_err(|_| format!("the origin ended without its count after {} bytes", self.tail.len()))?;
        let trailer = Trailer::decode(tail);
        let ours = Trailer { sent: self.down.received, received: self.up.sent };
        if trailer == ours { Ok(()) } else { Err(format!("the origin counted {trailer:?}, the client {ours:?}")) }
    }
}
