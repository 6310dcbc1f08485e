use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::{ClusterMessage, IdentityMessage, PlainRuleMessage, SniRuleMessage, TablesMessage};
use super::{Cluster, Endpoint, Identity, PlainRule, Released, SniRule, Standing, Tables, Terminate};
use crate::identity::CompiledBundle;
use crate::net::{KeepAlive, parse_address};
use crate::pick::{Picker, Plan};
use crate::policy::authz::CompiledRules;
use crate::tls::{ClientContext, OwnIdentity, ServerContext, Target, TicketKeys};

/// By which callers resume their sessions here, and whether that and our own are resumed at all.
#[derive(Clone, Copy)]
pub struct Tickets<'a> {
    pub keys: &'a TicketKeys,
    pub resume: bool,
}

impl Tables {
    /// These tables with the change in. Err: what is wrong with it, and nothing changes; it holds nothing of a key.
    pub fn with(&self, message: TablesMessage, released: &Released, standing: &Standing, tickets: Tickets<'_>) -> Result<Self, String> {
        let mut made = self.clone();
        if let Some(identity) = message.identity {
            made.identity = Some(Arc::new(Identity::new(identity, tickets.keys, tickets.resume)?));
            made.judgement += 1;
        }
        if message.sni.values().any(|rule| !matches!(rule, Some(SniRuleMessage::Passthrough { .. } | SniRuleMessage::Node { .. }))) {
            made.judgement += 1;
        }
        if message.whole {
            made.sni.clear();
            made.plain.clear();
        }
        for (name, rule) in message.sni {
            match rule {
                None => made.sni.remove(&name),
                Some(SniRuleMessage::Passthrough { cluster }) => made.sni.insert(&name, SniRule::Passthrough { cluster: cluster.into() }),
                Some(SniRuleMessage::Terminate { cluster, any_subset, hand_over, unknown, rules, end }) => {
                    // Rules that this version cannot enforce let nobody in, and touch no other service.
                    let rules = CompiledRules::compile(&rules).unwrap_or_default();
                    let rule = Terminate { cluster: cluster.into(), any_subset, hand_over, unknown, rules, end };
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

impl Identity {
    fn new(message: IdentityMessage, tickets: &TicketKeys, resume: bool) -> Result<Self, String> {
        let own = OwnIdentity::new(message.chain, message.key)?;
        let trust = Arc::new(CompiledBundle::new(&message.trust));
        // Byte streams agree on no protocol.
        let server = ServerContext::new(&own, trust.clone(), &[], tickets, unix_ms, resume)?;
        let client = ClientContext::new(&own, trust.clone(), unix_ms, resume)?;
        Ok(Self { trust, server, client })
    }
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
            keep_alive: message.keep_alive_ms.map(|ms| KeepAlive { after_s: u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1) }),
            endpoints,
            keys,
            policy: message.policy,
            plan,
            picker,
            open: counts.open,
            upstreams: counts.upstreams,
        })
    }
}
