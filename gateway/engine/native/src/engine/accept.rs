//! Callers taken from listeners, and what is done when none can be.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use super::admission::{MEMORY_SHORT, TOO_MANY, TOO_MANY_FROM_SOURCE};
use super::connection::Connection;
use super::options::{Limits, ListenerKind};
use super::run::{LISTENER, Loop};
use super::serve::{self, Next};
use super::thread::{Thread, spare_descriptor};
use crate::net::{self, Errno};

/// Taken in one turn of the loop, so that those who are served already have theirs.
const MOST_ACCEPTED: usize = 64;
/// A listener is left alone for so long when nobody can be taken from it.
const PAUSE_MS: u64 = 100;

/// The operator is told, and of one of the sources that have as many as they may.
pub(super) fn full(thread: &mut Thread, reason: &'static str, source: SocketAddr) {
    let Limits { max_connections, max_connections_per_source, .. } = *thread.limits();
    match reason {
        TOO_MANY => thread.trouble(reason, format!("{max_connections} connections are open, as many as there may be")),
        TOO_MANY_FROM_SOURCE => {
            let detail = format!("{} has {max_connections_per_source} connections open, as many as one source may", source.ip());
            thread.trouble(reason, detail);
        }
        MEMORY_SHORT => {
            let detail = thread.shared.overloaded();
            thread.trouble(reason, detail);
        }
        _ => {}
    }
}

impl Loop {
    pub(super) fn accept(&mut self, number: u64) {
        for _ in 0..MOST_ACCEPTED {
            let Some((_, listener)) = self.listeners.iter().find(|(each, _)| *each == number) else {
                return;
            };
            let turn = self.thread.shared.descriptors.read();
            let taken = net::accept(listener.fd.as_raw_fd());
            drop(turn);
            let (fd, source) = match taken {
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
                // Its own header says whose it is; and callers of this machine have one address together.
                let unnamed = connection.listener.accept_proxy.is_some() || connection.listener.kind == ListenerKind::Captured;
                let admitted = if unnamed { shared.admission.admit_unnamed() } else { shared.admission.admit(source.ip()) };
                match admitted {
                    Ok(place) => connection.place = Some(place),
                    Err(reason) => {
                        full(thread, reason, source);
                        let flag: &[_] = if reason == MEMORY_SHORT { &["OM"] } else { &["UO"] };
                        connection.fail(reason, "refused at accept", flag);
                        return Next::Reset;
                    }
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
        let shared = self.thread.shared.clone();
        for _ in 0..MOST_ACCEPTED {
            let _alone = shared.descriptors.write();
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

    pub(super) fn listen_again(&mut self) {
        let now = self.thread.now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.paused).into_iter().partition(|(_, until)| *until <= now);
        self.paused = later;
        for (number, _) in due {
            self.thread.reserve = self.thread.reserve.take().or_else(spare_descriptor);
            let Some((_, listener)) = self.listeners.iter().find(|(each, _)| *each == number) else { continue };
            if self.thread.epoll.add_listener(listener.fd.as_raw_fd(), LISTENER | number, listener.shared).is_err() {
                self.paused.push((number, now + PAUSE_MS));
            }
        }
    }
}
