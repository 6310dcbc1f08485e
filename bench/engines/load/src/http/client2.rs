//! `http2`: some connections, on each of them some streams at once, each of which is followed by another.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::frames::{self, ACK, DATA, END_STREAM, GOAWAY, HEADERS, MORE_WINDOW, PING, PREFACE, RST_STREAM, SETTINGS};
use super::{AGENT, Counted, HOST, PATH, READ, failed, window};
use crate::args::Args;
use crate::phases::{Line, told_to_go};
use crate::sys::{Interest, Poll, would_block};

pub const KNOWN: &[&str] = &["target", "connections", "streams", "size", "ms"];

struct Caller {
    stream: TcpStream,
    next: u32,
    open: Vec<Open>,
    /// Read, and not a whole frame.
    held: Vec<u8>,
    out: Vec<u8>,
    watched: Interest,
    unread: u64,
}

struct Open {
    id: u32,
    sent: Instant,
    got: usize,
    headed: bool,
}

pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let count = args.number("connections", 8_usize)?;
    let streams = args.number("streams", 8_usize)?;
    let size = args.number("size", 64_usize)?;
    let window = window(args)?;
    let mut poll = Poll::new().map_err(failed("epoll"))?;
    let mut callers = Vec::with_capacity(count);
    for token in 0..count {
        let stream = TcpStream::connect(target.address).map_err(failed("connect"))?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(failed("connect"))?;
        poll.add(&stream, token, Interest::READ).map_err(failed("epoll"))?;
        let mut out = PREFACE.to_vec();
        frames::put_opening(&mut out);
        callers.push(Caller { stream, next: 1, open: Vec::new(), held: Vec::new(), out, watched: Interest::READ, unread: 0 });
    }
    let mut load = Load { size, streams, block: block(), buffer: vec![0; READ] };
    // What a new connection costs is not what a request costs.
    load.run(&mut poll, &mut callers, Instant::now(), &mut Counted::new())?;
    Line::new("ready").number("connections", count as u64).say()?;
    if !told_to_go() {
        return Ok(());
    }
    let mut counted = Counted::new();
    let begun = Instant::now();
    load.run(&mut poll, &mut callers, begun + window, &mut counted)?;
    counted.say(begun.elapsed())?;
    told_to_go();
    Ok(())
}

/// GET, http; path, authority, user-agent and accept as literals.
fn block() -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    frames::put_field(&mut block, 4, PATH);
    frames::put_field(&mut block, 1, HOST);
    frames::put_field(&mut block, 58, AGENT);
    frames::put_field(&mut block, 19, "*/*");
    block
}

struct Load {
    size: usize,
    streams: usize,
    block: Vec<u8>,
    buffer: Vec<u8>,
}

impl Load {
    /// At least one request on each stream; no more begin after `end`.
    fn run(&mut self, poll: &mut Poll, callers: &mut [Caller], end: Instant, counted: &mut Counted) -> Result<(), String> {
        for (token, each) in callers.iter_mut().enumerate() {
            for _ in 0..self.streams {
                self.ask(each);
            }
            each.flush(poll, token)?;
        }
        let mut running = callers.len() * self.streams;
        while running > 0 {
            let mut silent = true;
            for (token, readable, writable) in poll.wait(10_000).map_err(failed("epoll"))? {
                silent = false;
                let Some(each) = callers.get_mut(token) else { continue };
                if readable {
                    running -= self.read(each, end, counted)?;
                }
                if readable || writable {
                    each.flush(poll, token)?;
                }
            }
            if silent {
                return Err(format!("{running} streams got no answer for 10 s"));
            }
        }
        Ok(())
    }

    fn ask(&self, caller: &mut Caller) {
        let id = caller.next;
        caller.next += 2;
        frames::put(&mut caller.out, HEADERS, END_STREAM | frames::END_HEADERS, id, &self.block);
        caller.open.push(Open { id, sent: Instant::now(), got: 0, headed: false });
    }

    /// How many streams have ended for good.
    fn read(&mut self, caller: &mut Caller, end: Instant, counted: &mut Counted) -> Result<usize, String> {
        let held = caller.held.len();
        self.buffer[..held].copy_from_slice(&caller.held);
        let read = match (&caller.stream).read(&mut self.buffer[held..]) {
            Ok(0) => return Err("a connection ended".to_owned()),
            Err(error) if would_block(&error) => return Ok(0),
            other => other.map_err(failed("read"))?,
        };
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = &buffer[..held + read];
        let mut ended = 0;
        while let Some(frame) = frames::take(&mut rest) {
            let Some(begun) = caller.on_frame(&frame, self.size)? else { continue };
            let now = Instant::now();
            counted.took.add((now - begun).as_nanos() as u64);
            counted.bytes += self.size as u64;
            if now < end { self.ask(caller) } else { ended += 1 }
        }
        caller.held.clear();
        caller.held.extend_from_slice(rest);
        self.buffer = buffer;
        Ok(ended)
    }
}

impl Caller {
    /// When the stream that it ends was begun.
    fn on_frame(&mut self, frame: &frames::Frame<'_>, size: usize) -> Result<Option<Instant>, String> {
        match frame.kind {
            SETTINGS | PING if frame.flags & ACK == 0 => {
                let payload = if frame.kind == PING { frame.payload } else { &[] };
                frames::put(&mut self.out, frame.kind, ACK, 0, payload);
            }
            GOAWAY => return Err(format!("GOAWAY {:?}", frame.payload)),
            RST_STREAM => return Err(format!("RST_STREAM {:?}", frame.payload)),
            DATA | HEADERS => {
                if frame.kind == DATA {
                    self.credit(frame.payload.len());
                }
                let at = self.open.iter().position(|each| each.id == frame.stream).ok_or("an answer on a stream that is not open")?;
                let open = &mut self.open[at];
                if frame.kind == DATA {
                    open.got += frame.payload.len();
                } else if !open.headed {
                    open.headed = true;
                    if !frames::is_ok(frame.payload) {
                        return Err("not answered with 200".to_owned());
                    }
                }
                if frame.flags & END_STREAM == 0 {
                    return Ok(None);
                }
                let Open { sent, got, headed, .. } = self.open.swap_remove(at);
                if !headed || got != size {
                    return Err(format!("an answer of {got} bytes in place of {size}"));
                }
                return Ok(Some(sent));
            }
            _ => {}
        }
        Ok(None)
    }

    fn credit(&mut self, bytes: usize) {
        self.unread += bytes as u64;
        if self.unread >= u64::from(MORE_WINDOW) / 2 {
            frames::put(&mut self.out, frames::WINDOW_UPDATE, 0, 0, &(self.unread as u32).to_be_bytes());
            self.unread = 0;
        }
    }

    fn flush(&mut self, poll: &Poll, token: usize) -> Result<(), String> {
        while !self.out.is_empty() {
            match (&self.stream).write(&self.out) {
                Ok(wrote) => drop(self.out.drain(..wrote)),
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(format!("write: {error}")),
            }
        }
        let interest = Interest::of(true, !self.out.is_empty());
        if interest != self.watched {
            self.watched = interest;
            poll.change(&self.stream, token, interest).map_err(failed("epoll"))?;
        }
        Ok(())
    }
}
