use std::net::SocketAddr;

use super::accept::full;
use super::connection::{Connection, NEVER, Phase};
use super::options::AcceptProxy;
use super::serve::{Next, begin_kind};
use super::stream::receive_some;
use super::thread::Thread;
use crate::parse::proxy_protocol::{ProxyEnds, ProxyOutcome, parse_proxy_header};

/// What one read may bring of it: as much as a header may have, and a little of what follows.
const MOST_HEADER: usize = 4_096;

/// A connection that a proxy has passed on: first it says who called.
pub fn begin(connection: &mut Connection, thread: &mut Thread, accepts: &AcceptProxy) -> Next {
    let source = connection.source.ip();
    if !accepts.trusted.allow(source) {
        let detail = format!("{source} is in none of the CIDRs whose word counts on {}", connection.listener.name);
        connection.fail("proxy-untrusted", detail, &[]);
        return Next::Reset;
    }
    connection.due_in(thread.now, thread.limits().hello_timeout_ms, "proxy-header-timeout");
    connection.phase = Phase::ProxyHeader;
    read_header(connection, thread)
}

/// Until it is whole or cannot become so; a header is never longer than what the parser takes. Then it is served as the caller's own.
pub fn read_header(connection: &mut Connection, thread: &mut Thread) -> Next {
    loop {
        let Some(down) = connection.down.as_mut() else { return Next::Reset };
        if !down.readable {
            return Next::Keep;
        }
        match receive_some(down, &mut thread.buffers, MOST_HEADER) {
            Ok(0) if down.ended => return incomplete(connection),
            Ok(0) => continue,
            Ok(count) => connection.preface.extend_from_slice(&thread.buffers.read[..count]),
            Err(_) => return incomplete(connection),
        }
        match parse_proxy_header(&connection.preface) {
            ProxyOutcome::More { .. } => {}
            ProxyOutcome::Fault(fault) => {
                let detail = format!("no PROXY header of {} could be read", connection.source.ip());
                connection.fail(fault.as_str(), detail, &["DPE"]);
                return Next::Reset;
            }
            ProxyOutcome::Done(header) => {
                let (ends, consumed) = (header.ends, header.consumed);
                connection.preface.drain(..consumed);
                return named(connection, thread, ends);
            }
        }
    }
}

fn incomplete(connection: &mut Connection) -> Next {
    connection.fail("proxy-header-incomplete", "it ended before its PROXY header did", &["DC"]);
    Next::Reset
}

/// From here it is whose the header says; a proxy's own check stays its own.
fn named(connection: &mut Connection, thread: &mut Thread, ends: ProxyEnds) -> Next {
    connection.due = NEVER;
    if let ProxyEnds::Proxied { source, destination } = ends {
        connection.source = plain(source);
        connection.told = Some(plain(destination));
    }
    let source = connection.source.ip();
    if let Some(Err(reason)) = connection.place.as_mut().map(|place| place.name(source)) {
        full(thread, reason, connection.source);
        connection.fail(reason, "refused after its PROXY header", &["UO"]);
        return Next::Reset;
    }
    connection.phase = Phase::Hello;
    begin_kind(connection, thread)
}

/// IPv4 as itself where it is mapped into IPv6.
fn plain(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}
