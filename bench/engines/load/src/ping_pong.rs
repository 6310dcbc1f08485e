//! `ping-pong`: on each connection one echo after the other; others may stand idle beside them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::args::{Args, Target};
use crate::connecting::{Opening, Until, open};
use crate::histogram::Histogram;
use crate::phases::{Line, told_to_go};
use crate::preface::Preface;
use crate::sys::{self, Interest, Poll};

pub const KNOWN: &[&str] = &["target", "sni", "routes", "connections", "idle", "size", "ms"];
const OPENED_AT_ONCE: usize = 64;

struct Busy {
    stream: TcpStream,
    sent: Instant,
    got: usize,
}

/// Says `ready` when all connections are open, waits for a line, loads, and says what it saw.
pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let (busy, idle) = (args.number("connections", 64_usize)?, args.number("idle", 0_usize)?);
    let size = args.number("size", 64_usize)?;
    let window = Duration::from_millis(args.number("ms", 1_000_u64)?);
    let payload: Vec<u8> = (0..size).map(|i| (i * 31 + 7) as u8).collect();
    let kept = open_idle(&target, &payload, idle)?;
    let mut poll = Poll::new().map_err(|error| format!("epoll: {error}"))?;
    let mut connections = Vec::with_capacity(busy);
    let opening = Opening::new(&target, Preface::echo(), payload.clone());
    let mut opened = Histogram::new();
    open(&target, &opening, OPENED_AT_ONCE, &Until::Count(busy), &mut opened, |stream| {
        connections.push(Busy { stream, sent: Instant::now(), got: 0 });
    })?;
    for (token, each) in connections.iter().enumerate() {
        poll.add(&each.stream, token, Interest::READ).map_err(|error| format!("epoll: {error}"))?;
    }
    Line::new("ready").number("connections", (busy + idle) as u64).say()?;
    if !told_to_go() {
        return Ok(());
    }
    let mut took = Histogram::new();
    let begun = Instant::now();
    load(&mut poll, &mut connections, &payload, begun + window, &mut took)?;
    let wall = begun.elapsed();
    Line::new("done")
        .number("count", took.count())
        .micros("wallUs", wall.as_nanos() as u64)
        .micros("p50Us", took.quantile(0.5))
        .micros("p99Us", took.quantile(0.99))
        .micros("p999Us", took.quantile(0.999))
        .micros("maxUs", took.max())
        .say()?;
    told_to_go();
    drop(kept);
    Ok(())
}

fn open_idle(target: &Target, payload: &[u8], count: usize) -> Result<Vec<TcpStream>, String> {
    let mut kept = Vec::with_capacity(count);
    let opening = Opening::new(target, Preface::echo(), payload.to_vec());
    open(target, &opening, OPENED_AT_ONCE, &Until::Count(count), &mut Histogram::new(), |stream| kept.push(stream))?;
    Ok(kept)
}

fn load(poll: &mut Poll, connections: &mut [Busy], payload: &[u8], end: Instant, took: &mut Histogram) -> Result<(), String> {
    let mut buffer = vec![0; 65_536];
    for each in &mut *connections {
        each.ask(payload)?;
    }
    let mut running = connections.len();
    while running > 0 {
        let mut idle = true;
        for (token, _, _) in poll.wait(10_000).map_err(|error| format!("epoll: {error}"))? {
            idle = false;
            let Some(each) = connections.get_mut(token) else { continue };
            if !each.answered(payload, &mut buffer)? {
                continue;
            }
            let now = Instant::now();
            took.add((now - each.sent).as_nanos() as u64);
            if now < end {
                each.ask(payload)?;
            } else {
                running -= 1;
            }
        }
        if idle {
            return Err(format!("{running} connections got no echo for 10 s"));
        }
    }
    Ok(())
}

impl Busy {
    fn ask(&mut self, payload: &[u8]) -> Result<(), String> {
        self.got = 0;
        self.sent = Instant::now();
        match (&self.stream).write(payload) {
            Ok(all) if all == payload.len() => Ok(()),
            Ok(_) => Err("a payload did not go out in one piece: --size is too large".to_owned()),
            Err(error) => Err(format!("write: {error}")),
        }
    }

    fn answered(&mut self, payload: &[u8], buffer: &mut [u8]) -> Result<bool, String> {
        match (&self.stream).read(buffer) {
            Ok(0) => Err("a connection ended".to_owned()),
            Ok(read) if payload.get(self.got..self.got + read) != buffer.get(..read) => Err("an echo is not what was sent".to_owned()),
            Ok(read) => {
                self.got += read;
                Ok(self.got == payload.len())
            }
            Err(error) if sys::would_block(&error) => Ok(false),
            Err(error) => Err(format!("read: {error}")),
        }
    }
}
