use std::collections::HashMap;

use serde::Deserialize;

use crate::identity::{TrustBundle, hex};
use crate::parse::proxy_protocol::ProxyVersion;
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
    /// By listener.
    pub captured: HashMap<String, Option<CaptureRuleMessage>>,
    pub exposed: HashMap<String, Option<ExposedRuleMessage>>,
    pub clusters: HashMap<String, Option<ClusterMessage>>,
    pub identity: Option<IdentityMessage>,
    /// Of services that show one of their own, by the names that rules call them.
    pub svids: HashMap<String, Option<SvidMessage>>,
}

/// What is shown in place of the identity's. Holds a key: it is never written out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SvidMessage {
    /// DER in hex, leaf first.
    #[serde(deserialize_with = "hex::byte_lists::deserialize")]
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8, DER in hex.
    #[serde(deserialize_with = "hex::bytes::deserialize")]
    pub key: Vec<u8>,
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
        /// Of `svids`. Absent: the identity's own is shown.
        svid: Option<String>,
        /// Absent: it carries bytes, and they go to the cluster.
        deliver: Option<Delivery>,
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
    Split { allow: SourceRanges, routing: RoutingMessage },
    Node,
}

/// gateway/engine/capture-contract.ts CaptureRule.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureRuleMessage {
    /// `destinationKey` to the name of a plain rule.
    pub by_destination: HashMap<String, String>,
    pub closed: SourceRanges,
}

/// A service's own port, where callers without mesh come as well.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExposedRuleMessage {
    pub mode: MtlsMode,
    /// The service's, for rules that name ports.
    pub port: u16,
    /// Its requests have to be seen.
    pub http: bool,
    /// Of the rules by SNI, those that lead there are its names.
    pub cluster: String,
    /// Callers in the clear are TypeScript's.
    pub hand_over: bool,
    pub unknown: bool,
    pub rules: Vec<AuthzRule>,
    pub end: MeshEnd,
}

/// By PeerAuthentication (core/authz/mtls.ts).
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum MtlsMode {
    Strict,
    Permissive,
    Disable,
}

/// gateway/routing/l4.ts, for one caller: what a rule says of callers was decided by TypeScript.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingMessage {
    pub name: String,
    /// It looks at server names, of callers that speak TLS.
    pub reads_hello: bool,
    /// The first that matches decides.
    pub rules: Vec<L4RuleMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct L4RuleMessage {
    pub name: String,
    /// Any of them; empty: every connection.
    pub matches: Vec<L4MatchMessage>,
    /// By source address, so that a caller stays where it is.
    pub by_source: bool,
    /// Cluster and weight of each.
    pub destinations: Vec<(String, f64)>,
}

/// Both must hold; what is empty holds always.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct L4MatchMessage {
    /// Of the address that was dialled.
    pub subnets: Vec<String>,
    /// Exact, `*.suffix` or `*`.
    pub sni_hosts: Vec<String>,
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
    /// Each connection begins with who called, in this version.
    pub proxy_protocol: Option<ProxyVersion>,
    /// Nobody in it has answered lately: an end of mTLS looks whether anybody does before it takes a caller.
    #[serde(default)]
    pub all_suspect: bool,
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

/// TLS ends here, and requests are TypeScript's.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivery {
    /// Of the model; given back with each connection.
    pub protocol: String,
    /// HTTP/2 alone is spoken; else HTTP/1.1 as well, and first.
    pub only_http2: bool,
    /// Given back with each connection: requests do not say who called.
    pub nameless: bool,
}

/// One endpoint that TypeScript wants to speak to, whatever clusters name it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DialMessage {
    /// For which it is.
    pub cluster: String,
    pub address: String,
    pub port: u16,
    pub connect_timeout_ms: u64,
    /// Before keep-alive probes, ms.
    pub keep_alive_ms: Option<u64>,
    pub tls: TargetMessage,
    /// Offered, the best first.
    pub alpn: Vec<String>,
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
