use std::collections::HashMap;
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::events::{Event, Outcome, Report};
use super::options::{Limits, ListenerKind, ListenerSpec};
use super::queue::{Alike, Sums};
use super::shared::Shared;
use super::stream::Buffers;
use super::timers::Timers;
use crate::net::{Epoll, Errno, PipePool, Wake};
use crate::pick::Random;
use crate::tables::{Cluster, Tables};

/// The same trouble is told of once in so many ms.
const TROUBLE_EVERY_MS: u64 = 1_000;

/// What serving a connection needs of the thread that it is on.
pub struct Thread {
    pub shared: Arc<Shared>,
    pub epoll: Epoll,
    pub wake: Wake,
    pub timers: Timers,
    pub buffers: Buffers,
    pub pipes: PipePool,
    pub random: Random,
    /// Monotonic ms, of this turn of the loop.
    pub now: u64,
    tables: Arc<Tables>,
    version: u64,
    /// What was told of, and when.
    troubles: HashMap<&'static str, u64>,
    /// Given up to take and refuse a connection when there is no other descriptor left.
    pub reserve: Option<OwnedFd>,
}

/// One socket of a listener, served by this thread.
pub struct ThreadListener {
    pub fd: Arc<OwnedFd>,
    pub spec: Arc<ListenerSpec>,
    /// Other threads serve it, too.
    pub shared: bool,
}

impl Thread {
    pub fn new(shared: Arc<Shared>, wake: Wake, number: usize) -> Result<Self, Errno> {
        let epoll = Epoll::new()?;
        let (version, tables) = (shared.version(), shared.tables());
        let seed = shared.options.seed.wrapping_add(number as u64 + 1);
        let pipes = PipePool::new(shared.options.max_pipes);
        Ok(Self {
            epoll,
            wake,
            timers: Timers::default(),
            buffers: Buffers::new(shared.options.threads),
            pipes,
            random: Random::new(seed),
            now: shared.now(),
            tables,
            version,
            troubles: HashMap::new(),
            reserve: spare_descriptor(),
            shared,
        })
    }

    pub fn limits(&self) -> &Limits {
        &self.shared.options.limits
    }

    /// Of this moment.
    pub fn tables(&mut self) -> &Arc<Tables> {
        let version = self.shared.version();
        if version != self.version {
            self.tables = self.shared.tables();
            self.version = version;
        }
        &self.tables
    }

    pub fn attempted(&self, cluster: &Cluster, endpoint: u32, result: &'static str) {
        self.shared.events.attempted(&cluster.name, endpoint, result);
    }

    /// It is carried on to an endpoint from here.
    pub fn forwarded(&self, connection: &Connection) {
        self.tell_of(connection, false);
    }

    pub fn ended(&self, connection: &Connection) {
        self.shared.count_end(connection.fault.as_ref().map_or("", |fault| fault.reason));
        if connection.outcome == Outcome::Forward
            && let Some(led) = &connection.led
        {
            led.cluster.spreads.ended(Duration::from_millis(self.now.saturating_sub(connection.started)));
        }
        self.tell_of(connection, true);
    }

    fn tell_of(&self, connection: &Connection, ended: bool) {
        let led = connection.led.as_ref();
        let in_the_clear = connection.listener.kind == ListenerKind::Exposed && connection.peer.is_none();
        let stands = connection.in_the_clear.map_or(0, |_| connection.number);
        let alike = Alike {
            ended,
            in_the_clear: in_the_clear.then(|| (connection.source.ip(), stands)),
            listener: connection.rule_name.as_ref().map_or(Arc::as_ptr(&connection.listener).addr(), |name| name.as_ptr().addr()),
            cluster: led.map_or(0, |led| Arc::as_ptr(&led.cluster).addr()),
            endpoint: led.and_then(|led| led.endpoint.as_ref()).map(|endpoint| endpoint.id),
            peer: connection.peer.as_ref().map_or(0, |peer| Arc::as_ptr(peer).addr()),
            reason: connection.fault.as_ref().map_or("", |fault| fault.reason),
        };
        let sums = Sums {
            received: connection.way_up.bytes,
            sent: connection.way_down.bytes,
            duration_ms: self.now.saturating_sub(connection.started),
            attempts: led.map_or(0, |led| led.attempts.count),
        };
        let (cluster, name) = (led.map(|led| &led.cluster), connection.rule_name.as_ref());
        self.shared.events.report(self.now, alike, (cluster, name), sums, || self.describe(connection, sums));
    }

    /// For the operator; of each kind not more often than once a second.
    pub fn trouble(&mut self, what: &'static str, detail: impl Display) {
        if self.troubles.get(what).is_some_and(|at| self.now < at + TROUBLE_EVERY_MS) {
            return;
        }
        self.troubles.insert(what, self.now);
        let _ = self.shared.events.push(Event::Trouble { what, detail: detail.to_string() });
    }

    fn describe(&self, connection: &Connection, sums: Sums) -> Report {
        let led = connection.led.as_ref();
        let fault = connection.fault.as_ref();
        Report {
            count: 1,
            number: connection.number,
            listener: connection.rule_name().into(),
            source: connection.source,
            destination: connection.destination(),
            outcome: connection.outcome,
            sni: connection.sni.as_deref().unwrap_or("").into(),
            cluster: cluster_of(connection).into(),
            endpoint: led.and_then(|led| led.endpoint.as_ref()).map(|endpoint| endpoint.id),
            peer: connection.peer.clone(),
            end: connection.rule.as_ref().map(|rule| rule.end.clone()),
            bytes_received: sums.received,
            bytes_sent: sums.sent,
            duration_ms: sums.duration_ms,
            attempts: sums.attempts,
            flags: fault.map(|fault| fault.flags.to_vec()).unwrap_or_default(),
            reason: fault.map_or("", |fault| fault.reason),
            detail: fault.map(|fault| fault.detail.as_str().into()).unwrap_or_default(),
        }
    }
}

/// Where it was led, or was to be.
fn cluster_of(connection: &Connection) -> &str {
    let led = connection.led.as_ref().map(|led| &*led.cluster.name);
    let asked = || connection.asked.as_deref().or_else(|| connection.rule.as_ref().map(|rule| &*rule.cluster));
    led.or_else(asked).unwrap_or("")
}

pub fn spare_descriptor() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
