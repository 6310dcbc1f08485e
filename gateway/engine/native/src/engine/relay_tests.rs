//! By what means bytes are moved: what carries them cannot be seen from outside.

use std::os::fd::{AsRawFd, OwnedFd};

use super::connection::{Way, Which};
use super::relay::{Moved, Ways, move_on};
use super::side::Side;
use super::stream::Buffers;
use crate::net::{self, Pipe, PipePool};

const BULK: usize = 64 * 1024;

/// One direction between two sockets, with somebody at either end.
struct Direction {
    way: Way,
    back: Way,
    from: Side,
    to: Side,
    buffers: Buffers,
    pipes: PipePool,
    caller: OwnedFd,
    reader: OwnedFd,
    /// So many have been sent: each byte says which it is.
    sent: usize,
}

impl Direction {
    fn new(most_pipes: usize) -> Self {
        let ((caller, from), (to, reader)) = (net::pair().unwrap(), net::pair().unwrap());
        let (way, back, pipes) = (Way::default(), Way::default(), PipePool::new(most_pipes));
        let (from, to) = (Side::accepted(from), Side::accepted(to));
        Self { way, back, from, to, buffers: Buffers::new(1), pipes, caller, reader, sent: 0 }
    }

    /// Sends so many bytes, and has them moved on: all of them have come.
    fn pass(&mut self, count: usize) {
        let bytes: Vec<u8> = (self.sent..self.sent + count).map(|at| (at % 251) as u8).collect();
        assert_eq!(net::write(self.caller.as_raw_fd(), &bytes), Ok(count));
        self.sent += count;
        self.from.readable = true;
        let ways = Ways { way: &mut self.way, back: &mut self.back, from: &mut self.from, to: &mut self.to, which: Which::Down };
        assert_eq!(move_on(ways, &mut self.buffers, &mut self.pipes), Moved::Waiting);
        let (mut come, mut room) = (Vec::new(), vec![0; BULK]);
        while come.len() < count {
            let length = net::read(self.reader.as_raw_fd(), &mut room).unwrap();
            come.extend_from_slice(&room[..length]);
        }
        assert!(come == bytes, "other bytes have come than were sent");
        assert_eq!((self.way.bytes, self.buffers.moved), (self.sent as u64, self.sent as u64));
    }

    fn spliced(&self) -> bool {
        self.way.pipe.is_some()
    }
}

#[test]
fn bulk_is_spliced_and_what_is_small_is_copied() {
    let mut one = Direction::new(1);
    for _ in 0..3 {
        one.pass(1_000);
    }
    one.pass(BULK);
    assert!(!one.spliced(), "one large read is none");
    one.pass(1_000);
    one.pass(BULK);
    assert!(!one.spliced(), "and two are not, with a small one between them");
    one.pass(BULK);
    assert!(one.spliced());
    for count in [BULK, 1_000, BULK, 1_000, BULK] {
        one.pass(count);
        assert!(one.spliced(), "as long as it does not calm");
    }
    one.pass(10);
    one.pass(10);
    assert!(!one.spliced(), "somebody else has better use for it");
    assert!(one.pipes.take().is_some(), "who may have it now");
}

#[test]
fn what_has_no_pipe_is_copied() {
    let mut one = Direction::new(0);
    for _ in 0..4 {
        one.pass(BULK);
        assert!(!one.spliced());
    }
}

#[test]
fn what_was_urgent_is_not_spliced() {
    let mut one = Direction::new(1);
    one.from.urgent = true;
    for _ in 0..4 {
        one.pass(BULK);
        assert!(!one.spliced(), "a pipe does not pass the mark");
    }
}

#[test]
fn pipes_are_no_more_than_there_may_be_and_used_again_where_they_are_empty() {
    let mut pool = PipePool::new(2);
    let (first, mut second) = (pool.take().unwrap(), pool.take().unwrap());
    assert!(pool.take().is_none());
    let (near, far) = net::pair().unwrap();
    net::write(far.as_raw_fd(), b"left behind").unwrap();
    assert_eq!(second.fill(near.as_raw_fd()), Ok(11));
    pool.give_back(second);
    pool.give_back(first);
    let held = |pipe: Option<Pipe>| pipe.map(|pipe| pipe.held());
    assert_eq!((held(pool.take()), held(pool.take()), held(pool.take())), (Some(0), Some(0), None));
}
