use super::flow::{Inbound, Outbound};
use crate::limits;
use crate::message::Head;

/// One stream; `with`: what its owner has to remember of it.
#[derive(Debug)]
pub struct Stream<T> {
    pub with: T,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    /// Of ours, what waits for a window.
    pub(super) pending: Vec<u8>,
    pub(super) sent: usize,
    /// After `pending` it is over, with these trailers.
    pub(super) ending: Option<Option<Box<Head>>>,
    /// Whoever brings what we send was told to wait.
    pub(super) full: bool,
    pub(super) in_turn: bool,
    pub(super) local_done: bool,
    pub(super) remote_done: bool,
    /// Its final head has come.
    pub(super) headed: bool,
    /// By its content-length.
    pub(super) left: Option<u64>,
}

impl<T> Stream<T> {
    pub(super) fn new(with: T, window: u32) -> Self {
        Self {
            with,
            outbound: Outbound::new(window),
            inbound: Inbound::new(limits::STREAM_WINDOW),
            pending: Vec::new(),
            sent: 0,
            ending: None,
            full: false,
            in_turn: false,
            local_done: false,
            remote_done: false,
            headed: false,
            left: None,
        }
    }

    /// The other side has ended its direction.
    pub fn remote_done(&self) -> bool {
        self.remote_done
    }

    pub(super) fn waits(&self) -> bool {
        self.sent < self.pending.len() || self.ending.is_some()
    }

    /// Keeps what cannot be sent now.
    pub(super) fn keep(&mut self, data: &[u8]) {
        if self.sent > 0 {
            self.pending.drain(..self.sent);
            self.sent = 0;
        }
        self.pending.extend_from_slice(data);
    }

    /// Whether so much of its body fits what its head said.
    pub(super) fn count(&mut self, bytes: usize, end: bool) -> bool {
        let Some(left) = &mut self.left else { return true };
        match left.checked_sub(bytes as u64) {
            Some(rest) => {
                *left = rest;
                !end || rest == 0
            }
            None => false,
        }
    }
}
