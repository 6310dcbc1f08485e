use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use super::connection::{Connection, NEVER};
use super::deliver;
use super::obey::Command;
use super::serve::{self, Next};
use super::slab::{Slab, Token};
use super::thread::{Thread, ThreadListener, spare_descriptor};
use super::waiting::Waiting;
use crate::net::{self, Errno, Event as Ready, Events};

const WAKE: u64 = u64::MAX;
/// Set in tokens of listeners; of connections it never is.
pub(super) const LISTENER: u64 = 1 << 63;
const MOST_EVENTS: usize = 512;

/// The loop of one thread. Returns once it has been told to stop; what runs then is broken off.
pub struct Loop {
    pub(super) thread: Thread,
    pub(super) connections: Slab,
    pub(super) listeners: Vec<(u64, ThreadListener)>,
    again: Vec<Token>,
    pub(super) commands: Receiver<Command>,
    pub(super) stopped: bool,
    /// Listeners that nobody could be taken from, and until when they are left alone: there is always something to wake us.
    pub(super) paused: Vec<(u64, u64)>,
    /// Of the tables by which running connections were judged last.
    pub(super) judgement: u64,
    /// What TypeScript has dialled, until it is over.
    pub(super) dials: HashMap<u64, Token>,
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
            stopped: false,
            paused: Vec::new(),
            judgement: 0,
            dials: HashMap::new(),
        })
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(MOST_EVENTS);
        let mut waiting = Waiting::default();
        while !self.stopped {
            let timeout = self.timeout();
            let alone = || self.listeners.iter().all(|(_, listener)| !listener.shared);
            waiting.wait(&self.thread.epoll, &mut events, timeout, self.thread.buffers.moved, alone);
            self.thread.now = self.thread.shared.now();
            self.thread.buffers.set_short(self.thread.shared.admission.short());
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
            self.thread.shared.tell_by(self.thread.now);
        }
    }

    /// ms; -1: until something happens.
    fn timeout(&self) -> i32 {
        if !self.again.is_empty() {
            return 0;
        }
        let untold = self.thread.shared.telling_at().unwrap_or(NEVER);
        let paused = self.paused.iter().map(|(_, until)| *until).min().unwrap_or(NEVER);
        let next = self.thread.timers.next_at().unwrap_or(NEVER).min(untold).min(paused);
        if next == NEVER { -1 } else { next.saturating_sub(self.thread.now).min(60_000) as i32 }
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
    pub(super) fn serve(&mut self, token: Token, work: impl FnOnce(&mut Connection, &mut Thread) -> Next) {
        let Some(mut connection) = self.connections.take(token) else { return };
        let (one, thread) = (&mut connection, &mut self.thread);
        let mut next = catch_unwind(AssertUnwindSafe(|| work(one, thread))).unwrap_or_else(|panic| {
            let detail = format!("the native engine has a defect, which ended this connection alone: {}", words_of(&*panic));
            self.thread.trouble("internal", &detail);
            connection.fail("internal", detail, &[]);
            Next::Reset
        });
        if matches!(next, Next::Keep | Next::Again)
            && let Err(error) = connection.watched(&self.thread.epoll)
        {
            connection.fail("internal", format!("epoll {error}"), &[]);
            self.thread.trouble("internal", error);
            next = Next::Reset;
        }
        connection.look();
        self.settle(token, connection, next);
    }

    fn settle(&mut self, token: Token, mut connection: Box<Connection>, next: Next) {
        let owed = if matches!(next, Next::Keep | Next::Again) { connection.owed() } else { 0 };
        self.thread.buffers.count_owed(std::mem::replace(&mut connection.counted, owed), owed);
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
        if connection.node.as_ref().is_some_and(|node| node.is_dial()) {
            self.dials.remove(&connection.number);
        } else {
            self.thread.ended(&connection);
        }
        deliver::end(&mut connection, &self.thread, broken);
        for side in [connection.down.take(), connection.up.take()].into_iter().flatten() {
            if broken {
                net::reset(side.fd);
            }
        }
        self.thread.reserve = self.thread.reserve.take().or_else(spare_descriptor);
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
                if connection.quiet_at <= thread.now {
                    return super::exposed::quiet(connection, thread);
                }
                if connection.connect_by <= thread.now {
                    return super::give_up::connect_expired(connection, thread);
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

/// What a panic said.
fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked without a word")
}

/// What epoll said of one side.
fn note(connection: &mut Connection, up: bool, event: Ready) {
    let side = if up { connection.up.as_mut() } else { connection.down.as_mut() };
    let Some(side) = side else { return };
    side.readable |= event.readable();
    side.writable |= event.writable();
    side.ending |= event.ending();
    side.gone |= event.gone();
    side.broken |= event.broken();
    side.urgent |= event.urgent();
}
