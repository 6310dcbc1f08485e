//! What every kind of connection can be asked for. One side of an exchange calls the other by these, and is never called back from there: what
//! concerns it again is put off (`Later`).

use std::net::IpAddr;

use super::base::{Base, Over};
use super::down1::Down1;
use super::down2::Down2;
use super::slab::Token;
use super::up1::Up1;
use super::up2::Up2;
use super::worker::Worker;
use crate::h2::PREFACE;
use crate::message::{Body, Head};

/// One exchange on one connection. HTTP/1.1 has one at a time, and counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    pub token: Token,
    pub stream: u32,
}

pub struct Conn {
    pub base: Base,
    pub role: Role,
}

pub enum Role {
    /// Accepted; its first bytes say what it speaks.
    New(IpAddr),
    Down1(Down1),
    Down2(Box<Down2>),
    Up1(Up1),
    Up2(Box<Up2>),
    /// Everything was said: what comes is thrown away until the other side ends, so that it reads the answer before it sees a reset.
    Lingering(usize),
}

/// What is thrown away at most, bytes.
pub const LINGER: usize = 1 << 20;

impl Conn {
    /// The bytes that were taken.
    pub fn input(&mut self, bytes: &[u8], worker: &mut Worker) -> Result<usize, Over> {
        let Self { base, role } = self;
        match role {
            Role::New(source) => {
                let begins = bytes.len().min(PREFACE.len());
                if bytes[..begins] == PREFACE[..begins] && begins < PREFACE.len() {
                    return Ok(0);
                }
                let source = *source;
                if bytes.starts_with(PREFACE) {
                    *role = Role::Down2(Box::new(Down2::new(source, base, worker)));
                    let taken = self.input(&bytes[begins..], worker)?;
                    return Ok(begins + taken);
                }
                *role = Role::Down1(Down1::new(source));
                self.input(bytes, worker)
            }
            Role::Down1(down) => down.input(base, bytes, worker),
            Role::Down2(down) => down.input(base, bytes, worker),
            Role::Up1(up) => up.input(base, bytes, worker),
            Role::Up2(up) => up.input(base, bytes, worker),
            Role::Lingering(left) => {
                *left = left.checked_sub(bytes.len()).ok_or(Over)?;
                Ok(bytes.len())
            }
        }
    }

    /// The other side has ended its direction. What goes on without is told by Ok.
    pub fn on_end(&mut self, worker: &mut Worker) -> Result<(), Over> {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.on_end(base),
            Role::Up1(up) => up.on_end(worker),
            _ => Err(Over),
        }
    }

    /// Room has come.
    pub fn on_drained(&mut self, worker: &mut Worker) {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.on_drained(worker),
            Role::Up1(up) => up.on_drained(worker),
            Role::Down2(down) => down.on_drained(base, worker),
            Role::Up2(up) => up.on_drained(base, worker),
            Role::New(_) | Role::Lingering(_) => {}
        }
    }

    /// An interim answer (1xx).
    pub fn interim(&mut self, stream: u32, head: &Head, worker: &mut Worker) {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.interim(base, stream, head, worker),
            Role::Down2(down) => down.interim(base, stream, head, worker),
            _ => {}
        }
    }

    /// The final answer's head. With `Body::None` it was all.
    pub fn respond(&mut self, stream: u32, head: &Head, body: Body, worker: &mut Worker) {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.respond(base, stream, head, body, worker),
            Role::Down2(down) => down.respond(base, stream, head, body, worker),
            _ => {}
        }
    }

    /// More of the body that the other side reads; `last`: all of it, without trailers. True: enough for now; `resume` there says when more may
    /// come.
    pub fn data(&mut self, stream: u32, data: &[u8], last: bool, worker: &mut Worker) -> bool {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.data(base, stream, data, last, worker),
            Role::Down2(down) => down.data(base, stream, data, last, worker),
            Role::Up1(up) => up.data(base, stream, data, last, worker),
            Role::Up2(up) => up.data(base, stream, data, last, worker),
            Role::New(_) | Role::Lingering(_) => false,
        }
    }

    /// That body is whole.
    pub fn end(&mut self, stream: u32, trailers: Option<&Head>, worker: &mut Worker) {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.end(base, stream, trailers, worker),
            Role::Down2(down) => down.end(base, stream, trailers, worker),
            Role::Up1(up) => up.end(base, stream, trailers, worker),
            Role::Up2(up) => up.end(base, stream, trailers, worker),
            Role::New(_) | Role::Lingering(_) => {}
        }
    }

    /// The other side of an exchange broke off.
    pub fn abort(&mut self, stream: u32, worker: &mut Worker) -> Result<(), Over> {
        let Self { base, role } = self;
        match role {
            Role::Down1(down) => down.abort(base, stream, worker),
            Role::Down2(down) => {
                down.abort(base, stream, worker);
                Ok(())
            }
            Role::Up1(up) => up.abort(stream),
            Role::Up2(up) => {
                up.abort(base, stream, worker);
                Ok(())
            }
            Role::New(_) | Role::Lingering(_) => Ok(()),
        }
    }

    /// Whoever takes what this side reads of that exchange has room again.
    pub fn resume(&mut self, stream: u32, worker: &mut Worker) {
        let Self { base, role } = self;
        match role {
            Role::Down1(_) | Role::Up1(_) => base.paused = false,
            Role::Down2(down) => down.resume(base, stream, worker),
            Role::Up2(up) => up.resume(base, stream, worker),
            Role::New(_) | Role::Lingering(_) => {}
        }
    }

    /// It has ended: everybody who had to do with it hears of that.
    pub fn gone(&mut self, worker: &mut Worker) {
        let token = self.base.token;
        match &mut self.role {
            Role::Down1(down) => down.gone(worker),
            Role::Down2(down) => down.gone(worker),
            Role::Up1(up) => up.gone(token, worker),
            Role::Up2(up) => up.gone(token, worker),
            Role::New(_) | Role::Lingering(_) => {}
        }
    }
}
