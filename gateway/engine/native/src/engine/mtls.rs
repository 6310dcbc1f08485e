use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use super::connection::{Connection, Phase};
use super::deliver;
use super::exposed;
use super::look;
use super::reach::{self, caller_gone, failed, try_next};
use super::serve::Next;
use super::stream::{flush, pass_on, receive, received};
use super::thread::Thread;
use crate::identity::Peer;
use crate::parse::client_hello::{HelloOutcome, HelloScan};
use crate::parse::sni_name::port_of;
use crate::policy::authz::{L4Facts, connection_denial, denial};
use crate::tables::{Delivery, Tables, Terminate};
use crate::tls::{ServerContext, Target, TlsEnd, TlsFault};

/// As the control plane is called, which looks who is here, and sends nothing.
const SYSTEM: (&str, &str) = ("isthmus-system", "control");

/// The end of the caller's mTLS is here. Its hello has been read.
pub fn begin(connection: &mut Connection, thread: &mut Thread, rule: &Arc<Terminate>) -> Next {
    connection.due_in(thread.now, thread.limits().handshake_timeout_ms, "handshake-timeout");
    connection.rule = Some(rule.clone());
    match thread.tables().clusters.get(&rule.cluster).cloned() {
        Some(cluster) if cluster.all_suspect && rule.deliver.is_none() => look::begin(connection, thread, &cluster),
        _ => begin_handshake(connection, thread),
    }
}

pub fn begin_handshake(connection: &mut Connection, thread: &mut Thread) -> Next {
    connection.step = Some(Instant::now());
    let context = match server_context(connection, thread.tables()) {
        Ok(context) => context,
        Err(why) => {
            connection.fail("no-identity", why, &["DPE"]);
            return Next::Reset;
        }
    };
    let Some(down) = connection.down.as_mut() else { return Next::Reset };
    let speaks_http = connection.rule.as_ref().is_some_and(|rule| rule.deliver.is_some());
    let mut end = match server_end(&context, speaks_http, &connection.preface, thread.limits().max_hello_bytes) {
        Ok(end) => Box::new(end),
        Err(fault) => return refuse_handshake(connection, fault.word(), fault.to_string()),
    };
    let mut hello = std::mem::take(&mut connection.preface);
    let opened = end.open(&mut hello, &mut thread.buffers.plain);
    connection.way_down.owed.extend_from_slice(end.outgoing());
    end.sent(usize::MAX);
    down.tls = Some(end);
    connection.phase = Phase::Handshake;
    match opened {
        Ok(_) => handshake(connection, thread),
        Err(fault) => {
            let _ = connection.down.as_mut().map(|down| flush(&mut connection.way_down, down));
            refuse_handshake(connection, fault.word(), fault.to_string())
        }
    }
}

/// Requests come by the protocols that are spoken for them; byte streams agree on none.
fn server_end(context: &Arc<ServerContext>, speaks_http: bool, hello: &[u8], max: usize) -> Result<TlsEnd, TlsFault> {
    let mut scan = HelloScan::default();
    match speaks_http.then(|| scan.read(hello, max)) {
        Some(HelloOutcome::Hello(hello)) => TlsEnd::server(context, |protocol| hello.alpn.iter().any(|each| each == protocol)),
        _ => TlsEnd::server(context, |_| false),
    }
}

/// What the caller is shown. Err: why that cannot be.
fn server_context(connection: &Connection, tables: &Tables) -> Result<Arc<ServerContext>, String> {
    let rule = connection.rule.as_ref();
    let servers = match rule.and_then(|rule| rule.svid.as_deref()) {
        None => tables.identity.as_ref().map(|identity| identity.servers.clone()).ok_or_else(|| "there is no SVID yet".into()),
        Some(name) => tables.svids.get(name).map_or_else(|| Err("the service has no SVID yet".into()), |own| own.servers.clone()),
    };
    let delivery: Option<&Delivery> = rule.and_then(|rule| rule.deliver.as_ref());
    servers.map(|servers| servers.speaking(delivery))
}

fn refuse_handshake(connection: &mut Connection, reason: &'static str, detail: String) -> Next {
    connection.fail(if reason == "truncated" { "handshake-failed" } else { reason }, detail, &["DPE"]);
    // An alert is on its way, if there is one: it is not to be overtaken by a reset.
    Next::Close
}

/// Goes on with it, as far as the socket does.
pub fn handshake(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(down) = connection.down.as_mut() else { return Next::Reset };
    loop {
        if let Err(gone) = flush(&mut connection.way_down, down) {
            return refuse_handshake(connection, "handshake-failed", gone.to_string());
        }
        if let Some(peer) = down.tls.as_ref().and_then(|end| end.peer()).cloned() {
            return proven(connection, thread, peer);
        }
        if !down.readable {
            return Next::Keep;
        }
        match receive(down, &mut connection.way_down, &mut thread.buffers) {
            Ok(count) => connection.early.extend_from_slice(received(down, &thread.buffers, count)),
            Err(gone) => {
                let _ = flush(&mut connection.way_down, down);
                let (word, detail) = match &gone {
                    super::stream::Gone::Tls(fault) => (fault.word(), fault.to_string()),
                    super::stream::Gone::System(_) => ("handshake-failed", "closed during the handshake".to_owned()),
                };
                return refuse_handshake(connection, word, detail);
            }
        }
        if down.ended && down.tls.as_ref().is_some_and(|end| end.peer().is_none()) {
            return refuse_handshake(connection, "handshake-failed", "closed during the handshake".into());
        }
    }
}

fn proven(connection: &mut Connection, thread: &mut Thread, peer: Arc<Peer>) -> Next {
    thread.shared.events.proven(&peer);
    if let Some(begun) = connection.step.take() {
        thread.shared.shook_hands(&connection.listener.name, begun.elapsed());
    }
    connection.peer = Some(peer.clone());
    // What was taken back while hands were shaken.
    let denied = thread.tables().identity.as_ref().is_some_and(|identity| !peer.foreign && identity.trust.is_denied(&peer.serial));
    if denied {
        connection.fail("peer-denied", "the peer's certificate was revoked", &[]);
        return Next::Reset;
    }
    // By what holds now: whoever lost the right while hands were shaken is not let in.
    let tables = thread.tables().clone();
    let before = connection.rule.as_ref().and_then(|rule| rule.deliver.clone());
    let sni = connection.sni.as_deref().unwrap_or("");
    let now = super::hello::rule_of(&tables, sni).and_then(|rule| rule.terminate());
    let Some(rule) = now.filter(|rule| !rule.hand_over && rule.deliver == before).cloned() else {
        let detail = format!("{sni} was taken back, or is served otherwise, since the handshake began");
        connection.fail("rule-changed", detail, &["NR"]);
        return Next::Reset;
    };
    connection.rule = Some(rule.clone());
    let denied = denial_of(connection, &peer, &rule);
    if rule.deliver.is_some() {
        // Whoever may send no request is told so by an answer.
        if let Some(why) = &denied {
            connection.fail("rbac-denied", format!("{}: {why}", peer.principal), &[]);
        }
        return deliver::deliver(connection, thread, &rule, denied);
    }
    if let Some(why) = denied {
        let looks = (peer.namespace.as_str(), peer.service_account.as_str()) == SYSTEM;
        connection.fail(if looks { "looked-at" } else { "rbac-denied" }, format!("{}: {why}", peer.principal), &[]);
        return Next::Reset;
    }
    reach::lead(connection, thread, &rule.cluster)
}

fn denial_of(connection: &Connection, peer: &Peer, rule: &Terminate) -> Option<String> {
    let sni = connection.sni.as_deref().unwrap_or("");
    let destination = connection.destination();
    let facts = L4Facts {
        principal: &peer.principal,
        namespace: &peer.namespace,
        cluster: &peer.cluster,
        foreign: peer.foreign,
        source: connection.source.ip(),
        destination: destination.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
        port: port_of(sni),
        sni,
    };
    if rule.deliver.is_some() { connection_denial(&rule.rules, &facts) } else { denial(&rule.rules, &facts) }
}

/// The rules or the bundle have changed: whoever may not be here any more is cut.
pub fn judge_again(connection: &mut Connection, thread: &mut Thread) -> Next {
    let tables = thread.tables().clone();
    let denied = |peer: &Peer| !peer.foreign && tables.identity.as_ref().is_some_and(|identity| identity.trust.is_denied(&peer.serial));
    let upstream = connection.up.as_ref().and_then(|up| up.tls.as_ref()).and_then(|end| end.peer());
    if connection.peer.as_deref().is_some_and(denied) || upstream.is_some_and(|peer| denied(peer)) {
        connection.fail("peer-denied", "the peer's certificate was revoked", &[]);
        return Next::Reset;
    }
    if connection.in_the_clear.is_some() {
        return exposed::judge_again(connection, &tables);
    }
    let (Some(peer), Some(before)) = (connection.peer.clone(), connection.rule.clone()) else { return Next::Keep };
    let sni = connection.sni.as_deref().unwrap_or("");
    let Some(rule) = super::hello::rule_of(&tables, sni).and_then(|rule| rule.terminate().cloned()) else { return Next::Keep };
    // Requests are judged one by one.
    if before.deliver.is_some() || Arc::ptr_eq(&rule, &before) || rule.unknown {
        return Next::Keep;
    }
    connection.rule = Some(rule.clone());
    match denial_of(connection, &peer, &rule) {
        None => Next::Keep,
        Some(why) => {
            connection.fail("rbac-denied", format!("{}: {why}", peer.principal), &[]);
            Next::Reset
        }
    }
}

/// TCP to the endpoint stands; before a byte of the caller's goes there it proves who it is.
pub fn originate(connection: &mut Connection, thread: &mut Thread, target: &Target) -> Next {
    let Some(identity) = thread.tables().identity.clone() else {
        failed(connection, thread, "tls", "there is no SVID yet".into());
        return try_next(connection, thread);
    };
    if !identity.trust.knows(&target.trust_domain) {
        let why = format!(
            "no bundle of the trust domain {} is known here: name it in a FederatedTrustDomain, and see isthmus federation list",
            target.trust_domain
        );
        failed(connection, thread, "tls", why);
        return try_next(connection, thread);
    }
    let made = identity.client.target(target).and_then(|target| TlsEnd::client(&target).map_err(|fault| fault.to_string()));
    let mut end = match made {
        Ok(end) => Box::new(end),
        Err(why) => {
            failed(connection, thread, "tls", why);
            return try_next(connection, thread);
        }
    };
    let Some(up) = connection.up.as_mut() else { return Next::Reset };
    connection.way_up.owed.extend_from_slice(end.outgoing());
    end.sent(usize::MAX);
    up.tls = Some(end);
    connection.phase = Phase::UpstreamHandshake;
    connection.connect_by = thread.now.saturating_add(thread.limits().handshake_timeout_ms);
    prove(connection, thread)
}

/// Goes on with the endpoint's handshake.
pub fn prove(connection: &mut Connection, thread: &mut Thread) -> Next {
    if caller_gone(connection) {
        return Next::Reset;
    }
    let (Some(down), Some(up)) = (connection.down.as_mut(), connection.up.as_mut()) else { return Next::Reset };
    loop {
        let mut count = 0;
        let mut gone = flush(&mut connection.way_up, up).err();
        if gone.is_none() && up.readable {
            match receive(up, &mut connection.way_up, &mut thread.buffers) {
                Ok(received) => count = received,
                Err(error) => gone = Some(error),
            }
        }
        if let Some(gone) = gone {
            let _ = flush(&mut connection.way_up, up);
            failed(connection, thread, "tls", gone.to_string());
            return try_next(connection, thread);
        }
        if let Some(peer) = up.tls.as_ref().and_then(|end| end.peer()) {
            thread.shared.events.proven(peer);
            connection.connect_by = super::connection::NEVER;
            let _ = flush(&mut connection.way_up, up);
            let looking = connection.led.as_ref().is_some_and(|led| led.looking.is_some());
            if let Some(watched) = connection.led.as_mut().and_then(|led| led.watched.as_mut()) {
                watched.proven(connection.way_down.bytes, connection.way_up.progress);
            }
            // The server has spoken with the end of its handshake.
            if count > 0 && !looking {
                return match pass_on(&mut connection.way_down, up, down, &mut thread.buffers, count) {
                    Ok(()) => reach::reached(connection, thread),
                    Err(gone) => reach::broken_down(connection, gone.to_string()),
                };
            }
            return reach::ready(connection, thread);
        }
        if up.ended {
            failed(connection, thread, "tls", "closed during the handshake".into());
            return try_next(connection, thread);
        }
        // It may have asked for something before it goes on: another hello (RFC 8446 §4.1.4).
        let owes = !connection.way_up.owed.is_empty() && up.writable;
        if !up.readable && !owes {
            return Next::Keep;
        }
    }
}
