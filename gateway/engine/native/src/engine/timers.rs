use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::slab::Token;

/// Below it, entries are not worth sweeping.
const MANY: usize = 4_096;

/// When connections are due. Deadlines move with every byte, mostly away, so a connection has one entry, at or before its deadline, and says
/// how much longer it has when that comes.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Timers {
    /// `at`: monotonic ms.
    pub fn push(&mut self, at: u64, token: Token) {
        self.heap.push(Reverse((at, token.raw())));
    }

    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets entries that `stands` does not know, when there are far more than `open` connections.
    pub fn keep_if_many(&mut self, open: usize, stands: impl Fn(Token, u64) -> bool) {
        if self.heap.len() > MANY && self.heap.len() > 4 * open {
            self.heap.retain(|Reverse((at, raw))| stands(Token::from_raw(*raw), *at));
        }
    }

    /// An entry whose time has come.
    pub fn pop(&mut self, now: u64) -> Option<(u64, Token)> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, raw))| (at, Token::from_raw(raw)))
    }
}
