use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::admission::Place;
use super::events::Outcome;
use super::options::ListenerSpec;
use super::slab::Token;
use crate::identity::Peer;
use crate::net::Pipe;
use crate::parse::client_hello::HelloScan;
use crate::pick::Attempts;
use crate::tables::{Cluster, Counted, Endpoint, Terminate, Watched};
use crate::tls::TlsEnd;

/// Never due.
pub const NEVER: u64 = u64::MAX;

/// One accepted connection and what became of it.
pub struct Connection {
    pub token: Token,
    pub number: u64,
    pub listener: Arc<ListenerSpec>,
    pub source: SocketAddr,
    /// None once it has been handed over.
    pub down: Option<Side>,
    pub up: Option<Side>,
    pub phase: Phase,
    /// What was read before anybody was there to take it.
    pub preface: Vec<u8>,
    /// How far its ClientHello has been looked at, where it did not come whole.
    pub scan: Option<Box<HelloScan>>,
    pub sni: Option<Box<str>>,
    /// What the caller said with the end of its handshake, in the clear.
    pub early: Vec<u8>,
    /// Who the caller has proven to be.
    pub peer: Option<Arc<Peer>>,
    /// By which it was let in.
    pub rule: Option<Arc<Terminate>>,
    pub led: Option<Led>,
    pub way_up: Way,
    pub way_down: Way,
    /// Monotonic ms.
    pub started: u64,
    pub due: u64,
    pub due_reason: &'static str,
    /// Of its entry among the timers.
    pub timer: u64,
    /// By when the endpoint that is tried must have answered TCP's handshake; `NEVER` while nobody is tried.
    pub connect_by: u64,
    /// When its upstream is to be probed while it is silent, from then on; `NEVER` once it is.
    pub keep_alive_at: u64,
    /// ms without a byte, from now on; 0: for ever.
    pub idle_ms: u64,
    /// Monotonic ms of when it is over whatever moves.
    pub ends_at: u64,
    pub outcome: Outcome,
    pub fault: Option<Fault>,
    pub place: Option<Place>,
    /// It waits for its turn.
    pub queued: bool,
    /// The cluster that it was to be led to, where that is not known.
    pub asked: Option<Box<str>>,
}

/// Where it was led.
pub struct Led {
    pub cluster: Arc<Cluster>,
    pub attempts: Attempts,
    pub endpoint: Option<Arc<Endpoint>>,
    /// Of the cluster: for as long as this lives.
    _open: Counted,
    pub upstream: Option<Counted>,
    pub last: Option<Failure>,
    /// Of the endpoint that is tried or has it.
    pub watched: Option<Watched>,
}

impl Led {
    pub fn to(cluster: Arc<Cluster>) -> Self {
        let _open = Counted::new(&cluster.open);
        Self { cluster, attempts: Attempts::default(), endpoint: None, _open, upstream: None, last: None, watched: None }
    }
}

/// Why an endpoint was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// AttemptFailure of the contract.
    pub word: &'static str,
    pub detail: String,
}

/// The first fault is the cause; what it sets off is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: &'static str,
    pub detail: String,
    pub flags: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Reads the ClientHello.
    Hello,
    /// Shakes hands with the caller.
    Handshake,
    /// TCP to an endpoint is under way.
    Connecting,
    /// TCP stands; the endpoint has to prove itself.
    UpstreamHandshake,
    /// The endpoint has what was read; nothing has come back, so another one can still take its place.
    FirstByte,
    Relay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    Down,
    Up,
}

/// One socket and what its readiness was when it was last asked.
pub struct Side {
    pub fd: OwnedFd,
    pub readable: bool,
    pub writable: bool,
    /// The other side has said that its direction ends, or is gone: whatever a short read suggests, reading goes on to the end.
    pub ending: bool,
    /// It has sent urgent data: a short read says nothing, and nothing is spliced, as pipes do not pass the mark.
    pub urgent: bool,
    /// Both directions are over, by reset or otherwise.
    pub gone: bool,
    /// That end has been read.
    pub ended: bool,
    /// Ours has been sent.
    pub shut: bool,
    /// Its end of mTLS, where there is one.
    pub tls: Option<Box<TlsEnd>>,
}

impl Side {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, readable: true, writable: true, ending: false, gone: false, urgent: false, ended: false, shut: false, tls: None }
    }

    pub fn fd_raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// One direction.
#[derive(Default)]
pub struct Way {
    pub bytes: u64,
    /// Read, and not taken yet. No memory while there is nothing.
    pub owed: Vec<u8>,
    pub owed_from: usize,
    /// While the direction is bulky.
    pub pipe: Option<Pipe>,
    /// Bytes read and bytes written, to see whether anything moves.
    pub progress: u64,
    /// Large reads in a row.
    pub bulky: u8,
}

impl Connection {
    pub fn new(token: Token, number: u64, listener: Arc<ListenerSpec>, source: SocketAddr, fd: OwnedFd, now: u64) -> Box<Self> {
        Box::new(Self {
            token,
            number,
            listener,
            source,
            down: Some(Side::new(fd)),
            up: None,
            phase: Phase::Hello,
            preface: Vec::new(),
            scan: None,
            sni: None,
            early: Vec::new(),
            peer: None,
            rule: None,
            led: None,
            way_up: Way::default(),
            way_down: Way::default(),
            started: now,
            due: NEVER,
            due_reason: "",
            timer: NEVER,
            connect_by: NEVER,
            keep_alive_at: NEVER,
            idle_ms: 0,
            ends_at: NEVER,
            outcome: Outcome::Refused,
            fault: None,
            place: None,
            queued: false,
            asked: None,
        })
    }

    pub fn fail(&mut self, reason: &'static str, detail: impl Into<String>, flags: &'static [&'static str]) {
        if self.fault.is_none() {
            self.fault = Some(Fault { reason, detail: detail.into(), flags });
        }
    }

    pub fn due_in(&mut self, now: u64, ms: u64, reason: &'static str) {
        self.due = now.saturating_add(ms);
        self.due_reason = reason;
    }

    /// What its upstream has said and been told, for whoever watches for silence.
    pub fn look(&mut self) {
        let connecting = matches!(self.phase, Phase::Connecting | Phase::UpstreamHandshake);
        let (heard, sent) = (self.way_down.bytes, self.way_up.progress);
        if let Some(watched) = self.led.as_mut().and_then(|led| led.watched.as_mut()) {
            watched.look(connecting, heard, sent);
        }
    }

    /// What is due first, monotonic ms.
    pub fn next_due(&self) -> u64 {
        self.due.min(self.connect_by).min(self.keep_alive_at)
    }

    /// Something has moved.
    pub fn touch(&mut self, now: u64) {
        let idle_at = if self.idle_ms == 0 { NEVER } else { now.saturating_add(self.idle_ms) };
        self.due = idle_at.min(self.ends_at);
        self.due_reason = if self.ends_at < idle_at { "max-duration" } else { "idle-timeout" };
    }
}
