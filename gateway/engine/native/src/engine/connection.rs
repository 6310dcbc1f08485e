use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::admission::Place;
use super::deliver::NodeEnd;
use super::events::Outcome;
use super::options::ListenerSpec;
use super::side::Side;
use super::slab::Token;
use crate::identity::Peer;
use crate::net::{Epoll, Errno, Pipe};
use crate::parse::client_hello::HelloScan;
use crate::pick::Attempts;
use crate::tables::{Cluster, Counted, Endpoint, Terminate, Watched};

/// Never due.
pub const NEVER: u64 = u64::MAX;

/// One accepted connection and what became of it.
pub struct Connection {
    pub token: Token,
    pub number: u64,
    pub listener: Arc<ListenerSpec>,
    pub source: SocketAddr,
    /// Where it was to go, where a proxy or the packet filter that led it here has said so.
    pub told: Option<SocketAddr>,
    /// The plain rule of that place, where a packet filter led it here. None: its listener's own.
    pub rule_name: Option<Arc<str>>,
    /// Nothing limits how long it may be silent: it goes on to where nobody here knows anybody.
    pub untimed: bool,
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
    /// By which it was let in, or is to be.
    pub rule: Option<Arc<Terminate>>,
    /// The service port to which it came in the clear, where it has come to a service's end.
    pub in_the_clear: Option<u16>,
    pub led: Option<Led>,
    pub way_up: Way,
    pub way_down: Way,
    /// Monotonic ms.
    pub started: u64,
    /// When the step began whose time is taken: the caller's handshake, or the way to an endpoint.
    pub step: Option<Instant>,
    pub due: u64,
    pub due_reason: &'static str,
    /// Of its entry among the timers.
    pub timer: u64,
    /// By when the endpoint that is tried must have answered TCP's handshake; `NEVER` while nobody is tried.
    pub connect_by: u64,
    /// By when a caller who has said nothing is taken for one that waits for the server's word; `NEVER` once it has.
    pub quiet_at: u64,
    /// When its upstream is to be probed while it is silent, from then on; `NEVER` once it is.
    pub keep_alive_at: u64,
    /// ms without a byte, from now on; 0: for ever.
    pub idle_ms: u64,
    /// Monotonic ms of when it is over whatever moves.
    pub ends_at: u64,
    pub outcome: Outcome,
    pub fault: Option<Fault>,
    pub place: Option<Place>,
    /// When anything moved last, monotonic ms.
    moved_at: u64,
    /// Bytes that it keeps for its readers, as last counted.
    pub counted: usize,
    /// It waits for its turn.
    pub queued: bool,
    /// The cluster that it was to be led to, where that is not known.
    pub asked: Option<Box<str>>,
    /// What TypeScript has of it, where that serves one side.
    pub node: Option<Box<NodeEnd>>,
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
    /// It is only looked whether anybody answers; the endpoint that is tried next, in the order of the table.
    pub looking: Option<usize>,
}

impl Led {
    pub fn to(cluster: Arc<Cluster>) -> Self {
        let _open = Counted::new(&cluster.open);
        Self { cluster, attempts: Attempts::default(), endpoint: None, _open, upstream: None, last: None, watched: None, looking: None }
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
    /// Reads what a proxy says of who called.
    ProxyHeader,
    /// Reads the ClientHello.
    Hello,
    /// Shakes hands with the caller.
    Handshake,
    /// TCP to an endpoint is under way.
    Connecting,
    /// TCP to where it was to go is.
    PassingOn,
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
            told: None,
            rule_name: None,
            untimed: false,
            down: Some(Side::accepted(fd)),
            up: None,
            phase: Phase::Hello,
            preface: Vec::new(),
            scan: None,
            sni: None,
            early: Vec::new(),
            peer: None,
            rule: None,
            in_the_clear: None,
            led: None,
            way_up: Way::default(),
            way_down: Way::default(),
            started: now,
            step: None,
            due: NEVER,
            due_reason: "",
            timer: NEVER,
            connect_by: NEVER,
            quiet_at: NEVER,
            keep_alive_at: NEVER,
            idle_ms: 0,
            ends_at: NEVER,
            outcome: Outcome::Refused,
            fault: None,
            place: None,
            counted: 0,
            moved_at: now,
            queued: false,
            asked: None,
            node: None,
        })
    }

    /// Whose rule it goes by.
    pub fn rule_name(&self) -> &str {
        self.rule_name.as_deref().unwrap_or(&self.listener.name)
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

    /// Whoever waits for something is told of it.
    pub fn watched(&mut self, epoll: &Epoll) -> Result<(), Errno> {
        let token = self.token.raw();
        self.down.as_mut().map_or(Ok(()), |down| down.watched(epoll, token))?;
        self.up.as_mut().map_or(Ok(()), |up| up.watched(epoll, token | 1))
    }

    /// What its upstream has said and been told, for whoever watches for silence.
    pub fn look(&mut self) {
        let connecting = matches!(self.phase, Phase::Connecting | Phase::UpstreamHandshake);
        let (heard, sent) = (self.way_down.bytes, self.way_up.progress);
        if let Some(watched) = self.led.as_mut().and_then(|led| led.watched.as_mut()) {
            watched.look(connecting, heard, sent);
        }
    }

    /// Bytes of memory that wait for somebody to take them.
    pub fn owed(&self) -> usize {
        self.preface.capacity() + self.early.capacity() + self.way_up.owed.capacity() + self.way_down.owed.capacity()
    }

    /// The same, and what waits in pipes, of a stream whose readers have taken nothing since then; 0 of all others, and of what TypeScript has a side of.
    pub fn kept_since(&self, then: u64) -> usize {
        if self.phase != Phase::Relay || self.node.is_some() || self.moved_at > then {
            return 0;
        }
        let piped = |way: &Way| way.pipe.as_ref().map_or(0, |pipe| pipe.held());
        self.owed() + piped(&self.way_up) + piped(&self.way_down)
    }

    /// What is due first, monotonic ms.
    pub fn next_due(&self) -> u64 {
        self.due.min(self.connect_by).min(self.quiet_at).min(self.keep_alive_at)
    }

    /// Something has moved.
    pub fn touch(&mut self, now: u64) {
        self.moved_at = now;
        let idle_at = if self.idle_ms == 0 { NEVER } else { now.saturating_add(self.idle_ms) };
        self.due = idle_at.min(self.ends_at);
        self.due_reason = if self.ends_at < idle_at { "max-duration" } else { "idle-timeout" };
    }
}
