use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::connection::{Connection, NEVER};
use super::mtls;
use super::reach::give_up_place;
use super::serve::{self, Next};
use super::slab::{Slab, Token};
use super::thread::{Thread, ThreadListener, spare_descriptor};
use crate::net::{self, Errno, Event as Ready, Events};

/// What a thread is told by the others.
pub enum Command {
    /// A socket that listens; the number names it.
    Open(u64, ThreadListener),
    Close(u64),
    /// All that runs is broken off, for this reason.
    Break {
        reason: &'static str,
        detail: &'static str,
        flags: &'static [&'static str],
    },
    /// Connections to this address are given up; with `own`, those alone that were made from another address than these.
    GiveUp(SocketAddr, Option<Arc<HashSet<IpAddr>>>),
    /// Look at the tables, so that those before can go.
    Look,
    Stop,
}

const WAKE: u64 = u64::MAX;
/// Set in tokens of listeners; of connections it never is.
const LISTENER: u64 = 1 << 63;
const MOST_EVENTS: usize = 512;
/// Taken in one turn of the loop, so that those who are served already have theirs.
const MOST_ACCEPTED: usize = 64;
/// A listener is left alone for so long when nobody can be taken from it.
const PAUSE_MS: u64 = 100;
/// Events of connections are told together.
const TELL_EVERY_MS: u64 = 10;

/// The loop of one thread. Returns once it has been told to stop; what runs then is broken off.
pub struct Loop {
    thread: Thread,
    connections: Slab,
    listeners: Vec<(u64, ThreadListener)>,
    again: Vec<Token>,
    commands: Receiver<Command>,
    told_at: u64,
    stopped: bool,
    /// Listeners that nobody could be taken from, and until when they are left alone: there is always something to wake us.
    paused: Vec<(u64, u64)>,
    /// Of the tables by which running connections were judged last.
    judgement: u64,
}

impl Loop {
    pub fn new(thread: Thread, commands: Receiver<Command>) -> Result<Self, Errno> {
        thread.epoll.add_level(thread.wake.fd(), WAKE)?;
        Ok(Self {
            thread,
            connections: Slab::default(),
            listeners: Vec::new(),
            again: Vec::new(),
            commands,
            told_at: 0,
            stopped: false,
            paused: Vec::new(),
            judgement: 0,
        })
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(MOST_EVENTS);
        while !self.stopped {
            let timeout = self.timeout();
            self.thread.epoll.wait(&mut events, timeout);
            self.thread.now = self.thread.shared.now();
            for at in 0..events.len() {
                self.handle(events.get(at));
            }
            for token in std::mem::take(&mut self.again) {
                self.serve(token, |connection, thread| {
                    connection.queued = false;
                    serve::go_on(connection, thread)
                });
            }
            self.expire();
            self.sweep_timers();
            self.listen_again();
            self.tell();
        }
    }

    /// ms; -1: until something happens.
    fn timeout(&self) -> i32 {
        if !self.again.is_empty() {
            return 0;
        }
        let untold = if self.thread.shared.has_news() { self.told_at + TELL_EVERY_MS } else { NEVER };
        let paused = self.paused.iter().map(|(_, until)| *until).min().unwrap_or(NEVER);
        let next = self.thread.timers.next_at().unwrap_or(NEVER).min(untold).min(paused);
        if next == NEVER { -1 } else { next.saturating_sub(self.thread.now).min(60_000) as i32 }
    }

    fn tell(&mut self) {
        if self.thread.now >= self.told_at + TELL_EVERY_MS && self.thread.shared.has_news() {
            self.told_at = self.thread.now;
            self.thread.shared.events.tell();
        }
    }

    fn handle(&mut self, event: Ready) {
        match event.token {
            WAKE => self.obey(),
            token if token & LISTENER != 0 => self.accept(token & !LISTENER),
            token => {
                let up = token & 1 == 1;
                self.serve(Token::from_raw(token), |connection, thread| {
                    note(connection, up, event);
                    serve::go_on(connection, thread)
                });
            }
        }
    }

    /// A defect that panics costs its connection, not the thread and all others.
    fn serve(&mut self, token: Token, work: impl FnOnce(&mut Connection, &mut Thread) -> Next) {
        let Some(mut connection) = self.connections.take(token) else { return };
        let (one, thread) = (&mut connection, &mut self.thread);
        let next = catch_unwind(AssertUnwindSafe(|| work(one, thread))).unwrap_or_else(|_| {
            connection.fail("internal", "the native engine has a defect: it panicked", &[]);
            self.thread.trouble("internal", Errno(libc::EFAULT));
            Next::Reset
        });
        connection.look();
        self.settle(token, connection, next);
    }

    fn settle(&mut self, token: Token, mut connection: Box<Connection>, next: Next) {
        match next {
            Next::Keep | Next::Again => {
                let due = connection.next_due();
                if due < connection.timer {
                    connection.timer = due;
                    self.thread.timers.push(due, token);
                }
                if next == Next::Again && !connection.queued {
                    connection.queued = true;
                    self.again.push(token);
                }
                self.connections.put(token, connection);
            }
            Next::Close | Next::Reset => {
                self.connections.remove(token);
                self.end(connection, next == Next::Reset);
            }
            Next::Gone => self.connections.remove(token),
        }
    }

    fn end(&mut self, mut connection: Box<Connection>, broken: bool) {
        for way in [&mut connection.way_up, &mut connection.way_down] {
            super::relay::give_back(way, &mut self.thread.pipes);
        }
        // Before anybody hears of the end: whoever then counts does not count it.
        connection.place = None;
        self.thread.ended(&connection);
        for side in [connection.down.take(), connection.up.take()].into_iter().flatten() {
            if broken {
                net::reset(side.fd);
            }
        }
    }

    fn expire(&mut self) {
        while let Some((at, token)) = self.thread.timers.pop(self.thread.now) {
            self.serve(token, |connection, thread| {
                // Another entry, that came before this one, stands for it.
                if connection.timer != at {
                    return Next::Keep;
                }
                connection.timer = NEVER;
                if connection.keep_alive_at <= thread.now {
                    connection.keep_alive_at = NEVER;
                    keep_alive(connection, thread);
                }
                if connection.due <= thread.now {
                    connection.fail(connection.due_reason, "ran out of time", &[]);
                    return Next::Reset;
                }
                if connection.connect_by <= thread.now {
                    return super::reach::connect_expired(connection, thread);
                }
                Next::Keep
            });
        }
    }

    /// Entries of connections that have ended come out in time; where they are most of all, at once.
    fn sweep_timers(&mut self) {
        let connections = &self.connections;
        self.thread.timers.keep_if_many(connections.open(), |token, at| connections.peek(token).is_some_and(|each| each.timer == at));
    }

    fn accept(&mut self, number: u64) {
        for _ in 0..MOST_ACCEPTED {
            let Some((_, listener)) = self.listeners.iter().find(|(each, _)| *each == number) else {
                return;
            };
            let (fd, source) = match net::accept(listener.fd.as_raw_fd()) {
                Ok(accepted) => accepted,
                Err(error) if error.would_block() => return,
                Err(error) if error.exhausted() => return self.shed(number, error),
                // The caller gave up while it waited.
                Err(_) => continue,
            };
            let spec = listener.spec.clone();
            let shared = self.thread.shared.clone();
            shared.accepted.fetch_add(1, Ordering::Relaxed);
            let now = self.thread.now;
            let made = self.connections.insert(|token| Connection::new(token, shared.number(), spec, source, fd, now));
            let Some(token) = made else { continue };
            self.serve(token, |connection, thread| {
                match shared.admission.admit(source.ip()) {
                    Ok(place) => connection.place = Some(place),
                    Err(reason) => {
                        connection.fail(reason, "refused at accept", &["UO"]);
                        return Next::Reset;
                    }
                }
                let raw = connection.down.as_ref().map_or(-1, |down| down.fd_raw());
                if let Err(error) = thread.epoll.add_stream(raw, token.raw()) {
                    connection.fail("internal", error.to_string(), &[]);
                    return Next::Reset;
                }
                serve::begin(connection, thread)
            });
        }
    }

    /// No descriptor is left: callers are taken and refused with the one that was kept for that. Where that cannot be had back, the listener is left
    /// alone for a moment, or it would wake us for ever.
    fn shed(&mut self, number: u64, error: Errno) {
        self.thread.trouble("descriptors-exhausted", error);
        let Some((_, listener)) = self.listeners.iter().find(|(each, _)| *each == number) else { return };
        let fd = listener.fd.as_raw_fd();
        for _ in 0..MOST_ACCEPTED {
            if self.thread.reserve.take().is_none() {
                break;
            }
            let taken = net::accept(fd);
            let nobody = matches!(taken, Err(error) if error.would_block());
            if let Ok((socket, _)) = taken {
                net::reset(socket);
                self.thread.shared.accepted.fetch_add(1, Ordering::Relaxed);
                self.thread.shared.count_end("descriptors-exhausted");
            }
            self.thread.reserve = spare_descriptor();
            if nobody {
                return;
            }
        }
        self.thread.epoll.remove(fd);
        self.paused.push((number, self.thread.now + PAUSE_MS));
    }

    fn listen_again(&mut self) {
        let now = self.thread.now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.paused).into_iter().partition(|(_, until)| *until <= now);
        self.paused = later;
        for (number, _) in due {
            self.thread.reserve = self.thread.reserve.take().or_else(spare_descriptor);
            let Some((_, listener)) = self.listeners.iter().find(|(each, _)| *each == number) else { continue };
            if self.thread.epoll.add_level(listener.fd.as_raw_fd(), LISTENER | number).is_err() {
                self.paused.push((number, now + PAUSE_MS));
            }
        }
    }

    fn obey(&mut self) {
        self.thread.wake.clear();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open(number, listener) => {
                    let raw = listener.fd.as_raw_fd();
                    match self.thread.epoll.add_level(raw, LISTENER | number) {
                        Ok(()) => self.listeners.push((number, listener)),
                        Err(error) => self.thread.trouble("listener-not-served", error),
                    }
                }
                Command::Close(number) => self.listeners.retain(|(each, _)| *each != number),
                Command::Break { reason, detail, flags } => self.break_all(reason, detail, flags),
                Command::GiveUp(address, own) => self.give_up(address, own.as_deref()),
                Command::Look => {
                    let judgement = self.thread.tables().judgement;
                    if judgement != self.judgement {
                        self.judgement = judgement;
                        self.judge_again();
                    }
                }
                Command::Stop => {
                    self.listeners.clear();
                    self.break_all("disposed", "the engine was disposed", &[]);
                    self.stopped = true;
                }
            }
        }
    }

    fn give_up(&mut self, address: SocketAddr, own: Option<&HashSet<IpAddr>>) {
        for token in self.connections.tokens() {
            self.serve(token, |connection, thread| {
                let endpoint = connection.led.as_ref().and_then(|led| led.endpoint.as_ref());
                let there = endpoint.is_some_and(|endpoint| endpoint.address == Ok(address));
                let from = connection.up.as_ref().and_then(|up| net::local_address(up.fd_raw()));
                let stranded = own.is_none_or(|own| from.is_some_and(|from| !from.ip().is_loopback() && !own.contains(&from.ip())));
                if there && stranded && connection.up.is_some() { give_up_place(connection, thread) } else { Next::Keep }
            });
        }
    }

    fn judge_again(&mut self) {
        for token in self.connections.tokens() {
            self.serve(token, mtls::judge_again);
        }
    }

    fn break_all(&mut self, reason: &'static str, detail: &'static str, flags: &'static [&'static str]) {
        for token in self.connections.tokens() {
            self.serve(token, |connection, _| {
                connection.fail(reason, detail, flags);
                Next::Reset
            });
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.thread.shared.events.tell();
    }
}

fn keep_alive(connection: &Connection, thread: &Thread) {
    let (Some(up), Some(led)) = (&connection.up, &connection.led) else { return };
    net::set_keep_alive(up.fd_raw(), led.cluster.keep_alive.unwrap_or(thread.shared.keep_alive));
}

/// What epoll said of one side.
fn note(connection: &mut Connection, up: bool, event: Ready) {
    let side = if up { connection.up.as_mut() } else { connection.down.as_mut() };
    let Some(side) = side else { return };
    side.readable |= event.readable();
    side.writable |= event.writable();
    side.ending |= event.ending();
    side.gone |= event.gone();
    side.urgent |= event.urgent();
}
