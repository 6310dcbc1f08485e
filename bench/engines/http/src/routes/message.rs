//! The tables as JSON. What the prototype does not carry is refused by name, never overlooked.

use isthmus_engine::policy::cidr::SourceRanges;
use serde::Deserialize;
use serde_json::Value;

/// One listener with everything behind it.
#[derive(Deserialize)]
pub struct TablesMessage {
    /// Whom it lets in; absent: everybody.
    #[serde(default)]
    pub allow: Option<SourceRanges>,
    pub routing: RoutingMessage,
    pub clusters: Vec<ClusterMessage>,
}

#[derive(Deserialize)]
pub struct ClusterMessage {
    pub name: String,
    pub protocol: Protocol,
    pub endpoints: Vec<EndpointMessage>,
}

#[derive(Deserialize)]
pub struct EndpointMessage {
    /// IPv4 or IPv6.
    pub address: String,
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Http,
    Http2,
    Grpc,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingMessage {
    pub virtual_hosts: Vec<VirtualHostMessage>,
}

#[derive(Deserialize)]
pub struct VirtualHostMessage {
    pub domains: Vec<String>,
    pub rules: Vec<RuleMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleMessage {
    pub name: String,
    pub matches: Vec<MatchMessage>,
    pub action: ActionMessage,
    #[serde(default)]
    pub request_headers: Option<ChangesMessage>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ActionMessage {
    Route {
        destinations: Vec<DestinationMessage>,
        mirrors: Vec<Value>,
        /// Read, and not kept: the prototype has no timers.
        #[serde(default, rename = "timeoutMs")]
        _timeout_ms: Option<f64>,
    },
    Direct {
        status: u16,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationMessage {
    pub destination: ClusterRefMessage,
    pub weight: f64,
}

#[derive(Deserialize)]
pub struct ClusterRefMessage {
    /// Empty: it leads nowhere, and is answered `missing`.
    pub cluster: String,
    #[serde(default)]
    pub missing: Option<u16>,
}

#[derive(Deserialize)]
pub struct ChangesMessage {
    pub set: Vec<(String, String)>,
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchMessage {
    #[serde(default, rename = "name")]
    pub _name: Option<String>,
    #[serde(default)]
    pub path: Option<PathMessage>,
    #[serde(default)]
    pub ignore_case: bool,
    #[serde(default)]
    pub method: Option<TextMessage>,
    #[serde(default)]
    pub scheme: Option<TextMessage>,
    #[serde(default)]
    pub authority: Option<TextMessage>,
    pub headers: Vec<NamedMessage>,
    pub query: Vec<NamedMessage>,
    /// Decided by TypeScript for the proxy's own workload; one that is left here is not understood.
    #[serde(default)]
    pub source_labels: std::collections::BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedMessage {
    pub name: String,
    #[serde(default)]
    pub value: Option<TextMessage>,
    #[serde(default)]
    pub not: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum TextMessage {
    Exact(String),
    Prefix(String),
    Suffix(String),
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum PathMessage {
    Exact(String),
    Prefix(String),
    Segments(String),
}
