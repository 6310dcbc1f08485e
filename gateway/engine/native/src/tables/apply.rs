use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::message::{ClusterMessage, PlainRuleMessage, SniRuleMessage, TablesMessage};
use super::{Cluster, Endpoint, PlainRule, Released, SniRule, Tables};
use crate::net::{KeepAlive, parse_address};
use crate::pick::{Picker, Plan};

impl Tables {
    /// These tables with the change in. Err: what is wrong with it, and nothing changes.
    pub fn with(&self, message: TablesMessage, released: &Released) -> Result<Self, String> {
        let mut made = self.clone();
        if message.whole {
            made.sni.clear();
            made.plain.clear();
        }
        for (name, rule) in message.sni {
            match rule {
                None => made.sni.remove(&name),
                Some(SniRuleMessage::Passthrough { cluster }) => made.sni.insert(&name, SniRule::Passthrough { cluster: cluster.into() }),
                Some(SniRuleMessage::Node { any_subset }) => made.sni.insert(&name, SniRule::Node { any_subset }),
            }
        }
        for (name, rule) in message.plain {
            match rule {
                None => made.plain.remove(&name),
                Some(PlainRuleMessage::Node) => made.plain.insert(&name, PlainRule::Node),
                Some(PlainRuleMessage::Forward { cluster, allow }) => {
                    made.plain.insert(
                        &name,
                        PlainRule::Forward {
                            cluster: cluster.into(),
                            allow,
                        },
                    );
                }
            }
        }
        let before = self.clusters.clone();
        if message.whole {
            made.clusters.clear();
        }
        for (name, cluster) in message.clusters {
            match cluster {
                None => made.clusters.remove(&name),
                Some(cluster) => {
                    let known = before.get(&name).cloned();
                    made.clusters
                        .insert(&name, Cluster::new(&name, cluster, known.as_deref(), released)?);
                }
            }
        }
        Ok(made)
    }
}

impl Cluster {
    /// Counters, and where rotations stand, go on from `before`, the cluster of that name in the tables that these replace.
    fn new(name: &str, message: ClusterMessage, before: Option<&Self>, released: &Released) -> Result<Self, String> {
        let known: HashMap<&str, usize> = before
            .map(|b| b.keys.iter().enumerate().map(|(at, key)| (&**key, at)).collect())
            .unwrap_or_default();
        let mut endpoints = Vec::with_capacity(message.endpoints.len());
        let mut keys: Vec<Box<str>> = Vec::with_capacity(message.endpoints.len());
        let mut standing = Vec::with_capacity(message.endpoints.len());
        let old = before
            .map(|b| b.picker.lock().expect("nobody panics while picking").standing.clone())
            .unwrap_or_default();
        for each in message.endpoints {
            let at = known.get(each.key.as_str()).copied();
            let address = parse_address(&each.address, each.port).map_err(|why| format!("cluster {name}: {why}"))?;
            let active = at
                .and_then(|at| before?.endpoints.get(at))
                .map(|e| e.active.clone())
                .unwrap_or_default();
            standing.push(at.and_then(|at| old.get(at).copied()).unwrap_or(each.standing));
            endpoints.push(Arc::new(Endpoint {
                id: each.id,
                address,
                via_gateway: each.via_gateway,
                active,
                released: released.clone(),
            }));
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
            keep_alive: message.keep_alive_ms.map(|ms| KeepAlive {
                after_s: u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1),
            }),
            endpoints,
            keys,
            policy: message.policy,
            plan,
            picker,
            open: before.map(|b| b.open.clone()).unwrap_or_default(),
            upstreams: before.map(|b| b.upstreams.clone()).unwrap_or_default(),
        })
    }
}
