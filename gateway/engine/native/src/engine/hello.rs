use std::sync::Arc;

use super::connection::{Connection, NEVER};
use super::events::{Event, Hex};
use super::exposed;
use super::mtls;
use super::options::ListenerKind;
use super::reach::lead;
use super::serve::{Next, serve_plain};
use super::side::Watch;
use super::stream::receive_some;
use super::thread::Thread;
use crate::parse::client_hello::{HelloOutcome, HelloScan};
use crate::parse::find_rule::find_rule;
use crate::tables::{SniRule, Tables};

/// Reads until the ClientHello is whole or cannot become one, and goes by its name then.
pub fn read_hello(connection: &mut Connection, thread: &mut Thread) -> Next {
    // What came with a PROXY header.
    if connection.scan.is_none()
        && !connection.preface.is_empty()
        && let Some(next) = scan_hello(connection, thread)
    {
        return next;
    }
    loop {
        let Some(down) = connection.down.as_mut() else { return Next::Reset };
        if !down.readable {
            return Next::Keep;
        }
        // One more than there may be says that there are too many.
        let most = (thread.shared.options.limits.max_hello_bytes + 1).saturating_sub(connection.preface.len());
        match receive_some(down, &mut thread.buffers, most) {
            Ok(0) if down.ended => {
                return no_hello(connection, thread, "hello-incomplete", "no ClientHello could be read".into());
            }
            Ok(0) => continue,
            Ok(count) => connection.preface.extend_from_slice(&thread.buffers.read[..count]),
            Err(gone) => return no_hello(connection, thread, "hello-incomplete", gone.to_string()),
        }
        if let Some(next) = scan_hello(connection, thread) {
            return next;
        }
    }
}

/// None can come of what was read, or nothing more will.
fn no_hello(connection: &mut Connection, thread: &mut Thread, reason: &'static str, detail: String) -> Next {
    if connection.listener.kind == ListenerKind::Exposed {
        return exposed::decide(connection, thread, Err(reason));
    }
    connection.fail(reason, detail, &["DPE"]);
    Next::Reset
}

/// Of what was read. None: it is not whole.
fn scan_hello(connection: &mut Connection, thread: &mut Thread) -> Option<Next> {
    let max = thread.limits().max_hello_bytes;
    connection.quiet_at = NEVER;
    let mut scan = connection.scan.take().unwrap_or_default();
    match HelloScan::read(&mut scan, &connection.preface, max) {
        HelloOutcome::More { .. } => {
            connection.scan = Some(scan);
            None
        }
        HelloOutcome::Fault(fault) => Some(no_hello(connection, thread, fault.as_str(), "no ClientHello could be read".into())),
        HelloOutcome::Hello(hello) => {
            let sni = hello.sni.map(|name| name.into_owned().into_boxed_str());
            if connection.listener.kind == ListenerKind::Exposed {
                return Some(exposed::decide(connection, thread, Ok(sni)));
            }
            connection.sni = sni;
            Some(match connection.listener.kind {
                ListenerKind::Plain | ListenerKind::Captured => serve_plain(connection, thread, true),
                _ => route(connection, thread),
            })
        }
    }
}

/// Which rule answers for a name.
pub fn rule_of<'a>(tables: &'a Tables, sni: &str) -> Option<&'a Arc<SniRule>> {
    find_rule(sni, |name| tables.sni.get(name), |rule| rule.any_subset())
}

fn route(connection: &mut Connection, thread: &mut Thread) -> Next {
    let tables = thread.tables().clone();
    let sni = connection.sni.as_deref().unwrap_or("");
    let rule = rule_of(&tables, sni);
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
        Some(SniRule::Terminate(rule)) if rule.hand_over => hand_over(connection, thread),
        Some(SniRule::Terminate(rule)) => mtls::begin(connection, thread, rule),
        Some(SniRule::Passthrough { cluster }) => {
            let cluster = cluster.clone();
            // To the first byte from behind.
            connection.due_in(thread.now, thread.limits().handshake_timeout_ms, "handshake-timeout");
            lead(connection, thread, &cluster)
        }
    }
}

/// To TypeScript, with what was read. Its place among the connections is held until TypeScript says that it has ended.
pub fn hand_over(connection: &mut Connection, thread: &mut Thread) -> Next {
    let (Some(down), Some(place)) = (connection.down.take(), connection.place.take()) else {
        return Next::Gone;
    };
    if down.watch != Watch::Nothing {
        thread.epoll.remove(down.fd_raw());
    }
    let number = connection.number;
    let listener = connection.listener.name.as_str().into();
    thread.shared.hold(number, place);
    let fd = std::os::fd::IntoRawFd::into_raw_fd(down.fd);
    // What the kernel said it says again.
    let told = connection.told.filter(|_| connection.listener.kind != ListenerKind::Captured);
    let told = told.map(|destination| [connection.source, destination]);
    let event = Event::Handed { number, listener, fd, told, preface: Hex(std::mem::take(&mut connection.preface)) };
    if let Err(dropped) = thread.shared.events.push(event) {
        thread.shared.release(number);
        dropped.close_handed();
    }
    thread.shared.events.tell();
    Next::Gone
}
