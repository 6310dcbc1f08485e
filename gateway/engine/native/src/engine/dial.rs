use std::net::SocketAddr;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::{Arc, LazyLock};

use super::connection::{Connection, Led, Which};
use super::deliver::{self, NodeEnd};
use super::events::{Dialled, Event};
use super::options::{ListenerKind, ListenerSpec};
use super::reach;
use super::serve::Next;
use super::shared::Shared;
use super::side::Side;
use super::slab::Token;
use super::thread::Thread;
use crate::net::{self, Errno};
use crate::tables::Cluster;

/// A connection that TypeScript asks for: mTLS to one endpoint, of which it gets the plaintext by one end of a socket pair.
pub struct Dial {
    pub number: u64,
    cluster: Arc<Cluster>,
    ours: OwnedFd,
    theirs: OwnedFd,
}

/// Whose they all are.
static NOBODY: LazyLock<Arc<ListenerSpec>> = LazyLock::new(|| {
    let (name, address, sockets) = Default::default();
    Arc::new(ListenerSpec { name, address, port: 0, kind: ListenerKind::Plain, one_socket: false, sockets, accept_proxy: None })
});

impl Dial {
    pub fn new(number: u64, cluster: Cluster) -> Result<Self, Errno> {
        let (ours, theirs) = net::pair()?;
        Ok(Self { number, cluster: Arc::new(cluster), ours, theirs })
    }

    pub fn connection(self, token: Token, shared: &Shared, now: u64) -> Box<Connection> {
        let Self { number, cluster, ours, theirs } = self;
        let source = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut connection = Connection::new(token, number, NOBODY.clone(), source, ours, now);
        if let Some(down) = connection.down.as_mut() {
            down.cut = Some(shared.share(number));
        }
        connection.node = Some(Box::new(NodeEnd { which: Which::Down, theirs: Some(theirs) }));
        connection.led = Some(Led::to(cluster));
        connection
    }
}

pub fn begin(connection: &mut Connection, thread: &mut Thread) -> Next {
    reach::try_next(connection, thread)
}

/// The endpoint has proven who it is.
pub fn stands(connection: &mut Connection, thread: &mut Thread) -> Next {
    if let (Some(begun), Some(led)) = (connection.step.take(), &connection.led)
        && let Some(cluster) = thread.tables().clusters.get(&led.cluster.name)
    {
        cluster.spreads.connected(begun.elapsed());
    }
    let Some(theirs) = connection.node.as_mut().and_then(|node| node.theirs.take()) else { return Next::Reset };
    let tls = connection.up.as_ref().and_then(|up: &Side| up.tls.as_ref());
    let event = Event::Dialled(Box::new(Dialled {
        number: connection.number,
        peer: tls.and_then(|tls| tls.peer()).cloned(),
        alpn: tls.map(|tls| String::from_utf8_lossy(tls.alpn()).into_owned()).unwrap_or_default(),
        fd: Some(theirs.into_raw_fd()),
        failure: "",
        reason: String::new(),
    }));
    if let Err(dropped) = thread.shared.events.push(event) {
        dropped.close_handed();
        return Next::Reset;
    }
    thread.shared.events.tell();
    deliver::begin(connection, thread)
}

/// It has ended before anybody got it.
pub fn failed(connection: &Connection, thread: &Thread) {
    let last = connection.led.as_ref().and_then(|led| led.last.as_ref());
    let (failure, reason) = match (last, &connection.fault) {
        (Some(last), _) => (if last.word == "tls" { "tls" } else { "connect" }, last.detail.clone()),
        (None, Some(fault)) => ("aborted", fault.detail.clone()),
        (None, None) => ("aborted", "aborted".to_owned()),
    };
    let dialled = Dialled { number: connection.number, fd: None, peer: None, alpn: String::new(), failure, reason };
    let _ = thread.shared.events.push(Event::Dialled(Box::new(dialled)));
    thread.shared.events.tell();
}
