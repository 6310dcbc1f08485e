//! The tables of `test/vectors`, which the node engine's tests keep true of it: here it is asked whether this one does the same.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use isthmus_engine::parse::client_hello::{HelloOutcome, HelloScan, parse_client_hello};
use isthmus_engine::parse::find_rule::find_rule;
use isthmus_engine::parse::proxy_protocol::{
    ProvenCaller, ProxiedConnection, ProxyEnds, ProxyOutcome, ProxyVersion, parse_proxy_header, write_proxy_header,
};
use isthmus_engine::parse::sni_name::parse_sni_name;
use isthmus_engine::pick::{Dialled, Routing};
use isthmus_engine::policy::authz::{CompiledRules, L4Facts, audited_by, connection_denial, denial};
use isthmus_engine::policy::cidr::SourceRanges;
use isthmus_engine::policy::rules::AuthzRule;
use isthmus_engine::tables::RoutingMessage;
use serde::Deserialize;
use support::{HelloVector, Hex, table};

/// Miri is some hundred times slower.
const STEP: usize = if cfg!(miri) { 50 } else { 1 };

#[test]
fn client_hello() {
    for vector in table::<Vec<HelloVector>>("client-hello") {
        let HelloVector { name, bytes: Hex(bytes), max_bytes, after, .. } = &vector;
        let latest = if vector.is_final() { *after } else { *max_bytes };
        let mut scan = HelloScan::default();
        for end in (0..=bytes.len()).filter(|end| *end >= *after || end.is_multiple_of(STEP)) {
            let outcome = parse_client_hello(&bytes[..end], *max_bytes);
            assert_eq!(scan.read(&bytes[..end], *max_bytes), outcome, "{name}: by the byte and at once, {end} bytes");
            match (end >= *after, outcome) {
                (false, HelloOutcome::More { at_least }) => assert!(at_least > end && at_least <= latest, "{name}: {at_least} at {end}"),
                (false, outcome) => panic!("{name}: {outcome:?} after {end} bytes, not {after}"),
                (true, outcome) => vector.check(&outcome),
            }
        }
    }
}

#[derive(Deserialize)]
struct SniNames {
    names: Vec<Name>,
    rules: Vec<Look>,
}

#[derive(Deserialize)]
struct Name {
    text: String,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    port: u16,
    subset: String,
    host: String,
}

#[derive(Deserialize)]
struct Look {
    rules: BTreeMap<String, String>,
    found: BTreeMap<String, Option<String>>,
}

#[test]
fn sni_name() {
    let SniNames { names, rules } = table("sni-name");
    for Name { text, target } in &names {
        let target = target.as_ref().map(|t| (t.port, &*t.subset, &*t.host));
        assert_eq!(parse_sni_name(text).map(|t| (t.port, t.subset, t.host)), target, "{text:?}");
    }
    for Look { rules, found } in &rules {
        for (asked, answer) in found {
            let rule = find_rule(asked, |name| rules.get_key_value(name), |(_, kind)| *kind == "end-of-any-subset");
            assert_eq!(rule.map(|(name, _)| name), answer.as_ref(), "{asked:?} among {rules:?}");
        }
    }
}

#[derive(Deserialize)]
struct ProxyHeaders {
    written: Vec<Written>,
    read: Vec<Read>,
}

#[derive(Deserialize)]
struct Written {
    name: String,
    version: ProxyVersion,
    connection: Option<Told>,
    header: Hex,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Told {
    source: End,
    destination: End,
    unique_id: String,
    authority: String,
    alpn: String,
    tls: Option<Tls>,
}

#[derive(Deserialize, Default)]
struct End {
    address: String,
    port: u16,
}

#[derive(Deserialize)]
struct Tls {
    version: String,
    name: String,
}

impl End {
    fn socket(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address.parse().ok()?, self.port))
    }
}

#[derive(Deserialize)]
struct Read {
    name: String,
    header: Hex,
    expected: Expected,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Expected {
    Word(String),
    Ends([SocketAddr; 2]),
}

#[test]
fn proxy_protocol_written() {
    for Written { name, version, connection, header: Hex(header) } in table::<ProxyHeaders>("proxy-protocol").written {
        let said = connection.as_ref().map(|told| ProxiedConnection {
            ends: told.source.socket().zip(told.destination.socket()),
            unique_id: &told.unique_id,
            authority: &told.authority,
            alpn: told.alpn.as_bytes(),
            tls: told.tls.as_ref().map(|Tls { version, name }| ProvenCaller { version, name }),
        });
        let mut written = b"before".to_vec();
        write_proxy_header(version, said.as_ref(), &mut written);
        assert_eq!(written, [b"before", &*header].concat(), "{name}, {version:?}");
    }
}

#[test]
fn proxy_protocol_read() {
    for Read { name, header: Hex(header), expected } in table::<ProxyHeaders>("proxy-protocol").read {
        let came = [&*header, b"after"].concat();
        let bytes = if expected == Expected::Word("more".to_owned()) { &header } else { &came };
        let outcome = parse_proxy_header(bytes);
        let found = match &outcome {
            ProxyOutcome::More { at_least } => {
                assert!(*at_least > bytes.len(), "{name}");
                Expected::Word("more".to_owned())
            }
            ProxyOutcome::Fault(fault) => Expected::Word(fault.as_str().trim_start_matches("proxy-header-").to_owned()),
            ProxyOutcome::Done(done) => {
                assert_eq!(done.consumed, header.len(), "{name}: what follows is not its own");
                match done.ends {
                    ProxyEnds::Local => Expected::Word("local".to_owned()),
                    ProxyEnds::Proxied { source, destination } => Expected::Ends([source, destination]),
                }
            }
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[derive(Deserialize)]
struct Ranges {
    ranges: SourceRanges,
    taken: Vec<IpAddr>,
    refused: Vec<IpAddr>,
}

#[test]
fn cidr() {
    for Ranges { ranges, taken, refused } in table::<Vec<Ranges>>("cidr") {
        for (addresses, expected) in [(taken, true), (refused, false)] {
            for address in addresses {
                assert_eq!(ranges.allow(address), expected, "{address} by {ranges:?}");
            }
        }
    }
}

#[derive(Deserialize)]
struct Routes {
    routing: RoutingMessage,
    connections: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    source: IpAddr,
    destination: IpAddr,
    sni: String,
    draw: f64,
    chosen: Chosen,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Chosen {
    Cluster(String),
    Nowhere { reason: String, detail: String },
}

#[test]
fn l4_routes() {
    for Routes { routing, connections } in table::<Vec<Routes>>("l4-routes") {
        let routing = Routing::new(routing);
        for Route { source, destination, sni, draw, chosen } in connections {
            let found = match routing.choose(Dialled { source, destination, sni: &sni }, || draw) {
                Ok(cluster) => Chosen::Cluster(cluster.to_string()),
                Err(nowhere) => Chosen::Nowhere { reason: nowhere.reason().into(), detail: nowhere.to_string() },
            };
            assert_eq!(found, chosen, "{}: from {source} to {destination}, {sni:?}, {draw}", routing.name);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judgements {
    callers: BTreeMap<String, Caller>,
    rules_of: Vec<Judged>,
}

#[derive(Deserialize)]
struct Caller {
    principal: String,
    namespace: String,
    cluster: String,
    #[serde(default)]
    foreign: bool,
    connection: Connection,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    source_address: IpAddr,
    destination_address: IpAddr,
    port: u16,
    sni: String,
}

#[derive(Deserialize)]
struct Judged {
    name: String,
    rules: Vec<AuthzRule>,
    /// Of a byte stream, of a connection for requests, audit rules.
    asked: BTreeMap<String, Vec<Option<String>>>,
}

#[test]
fn authz() {
    let Judgements { callers, rules_of } = table("authz");
    for Judged { name, rules, asked } in rules_of {
        let rules = CompiledRules::compile(&rules).expect("rules that can be enforced");
        assert_eq!(asked.len(), callers.len());
        for (caller, expected) in asked {
            let who = &callers[&caller];
            let facts = L4Facts {
                principal: &who.principal,
                namespace: &who.namespace,
                cluster: &who.cluster,
                foreign: who.foreign,
                source: who.connection.source_address,
                destination: who.connection.destination_address,
                port: who.connection.port,
                sni: &who.connection.sni,
            };
            let mut found = vec![denial(&rules, &facts), connection_denial(&rules, &facts)];
            found.extend(audited_by(&rules, &facts).into_iter().map(|name| Some(name.to_owned())));
            assert_eq!(found, expected, "{name}: {caller}");
        }
    }
}
