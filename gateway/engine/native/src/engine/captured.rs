//! Connections that a packet filter led here: by the rule of where they were to go, or else on to there, byte for byte.

use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::{Connection, Led, Phase};
use super::events::Outcome;
use super::reach::{KEEP_ALIVE_AFTER_MS, broken_up, caller_gone, shortage_of};
use super::serve::{Next, relay, serve_plain};
use super::side::Side;
use super::stream::send_kept;
use super::thread::Thread;
use crate::net::{self, Errno};
use crate::tables::{Captured, Endpoint};

pub fn begin(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(down) = connection.down.as_ref() else { return Next::Reset };
    let to = match net::original_destination(down.fd_raw()) {
        Ok(to) => to.filter(|to| connection.destination() != Some(*to)),
        Err(error) => {
            connection.fail("internal", format!("getsockopt(SO_ORIGINAL_DST) {error}"), &[]);
            return Next::Reset;
        }
    };
    let Some(to) = to else {
        connection.fail("not-captured", "it was dialled as it is: no packet filter led it here", &["NR"]);
        return Next::Reset;
    };
    connection.told = Some(to);
    match thread.tables().captured.get(connection.listener.name.as_str()).map(|rule| rule.at(to)) {
        Some(Captured::ByRule(name)) => {
            connection.rule_name = Some(name);
            serve_plain(connection, thread, false)
        }
        Some(Captured::PassedOn) => pass_on(connection, thread, to),
        Some(Captured::Nowhere) | None => {
            connection.fail("no-route", format!("nothing of the mesh is at {}:{}", to.ip(), to.port()), &["NR"]);
            Next::Reset
        }
    }
}

/// Nobody here knows anything of whoever is there: no retries, no timers, no verdict on its health.
fn pass_on(connection: &mut Connection, thread: &mut Thread, to: SocketAddr) -> Next {
    let mut led = Led::to(thread.shared.passthrough.clone());
    led.attempts.count = 1;
    led.endpoint = Some(Arc::new(Endpoint::stranger(to)));
    connection.led = Some(led);
    connection.phase = Phase::PassingOn;
    connection.untimed = true;
    let turn = thread.shared.descriptors.read();
    let made = net::connect(to, false);
    drop(turn);
    match made {
        Ok((fd, at_once)) => {
            connection.keep_alive_at = thread.now + KEEP_ALIVE_AFTER_MS;
            connection.up = Some(Side::connecting(fd, at_once));
            connected(connection, thread)
        }
        Err(error) => {
            if let Some(shortage) = shortage_of(error) {
                thread.trouble(shortage, format!("connect {error} {to}"));
            }
            refused(connection, error)
        }
    }
}

/// TCP to there may stand. Each end and break is passed on as it comes from then on.
pub fn connected(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(up) = connection.up.as_mut() else { return Next::Reset };
    if !up.writable {
        return if caller_gone(connection) { Next::Reset } else { Next::Keep };
    }
    // Who was refused is gone at once.
    if up.gone
        && let Some(error) = net::pending_error(up.fd_raw())
    {
        return refused(connection, error);
    }
    connection.phase = Phase::Relay;
    connection.outcome = Outcome::Forward;
    thread.forwarded(connection);
    // What came with a PROXY header.
    let early = std::mem::take(&mut connection.preface);
    if let Some(up) = connection.up.as_mut()
        && let Err(gone) = send_kept(&mut connection.way_up, up, &early, &mut thread.buffers)
    {
        return broken_up(connection, gone.to_string());
    }
    relay(connection, thread)
}

fn refused(connection: &mut Connection, error: Errno) -> Next {
    let to = connection.told.map(|to| to.to_string()).unwrap_or_default();
    connection.fail("upstream-connect", format!("connect {error} {to}"), &["UF"]);
    Next::Reset
}
