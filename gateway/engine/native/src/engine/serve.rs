use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::captured;
use super::connection::{Connection, Phase, Which};
use super::deliver;
use super::exposed;
use super::hello::{hand_over, read_hello};
use super::mtls;
use super::options::ListenerKind;
use super::proxied;
use super::reach::{await_first, connected, lead};
use super::relay::{Moved, Ways, move_on};
use super::thread::Thread;
use crate::pick::{Dialled, Routing};
use crate::tables::PlainRule;

/// What is to become of a connection after it was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Keep,
    /// Once others have had their turn.
    Again,
    /// Both directions have ended.
    Close,
    /// Somebody is to see a break.
    Reset,
    /// It is TypeScript's.
    Gone,
}

/// A connection that was just accepted.
pub fn begin(connection: &mut Connection, thread: &mut Thread) -> Next {
    let listener = connection.listener.clone();
    match &listener.accept_proxy {
        Some(accepts) => proxied::begin(connection, thread, accepts),
        None => begin_kind(connection, thread),
    }
}

/// By what its listener is for, as far as it is known whose it is.
pub fn begin_kind(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.listener.kind {
        ListenerKind::Sni => {
            connection.due_in(thread.now, thread.limits().hello_timeout_ms, "hello-timeout");
            read_hello(connection, thread)
        }
        ListenerKind::Plain => serve_plain(connection, thread, false),
        ListenerKind::Captured => captured::begin(connection, thread),
        ListenerKind::Exposed => exposed::begin(connection, thread),
    }
}

/// Something has happened on one of its sockets, or it is its turn again.
pub fn go_on(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::ProxyHeader => proxied::read_header(connection, thread),
        Phase::Hello => read_hello(connection, thread),
        Phase::Handshake => mtls::handshake(connection, thread),
        Phase::Connecting => connected(connection, thread),
        Phase::PassingOn => captured::connected(connection, thread),
        Phase::UpstreamHandshake => mtls::prove(connection, thread),
        Phase::FirstByte => await_first(connection, thread),
        Phase::Relay if connection.node.is_some() => deliver::relay(connection, thread),
        Phase::Relay => relay(connection, thread),
    }
}

/// In the clear: by the rule of the moment. Nothing is read before that says so, so that servers may speak first; once a hello was read all is asked
/// again. `heard`: that hello is the preface.
pub fn serve_plain(connection: &mut Connection, thread: &mut Thread, heard: bool) -> Next {
    let tables = thread.tables().clone();
    let Some(rule) = tables.plain.get(connection.rule_name()) else {
        let detail = format!("listener {} leads nowhere yet", connection.rule_name());
        connection.fail("no-route", detail, &["NR"]);
        return Next::Reset;
    };
    let allow = match &**rule {
        PlainRule::Node => return hand_over(connection, thread),
        PlainRule::Forward { allow, .. } | PlainRule::Split { allow, .. } => allow,
    };
    if !allow.allow(connection.source.ip()) {
        let detail = format!("{} is in none of the CIDRs allowed on {}", connection.source.ip(), connection.rule_name());
        connection.fail("source-denied", detail, &[]);
        return Next::Reset;
    }
    let cluster = match &**rule {
        PlainRule::Forward { cluster, .. } => cluster.clone(),
        PlainRule::Split { routing, .. } if routing.reads_hello && !heard => {
            connection.due_in(thread.now, thread.limits().hello_timeout_ms, "hello-timeout");
            return read_hello(connection, thread);
        }
        PlainRule::Split { routing, .. } => match choose(connection, thread, routing) {
            Some(cluster) => cluster,
            None => return Next::Reset,
        },
        PlainRule::Node => return Next::Reset,
    };
    if !heard {
        // What came with a PROXY header is the caller's first word, and may not be all that is to be said before an answer.
        connection.early = std::mem::take(&mut connection.preface);
    } else {
        // To the first byte from behind.
        connection.due_in(thread.now, thread.limits().handshake_timeout_ms, "handshake-timeout");
    }
    lead(connection, thread, &cluster)
}

/// None: nowhere, and the connection says why.
fn choose(connection: &mut Connection, thread: &mut Thread, routing: &Routing) -> Option<Arc<str>> {
    let destination = connection.destination().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let dialled = Dialled { source: connection.source.ip(), destination, sni: connection.sni.as_deref().unwrap_or("") };
    match routing.choose(dialled, || thread.random.draw()) {
        Ok(cluster) => Some(cluster.clone()),
        Err(nowhere) => {
            connection.fail(nowhere.reason(), nowhere.to_string(), nowhere.flags());
            None
        }
    }
}

/// Both ways, until both have ended or one side is gone.
pub fn relay(connection: &mut Connection, thread: &mut Thread) -> Next {
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else { return Next::Reset };
    let (way_up, way_down) = (&mut connection.way_up, &mut connection.way_down);
    let before = (way_up.progress, way_down.progress);
    let was_half_closed = down.shut || up.shut;
    let upward = Ways { way: way_up, back: way_down, from: down, to: up, which: Which::Down };
    let upward = move_on(upward, &mut thread.buffers, &mut thread.pipes);
    let downward = match upward {
        Moved::Broken(..) => upward.clone(),
        _ => {
            let downward = Ways { way: way_down, back: way_up, from: up, to: down, which: Which::Up };
            move_on(downward, &mut thread.buffers, &mut thread.pipes)
        }
    };
    let half_closed = down.shut || up.shut;
    if half_closed && !was_half_closed && !connection.untimed && thread.limits().half_close_timeout_ms > 0 {
        connection.idle_ms = thread.limits().half_close_timeout_ms;
    }
    if before != (connection.way_up.progress, connection.way_down.progress) || half_closed != was_half_closed {
        connection.touch(thread.now);
    }
    match (upward, downward) {
        (Moved::Broken(Which::Down, error), _) | (_, Moved::Broken(Which::Down, error)) => {
            connection.fail("downstream-reset", error.to_string(), &["DC"]);
            Next::Reset
        }
        (Moved::Broken(Which::Up, error), _) | (_, Moved::Broken(Which::Up, error)) => {
            connection.fail("upstream-reset", error.to_string(), &["UC"]);
            Next::Reset
        }
        (Moved::Ended, Moved::Ended) => Next::Close,
        (Moved::Yielded, _) | (_, Moved::Yielded) => Next::Again,
        _ => Next::Keep,
    }
}
