use std::sync::Arc;

use super::connection::Connection;
use super::events::{Event, Hex};
use super::mtls;
use super::reach::lead;
use super::serve::Next;
use super::stream::receive;
use super::thread::Thread;
use crate::parse::client_hello::{HelloOutcome, HelloScan};
use crate::parse::find_rule::find_rule;
use crate::tables::{SniRule, Tables};

/// Reads until the ClientHello is whole or cannot become one, and goes by its name then.
pub fn read_hello(connection: &mut Connection, thread: &mut Thread) -> Next {
    loop {
        let Some(down) = connection.down.as_mut() else { return Next::Reset };
        if !down.readable {
            return Next::Keep;
        }
        match receive(down, &mut connection.way_down, &mut thread.buffers) {
            Ok(0) if down.ended => {
                connection.fail("hello-incomplete", "no ClientHello could be read", &["DPE"]);
                return Next::Reset;
            }
            Ok(0) => continue,
            Ok(count) => connection.preface.extend_from_slice(&thread.buffers.read[..count]),
            Err(gone) => {
                connection.fail("hello-incomplete", gone.to_string(), &["DPE"]);
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
    thread.epoll.remove(down.fd_raw());
    let number = connection.number;
    let listener = connection.listener.name.as_str().into();
    thread.shared.hold(number, place);
    let fd = std::os::fd::IntoRawFd::into_raw_fd(down.fd);
    let event = Event::Handed { number, listener, fd, preface: Hex(std::mem::take(&mut connection.preface)) };
    if let Err(dropped) = thread.shared.events.push(event) {
        thread.shared.release(number);
        dropped.close_handed();
    }
    thread.shared.events.tell();
    Next::Gone
}
