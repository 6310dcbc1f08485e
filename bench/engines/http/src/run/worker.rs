use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use isthmus_engine::net::{self, Epoll, Errno, Event, Events};

use super::base::{Base, Over};
use super::conn::{Conn, LINGER, Peer, Role};
use super::pool::Pool;
use super::slab::{Slab, Token};
use crate::limits;
use crate::message::Head;
use crate::random::Random;
use crate::routes::Tables;

const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;
const ACCEPTED_AT_ONCE: usize = 64;
const EVENTS: usize = 512;

/// What is done when no connection is in anybody's hands.
pub enum Later {
    /// The exchange has broken off at its other end.
    Abort(Peer),
    /// It may be read from again.
    Resume(Peer),
    /// There may be something that was held back.
    Continue(Token),
    Close(Token),
}

/// One thread's loop with everything that it has.
pub struct Worker {
    pub(super) tables: Arc<Tables>,
    pub(super) conns: Slab<Conn>,
    pub(super) pool: Pool,
    /// By cluster, whose turn it is.
    pub(super) turns: Vec<usize>,
    pub(super) random: Random,
    /// Filled for each message.
    pub(super) head: Head,
    pub(super) trailers: Head,
    epoll: Epoll,
    buffer: Vec<u8>,
    dirty: Vec<Token>,
    later: VecDeque<Later>,
}

impl Worker {
    pub fn new(tables: Tables, seed: u64) -> Result<Self, Errno> {
        Ok(Self {
            pool: Pool::new(tables.endpoints()),
            turns: vec![0; tables.clusters.len()],
            tables: Arc::new(tables),
            conns: Slab::new(),
            random: Random::new(seed),
            head: Head::default(),
            trailers: Head::default(),
            epoll: Epoll::new()?,
            buffer: vec![0; limits::READ],
            dirty: Vec::new(),
            later: VecDeque::new(),
        })
    }

    /// Until `stop` is readable.
    pub fn run(&mut self, listener: &OwnedFd, stop: RawFd) -> Result<(), Errno> {
        self.epoll.add_level(listener.as_raw_fd(), LISTENER)?;
        self.epoll.add_level(stop, STOP)?;
        let mut events = Events::with_capacity(EVENTS);
        loop {
            self.epoll.wait(&mut events, -1);
            for at in 0..events.len() {
                let event = events.get(at);
                match event.token {
                    STOP => return Ok(()),
                    LISTENER => self.accept(listener.as_raw_fd()),
                    _ => self.on_event(event),
                }
                self.settle();
            }
            self.flush_all();
        }
    }

    fn accept(&mut self, listener: RawFd) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Ok((fd, source)) = net::accept(listener) else { return };
            let source = source.ip();
            if self.tables.allow.as_ref().is_none_or(|allow| allow.allow(source)) {
                self.add(fd, true, |_, _| Role::New(source));
            }
        }
    }

    /// None: epoll has no room for it.
    pub(super) fn add(&mut self, fd: OwnedFd, connected: bool, role: impl FnOnce(&mut Base, &mut Worker) -> Role) -> Option<Token> {
        let token = self.conns.reserve();
        if self.epoll.add_stream(fd.as_raw_fd(), token.raw(), !connected).is_err() {
            self.conns.remove(token);
            return None;
        }
        let mut base = Base::new(fd, token, connected);
        // The first edge says whether there is something to read.
        base.readable = false;
        let role = role(&mut base, self);
        self.conns.put(token, Box::new(Conn { base, role }));
        Some(token)
    }

    fn on_event(&mut self, event: Event) {
        let gone = event.gone();
        self.handle(Token::from_raw(event.token), |conn, worker| {
            let base = &mut conn.base;
            base.ended |= event.ending();
            base.readable |= event.readable();
            base.writable |= event.writable();
            // Nobody is there to take the answer.
            if gone && matches!(&conn.role, Role::Down1(down) if down.waits()) {
                return Err(Over);
            }
            if conn.base.queued() > 0 {
                worker.flush(conn)?;
            }
            worker.read_on(conn)
        });
    }

    /// Does something with a connection, which ends if that says so.
    fn handle(&mut self, token: Token, action: impl FnOnce(&mut Conn, &mut Worker) -> Result<(), Over>) {
        let Some(mut conn) = self.conns.take(token) else { return };
        match action(&mut conn, self) {
            Ok(()) => self.conns.put(token, conn),
            Err(Over) => {
                conn.gone(self);
                self.conns.remove(token);
            }
        }
    }

    /// None: it has ended.
    pub(super) fn with<R>(&mut self, token: Token, action: impl FnOnce(&mut Conn, &mut Worker) -> R) -> Option<R> {
        let mut conn = self.conns.take(token)?;
        let result = action(&mut conn, self);
        self.conns.put(token, conn);
        Some(result)
    }

    pub(super) fn later(&mut self, later: Later) {
        self.later.push_back(later);
    }

    /// Something is to be written when this round is over.
    pub(super) fn wrote(&mut self, base: &mut Base) {
        if !base.dirty {
            base.dirty = true;
            self.dirty.push(base.token);
        }
    }

    fn settle(&mut self) {
        while let Some(later) = self.later.pop_front() {
            match later {
                Later::Close(token) => self.handle(token, |_, _| Err(Over)),
                Later::Abort(to) => self.handle(to.token, |conn, worker| conn.abort(to.stream, worker)),
                Later::Resume(peer) => self.handle(peer.token, |conn, worker| {
                    conn.resume(peer.stream, worker);
                    worker.read_on(conn)
                }),
                Later::Continue(token) => self.handle(token, |conn, worker| {
                    let held = std::mem::take(&mut conn.base.held);
                    let taken = conn.input(&held, worker)?;
                    conn.base.held.extend_from_slice(&held[taken..]);
                    worker.read_on(conn)
                }),
            }
        }
    }

    fn flush_all(&mut self) {
        while let Some(token) = self.dirty.pop() {
            self.handle(token, |conn, worker| worker.flush(conn));
            self.settle();
        }
    }

    fn flush(&mut self, conn: &mut Conn) -> Result<(), Over> {
        conn.base.dirty = false;
        conn.base.flush()?;
        if !conn.base.writable && !conn.base.room {
            conn.base.room = true;
            self.epoll.add_room(conn.base.fd.as_raw_fd(), conn.base.token.raw()).map_err(|_| Over)?;
        }
        if conn.base.is_low() {
            conn.on_drained(self);
        }
        if conn.base.closing && conn.base.queued() == 0 {
            conn.gone(self);
            conn.role = Role::Lingering(LINGER);
            conn.base.closing = false;
            conn.base.paused = false;
            // An end that was read already is there to be read again.
            conn.base.readable |= conn.base.ended;
            net::shutdown_write(conn.base.fd.as_raw_fd()).map_err(|_| Over)?;
            conn.base.held.clear();
            return self.read_on(conn);
        }
        Ok(())
    }

    /// Reads and hands on while there is something and somebody who takes it.
    fn read_on(&mut self, conn: &mut Conn) -> Result<(), Over> {
        while conn.base.readable && !conn.base.paused {
            let mut buffer = std::mem::take(&mut self.buffer);
            let outcome = self.read_once(conn, &mut buffer);
            self.buffer = buffer;
            outcome?;
        }
        Ok(())
    }

    fn read_once(&mut self, conn: &mut Conn, buffer: &mut [u8]) -> Result<(), Over> {
        let base = &mut conn.base;
        let held = base.held.len();
        if held >= buffer.len() {
            return Err(Over);
        }
        let (before, room) = buffer.split_at_mut(held);
        let read = match net::read(base.fd.as_raw_fd(), room) {
            Ok(0) => {
                base.readable = false;
                return conn.on_end(self);
            }
            Ok(read) => read,
            Err(error) if error.would_block() => {
                base.readable = false;
                return Ok(());
            }
            Err(error) if error.interrupted() => return Ok(()),
            Err(_) => return Err(Over),
        };
        // A short read has emptied the socket; more will be an edge. An end that was announced is still to be read.
        base.readable = read == room.len() || base.ended;
        before.copy_from_slice(&base.held);
        base.held.clear();
        let all = held + read;
        let taken = conn.input(&buffer[..all], self)?;
        conn.base.held.extend_from_slice(&buffer[taken..all]);
        Ok(())
    }
}
