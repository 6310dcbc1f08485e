//! Tables ready to be asked. Immutable.

use std::net::SocketAddr;

use isthmus_engine::net::parse_address;
use isthmus_engine::policy::cidr::SourceRanges;

use super::by_domain::ByDomain;
use super::message::{ActionMessage, ChangesMessage, ClusterMessage, Protocol, RoutingMessage, RuleMessage, TablesMessage};
use super::request::Request;
use super::rules::Match;
use crate::message::Head;
use crate::syntax::{is_token, is_value};

pub struct Tables {
    pub allow: Option<SourceRanges>,
    pub hosts: VirtualHosts,
    pub clusters: Vec<Cluster>,
}

pub struct Cluster {
    pub http2: bool,
    /// Numbered through all clusters.
    pub endpoints: Vec<usize>,
    pub addresses: Vec<SocketAddr>,
}

pub struct VirtualHosts {
    by_domain: ByDomain,
    hosts: Vec<Vec<Rule>>,
}

pub struct Rule {
    pub name: Box<str>,
    /// Any of them; empty: every request.
    matches: Box<[Match]>,
    pub action: Action,
    pub changes: Option<ChangesMessage>,
}

pub enum Action {
    Route(Box<[(Target, f64)]>),
    Direct(u16),
}

/// Where one destination leads.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// By place in the table of clusters, and name.
    Cluster(usize, Box<str>),
    Missing(u16),
}

impl Tables {
    /// An error names what cannot be carried.
    pub fn compile(message: TablesMessage) -> Result<Self, String> {
        let names: Vec<&str> = message.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        let hosts = VirtualHosts::compile(message.routing, &names)?;
        let mut first = 0;
        let clusters = message.clusters.iter().map(|cluster| Cluster::compile(cluster, &mut first)).collect::<Result<_, _>>()?;
        Ok(Self { allow: message.allow, hosts, clusters })
    }

    pub fn endpoints(&self) -> usize {
        self.clusters.iter().map(|cluster| cluster.endpoints.len()).sum()
    }
}

impl Cluster {
    fn compile(message: &ClusterMessage, first: &mut usize) -> Result<Self, String> {
        let endpoints = &message.endpoints;
        let addresses = endpoints.iter().map(|each| parse_address(&each.address, each.port)).collect::<Result<Vec<_>, _>>()?;
        let numbers = (*first..*first + addresses.len()).collect();
        *first += addresses.len();
        Ok(Self { http2: message.protocol != Protocol::Http, endpoints: numbers, addresses })
    }
}

impl VirtualHosts {
    pub fn compile(message: RoutingMessage, clusters: &[&str]) -> Result<Self, String> {
        let mut by_domain = ByDomain::default();
        let mut hosts = Vec::new();
        for host in message.virtual_hosts {
            host.domains.iter().for_each(|domain| by_domain.add(domain, hosts.len()));
            hosts.push(host.rules.into_iter().map(|rule| Rule::compile(rule, clusters)).collect::<Result<_, _>>()?);
        }
        Ok(Self { by_domain, hosts })
    }

    /// The first rule of the request's virtual host that it falls under.
    pub fn find(&self, request: &Request<'_>) -> Option<&Rule> {
        let rules = self.hosts.get(self.by_domain.find(request.host.get())?)?;
        rules.iter().find(|rule| rule.matches.is_empty() || rule.matches.iter().any(|each| each.holds(request)))
    }
}

impl Rule {
    fn compile(message: RuleMessage, clusters: &[&str]) -> Result<Self, String> {
        let RuleMessage { name, matches, action, request_headers } = message;
        let wrong = |why: String| format!("rule {name}: {why}");
        let matches = matches.iter().map(Match::compile).collect::<Result<_, _>>().map_err(wrong)?;
        if let Some(changes) = &request_headers {
            check(changes).map_err(wrong)?;
        }
        let action = match action {
            ActionMessage::Direct { status: status @ 200..=599 } => Action::Direct(status),
            ActionMessage::Direct { status } => return Err(wrong(format!("{status} is no status of a final answer"))),
            ActionMessage::Route { mirrors, .. } if !mirrors.is_empty() => {
                return Err(wrong("the prototype sends nothing to mirrors".to_owned()));
            }
            ActionMessage::Route { destinations, .. } => {
                let each = destinations.iter().map(|each| match each.destination.cluster.as_str() {
                    "" => Ok((Target::Missing(each.destination.missing.unwrap_or(503)), each.weight)),
                    cluster => {
                        let at = clusters.iter().position(|known| *known == cluster);
                        let at = at.ok_or_else(|| wrong(format!("there is no cluster {cluster}")))?;
                        Ok((Target::Cluster(at, cluster.into()), each.weight))
                    }
                });
                Action::Route(each.collect::<Result<_, String>>()?)
            }
        };
        Ok(Self { name: name.into(), matches, action, changes: request_headers })
    }
}

fn check(ChangesMessage { set, add, remove }: &ChangesMessage) -> Result<(), String> {
    let ours = |name: &str| matches!(name, "host" | ":authority" | "content-length" | "transfer-encoding" | "connection");
    for (name, value) in set.iter().chain(add) {
        let lower = name.bytes().all(|byte| !byte.is_ascii_uppercase());
        if !is_token(name.as_bytes()) || !lower || ours(name) || !is_value(value.as_bytes()) {
            return Err(format!("the prototype cannot set {name}"));
        }
    }
    match remove.iter().find(|name| ours(name)) {
        Some(name) => Err(format!("the prototype cannot remove {name}")),
        None => Ok(()),
    }
}

impl ChangesMessage {
    pub fn apply(&self, head: &mut Head) {
        let names = self.set.iter().map(|(name, _)| name).chain(&self.remove);
        for name in names {
            for at in 0..head.fields.len() {
                if head.get(head.fields[at].name) == name.as_bytes() {
                    head.fields[at].gone = true;
                }
            }
        }
        for (name, value) in self.set.iter().chain(&self.add) {
            head.push(name.as_bytes(), value.as_bytes());
        }
    }
}

impl Action {
    /// `random`: in [0, 1). None: all weights are 0 (`gateway/routing/weighted.ts`).
    pub fn pick(choices: &[(Target, f64)], random: f64) -> Option<&Target> {
        if let [(only, _)] = choices {
            return Some(only);
        }
        let mut left = random * choices.iter().map(|(_, weight)| weight).sum::<f64>();
        choices
            .iter()
            .find(|(_, weight)| {
                left -= weight;
                left < 0.0
            })
            .map(|(target, _)| target)
    }
}
