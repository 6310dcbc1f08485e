use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::connection::Connection;
use super::events::{Event, Report};
use super::options::{Limits, ListenerSpec};
use super::queue::{Alike, Sums};
use super::shared::Shared;
use super::stream::Buffers;
use super::timers::Timers;
use crate::net::{Epoll, Errno, PipePool, Wake, local_address};
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
    trouble_at: u64,
    /// Given up to take and refuse a connection when there is no other descriptor left.
    pub reserve: Option<OwnedFd>,
}

/// One socket of a listener, of this thread.
pub struct ThreadListener {
    pub fd: OwnedFd,
    pub spec: Arc<ListenerSpec>,
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
            buffers: Buffers::new(),
            pipes,
            random: Random::new(seed),
            now: shared.now(),
            tables,
            version,
            trouble_at: 0,
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
        self.tell_of(connection, true);
    }

    fn tell_of(&self, connection: &Connection, ended: bool) {
        let led = connection.led.as_ref();
        let alike = Alike {
            ended,
            listener: Arc::as_ptr(&connection.listener).addr(),
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
        self.shared.events.report(self.now, alike, led.map(|led| &led.cluster), sums, || self.describe(connection, sums));
    }

    /// For the operator; not more often than once a second.
    pub fn trouble(&mut self, what: &'static str, error: Errno) {
        if self.trouble_at != 0 && self.now < self.trouble_at + TROUBLE_EVERY_MS {
            return;
        }
        self.trouble_at = self.now.max(1);
        let _ = self.shared.events.push(Event::Trouble { what, detail: error.to_string() });
    }

    fn describe(&self, connection: &Connection, sums: Sums) -> Report {
        let led = connection.led.as_ref();
        let fault = connection.fault.as_ref();
        Report {
            count: 1,
            number: connection.number,
            listener: connection.listener.name.as_str().into(),
            source: connection.source,
            destination: connection.down.as_ref().and_then(|down| local_address(down.fd.as_raw_fd())),
            outcome: connection.outcome,
            sni: connection.sni.as_deref().unwrap_or("").into(),
            cluster: led.map(|led| (&*led.cluster.name).into()).or_else(|| connection.asked.clone()).unwrap_or_default(),
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

pub fn spare_descriptor() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
