use std::collections::HashMap;

use serde::Deserialize;

use crate::identity::{TrustBundle, hex};
use crate::policy::cidr::SourceRanges;
use crate::policy::rules::AuthzRule;

/// A change of the tables, as TypeScript says it (encode-tables.ts): what is not named stays. Names are field names of the JSON.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TablesMessage {
    /// Forgets all names first.
    pub whole: bool,
    pub sni: HashMap<String, Option<SniRuleMessage>>,
    pub plain: HashMap<String, Option<PlainRuleMessage>>,
    pub clusters: HashMap<String, Option<ClusterMessage>>,
    pub identity: Option<IdentityMessage>,
}

/// Who this end of mTLS is, and whom it believes. Holds a key: it is never written out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityMessage {
    /// DER in hex, leaf first.
    #[serde(deserialize_with = "hex::byte_lists::deserialize")]
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8, DER in hex.
    #[serde(deserialize_with = "hex::bytes::deserialize")]
    pub key: Vec<u8>,
    pub trust: TrustBundle,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, tag = "mode")]
pub enum SniRuleMessage {
    Passthrough {
        cluster: String,
    },
    /// The end of mTLS of a byte stream.
    #[serde(rename_all = "camelCase")]
    Terminate {
        cluster: String,
        any_subset: bool,
        /// New connections are TypeScript's; those that run are judged by the rules all the same.
        hand_over: bool,
        /// Nobody has said who may call.
        unknown: bool,
        rules: Vec<AuthzRule>,
        end: MeshEnd,
    },
    #[serde(rename_all = "camelCase")]
    Node {
        any_subset: bool,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, tag = "mode")]
pub enum PlainRuleMessage {
    Forward { cluster: String, allow: SourceRanges },
    Node,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterMessage {
    pub connect_timeout_ms: u64,
    /// Absent: the engine's.
    pub idle_timeout_ms: Option<u64>,
    /// Absent or 0: for ever.
    #[serde(default)]
    pub max_duration_ms: u64,
    pub max_connections: Option<u32>,
    /// Before keep-alive probes, ms.
    pub keep_alive_ms: Option<u64>,
    #[serde(default)]
    pub policy: Policy,
    pub endpoints: Vec<EndpointMessage>,
    pub plan: PlanMessage,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    #[default]
    RoundRobin,
    LeastRequest,
    Random,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointMessage {
    /// Names it from one table to the next.
    pub key: String,
    /// TypeScript's handle of it, given back in reports.
    pub id: u32,
    pub address: String,
    pub port: u16,
    #[serde(default)]
    pub via_gateway: bool,
    /// Where it stands in the rotation when it is new.
    #[serde(default)]
    pub standing: f64,
    /// Absent: plaintext.
    pub tls: Option<TargetMessage>,
}

/// gateway/state/types.ts UpstreamTls.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetMessage {
    pub sni: String,
    pub uri_sans: Vec<String>,
    pub cluster_san: String,
    #[serde(default)]
    pub trust_domain: String,
}

/// Who an mTLS end speaks for.
#[derive(Deserialize, serde::Serialize, Clone, Debug, PartialEq, Eq)]
pub struct MeshEnd {
    pub namespace: String,
    pub service: String,
}

/// gateway/balance/plan.ts; numbers are places in `endpoints`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlanMessage {
    pub pools: Vec<PoolMessage>,
    pub spare: Vec<Vec<u32>>,
    pub suspects: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolMessage {
    pub load: f64,
    pub localities: Vec<LocalityMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalityMessage {
    pub weight: f64,
    #[serde(default)]
    pub standing: f64,
    /// Place and weight of each.
    pub hosts: Vec<(u32, f64)>,
}
