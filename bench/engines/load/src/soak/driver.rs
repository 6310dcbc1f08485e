//! The loop that moves both ends of all connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{Read, Result};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::book::Book;
use super::end::{End, Step, Verdict};
use super::plan::Side;
use crate::args::Target;
use crate::hello::{GREETING, client_hello};
use crate::preface::{Front, Preface, Role, read_front};
use crate::sys::{self, Interest, Poll, would_block};

const LISTENER: usize = usize::MAX;
/// No end may stand still for longer: longer than any pause that is planned.
const STALL: Duration = Duration::from_secs(20);

enum Place {
    Free,
    /// Accepted by the origin; has not said which connection it is.
    Unnamed(TcpStream, Vec<u8>),
    Named(Box<End>, u64, Side),
}

struct Slot {
    place: Place,
    watched: Interest,
    moved: Instant,
    /// Counts the tenants: a timer of an earlier one is of no meaning.
    tenant: u64,
}

pub struct Driver {
    target: Target,
    listener: TcpListener,
    poll: Poll,
    book: Book,
    slots: Vec<Slot>,
    free: Vec<usize>,
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    next: u64,
    connections: u64,
    clients: usize,
    open: usize,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Driver {
    pub fn new(target: Target, origin: SocketAddrV4, book: Book, connections: u64) -> Result<Self> {
        let (listener, poll) = (sys::listen(origin)?, Poll::new()?);
        poll.add(&listener, LISTENER, Interest::READ)?;
        Ok(Self {
            target,
            listener,
            poll,
            book,
            slots: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            next: 0,
            connections,
            clients: 0,
            open: 0,
            bytes: 0,
            buffer: vec![0; 262_144],
        })
    }

    /// All connections, so many at a time; what became of them, and the bytes that were checked.
    pub fn run(mut self, concurrency: usize) -> Result<(Book, u64)> {
        let mut swept = Instant::now();
        while self.next < self.connections || self.open > 0 {
            while self.clients < concurrency && self.next < self.connections {
                self.connect()?;
            }
            for (token, readable, writable) in self.poll.wait(self.patience())? {
                if token == LISTENER { self.accept()? } else { self.step(token, readable, writable)? }
            }
            let now = Instant::now();
            while let Some(Reverse((at, token, tenant))) = self.timers.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
                debug_assert!(at <= now);
                self.timers.pop();
                if self.slots[token].tenant == tenant {
                    self.step(token, true, true)?;
                }
            }
            if now - swept > Duration::from_secs(1) {
                swept = now;
                self.sweep(now);
            }
        }
        Ok((self.book, self.bytes))
    }

    /// ms until the next timer, and a second at most.
    fn patience(&self) -> i32 {
        let next = self.timers.peek().map_or(1_000, |Reverse((at, ..))| at.saturating_duration_since(Instant::now()).as_millis() + 1);
        next.min(1_000) as i32
    }

    fn connect(&mut self) -> Result<()> {
        let (index, seed) = (self.next, self.book.seed_of(self.next));
        self.next += 1;
        let stream = sys::connect(self.target.address)?;
        let hello = self.target.sni.as_ref().map(|sni| client_hello(&sni.replace("{}", &(index % self.target.routes as u64).to_string())));
        let greeted = hello.is_some();
        let front = hello.into_iter().flatten().chain(Preface { role: Role::Soak, index, seed }.encode()).collect();
        let end = End::new(stream, Side::Client, seed, &self.book.plan_of(index), front, greeted);
        self.clients += 1;
        self.settle(|end| Place::Named(end, index, Side::Client), end)
    }

    fn settle(&mut self, place: impl FnOnce(Box<End>) -> Place, end: End) -> Result<()> {
        let slot = self.take_slot();
        self.poll.add(&end.stream, slot, Interest::WRITE)?;
        self.slots[slot].watched = Interest::WRITE;
        self.slots[slot].place = place(Box::new(end));
        Ok(())
    }

    fn take_slot(&mut self) -> usize {
        self.open += 1;
        let now = Instant::now();
        if let Some(slot) = self.free.pop() {
            self.slots[slot].moved = now;
            return slot;
        }
        self.slots.push(Slot { place: Place::Free, watched: Interest::READ, moved: now, tenant: 0 });
        self.slots.len() - 1
    }

    fn accept(&mut self) -> Result<()> {
        for _ in 0..64 {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let slot = self.take_slot();
            self.poll.add(&stream, slot, Interest::READ)?;
            self.slots[slot].watched = Interest::READ;
            self.slots[slot].place = Place::Unnamed(stream, Vec::new());
        }
        Ok(())
    }

    fn step(&mut self, token: usize, readable: bool, writable: bool) -> Result<()> {
        let now = Instant::now();
        if matches!(self.slots[token].place, Place::Unnamed(..)) && !self.name(token) {
            return Ok(());
        }
        let slot = &mut self.slots[token];
        let Place::Named(end, ..) = &mut slot.place else { return Ok(()) };
        let before = end.moved();
        let step = end.step(now, readable, writable, &mut self.buffer);
        let after = end.moved();
        if after != before {
            slot.moved = now;
        }
        self.bytes += after.1 - before.1;
        match step {
            Step::Reset => self.finish(token, Verdict::Reset),
            Step::Done(verdict) => self.finish(token, verdict),
            Step::Running => {
                let (interest, wake) = end.waits_for(now);
                if interest != slot.watched {
                    slot.watched = interest;
                    self.poll.change(&end.stream, token, interest)?;
                }
                if let Some(at) = wake {
                    self.timers.push(Reverse((at, token, slot.tenant)));
                }
            }
        }
        Ok(())
    }

    /// Reads on until the preface is there. False: nothing more to do now.
    fn name(&mut self, token: usize) -> bool {
        let Place::Unnamed(stream, front) = &mut self.slots[token].place else {
            return false;
        };
        match stream.read(&mut self.buffer) {
            Ok(read) if read > 0 => front.extend_from_slice(&self.buffer[..read]),
            Err(error) if would_block(&error) => return false,
            _ => {
                self.book.unnamed += 1;
                self.vacate(token);
                return false;
            }
        }
        let (preface, taken, hello) = match read_front(front) {
            Front::More => return false,
            Front::Whole(preface, taken, hello) if preface.role == Role::Soak => (preface, taken, hello),
            Front::Whole(..) | Front::Strange => {
                self.book.unnamed += 1;
                self.vacate(token);
                return false;
            }
        };
        let rest = front.split_off(taken);
        let Place::Unnamed(stream, _) = std::mem::replace(&mut self.slots[token].place, Place::Free) else {
            return false;
        };
        let greeting = if hello { GREETING.to_vec() } else { vec![] };
        let plan = self.book.plan_of(preface.index);
        let mut end = End::new(stream, Side::Origin, preface.seed, &plan, greeting, false);
        let begun = end.begin_with(&rest);
        self.bytes += rest.len() as u64;
        self.slots[token].place = Place::Named(Box::new(end), preface.index, Side::Origin);
        if let Err(verdict) = begun {
            self.finish(token, verdict);
            return false;
        }
        true
    }

    fn finish(&mut self, token: usize, verdict: Verdict) {
        if let Place::Named(end, index, side) = std::mem::replace(&mut self.slots[token].place, Place::Free) {
            if verdict != Verdict::Clean {
                sys::reset(end.stream);
            }
            self.clients -= usize::from(side == Side::Client);
            self.book.note(index, side, verdict);
        }
        self.vacate(token);
    }

    fn vacate(&mut self, token: usize) {
        let slot = &mut self.slots[token];
        slot.place = Place::Free;
        slot.tenant += 1;
        self.free.push(token);
        self.open -= 1;
    }

    /// Ends what has stood still for too long.
    fn sweep(&mut self, now: Instant) {
        for token in 0..self.slots.len() {
            let slot = &self.slots[token];
            if now - slot.moved < STALL {
                continue;
            }
            match &slot.place {
                Place::Free => {}
                Place::Unnamed(..) => {
                    self.book.unnamed += 1;
                    self.vacate(token);
                }
                Place::Named(end, ..) => {
                    let why = format!("stood still for {} s; {}", STALL.as_secs(), end.standing());
                    self.finish(token, Verdict::Failed(why));
                }
            }
        }
    }
}
