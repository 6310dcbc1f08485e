use std::os::fd::{IntoRawFd, OwnedFd};

use super::connection::{Connection, Led, NEVER, Phase, Which};
use super::events::{Delivered, Event, Outcome};
use super::relay::{Moved, Ways, move_on};
use super::serve::Next;
use super::side::Side;
use super::stream::{Gone, send_kept};
use super::thread::Thread;
use crate::net;
use crate::tables::Terminate;

/// TypeScript has closed its side: what it has said last must be taken in so many ms without a byte, as the kernel gives up what nobody takes.
const LINGER_MS: u64 = 60_000;

/// One side of a connection is TypeScript's, by a socket pair: requests whose TLS ends here, or what it has dialled.
pub struct NodeEnd {
    /// That one.
    pub which: Which,
    /// Of a dial that is under way: the end that it will get.
    pub theirs: Option<OwnedFd>,
}

impl NodeEnd {
    pub fn is_dial(&self) -> bool {
        self.which == Which::Down
    }
}

/// The caller has proven who it is, and requests are TypeScript's: TLS stays here, what is in it goes there. `denied`: none of them can be allowed.
pub fn deliver(connection: &mut Connection, thread: &mut Thread, rule: &Terminate, denied: Option<String>) -> Next {
    let turn = thread.shared.descriptors.read();
    let pair = net::pair();
    drop(turn);
    let (ours, theirs) = match pair {
        Ok(pair) => pair,
        Err(error) => {
            thread.trouble("delivery-sockets-exhausted", error);
            connection.fail("delivery-sockets-exhausted", error.to_string(), &["UO"]);
            return Next::Reset;
        }
    };
    // It leads there, whoever carries its requests.
    match thread.tables().clusters.get(&rule.cluster).cloned() {
        Some(cluster) => connection.led = Some(Led::to(cluster)),
        None => connection.asked = Some((&*rule.cluster).into()),
    }
    connection.up = Some(Side { cut: Some(thread.shared.share(connection.number)), ..Side::accepted(ours) });
    connection.node = Some(Box::new(NodeEnd { which: Which::Up, theirs: None }));
    connection.outcome = Outcome::Deliver;
    let event = Event::Delivered(Box::new(describe(connection, rule, denied, theirs)));
    if let Err(dropped) = thread.shared.events.push(event) {
        dropped.close_handed();
        connection.fail("internal", "TypeScript takes no more connections", &["UO"]);
        return Next::Reset;
    }
    thread.shared.events.tell();
    let early = std::mem::take(&mut connection.early);
    if let Some(up) = connection.up.as_mut()
        && let Err(gone) = send_kept(&mut connection.way_up, up, &early, &mut thread.buffers)
    {
        connection.fail("internal", gone.to_string(), &[]);
        return Next::Reset;
    }
    begin(connection, thread)
}

fn describe(connection: &Connection, rule: &Terminate, denied: Option<String>, theirs: OwnedFd) -> Delivered {
    let down = connection.down.as_ref();
    let tls = down.and_then(|down| down.tls.as_ref());
    let (protocol, nameless) = rule.deliver.as_ref().map_or(("", false), |deliver| (deliver.protocol.as_str(), deliver.nameless));
    Delivered {
        number: connection.number,
        listener: connection.listener.name.as_str().into(),
        cluster: (&*rule.cluster).into(),
        protocol: protocol.into(),
        nameless,
        sni: connection.sni.as_deref().unwrap_or("").into(),
        alpn: tls.map(|tls| String::from_utf8_lossy(tls.alpn()).into_owned()).unwrap_or_default(),
        tls_version: tls.map_or("", |tls| tls.version()),
        peer: connection.peer.clone(),
        end: rule.end.clone(),
        denied,
        source: connection.source,
        destination: connection.destination(),
        fd: theirs.into_raw_fd(),
    }
}

/// TypeScript has its end: from here on it says how long the connection lasts.
pub fn begin(connection: &mut Connection, thread: &mut Thread) -> Next {
    connection.phase = Phase::Relay;
    (connection.idle_ms, connection.ends_at, connection.due, connection.connect_by) = (0, NEVER, NEVER, NEVER);
    relay(connection, thread)
}

/// Both ways. Unlike between two sockets of TCP there is no reset that the one end could send the other: see `cut` and `Event::Broken`. Who has
/// closed its end takes nothing more, but all that it has said arrives, as of a socket that is closed.
pub fn relay(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(which) = connection.node.as_ref().map(|node| node.which) else { return Next::Reset };
    let before = connection.way_up.progress + connection.way_down.progress;
    let mut outward = move_way(connection, thread, which);
    let closed = |connection: &Connection| near(connection, which).is_none_or(|near| near.gone);
    let mut inward = Moved::Ended;
    if !closed(connection) {
        inward = move_way(connection, thread, other(which));
        if matches!(inward, Moved::Broken(side, _) if side == which) {
            // It has closed, and no edge has said so yet.
            if let Some(near) = near_mut(connection, which) {
                (near.gone, near.ending, near.readable) = (true, true, true);
            }
            inward = Moved::Ended;
            outward = move_way(connection, thread, which);
        }
    }
    if closed(connection) {
        // What the caller still sends is nobody's.
        inward = Moved::Ended;
        if connection.due == NEVER || before != connection.way_up.progress + connection.way_down.progress {
            connection.due_in(thread.now, LINGER_MS, "idle-timeout");
        }
    }
    match (outward, inward) {
        (Moved::Broken(..), _) | (_, Moved::Broken(..)) => Next::Reset,
        (Moved::Ended, Moved::Ended) => Next::Close,
        (Moved::Yielded, _) | (_, Moved::Yielded) => Next::Again,
        _ => Next::Keep,
    }
}

/// The way that begins at this side.
fn move_way(connection: &mut Connection, thread: &mut Thread, from: Which) -> Moved {
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else {
        return Moved::Broken(from, Gone::System(net::Errno(libc::EPIPE)));
    };
    let (way_up, way_down) = (&mut connection.way_up, &mut connection.way_down);
    let ways = match from {
        Which::Down => Ways { way: way_up, back: way_down, from: down, to: up, which: from },
        Which::Up => Ways { way: way_down, back: way_up, from: up, to: down, which: from },
    };
    move_on(ways, &mut thread.buffers, &mut thread.pipes)
}

fn other(which: Which) -> Which {
    if which == Which::Down { Which::Up } else { Which::Down }
}

fn near(connection: &Connection, which: Which) -> Option<&Side> {
    if which == Which::Down { connection.down.as_ref() } else { connection.up.as_ref() }
}

fn near_mut(connection: &mut Connection, which: Which) -> Option<&mut Side> {
    if which == Which::Down { connection.down.as_mut() } else { connection.up.as_mut() }
}

/// The connection has ended. Where it has broken off, TypeScript hears of it before its end is closed.
pub fn end(connection: &mut Connection, thread: &Thread, broken: bool) {
    let Some(node) = connection.node.take() else { return };
    thread.shared.unshare(connection.number);
    if node.theirs.is_some() {
        return super::dial::failed(connection, thread);
    }
    let near = if node.which == Which::Down { connection.down.take() } else { connection.up.take() };
    if let Some(near) = near.filter(|near| broken && !near.gone) {
        // One that is dropped closes what it keeps.
        let _ = thread.shared.events.push(Event::Broken { number: connection.number, kept: Some(near.fd) });
        thread.shared.events.tell();
    }
}
