//! What a thread is told to do by the others.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::admission::MEMORY_SHORT;
use super::dial::{self, Dial};
use super::give_up::give_up_place;
use super::mtls;
use super::run::{LISTENER, Loop};
use super::serve::Next;
use super::slab::Token;
use super::thread::ThreadListener;
use crate::net;

/// Whoever has taken nothing for so long stands still.
const STILL_MS: u64 = 500;
/// Kept for a connection, bytes: with less, its end would help nobody.
const WORTH_BYTES: usize = 8 * 1024;

/// What a thread is told by the others.
pub enum Command {
    /// A socket that listens; the number names it.
    Open(u64, ThreadListener),
    /// Whoever waits at the other end hears of it when nobody is taken from that socket any more.
    Close(u64, Sender<()>),
    /// All that runs is broken off, for this reason.
    Break {
        reason: &'static str,
        detail: &'static str,
        flags: &'static [&'static str],
    },
    Dial(Box<Dial>),
    /// Nobody waits for it any more.
    CancelDial(u64),
    /// Connections to this address are given up; with `own`, those alone that were made from another address than these.
    GiveUp(SocketAddr, Option<Arc<HashSet<IpAddr>>>),
    /// So many bytes are to become free of what is kept for readers that stand still.
    Relieve(usize),
    /// Look at the tables, so that those before can go.
    Look,
    Stop,
}

impl Loop {
    pub(super) fn obey(&mut self) {
        self.thread.wake.clear();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open(number, listener) => {
                    let raw = listener.fd.as_raw_fd();
                    match self.thread.epoll.add_listener(raw, LISTENER | number, listener.shared) {
                        Ok(()) => self.listeners.push((number, listener)),
                        Err(error) => self.thread.trouble("listener-not-served", error),
                    }
                }
                Command::Close(number, closed) => {
                    self.close(number);
                    let _ = closed.send(());
                }
                Command::Break { reason, detail, flags } => self.break_all(reason, detail, flags, false),
                Command::Dial(dial) => self.dial(*dial),
                Command::CancelDial(number) => self.cancel_dial(number),
                Command::GiveUp(address, own) => self.give_up(address, own.as_deref()),
                Command::Relieve(bytes) => self.relieve(bytes),
                Command::Look => {
                    let judgement = self.thread.tables().judgement;
                    if judgement != self.judgement {
                        self.judgement = judgement;
                        self.judge_again();
                    }
                }
                Command::Stop => {
                    self.listeners.clear();
                    self.break_all("disposed", "the engine was disposed", &[], true);
                    self.stopped = true;
                }
            }
        }
    }

    fn relieve(&mut self, bytes: usize) {
        let then = self.thread.now.saturating_sub(STILL_MS);
        let kept = |token: &Token| self.connections.peek(*token).map_or(0, |connection| connection.kept_since(then));
        let mut most: Vec<_> = self.connections.tokens().into_iter().map(|token| (kept(&token), token)).collect();
        most.retain(|(kept, _)| *kept >= WORTH_BYTES);
        most.sort_unstable_by_key(|(kept, _)| Reverse(*kept));
        let mut freed = 0;
        for (kept, token) in most {
            if freed >= bytes {
                return;
            }
            freed += kept;
            self.serve(token, |connection, _| {
                connection.fail(
                    MEMORY_SHORT,
                    format!("{kept} bytes were kept for a reader that stands still, and memory is short"),
                    &["OM"],
                );
                Next::Reset
            });
        }
    }

    /// Taken out of epoll first: the kernel does that by itself only once nobody holds the socket, and another process may.
    fn close(&mut self, number: u64) {
        let epoll = &self.thread.epoll;
        self.listeners.retain(|(each, listener)| {
            if *each == number {
                epoll.remove(listener.fd.as_raw_fd());
            }
            *each != number
        });
    }

    fn dial(&mut self, dial: Dial) {
        let (number, now, shared) = (dial.number, self.thread.now, self.thread.shared.clone());
        let Some(token) = self.connections.insert(|token| dial.connection(token, &shared, now)) else { return };
        self.dials.insert(number, token);
        self.serve(token, dial::begin);
    }

    fn cancel_dial(&mut self, number: u64) {
        let Some(token) = self.dials.get(&number).copied() else { return };
        self.serve(token, |connection, _| {
            if connection.node.as_ref().is_none_or(|node| node.theirs.is_none()) {
                return Next::Keep;
            }
            connection.fail("aborted", "aborted", &[]);
            Next::Reset
        });
    }

    fn give_up(&mut self, address: SocketAddr, own: Option<&HashSet<IpAddr>>) {
        for token in self.connections.tokens() {
            self.serve(token, |connection, thread| {
                let endpoint = connection.led.as_ref().and_then(|led| led.endpoint.as_ref());
                // Of strangers nobody knows how to tell silence from peace.
                let there = endpoint.is_some_and(|endpoint| endpoint.place.is_some() && endpoint.address == Ok(address));
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

    /// `dialled`: what TypeScript has dialled, too.
    fn break_all(&mut self, reason: &'static str, detail: &'static str, flags: &'static [&'static str], dialled: bool) {
        for token in self.connections.tokens() {
            self.serve(token, |connection, _| {
                if !dialled && connection.node.as_ref().is_some_and(|node| node.is_dial()) {
                    return Next::Keep;
                }
                connection.fail(reason, detail, flags);
                Next::Reset
            });
        }
    }
}
