//! `http1`: on each connection one request after the other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::{AGENT, Counted, HOST, PATH, READ, failed, window};
use crate::args::Args;
use crate::pattern::Pattern;
use crate::phases::{Line, told_to_go};
use crate::sys::{Interest, Poll, discard, would_block};

pub const KNOWN: &[&str] = &["target", "connections", "size", "ms"];
/// The longest head of an answer.
const HEAD: usize = 8_192;
/// One read in so many is copied and compared.
const CHECKED: u64 = 8;

struct Caller {
    stream: TcpStream,
    sent: Instant,
    head: Vec<u8>,
    /// Of the body; None before its head.
    got: Option<usize>,
    reads: u64,
}

pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let count = args.number("connections", 64_usize)?;
    let size = args.number("size", 64_usize)?;
    let window = window(args)?;
    let request = format!("GET {PATH} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: {AGENT}\r\naccept: */*\r\n\r\n").into_bytes();
    let mut poll = Poll::new().map_err(failed("epoll"))?;
    let mut callers = Vec::with_capacity(count);
    for token in 0..count {
        let stream = TcpStream::connect(target.address).map_err(failed("connect"))?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(failed("connect"))?;
        poll.add(&stream, token, Interest::READ).map_err(failed("epoll"))?;
        callers.push(Caller { stream, sent: Instant::now(), head: Vec::new(), got: None, reads: 0 });
    }
    let mut load = Load { size, request, pattern: Pattern::new(), buffer: vec![0; READ] };
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

struct Load {
    size: usize,
    request: Vec<u8>,
    pattern: Pattern,
    buffer: Vec<u8>,
}

impl Load {
    /// At least one request on each connection; no more begin after `end`.
    fn run(&mut self, poll: &mut Poll, callers: &mut [Caller], end: Instant, counted: &mut Counted) -> Result<(), String> {
        for each in &mut *callers {
            self.ask(each)?;
        }
        let mut running = callers.len();
        while running > 0 {
            let mut silent = true;
            for (token, _, _) in poll.wait(10_000).map_err(failed("epoll"))? {
                silent = false;
                let Some(each) = callers.get_mut(token) else { continue };
                if !self.answered(each)? {
                    continue;
                }
                let now = Instant::now();
                counted.took.add((now - each.sent).as_nanos() as u64);
                counted.bytes += self.size as u64;
                if now < end {
                    self.ask(each)?;
                } else {
                    running -= 1;
                }
            }
            if silent {
                return Err(format!("{running} connections got no answer for 10 s"));
            }
        }
        Ok(())
    }

    fn ask(&self, caller: &mut Caller) -> Result<(), String> {
        (caller.sent, caller.got) = (Instant::now(), None);
        caller.head.clear();
        match (&caller.stream).write(&self.request) {
            Ok(all) if all == self.request.len() => Ok(()),
            Ok(_) => Err("a request did not go out in one piece".to_owned()),
            Err(error) => Err(format!("write: {error}")),
        }
    }

    /// Whether the answer is whole.
    fn answered(&mut self, caller: &mut Caller) -> Result<bool, String> {
        caller.reads += 1;
        let wanted = caller.got.map_or(self.buffer.len(), |got| (self.size - got).min(self.buffer.len()));
        let unchecked = caller.got.is_some() && !caller.reads.is_multiple_of(CHECKED);
        let read = if unchecked { discard(&caller.stream, wanted) } else { (&caller.stream).read(&mut self.buffer[..wanted]) };
        let read = match read {
            Ok(0) => return Err("a connection ended".to_owned()),
            Err(error) if would_block(&error) => return Ok(false),
            other => other.map_err(failed("read"))?,
        };
        let Some(got) = &mut caller.got else {
            caller.head.extend_from_slice(&self.buffer[..read]);
            let Some(end) = caller.head.windows(4).position(|each| each == b"\r\n\r\n") else {
                return if caller.head.len() > HEAD { Err("an answer's head has no end".to_owned()) } else { Ok(false) };
            };
            check_head(&caller.head[..end + 4], self.size)?;
            let body = &caller.head[end + 4..];
            if body.len() > self.size || !self.pattern.holds(0, body) {
                return Err("a body is not what the origin sends".to_owned());
            }
            caller.got = Some(body.len());
            return Ok(body.len() == self.size);
        };
        if !unchecked && !self.pattern.holds(*got as u64, &self.buffer[..read]) {
            return Err("a body is not what the origin sends".to_owned());
        }
        *got += read;
        Ok(*got == self.size)
    }
}

fn check_head(head: &[u8], size: usize) -> Result<(), String> {
    let lower = head.to_ascii_lowercase();
    let length = format!("\r\ncontent-length: {size}\r\n");
    let fits = lower.starts_with(b"http/1.1 200 ") && lower.windows(length.len()).any(|each| each == length.as_bytes());
    if fits { Ok(()) } else { Err(format!("not the origin's answer: {}", String::from_utf8_lossy(head))) }
}
