use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::identity::with_svids;
use super::message::{ClusterMessage, ExposedRuleMessage, PlainRuleMessage, SniRuleMessage, TablesMessage};
use super::{CaptureRule, Cluster, Endpoint, Exposed, Identity, PlainRule, Released, SniRule, Standing, Tables, Terminate, Tickets};
use crate::net::{KeepAlive, parse_address};
use crate::pick::{Picker, Plan, Routing};
use crate::policy::authz::CompiledRules;
use crate::tls::Target;

impl Tables {
    /// These tables with the change in. Err: what is wrong with it, and nothing changes; it holds nothing of a key.
    pub fn with(&self, message: TablesMessage, released: &Released, standing: &Standing, tickets: Tickets<'_>) -> Result<Self, String> {
        let mut made = self.clone();
        let renewed = message.identity.is_some();
        if let Some(identity) = message.identity {
            made.identity = Some(Arc::new(Identity::new(identity, tickets)?));
            made.judgement += 1;
        }
        if renewed || message.whole || !message.svids.is_empty() {
            let before = if message.whole { HashMap::new() } else { (*made.svids).clone() };
            made.svids = Arc::new(with_svids(before, message.svids, made.identity.as_deref(), renewed, tickets));
        }
        if message.sni.values().any(|rule| !matches!(rule, Some(SniRuleMessage::Passthrough { .. } | SniRuleMessage::Node { .. }))) {
            made.judgement += 1;
        }
        if message.exposed.values().any(Option::is_some) {
            made.judgement += 1;
        }
        if message.whole {
            made.sni.clear();
            made.plain.clear();
            made.exposed.clear();
        }
        for (name, rule) in message.sni {
            match rule {
                None => made.sni.remove(&name),
                Some(SniRuleMessage::Passthrough { cluster }) => made.sni.insert(&name, SniRule::Passthrough { cluster: cluster.into() }),
                Some(SniRuleMessage::Terminate { cluster, any_subset, hand_over, unknown, rules, end, svid, deliver }) => {
                    // Rules that this version cannot enforce let nobody in, and touch no other service.
                    let rules = CompiledRules::compile(&rules).unwrap_or_default();
                    let svid = svid.map(String::into_boxed_str);
                    let rule = Terminate { cluster: cluster.into(), any_subset, hand_over, unknown, rules, end, svid, deliver };
                    made.sni.insert(&name, SniRule::Terminate(Arc::new(rule)));
                }
                Some(SniRuleMessage::Node { any_subset }) => made.sni.insert(&name, SniRule::Node { any_subset }),
            }
        }
        for (name, rule) in message.plain {
            match rule {
                None => made.plain.remove(&name),
                Some(PlainRuleMessage::Node) => made.plain.insert(&name, PlainRule::Node),
                Some(PlainRuleMessage::Forward { cluster, allow }) => {
                    made.plain.insert(&name, PlainRule::Forward { cluster: cluster.into(), allow });
                }
                Some(PlainRuleMessage::Split { allow, routing }) => {
                    made.plain.insert(&name, PlainRule::Split { allow, routing: Routing::new(routing) });
                }
            }
        }
        if message.whole || !message.captured.is_empty() {
            let mut captured = if message.whole { HashMap::new() } else { (*made.captured).clone() };
            for (name, rule) in message.captured {
                match rule {
                    None => captured.remove(name.as_str()),
                    Some(rule) => captured.insert(name.into(), Arc::new(CaptureRule::new(rule))),
                };
            }
            made.captured = Arc::new(captured);
        }
        for (name, rule) in message.exposed {
            match rule {
                None => made.exposed.remove(&name),
                Some(rule) => made.exposed.insert(&name, Exposed::new(rule)),
            }
        }
        let before = self.clusters.clone();
        if message.whole {
            made.clusters.clear();
        }
        for (name, cluster) in message.clusters {
            match cluster {
                None => {
                    made.clusters.remove(&name);
                    standing.prune();
                }
                Some(cluster) => {
                    let known = before.get(&name).cloned();
                    made.clusters.insert(&name, Cluster::new(&name, cluster, known.as_deref(), released, standing)?);
                }
            }
        }
        Ok(made)
    }
}

impl Exposed {
    fn new(message: ExposedRuleMessage) -> Self {
        let ExposedRuleMessage { mode, port, http, cluster, hand_over, unknown, rules, end } = message;
        // As above.
        let rules = CompiledRules::compile(&rules).unwrap_or_default();
        let (any_subset, svid, deliver) = (false, None, None);
        let end = Terminate { cluster: cluster.into(), any_subset, hand_over, unknown, rules, end, svid, deliver };
        Self { mode, port, http, end: Arc::new(end) }
    }
}

impl Cluster {
    /// Counters, and where rotations stand, go on from `before`, the cluster of that name in the tables that these replace.
    fn new(name: &str, message: ClusterMessage, before: Option<&Self>, released: &Released, standing: &Standing) -> Result<Self, String> {
        let known: HashMap<&str, usize> =
            before.map(|b| b.keys.iter().enumerate().map(|(at, key)| (&**key, at)).collect()).unwrap_or_default();
        let mut endpoints = Vec::with_capacity(message.endpoints.len());
        let mut keys: Vec<Box<str>> = Vec::with_capacity(message.endpoints.len());
        let (counts, places) = (standing.of(name), &standing.places);
        let mut standing = Vec::with_capacity(message.endpoints.len());
        let old = before.map(|b| b.picker.lock().unwrap_or_else(PoisonError::into_inner).standing.clone()).unwrap_or_default();
        for each in message.endpoints {
            let at = known.get(each.key.as_str()).copied();
            // One that cannot be is one that is not reached: its cluster has others.
            let address = parse_address(&each.address, each.port);
            let active = at.and_then(|at| before?.endpoints.get(at)).map(|e| e.active.clone()).unwrap_or_default();
            standing.push(at.and_then(|at| old.get(at).copied()).unwrap_or(each.standing));
            let tls = each.tls.map(|tls| Target {
                sni: tls.sni,
                uri_sans: tls.uri_sans,
                cluster_san: tls.cluster_san,
                alpn: Vec::new(),
                trust_domain: tls.trust_domain,
                endpoint: format!("{}:{}", each.address, each.port),
            });
            let place = address.as_ref().ok().map(|address| places.of(*address, each.id));
            let (id, via_gateway, released) = (each.id, each.via_gateway, released.clone());
            endpoints.push(Arc::new(Endpoint { id, address, via_gateway, tls, active, place, released }));
            keys.push(each.key.into());
        }
        let plan = Plan::new(message.plan, endpoints.len()).map_err(|why| format!("cluster {name}: {why}"))?;
        let picker = Mutex::new(Picker::new(standing, &plan));
        Ok(Self {
            name: name.into(),
            connect_timeout_ms: message.connect_timeout_ms,
            idle_timeout_ms: message.idle_timeout_ms,
            max_duration_ms: message.max_duration_ms,
            max_connections: message.max_connections,
            keep_alive: message.keep_alive_ms.map(KeepAlive::after_ms),
            proxy_protocol: message.proxy_protocol,
            all_suspect: message.all_suspect,
            endpoints,
            keys,
            policy: message.policy,
            plan,
            picker,
            open: counts.open,
            upstreams: counts.upstreams,
            spreads: counts.spreads,
        })
    }
}
