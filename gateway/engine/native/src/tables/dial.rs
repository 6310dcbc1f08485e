use std::sync::{Arc, Mutex};

use super::message::{DialMessage, PlanMessage};
use super::{Cluster, Endpoint, Places, Policy, Released};
use crate::net::{KeepAlive, parse_address};
use crate::pick::{Picker, Plan};
use crate::tls::Target;

impl Cluster {
    /// Of one endpoint, for one connection, under the name of that for which it is: counted with nobody else's, but for the place that it leads to. Err: it is none that can be reached.
    pub fn of_one(message: DialMessage, places: &Places) -> Result<Self, String> {
        let DialMessage { cluster, address, port, connect_timeout_ms, keep_alive_ms, tls, alpn } = message;
        let location = parse_address(&address, port)?;
        let target = Target {
            sni: tls.sni,
            uri_sans: tls.uri_sans,
            cluster_san: tls.cluster_san,
            alpn: alpn.into_iter().map(String::into_bytes).collect(),
            trust_domain: tls.trust_domain,
            endpoint: format!("{address}:{port}"),
        };
        let endpoint = Endpoint {
            id: 0,
            address: Ok(location),
            via_gateway: false,
            tls: Some(target),
            active: Arc::default(),
            place: Some(places.at(location)),
            released: Released::default(),
        };
        let plan = Plan::new(PlanMessage { spare: vec![vec![0]], ..PlanMessage::default() }, 1)?;
        Ok(Self {
            name: cluster.into(),
            connect_timeout_ms,
            idle_timeout_ms: None,
            max_duration_ms: 0,
            max_connections: None,
            keep_alive: keep_alive_ms.map(KeepAlive::after_ms),
            endpoints: vec![Arc::new(endpoint)],
            keys: Vec::new(),
            policy: Policy::Random,
            picker: Mutex::new(Picker::new(vec![0.0], &plan)),
            plan,
            open: Arc::default(),
            upstreams: Arc::default(),
            spreads: Default::default(),
            proxy_protocol: None,
            all_suspect: false,
        })
    }
}
