//! New connections, some at a time: connect, say what it is for, one echo.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::args::Target;
use crate::hello::client_hello;
use crate::histogram::Histogram;
use crate::preface::Preface;
use crate::sys::{self, Interest, Poll};

const STALL: Duration = Duration::from_secs(10);

/// The bytes that begin a connection: the ClientHello of its route, the preface, and a payload to echo.
pub struct Opening {
    fronts: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

impl Opening {
    /// A ClientHello is kept for each route: some 300 bytes.
    pub fn new(target: &Target, preface: Preface, payload: Vec<u8>) -> Self {
        let front = |name: Option<String>| name.map_or(vec![], |name| client_hello(&name)).into_iter().chain(preface.encode()).collect();
        let fronts = match &target.sni {
            None => vec![front(None)],
            Some(sni) => (0..target.routes).map(|route| front(Some(sni.replace("{}", &route.to_string())))).collect(),
        };
        Self { fronts, payload }
    }

    /// Of the nth connection: the routes in turn, by a stride so that neighbours are far apart.
    pub fn of(&self, n: usize) -> Vec<u8> {
        let index = n.wrapping_mul(7_919) % self.fronts.len();
        self.fronts.get(index).into_iter().flatten().chain(&self.payload).copied().collect()
    }
}

/// When to stop making them.
pub enum Until {
    Count(usize),
    Time(Instant),
}

struct Pending {
    stream: TcpStream,
    begun: Instant,
    sent: bool,
    got: usize,
}

/// Makes connections, `at_once` at a time, and hands each over when its echo is back and right. Rejects at the first that goes wrong or stalls.
pub fn open(
    target: &Target,
    opening: &Opening,
    at_once: usize,
    until: &Until,
    took: &mut Histogram,
    mut done: impl FnMut(TcpStream),
) -> Result<(), String> {
    let mut making = Making::new(target, opening, until)?;
    for slot in 0..at_once {
        making.pending.push(None);
        making.begin(slot)?;
    }
    let mut last = Instant::now();
    while making.open > 0 {
        for (slot, _, _) in making.poll.wait(100).map_err(epoll_failed)? {
            last = Instant::now();
            let Some(whole) = making.step(slot)? else { continue };
            took.add(whole.begun.elapsed().as_nanos() as u64);
            done(whole.stream);
            making.begin(slot)?;
        }
        if last.elapsed() > STALL {
            return Err(format!("{} connections got no echo for {} s", making.open, STALL.as_secs()));
        }
    }
    Ok(())
}

struct Making<'a> {
    target: &'a Target,
    opening: &'a Opening,
    until: &'a Until,
    poll: Poll,
    pending: Vec<Option<Pending>>,
    begun: usize,
    sent: usize,
    open: usize,
    buffer: Vec<u8>,
}

impl<'a> Making<'a> {
    fn new(target: &'a Target, opening: &'a Opening, until: &'a Until) -> Result<Self, String> {
        let poll = Poll::new().map_err(epoll_failed)?;
        Ok(Self { target, opening, until, poll, pending: Vec::new(), begun: 0, sent: 0, open: 0, buffer: vec![0; 65_536] })
    }

    /// One more in that slot, if there is to be one.
    fn begin(&mut self, slot: usize) -> Result<(), String> {
        let more = match self.until {
            Until::Count(count) => self.begun < *count,
            Until::Time(end) => Instant::now() < *end,
        };
        if !more {
            return Ok(());
        }
        let stream = sys::connect(self.target.address).map_err(|error| format!("connect: {error}"))?;
        self.poll.add(&stream, slot, Interest::WRITE).map_err(epoll_failed)?;
        self.pending[slot] = Some(Pending { stream, begun: Instant::now(), sent: false, got: 0 });
        self.begun += 1;
        self.open += 1;
        Ok(())
    }

    /// The connection, when it has its echo.
    fn step(&mut self, slot: usize) -> Result<Option<Pending>, String> {
        let Some(Some(each)) = self.pending.get_mut(slot) else {
            return Ok(None);
        };
        if !each.sent {
            each.send(&self.opening.of(self.sent))?;
            self.sent += 1;
            self.poll.change(&each.stream, slot, Interest::READ).map_err(epoll_failed)?;
            return Ok(None);
        }
        if !each.receive(&self.opening.payload, &mut self.buffer)? {
            return Ok(None);
        }
        self.open -= 1;
        Ok(self.pending[slot].take())
    }
}

fn epoll_failed(error: std::io::Error) -> String {
    format!("epoll: {error}")
}

impl Pending {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let Ok(Some(error)) = self.stream.take_error() {
            return Err(format!("connect: {error}"));
        }
        match (&self.stream).write(bytes) {
            Ok(all) if all == bytes.len() => {
                self.sent = true;
                Ok(())
            }
            Ok(some) => Err(format!("only {some} of {} bytes went out: --size is too large", bytes.len())),
            Err(error) => Err(format!("write: {error}")),
        }
    }

    /// Whether the echo is whole.
    fn receive(&mut self, payload: &[u8], buffer: &mut [u8]) -> Result<bool, String> {
        match (&self.stream).read(buffer) {
            Ok(0) => Err("a connection ended before its echo".to_owned()),
            Ok(read) => {
                if payload.get(self.got..self.got + read) != buffer.get(..read) {
                    return Err("an echo is not what was sent".to_owned());
                }
                self.got += read;
                Ok(self.got == payload.len())
            }
            Err(error) if sys::would_block(&error) => Ok(false),
            Err(error) => Err(format!("a connection broke before its echo: {error}")),
        }
    }
}
