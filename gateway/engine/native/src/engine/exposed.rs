//! A service's own port, where callers come with mesh and without: mTLS and plaintext are told apart by the first bytes, as the service's mode says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::connection::{Connection, NEVER};
use super::hello::{self, hand_over, read_hello};
use super::mtls;
use super::reach::lead;
use super::serve::Next;
use super::thread::Thread;
use crate::policy::authz::{L4Facts, denial};
use crate::tables::{Exposed, MtlsMode, Tables, Terminate};

/// The word for a caller that would have been taken, but for STRICT.
const PLAINTEXT_REFUSED: &str = "plaintext-refused";
/// What cannot become a hello because it is no TLS.
const NOT_TLS: &str = "hello-not-tls";
/// It ended, or broke off, before there was a whole one.
const INCOMPLETE: &str = "hello-incomplete";
/// Nothing came, and none is waited for any more.
const SILENT: &str = "hello-silent";

/// What came first: the name that a whole hello asks for, or why there is none.
pub type Flight = Result<Option<Box<str>>, &'static str>;

/// A connection that was just accepted. Where mTLS is disabled nothing is looked at: bytes go on as they come, whatever they are.
pub fn begin(connection: &mut Connection, thread: &mut Thread) -> Next {
    let Some(exposed) = rule_of(connection, thread) else { return Next::Reset };
    if exposed.mode == MtlsMode::Disable {
        return take_in_the_clear(connection, thread, &exposed);
    }
    connection.due_in(thread.now, thread.limits().hello_timeout_ms, "hello-timeout");
    // Of a byte stream whose server may speak first nobody waits long for a byte.
    if exposed.mode == MtlsMode::Permissive && !exposed.http {
        connection.quiet_at = thread.now.saturating_add(thread.limits().quiet_ms);
    }
    read_hello(connection, thread)
}

/// Its caller has said nothing.
pub fn quiet(connection: &mut Connection, thread: &mut Thread) -> Next {
    decide(connection, thread, Err(SILENT))
}

/// By what holds now: rules may have changed while it was waited for the first bytes.
pub fn decide(connection: &mut Connection, thread: &mut Thread, flight: Flight) -> Next {
    connection.quiet_at = NEVER;
    let Some(exposed) = rule_of(connection, thread) else { return Next::Reset };
    if let Ok(name) = &flight {
        let tables = thread.tables().clone();
        if let Some(rule) = of_the_mesh(&tables, name.as_deref().unwrap_or(""), &exposed) {
            connection.sni.clone_from(name);
            return if rule.hand_over { hand_over(connection, thread) } else { mtls::begin(connection, thread, rule) };
        }
    }
    match verdict(exposed.mode, exposed.http, &flight, !connection.preface.is_empty()) {
        Verdict::Take => take_in_the_clear(connection, thread, &exposed),
        Verdict::Probe => {
            connection.fail(INCOMPLETE, "ended before a byte", &["DC"]);
            Next::Reset
        }
        Verdict::ForeignTls(reason) => {
            let asked = match &flight {
                Ok(Some(name)) => format!("TLS that asks for {name}"),
                _ => "TLS that asks for nobody of the mesh".to_owned(),
            };
            connection.fail(reason, format!("{asked}: {}", takes(&exposed)), &["NR"]);
            Next::Reset
        }
        Verdict::Plaintext => {
            connection.fail(PLAINTEXT_REFUSED, takes(&exposed), &["NR"]);
            Next::Reset
        }
    }
}

/// What becomes of a caller that is nobody's of the mesh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Take,
    /// One that looks whether somebody listens.
    Probe,
    /// Refused, for this reason: TLS that does not end here, and that the application is not to have either.
    ForeignTls(&'static str),
    /// Refused.
    Plaintext,
}

/// `heard`: something was read. TLS is also what broke off, or is none after a beginning like one; an application's own goes to it as far as a byte
/// stream's application may have one.
fn verdict(mode: MtlsMode, http: bool, flight: &Flight, heard: bool) -> Verdict {
    let strict = mode == MtlsMode::Strict;
    match *flight {
        Err(INCOMPLETE) if !heard => Verdict::Probe,
        Ok(_) if strict || http => Verdict::ForeignTls("foreign-tls"),
        Err(fault) if fault != NOT_TLS && heard => Verdict::ForeignTls(fault),
        _ if strict => Verdict::Plaintext,
        _ => Verdict::Take,
    }
}

/// Of the moment; what is known of the connection's end is by it. None: there is none, and the connection is over.
fn rule_of(connection: &mut Connection, thread: &mut Thread) -> Option<Arc<Exposed>> {
    let exposed = thread.tables().exposed.get(&connection.listener.name).cloned();
    match &exposed {
        Some(exposed) => connection.rule = Some(exposed.end.clone()),
        None => connection.fail("no-route", format!("listener {} leads nowhere yet", connection.listener.name), &["NR"]),
    }
    exposed
}

/// Whoever asks for another end than this one is no caller of the mesh here.
fn of_the_mesh<'a>(tables: &'a Tables, name: &str, exposed: &Exposed) -> Option<&'a Arc<Terminate>> {
    let rule = hello::rule_of(tables, name).and_then(|rule| rule.terminate());
    rule.filter(|rule| rule.cluster == exposed.end.cluster)
}

/// What was read is the caller's first word. Requests are TypeScript's, which looks at it again.
fn take_in_the_clear(connection: &mut Connection, thread: &mut Thread, exposed: &Exposed) -> Next {
    if exposed.http || exposed.end.hand_over {
        return hand_over(connection, thread);
    }
    connection.in_the_clear = Some(exposed.port);
    if let Some(why) = denial_of(connection, &exposed.end, exposed.port) {
        return refuse(connection, &why);
    }
    connection.early = std::mem::take(&mut connection.preface);
    lead(connection, thread, &exposed.end.cluster)
}

fn refuse(connection: &mut Connection, why: &str) -> Next {
    connection.fail("rbac-denied", format!("plaintext from {}: {why}", connection.source.ip()), &[]);
    Next::Reset
}

/// As nobody: no pattern matches what was not proven.
fn denial_of(connection: &Connection, end: &Terminate, port: u16) -> Option<String> {
    let destination = connection.destination().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let (principal, namespace, cluster, foreign, sni) = ("", "", "", false, "");
    denial(&end.rules, &L4Facts { principal, namespace, cluster, foreign, source: connection.source.ip(), destination, port, sni })
}

/// The rules have changed: who may not be here in the clear any more is cut. What stands goes on where nobody says otherwise.
pub fn judge_again(connection: &mut Connection, tables: &Tables) -> Next {
    let (Some(port), Some(exposed)) = (connection.in_the_clear, tables.exposed.get(&connection.listener.name)) else {
        return Next::Keep;
    };
    if exposed.end.unknown {
        return Next::Keep;
    }
    if exposed.mode == MtlsMode::Strict {
        let detail = "the service has begun to take mTLS alone (PeerAuthentication STRICT)";
        connection.fail(PLAINTEXT_REFUSED, detail, &[]);
        return Next::Reset;
    }
    if connection.rule.as_ref().is_some_and(|before| Arc::ptr_eq(before, &exposed.end)) {
        return Next::Keep;
    }
    connection.rule = Some(exposed.end.clone());
    match denial_of(connection, &exposed.end, port) {
        None => Next::Keep,
        Some(why) => refuse(connection, &why),
    }
}

fn takes(Exposed { mode, port, end, .. }: &Exposed) -> String {
    let taken = match mode {
        MtlsMode::Strict => "mTLS alone (PeerAuthentication STRICT)",
        MtlsMode::Permissive | MtlsMode::Disable => "mTLS and plaintext (PeerAuthentication PERMISSIVE)",
    };
    format!("{}/{} port {port} takes {taken}", end.end.namespace, end.end.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [MtlsMode; 3] = [MtlsMode::Strict, MtlsMode::Permissive, MtlsMode::Disable];

    #[test]
    fn a_byte_streams_own_tls_goes_on_and_what_is_none_after_such_a_beginning_does_not() {
        let broken = "hello-malformed";
        for (flight, heard, [strict, permissive]) in [
            (Ok(None), true, [Verdict::ForeignTls("foreign-tls"), Verdict::Take]),
            (Ok(Some("app.example.org".into())), true, [Verdict::ForeignTls("foreign-tls"), Verdict::Take]),
            (Err(NOT_TLS), true, [Verdict::Plaintext, Verdict::Take]),
            (Err(broken), true, [Verdict::ForeignTls(broken); 2]),
            (Err(INCOMPLETE), true, [Verdict::ForeignTls(INCOMPLETE); 2]),
            (Err(INCOMPLETE), false, [Verdict::Probe; 2]),
            (Err(SILENT), false, [Verdict::Plaintext, Verdict::Take]),
        ] {
            assert_eq!(verdict(MtlsMode::Strict, false, &flight, heard), strict, "{flight:?}");
            assert_eq!(verdict(MtlsMode::Permissive, false, &flight, heard), permissive, "{flight:?}");
        }
    }

    #[test]
    fn requests_by_tls_of_nobody_of_the_mesh_are_none() {
        for mode in MODES {
            assert_eq!(verdict(mode, true, &Ok(None), true), Verdict::ForeignTls("foreign-tls"), "{mode:?}");
        }
        assert_eq!(verdict(MtlsMode::Permissive, true, &Err(NOT_TLS), true), Verdict::Take);
        assert_eq!(verdict(MtlsMode::Strict, true, &Err(NOT_TLS), true), Verdict::Plaintext);
    }

    fn tables(before: &Tables, change: &str) -> Tables {
        let keys = crate::tls::TicketKeys::new().unwrap();
        let tickets = crate::tables::Tickets { keys: &keys, resume: false };
        before.with(serde_json::from_str(change).unwrap(), &Default::default(), &Default::default(), tickets).unwrap()
    }

    #[test]
    fn rules_come_and_go_by_difference_and_those_that_run_are_judged_by_each_new_one() {
        let rule = r#"{"mode":"permissive","port":80,"http":false,"cluster":"in","handOver":false,"unknown":false,
            "rules":[{"action":"allow","name":"r","principals":[],"namespaces":[],"clusters":[]}],"end":{"namespace":"shop","service":"orders"}}"#;
        let none = Tables::default();
        let one = tables(&none, &format!(r#"{{"exposed":{{"a":{rule},"b":{rule}}}}}"#));
        assert!(one.judgement > none.judgement);
        let a = one.exposed.get("a").unwrap();
        assert_eq!((a.mode, a.port, a.http, &*a.end.cluster), (MtlsMode::Permissive, 80, false, "in"));
        let less = tables(&one, r#"{"exposed":{"a":null}}"#);
        assert!(less.exposed.get("a").is_none() && Arc::ptr_eq(less.exposed.get("b").unwrap(), one.exposed.get("b").unwrap()));
        assert_eq!(less.judgement, one.judgement, "a rule that is not known any more cuts nobody");
        assert!(tables(&less, r#"{"whole":true}"#).exposed.is_empty());
        let wrong = rule.replace("permissive", "maybe");
        assert!(serde_json::from_str::<crate::tables::TablesMessage>(&format!(r#"{{"exposed":{{"a":{wrong}}}}}"#)).is_err());
    }

    #[test]
    fn names_of_other_ends_are_nobodys_of_the_mesh_here() {
        let end = r#""handOver":false,"unknown":false,"rules":[],"end":{"namespace":"shop","service":"orders"}"#;
        let made = tables(
            &Tables::default(),
            &format!(
                r#"{{"exposed":{{"a":{{"mode":"strict","port":80,"http":false,"cluster":"in",{end}}}}},
                "sni":{{"ours":{{"mode":"terminate","cluster":"in","anySubset":false,{end}}},
                "theirs":{{"mode":"terminate","cluster":"other","anySubset":false,{end}}},"through":{{"mode":"passthrough","cluster":"in"}}}}}}"#
            ),
        );
        let exposed = made.exposed.get("a").unwrap();
        let known = ["ours", "theirs", "through", "nobody", ""].map(|name| of_the_mesh(&made, name, exposed).is_some());
        assert_eq!(known, [true, false, false, false, false]);
    }
}
