use super::connection::{Connection, Failure, Led, NEVER, Phase, Side, Which};
use super::events::{Event, Hex, Outcome};
use super::options::ListenerKind;
use super::relay::{self, Moved};
use super::thread::Thread;
use crate::net;
use crate::parse::client_hello::{HelloOutcome, HelloScan};
use crate::parse::find_rule::find_rule;
use crate::tables::{Counted, PlainRule, SniRule};

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
        Phase::Connecting => connected(connection, thread),
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
                let detail = format!(
                    "{} is in none of the CIDRs allowed on {}",
                    connection.source.ip(),
                    connection.listener.name
                );
                connection.fail("source-denied", detail, &[]);
                return Next::Reset;
            }
            lead(connection, thread, cluster)
        }
    }
}

fn read_hello(connection: &mut Connection, thread: &mut Thread) -> Next {
    loop {
        let Some(down) = connection.down.as_mut() else { return Next::Reset };
        if !down.readable {
            return Next::Keep;
        }
        match net::read(down.raw(), &mut thread.buffer) {
            Ok(0) => {
                connection.fail("hello-incomplete", "no ClientHello could be read", &["DPE"]);
                return Next::Reset;
            }
            Ok(count) => {
                if count < thread.buffer.len() && !down.ending {
                    down.readable = false;
                }
                connection.preface.extend_from_slice(&thread.buffer[..count]);
            }
            Err(error) if error.would_block() => {
                down.readable = false;
                return Next::Keep;
            }
            Err(error) if error.interrupted() => continue,
            Err(error) => {
                connection.fail("hello-incomplete", error.to_string(), &["DPE"]);
                return Next::Reset;
            }
        }
        let max = thread.limits().max_hello_bytes;
        let mut scan = connection.scan.take().unwrap_or_default();
        match HelloScan::read(&mut scan, &connection.preface, max) {
            HelloOutcome::More { .. } => connection.scan = Some(scan),
            HelloOutcome::Fault(fault) => {
                connection.fail(fault.as_str(), "no ClientHello could be read", &["DPE"]);
                return Next::Reset;
            }
            HelloOutcome::Hello(hello) => {
                let sni = hello.sni.map(|name| name.into_owned().into_boxed_str());
                connection.sni = sni;
                return route(connection, thread);
            }
        }
    }
}

fn route(connection: &mut Connection, thread: &mut Thread) -> Next {
    let tables = thread.tables().clone();
    let sni = connection.sni.as_deref().unwrap_or("");
    let rule = find_rule(
        sni,
        |name| tables.sni.get(name),
        |rule| matches!(***rule, SniRule::Node { any_subset: true }),
    );
    match rule.map(|rule| &**rule) {
        None if sni.is_empty() => {
            connection.fail("no-sni", "the client named nobody", &["NR"]);
            Next::Reset
        }
        None => {
            let detail = format!("nothing here is called {sni}");
            connection.fail("unknown-sni", detail, &["NR"]);
            Next::Reset
        }
        Some(SniRule::Node { .. }) => hand_over(connection, thread),
        Some(SniRule::Passthrough { cluster }) => {
            let cluster = cluster.clone();
            // To the first byte from behind.
            connection.due_in(thread.now, thread.limits().handshake_timeout_ms, "handshake-timeout");
            lead(connection, thread, &cluster)
        }
    }
}

/// To TypeScript, with what was read. Its place among the connections is held until TypeScript says that it has ended.
fn hand_over(connection: &mut Connection, thread: &mut Thread) -> Next {
    let (Some(down), Some(place)) = (connection.down.take(), connection.place.take()) else {
        return Next::Gone;
    };
    thread.epoll.remove(down.raw());
    let number = connection.number;
    let listener = connection.listener.name.as_str().into();
    thread.shared.hold(number, place);
    let fd = std::os::fd::IntoRawFd::into_raw_fd(down.fd);
    let event = Event::Handed {
        number,
        listener,
        fd,
        preface: Hex(std::mem::take(&mut connection.preface)),
    };
    if let Err(dropped) = thread.shared.events.push(event) {
        thread.shared.release(number);
        dropped.close_handed();
    }
    thread.shared.events.tell();
    Next::Gone
}

fn lead(connection: &mut Connection, thread: &mut Thread, name: &str) -> Next {
    let Some(cluster) = thread.tables().clusters.get(name).cloned() else {
        connection.fail("no-cluster", format!("cluster {name} is not known here"), &["NC"]);
        return Next::Reset;
    };
    connection.idle_ms = cluster.idle_timeout_ms.unwrap_or(thread.limits().idle_timeout_ms);
    connection.ends_at = if cluster.max_duration_ms == 0 {
        NEVER
    } else {
        thread.now + cluster.max_duration_ms
    };
    if connection.preface.is_empty() {
        connection.touch(thread.now);
    }
    connection.led = Some(Led::to(cluster));
    try_next(connection, thread)
}

/// One endpoint after another until one takes the connection.
fn try_next(connection: &mut Connection, thread: &mut Thread) -> Next {
    loop {
        let Some(led) = connection.led.as_mut() else { return Next::Reset };
        connection.up = None;
        led.upstream = None;
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
        let keep_alive = led.cluster.keep_alive.unwrap_or(thread.shared.keep_alive);
        match net::connect(endpoint.address, keep_alive) {
            Ok((fd, at_once)) => {
                let mut side = Side::new(fd);
                side.writable = at_once;
                if let Err(error) = thread.epoll.add_stream(side.raw(), connection.token.raw() | 1) {
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
                if error.exhausted() || error.0 == libc::EADDRNOTAVAIL {
                    thread.trouble("upstream-sockets-exhausted", error);
                }
                failed(connection, thread, "connect", format!("connect {error} {}", endpoint.address));
            }
        }
    }
}

fn failed(connection: &mut Connection, thread: &mut Thread, word: &'static str, detail: String) {
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
        None => (
            "no-endpoint",
            format!("no endpoint of {} takes connections", led.cluster.name),
            &["UH"],
        ),
        Some(last) => {
            let reason = if last.word == "connect" {
                "upstream-connect"
            } else {
                "upstream-early-close"
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
    failed(connection, thread, "connect", "connect timeout".into());
    try_next(connection, thread)
}

fn connected(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(up) = connection.up.as_mut() else { return Next::Reset };
    if !up.writable {
        return if caller_gone(connection) { Next::Reset } else { Next::Keep };
    }
    if connection.connect_by != NEVER
        && let Some(error) = net::pending_error(up.raw())
    {
        let address = connection
            .led
            .as_ref()
            .and_then(|led| led.endpoint.as_ref())
            .map(|e| e.address.to_string())
            .unwrap_or_default();
        failed(connection, thread, "connect", format!("connect {error} {address}"));
        return try_next(connection, thread);
    }
    connection.connect_by = NEVER;
    connection.phase = Phase::FirstByte;
    // What did not fit at once is owed; it is copied, as the next endpoint may have to get it anew.
    if !connection.preface.is_empty() {
        connection.way_up.owed = connection.preface.clone();
        connection.way_up.owed_from = 0;
    }
    await_first(connection, thread)
}

fn caller_gone(connection: &mut Connection) -> bool {
    let gone = connection.down.as_ref().is_none_or(|down| down.gone);
    if gone {
        connection.fail("downstream-reset", "the caller went away before the endpoint answered", &["DC"]);
    }
    gone
}

/// Until a byte comes back nobody knows that this endpoint was asked, so another one may be.
fn await_first(connection: &mut Connection, thread: &mut Thread) -> Next {
    if caller_gone(connection) {
        return Next::Reset;
    }
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else {
        return Next::Reset;
    };
    let with_preface = !connection.preface.is_empty();
    if with_preface && let Err(error) = relay::flush(&mut connection.way_up, up) {
        connection.way_up.owed = Vec::new();
        failed(connection, thread, "early-close", error.to_string());
        return try_next(connection, thread);
    }
    if up.readable {
        match net::read(up.raw(), &mut thread.buffer) {
            Ok(0) => {
                failed(connection, thread, "early-close", "closed before it sent a byte".into());
                return try_next(connection, thread);
            }
            Ok(count) => {
                if count < thread.buffer.len() && !up.ending {
                    up.readable = false;
                }
                connection.way_down.bytes += count as u64;
                connection.way_down.owed = thread.buffer[..count].to_vec();
                return reached(connection, thread);
            }
            Err(error) if error.would_block() => up.readable = false,
            Err(error) if error.interrupted() => return Next::Again,
            Err(error) => {
                failed(connection, thread, "early-close", error.to_string());
                return try_next(connection, thread);
            }
        }
    }
    // Without a preface either side may speak first; what the caller has said cannot be said again.
    if !with_preface && down.readable {
        return caller_first(connection, thread);
    }
    Next::Keep
}

fn caller_first(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(down) = connection.down.as_mut() else { return Next::Reset };
    match net::read(down.raw(), &mut thread.buffer) {
        Ok(0) => {
            down.ended = true;
            reached(connection, thread)
        }
        Ok(count) => {
            if count < thread.buffer.len() && !down.ending {
                down.readable = false;
            }
            connection.way_up.bytes += count as u64;
            connection.way_up.owed = thread.buffer[..count].to_vec();
            reached(connection, thread)
        }
        Err(error) if error.would_block() => {
            down.readable = false;
            Next::Keep
        }
        Err(error) if error.interrupted() => Next::Again,
        Err(error) => {
            connection.fail("downstream-reset", error.to_string(), &["DC"]);
            Next::Reset
        }
    }
}

fn reached(connection: &mut Connection, thread: &mut Thread) -> Next {
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

fn relay(connection: &mut Connection, thread: &mut Thread) -> Next {
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else {
        return Next::Reset;
    };
    let before = (connection.way_up.bytes, connection.way_down.bytes);
    let was_half_closed = down.shut || up.shut;
    let upward = relay::move_on(&mut connection.way_up, down, up, Which::Down, &mut thread.buffer, &mut thread.pipes);
    let downward = match upward {
        Moved::Broken(..) => upward,
        _ => relay::move_on(&mut connection.way_down, up, down, Which::Up, &mut thread.buffer, &mut thread.pipes),
    };
    let half_closed = down.shut || up.shut;
    if half_closed && !was_half_closed && thread.limits().half_close_timeout_ms > 0 {
        connection.idle_ms = thread.limits().half_close_timeout_ms;
    }
    if before != (connection.way_up.bytes, connection.way_down.bytes) || half_closed != was_half_closed {
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
