use std::time::Instant;

use super::connection::{Connection, Failure, Led, NEVER, Phase};
use super::dial;
use super::events::Outcome;
use super::give_up::give_up;
use super::look;
use super::mtls;
use super::say::{say_at_once, stands, took};
use super::say_who;
use super::serve::{Next, relay};
use super::side::Side;
use super::stream::{flush, pass_on, receive, send_kept, send_preface};
use super::thread::Thread;
use crate::net::{self, Errno};
use crate::tables::{Counted, Watched};

/// Old enough to be probed when it is silent.
pub const KEEP_ALIVE_AFTER_MS: u64 = 5_000;

/// Nobody was asked: this machine has nothing left to call the endpoint with.
pub const SHORTAGE: &str = "shortage";

/// To this cluster, and in it to one endpoint after another.
pub fn lead(connection: &mut Connection, thread: &mut Thread, name: &str) -> Next {
    let Some(cluster) = thread.tables().clusters.get(name).cloned() else {
        connection.asked = Some(name.into());
        connection.fail("no-cluster", format!("cluster {name} is not known here"), &["NC"]);
        return Next::Reset;
    };
    connection.idle_ms = cluster.idle_timeout_ms.unwrap_or(thread.limits().idle_timeout_ms);
    connection.ends_at = if cluster.max_duration_ms == 0 { NEVER } else { thread.now + cluster.max_duration_ms };
    if connection.preface.is_empty() {
        connection.touch(thread.now);
    }
    connection.led = Some(Led::to(cluster));
    try_next(connection, thread)
}

/// One endpoint after another until one takes the connection.
pub fn try_next(connection: &mut Connection, thread: &mut Thread) -> Next {
    loop {
        let Some(led) = connection.led.as_mut() else { return Next::Reset };
        connection.up = None;
        (connection.way_up.owed, connection.way_up.owed_from) = (Vec::new(), 0);
        led.upstream = None;
        led.watched = None;
        // Who dials tries another one by itself.
        let most = if connection.node.is_some() { 1 } else { thread.shared.options.limits.max_attempts };
        let next = match led.looking.as_mut() {
            Some(at) => look::next(&led.cluster, at),
            None => led.attempts.next(&led.cluster, most, &mut thread.random),
        };
        let Some(endpoint) = next else {
            return if led.looking.is_some() { look::nobody(connection) } else { give_up(connection) };
        };
        led.endpoint = Some(endpoint.clone());
        let Some(upstream) = Counted::within(&led.cluster.upstreams, led.cluster.max_connections) else {
            connection.fail("upstream-overflow", "the cluster has as many connections as it may", &["UO"]);
            return Next::Reset;
        };
        led.upstream = Some(upstream);
        let address = match &endpoint.address {
            Ok(address) => *address,
            Err(why) => {
                failed(connection, thread, "connect", why.clone());
                continue;
            }
        };
        connection.step = Some(Instant::now());
        let speaks = !connection.preface.is_empty() || endpoint.tls.is_some();
        let turn = thread.shared.descriptors.read();
        let made = net::connect(address, speaks);
        drop(turn);
        match made {
            Ok((fd, at_once)) => {
                connection.keep_alive_at = thread.now + KEEP_ALIVE_AFTER_MS;
                let (heard, sent) = (connection.way_down.bytes, connection.way_up.progress);
                led.watched = endpoint.place.clone().map(|place| Watched::new(place, heard, sent));
                connection.up = Some(Side::connecting(fd, at_once));
                connection.phase = Phase::Connecting;
                let led = connection.led.as_mut().expect("it was there above");
                let limit = thread.now.saturating_add(led.cluster.connect_timeout_ms);
                if at_once {
                    return connected(connection, thread);
                }
                connection.connect_by = limit;
                // There TCP's handshake is over when connect(2) returns, though it does not say so.
                let first = led.looking.is_none() && led.cluster.proxy_protocol.is_none() && endpoint.tls.is_none();
                if !first || !address.ip().is_loopback() || connection.preface.is_empty() {
                    return Next::Keep;
                }
                match say_at_once(connection) {
                    Ok(true) => return await_first(connection, thread),
                    Ok(false) => return Next::Keep,
                    Err(gone) => failed(connection, thread, "connect", format!("connect {gone} {address}")),
                }
            }
            Err(error) => {
                let detail = format!("connect {error} {address}");
                let shortage = shortage_of(error);
                if let Some(shortage) = shortage {
                    thread.trouble(shortage, &detail);
                }
                failed(connection, thread, if shortage.is_some() { SHORTAGE } else { "connect" }, detail);
            }
        }
    }
}

/// Of which an operator should know. An endpoint's address and port has as many local ports as the range holds, so that another one may have some
/// left where this one has none.
pub fn shortage_of(error: Errno) -> Option<&'static str> {
    match error.0 {
        libc::EADDRNOTAVAIL => Some("ports-exhausted"),
        _ if error.exhausted() => Some("descriptors-exhausted"),
        _ => None,
    }
}

/// Why this endpoint is given up; whoever says so goes on with `try_next`.
pub fn failed(connection: &mut Connection, thread: &mut Thread, word: &'static str, detail: String) {
    connection.connect_by = NEVER;
    let Some(led) = connection.led.as_mut() else { return };
    led.attempts.failed(word == "connect" || word == SHORTAGE);
    if let Some(endpoint) = led.endpoint.as_ref().filter(|_| connection.node.is_none()) {
        thread.attempted(&led.cluster, endpoint.id, word);
    }
    led.last = Some(Failure { word, detail });
}

/// TCP to the endpoint may stand.
pub fn connected(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(up) = connection.up.as_mut() else { return Next::Reset };
    if !up.writable {
        return if caller_gone(connection) { Next::Reset } else { Next::Keep };
    }
    let endpoint = connection.led.as_ref().and_then(|led| led.endpoint.clone());
    // Who was refused is gone at once.
    if up.gone
        && let Some(error) = net::pending_error(up.fd_raw())
    {
        let address = endpoint.and_then(|endpoint| endpoint.address.clone().ok()).map(|address| address.to_string()).unwrap_or_default();
        failed(connection, thread, "connect", format!("connect {error} {address}"));
        return try_next(connection, thread);
    }
    stands(connection);
    say_who::called(connection);
    match endpoint.as_ref().and_then(|endpoint| endpoint.tls.as_ref()) {
        Some(target) => mtls::originate(connection, thread, target),
        None => ready(connection, thread),
    }
}

/// The endpoint can be told what the caller has said, or be heard.
pub fn ready(connection: &mut Connection, thread: &mut Thread) -> Next {
    if connection.node.is_some() {
        return dial::stands(connection, thread);
    }
    if connection.led.as_ref().is_some_and(|led| led.looking.is_some()) {
        return look::answered(connection, thread);
    }
    took(connection);
    connection.phase = Phase::FirstByte;
    // What does not fit at once is owed; the preface stays, as the next endpoint may have to get it anew.
    if let (false, Some(up)) = (connection.preface.is_empty(), connection.up.as_mut())
        && let Err(gone) = send_preface(&mut connection.way_up, up, &connection.preface, &mut thread.buffers)
    {
        failed(connection, thread, "early-close", gone.to_string());
        return try_next(connection, thread);
    }
    // What came with the caller's handshake is its first word.
    if !connection.early.is_empty() {
        let early = std::mem::take(&mut connection.early);
        return match connection.up.as_mut() {
            Some(up) => match send_kept(&mut connection.way_up, up, &early, &mut thread.buffers) {
                Ok(()) => reached(connection, thread),
                Err(gone) => broken_up(connection, gone.to_string()),
            },
            None => Next::Reset,
        };
    }
    await_first(connection, thread)
}

pub fn broken_up(connection: &mut Connection, detail: String) -> Next {
    connection.fail("upstream-reset", detail, &["UC"]);
    Next::Reset
}

pub fn caller_gone(connection: &mut Connection) -> bool {
    let gone = connection.down.as_ref().is_none_or(|down| down.gone);
    if gone {
        connection.fail("downstream-reset", "the caller went away before the endpoint answered", &["DC"]);
    }
    gone
}

/// Until a byte comes back nobody knows that this endpoint was asked, so another one may be.
pub fn await_first(connection: &mut Connection, thread: &mut Thread) -> Next {
    if caller_gone(connection) {
        return Next::Reset;
    }
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else { return Next::Reset };
    let (way_up, way_down) = (&mut connection.way_up, &mut connection.way_down);
    if let Err(gone) = flush(way_up, up) {
        failed(connection, thread, "early-close", gone.to_string());
        return try_next(connection, thread);
    }
    while up.readable {
        match receive(up, way_up, &mut thread.buffers) {
            Ok(0) if up.ended => {
                failed(connection, thread, "early-close", "closed before it sent a byte".into());
                return try_next(connection, thread);
            }
            Ok(0) => {}
            Ok(count) => {
                let passed = pass_on(way_down, up, down, &mut thread.buffers, count);
                return match passed {
                    Ok(()) => reached(connection, thread),
                    Err(gone) => broken_down(connection, gone.to_string()),
                };
            }
            Err(gone) => {
                failed(connection, thread, "early-close", gone.to_string());
                return try_next(connection, thread);
            }
        }
    }
    // Without a preface either side may speak first; what the caller has said cannot be said again.
    if !connection.preface.is_empty() {
        return Next::Keep;
    }
    while down.readable {
        match receive(down, way_down, &mut thread.buffers) {
            Ok(0) if down.ended => return reached(connection, thread),
            Ok(0) => {}
            Ok(count) => {
                let passed = pass_on(way_up, down, up, &mut thread.buffers, count);
                return match passed {
                    Ok(()) => reached(connection, thread),
                    Err(gone) => broken_up(connection, gone.to_string()),
                };
            }
            Err(gone) => return broken_down(connection, gone.to_string()),
        }
    }
    Next::Keep
}

pub fn broken_down(connection: &mut Connection, detail: String) -> Next {
    connection.fail("downstream-reset", detail, &["DC"]);
    Next::Reset
}

/// The endpoint has the connection.
pub fn reached(connection: &mut Connection, thread: &mut Thread) -> Next {
    if connection.node.is_some() {
        return dial::stands(connection, thread);
    }
    // Where it spoke with the end of its handshake.
    took(connection);
    connection.phase = Phase::Relay;
    connection.outcome = Outcome::Forward;
    connection.way_up.bytes += connection.preface.len() as u64;
    connection.preface = Vec::new();
    if let Some(led) = &connection.led
        && let Some(endpoint) = &led.endpoint
    {
        thread.attempted(&led.cluster, endpoint.id, "ok");
    }
    thread.forwarded(connection);
    connection.touch(thread.now);
    relay(connection, thread)
}
