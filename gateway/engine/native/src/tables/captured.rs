use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use super::message::CaptureRuleMessage;
use super::{Cluster, Endpoint, Policy};
use crate::pick::{Picker, Plan};
use crate::policy::cidr::SourceRanges;

/// As Istio's logs name connections that go on unchanged.
const PASSTHROUGH: &str = "PassthroughCluster";

/// What becomes of connections that a packet filter led to a listener, by where they were to go (gateway/engine/capture-contract.ts).
pub struct CaptureRule {
    /// The name of a plain rule, by which it is then served.
    by_destination: HashMap<SocketAddr, Arc<str>>,
    closed: SourceRanges,
}

/// Where one of them leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    ByRule(Arc<str>),
    /// Nobody but the mesh gives that address a meaning, and it has none there.
    Nowhere,
    /// On to where it was to go.
    PassedOn,
}

impl CaptureRule {
    /// Whatever names no address that a connection can go to is nobody's, and costs no other.
    pub fn new(message: CaptureRuleMessage) -> Self {
        let known = message.by_destination.into_iter();
        let by_destination = known.filter_map(|(key, name)| Some((parse_destination(&key)?, name.into()))).collect();
        Self { by_destination, closed: message.closed }
    }

    pub fn at(&self, to: SocketAddr) -> Captured {
        match self.by_destination.get(&to) {
            Some(name) => Captured::ByRule(name.clone()),
            None if self.closed.allow(to.ip()) => Captured::Nowhere,
            None => Captured::PassedOn,
        }
    }
}

/// ADDRESS PORT (destinationKey); IPv4 as itself where it is mapped into IPv6. None: neither, or a zone, of which the kernel says nothing there.
fn parse_destination(key: &str) -> Option<SocketAddr> {
    let (address, port) = key.split_once(' ')?;
    let address: IpAddr = address.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
}

impl Cluster {
    /// Of connections that are passed on: it has no endpoints of its own, and nobody asks for its counters.
    pub fn passthrough() -> Self {
        let plan = Plan::default();
        Self {
            name: PASSTHROUGH.into(),
            connect_timeout_ms: 0,
            idle_timeout_ms: None,
            max_duration_ms: 0,
            max_connections: None,
            keep_alive: None,
            proxy_protocol: None,
            all_suspect: false,
            endpoints: Vec::new(),
            keys: Vec::new(),
            policy: Policy::Random,
            picker: Mutex::new(Picker::new(Vec::new(), &plan)),
            plan,
            open: Arc::default(),
            upstreams: Arc::default(),
            spreads: Default::default(),
        }
    }
}

impl Endpoint {
    /// Of whom nobody here knows anything: no table names it, and no place counts what is heard of it.
    pub fn stranger(address: SocketAddr) -> Self {
        let (active, released) = Default::default();
        Self { id: 0, address: Ok(address), via_gateway: false, tls: None, active, place: None, released }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Released, Standing, Tables, Tickets};
    use crate::tls::TicketKeys;

    fn rule(text: &str) -> CaptureRule {
        CaptureRule::new(serde_json::from_str(text).unwrap())
    }

    fn by(name: &str) -> Captured {
        Captured::ByRule(name.into())
    }

    #[test]
    fn a_destination_leads_by_its_rule_nowhere_or_on() {
        let rule = rule(
            r#"{"byDestination":{"127.64.0.9 80":"a","127.64.0.9 81":"b","198.18.0.7 80":"c","2001:db8::7 80":"six"},
            "closed":["127.64.0.0/10","2001:db8:1::/48","no range"]}"#,
        );
        let at = |to: &str| rule.at(to.parse().unwrap());
        assert_eq!([at("127.64.0.9:80"), at("127.64.0.9:81"), at("198.18.0.7:80")], [by("a"), by("b"), by("c")]);
        assert_eq!(at("[2001:db8::7]:80"), by("six"));
        assert_eq!([at("127.64.0.9:82"), at("127.127.0.1:80"), at("[2001:db8:1::7]:80")], [const { Captured::Nowhere }; 3]);
        assert_eq!([at("198.18.0.7:81"), at("127.0.0.1:80"), at("[2001:db8::7]:81")], [const { Captured::PassedOn }; 3]);
    }

    #[test]
    fn a_key_that_names_nothing_costs_that_key_alone() {
        let rule = rule(
            r#"{"byDestination":{"fe80::1%lo 80":"zone","orders.shop 80":"name","10.0.0.1":"port","10.0.0.1 65536":"large","10.0.0.1 -1":"small",
            "10.0.0.1 80 ":"more"," 10.0.0.1 80":"less","":"nothing","10.0.0.1 443":"good","::ffff:10.0.0.2 80":"mapped"},"closed":[]}"#,
        );
        assert_eq!(rule.by_destination.len(), 2);
        assert_eq!(rule.at("10.0.0.1:443".parse().unwrap()), by("good"));
        assert_eq!(rule.at("10.0.0.2:80".parse().unwrap()), by("mapped"));
        assert_eq!(rule.at("[fe80::1]:80".parse().unwrap()), Captured::PassedOn);
    }
    // Keys of tickets come from aws-lc, which Miri cannot call.
    #[cfg_attr(miri, ignore)]
    #[test]
    fn a_change_says_what_becomes_of_the_listeners_that_it_names() {
        let (released, standing, keys) = (Released::default(), Standing::default(), TicketKeys::new().unwrap());
        let changed = |tables: &Tables, change: &str| {
            let tickets = Tickets { keys: &keys, resume: true };
            tables.with(serde_json::from_str(change).unwrap(), &released, &standing, tickets).unwrap()
        };
        let at = |tables: &Tables, listener: &str| tables.captured.get(listener).map(|rule| rule.at(([10, 0, 0, 1], 80).into()));
        let none = Tables::default();
        let one =
            changed(&none, r#"{"captured":{"a":{"byDestination":{"10.0.0.1 80":"x"},"closed":[]},"b":{"byDestination":{},"closed":[]}}}"#);
        assert_eq!([at(&one, "a"), at(&one, "b"), at(&one, "c")], [Some(by("x")), Some(Captured::PassedOn), None]);
        let two = changed(&one, r#"{"captured":{"a":null,"b":{"byDestination":{},"closed":["10.0.0.0/8"]}}}"#);
        assert_eq!([at(&two, "a"), at(&two, "b")], [None, Some(Captured::Nowhere)]);
        assert_eq!(at(&changed(&two, "{}"), "b"), Some(Captured::Nowhere));
        assert_eq!(at(&changed(&two, r#"{"whole":true}"#), "b"), None);
        assert_eq!([at(&one, "a"), at(&none, "a")], [Some(by("x")), None], "connections keep what they were admitted with");
    }
}
