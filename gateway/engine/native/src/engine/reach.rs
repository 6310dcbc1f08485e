use super::connection::{Connection, Failure, Led, NEVER, Phase, Side};
use super::events::Outcome;
use super::mtls;
use super::serve::{Next, relay};
use super::stream::{flush, pass_on, receive, send_kept};
use super::thread::Thread;
use crate::net;
use crate::tables::{Counted, Watched};

/// Old enough to be probed when it is silent.
const KEEP_ALIVE_AFTER_MS: u64 = 5_000;

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
        let most = thread.shared.options.limits.max_attempts;
        let Some(endpoint) = led.attempts.next(&led.cluster, most, &mut thread.random) else {
            return give_up(connection);
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
        match net::connect(address) {
            Ok((fd, at_once)) => {
                let mut side = Side::new(fd);
                // An edge will say when there is something.
                (side.readable, side.writable) = (false, at_once);
                connection.keep_alive_at = thread.now + KEEP_ALIVE_AFTER_MS;
                let (heard, sent) = (connection.way_down.bytes, connection.way_up.progress);
                led.watched = endpoint.place.clone().map(|place| Watched::new(place, heard, sent));
                if let Err(error) = thread.epoll.add_stream(side.fd_raw(), connection.token.raw() | 1) {
                    failed(connection, thread, "connect", error.to_string());
                    continue;
                }
                connection.up = Some(side);
                connection.phase = Phase::Connecting;
                let led = connection.led.as_mut().expect("it was there above");
                let limit = thread.now.saturating_add(led.cluster.connect_timeout_ms);
                if !at_once {
                    connection.connect_by = limit;
                    return Next::Keep;
                }
                return connected(connection, thread);
            }
            Err(error) => {
                // A shortage here says nothing of the endpoint.
                if error.exhausted() || error.0 == libc::EADDRNOTAVAIL {
                    thread.trouble("upstream-sockets-exhausted", error);
                    connection.fail("upstream-sockets-exhausted", format!("connect {error} {address}"), &["UF"]);
                    return Next::Reset;
                }
                failed(connection, thread, "connect", format!("connect {error} {address}"));
            }
        }
    }
}

/// Why this endpoint is given up; whoever says so goes on with `try_next`.
pub fn failed(connection: &mut Connection, thread: &mut Thread, word: &'static str, detail: String) {
    connection.connect_by = NEVER;
    let Some(led) = connection.led.as_mut() else { return };
    led.attempts.failed(word == "connect");
    if let Some(endpoint) = &led.endpoint {
        thread.attempted(&led.cluster, endpoint.id, word);
    }
    led.last = Some(Failure { word, detail });
}

fn give_up(connection: &mut Connection) -> Next {
    let Some(led) = connection.led.as_ref() else { return Next::Reset };
    let count = led.attempts.count;
    let (reason, detail, flags): (_, _, &'static [&'static str]) = match &led.last {
        None => ("no-endpoint", format!("no endpoint of {} takes connections", led.cluster.name), &["UH"]),
        Some(last) => {
            let reason = match last.word {
                "connect" => "upstream-connect",
                "tls" => "upstream-tls",
                _ => "upstream-early-close",
            };
            if count > 1 {
                (reason, format!("{count} attempts, the last: {}", last.detail), &["UF", "URX"])
            } else {
                (reason, last.detail.clone(), &["UF"])
            }
        }
    };
    connection.fail(reason, detail, flags);
    Next::Reset
}

/// The way to the endpoint has run out of time.
pub fn connect_expired(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::UpstreamHandshake => failed(connection, thread, "tls", "handshake timeout".into()),
        _ => failed(connection, thread, "connect", "connect timeout".into()),
    }
    try_next(connection, thread)
}

/// The machine that the connection leads to, or was to lead to, has vanished.
pub fn give_up_place(connection: &mut Connection, thread: &mut Thread) -> Next {
    match connection.phase {
        Phase::Connecting | Phase::UpstreamHandshake => {
            failed(connection, thread, "connect", GONE.into());
            try_next(connection, thread)
        }
        Phase::FirstByte => {
            failed(connection, thread, "early-close", GONE.into());
            try_next(connection, thread)
        }
        _ => broken_up(connection, GONE.into()),
    }
}

const GONE: &str = "its machine has gone silent";

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
    connection.connect_by = NEVER;
    if let Some(watched) = connection.led.as_mut().and_then(|led| led.watched.as_mut()) {
        watched.connected();
    }
    match endpoint.as_ref().and_then(|endpoint| endpoint.tls.as_ref()) {
        Some(target) => mtls::originate(connection, thread, target),
        None => ready(connection, thread),
    }
}

/// The endpoint can be told what the caller has said, or be heard.
pub fn ready(connection: &mut Connection, thread: &mut Thread) -> Next {
    connection.phase = Phase::FirstByte;
    // What does not fit at once is owed; it is copied, as the next endpoint may have to get it anew.
    if !connection.preface.is_empty() {
        connection.way_up.owed = connection.preface.clone();
        connection.way_up.owed_from = 0;
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

fn broken_up(connection: &mut Connection, detail: String) -> Next {
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
