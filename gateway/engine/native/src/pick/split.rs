use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::hash::hash32;
use crate::policy::cidr::Cidr;
use crate::tables::{L4MatchMessage, L4RuleMessage, RoutingMessage};

/// Where byte streams of one listener go: by the first rule that matches, among its destinations by weight (gateway/engine/node/choose-cluster.ts).
/// Immutable.
pub struct Routing {
    pub name: Box<str>,
    /// The caller's ClientHello is to be read first. Otherwise nothing is, as other servers may speak first.
    pub reads_hello: bool,
    rules: Box<[Rule]>,
}

/// What rules may know of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Dialled<'a> {
    pub source: IpAddr,
    /// Where it was dialled.
    pub destination: IpAddr,
    /// Lower case; empty: none was sent, or nobody has looked.
    pub sni: &'a str,
}

/// Why a connection goes nowhere; the names are for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWay<'a> {
    NoRule { routing: &'a str },
    LeadsNowhere { rule: &'a str },
}

impl NoWay<'_> {
    /// Stable word, a counter's label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoRule { .. } => "no-route",
            Self::LeadsNowhere { .. } => "no-cluster",
        }
    }

    /// As Envoy's access log has it.
    pub const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::NoRule { .. } => &["NR"],
            Self::LeadsNowhere { .. } => &["NC"],
        }
    }
}

impl fmt::Display for NoWay<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule { routing } => write!(out, "no rule of {routing} takes it"),
            Self::LeadsNowhere { rule } => write!(out, "rule {rule} leads nowhere"),
        }
    }
}

struct Rule {
    name: Box<str>,
    matches: Box<[Match]>,
    by_source: bool,
    destinations: Box<[(Arc<str>, f64)]>,
}

struct Match {
    /// `None`: any address.
    subnets: Option<Box<[Cidr]>>,
    /// `None`: any name, and none.
    hosts: Option<Domains>,
}

/// Another than that of tables of endpoints, as gateway/routing/weighted.ts.
const SEED: u32 = 0x9747_b28c;

impl Routing {
    pub fn new(message: RoutingMessage) -> Self {
        let rules = message.rules.into_iter().map(Rule::new).collect();
        Self { name: message.name.into(), reads_hello: message.reads_hello, rules }
    }

    /// `draw`: uniform in [0, 1); asked once at most.
    pub fn choose(&self, dialled: Dialled<'_>, draw: impl FnOnce() -> f64) -> Result<&Arc<str>, NoWay<'_>> {
        let rule = self.rules.iter().find(|rule| rule.takes(dialled)).ok_or(NoWay::NoRule { routing: &self.name })?;
        let nowhere = NoWay::LeadsNowhere { rule: &rule.name };
        let chosen = match &*rule.destinations {
            [(only, _)] => Some(only),
            several => {
                let at = if rule.by_source { place_of(dialled.source) } else { draw() };
                by_weight(several, at)
            }
        };
        chosen.filter(|cluster| !cluster.is_empty()).ok_or(nowhere)
    }
}

/// `None`: all weights are 0.
fn by_weight(choices: &[(Arc<str>, f64)], at: f64) -> Option<&Arc<str>> {
    let mut left = at * choices.iter().map(|(_, weight)| weight).sum::<f64>();
    let found = choices.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    found.map(|(cluster, _)| cluster)
}

fn place_of(source: IpAddr) -> f64 {
    f64::from(hash32(source.to_string().as_bytes(), SEED)) / 4_294_967_296.0
}

impl Rule {
    fn new(message: L4RuleMessage) -> Self {
        Self {
            name: message.name.into(),
            matches: message.matches.into_iter().map(Match::new).collect(),
            by_source: message.by_source,
            destinations: message.destinations.into_iter().map(|(cluster, weight)| (cluster.into(), weight)).collect(),
        }
    }

    fn takes(&self, dialled: Dialled<'_>) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|each| each.holds(dialled))
    }
}

impl Match {
    /// Ranges that are none hold nobody.
    fn new(L4MatchMessage { subnets, sni_hosts }: L4MatchMessage) -> Self {
        let ranges = (!subnets.is_empty()).then(|| subnets.iter().filter_map(|cidr| Cidr::parse(cidr)).collect());
        Self { subnets: ranges, hosts: (!sni_hosts.is_empty()).then(|| Domains::new(&sni_hosts)) }
    }

    fn holds(&self, Dialled { destination, sni, .. }: Dialled<'_>) -> bool {
        self.subnets.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(destination)))
            && self.hosts.as_ref().is_none_or(|hosts| hosts.have(sni))
    }
}

/// Names: exact, `*.suffix` or `*` (gateway/routing/by-domain.ts).
struct Domains {
    exact: HashSet<Box<str>>,
    suffixes: Box<[Box<str>]>,
    any: bool,
}

impl Domains {
    fn new(hosts: &[String]) -> Self {
        let (mut exact, mut suffixes, mut any) = (HashSet::new(), Vec::new(), false);
        for host in hosts.iter().map(|host| host.to_lowercase()) {
            match host.strip_prefix('*') {
                Some("") => any = true,
                Some(suffix) => suffixes.push(suffix.into()),
                None => {
                    exact.insert(host.into());
                }
            }
        }
        Self { exact, suffixes: suffixes.into(), any }
    }

    /// At least one character stands for the star.
    fn have(&self, name: &str) -> bool {
        self.any || self.exact.contains(name) || self.suffixes.iter().any(|suffix| name.len() > suffix.len() && name.ends_with(&**suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Random;
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn connections_are_shared_by_weight() {
        let text = r#"{"name":"r","readsHello":false,"rules":[{"name":"a","matches":[],"bySource":false,"destinations":[["x",1],["y",3],["z",0]]}]}"#;
        let routing = Routing::new(serde_json::from_str(text).unwrap());
        let here = IpAddr::from([10, 0, 0, 1]);
        let mut random = Random::new(7);
        let mut seen = HashMap::new();
        for _ in 0..20_000 {
            let chosen = routing.choose(Dialled { source: here, destination: here, sni: "" }, || random.draw()).unwrap();
            *seen.entry(chosen.to_string()).or_insert(0) += 1;
        }
        // Four standard deviations of a share of 5,000.
        assert!((4_755..5_245).contains(&seen["x"]), "{seen:?}");
        assert_eq!(seen.get("z"), None);
    }
}
