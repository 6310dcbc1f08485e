use super::connection::{Connection, Phase, Which};
use super::hello::{hand_over, read_hello};
use super::mtls;
use super::options::ListenerKind;
use super::reach::{await_first, connected, lead};
use super::relay::{Moved, Ways, move_on};
use super::thread::Thread;
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
    match connection.listener.kind {
        ListenerKind::Sni => {
            connection.due_in(thread.now, thread.limits().hello_timeout_ms, "hello-timeout");
            read_hello(connection, thread)
        }
        ListenerKind::Plain => begin_plain(connection, thread),
    }
}

/// Something has happened on one of its sockets, or it is its turn again.
pub fn go_on(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::Hello => read_hello(connection, thread),
        Phase::Handshake => mtls::handshake(connection, thread),
        Phase::Connecting => connected(connection, thread),
        Phase::UpstreamHandshake => mtls::prove(connection, thread),
        Phase::FirstByte => await_first(connection, thread),
        Phase::Relay => relay(connection, thread),
    }
}

fn begin_plain(connection: &mut Connection, thread: &mut Thread) -> Next {
    let tables = thread.tables().clone();
    let Some(rule) = tables.plain.get(&connection.listener.name) else {
        let detail = format!("listener {} leads nowhere yet", connection.listener.name);
        connection.fail("no-route", detail, &["NR"]);
        return Next::Reset;
    };
    match &**rule {
        PlainRule::Node => hand_over(connection, thread),
        PlainRule::Forward { cluster, allow } => {
            if !allow.allow(connection.source.ip()) {
                let detail = format!("{} is in none of the CIDRs allowed on {}", connection.source.ip(), connection.listener.name);
                connection.fail("source-denied", detail, &[]);
                return Next::Reset;
            }
            lead(connection, thread, cluster)
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
    if half_closed && !was_half_closed && thread.limits().half_close_timeout_ms > 0 {
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
