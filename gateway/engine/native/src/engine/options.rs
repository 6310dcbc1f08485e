use serde::Deserialize;

use crate::policy::cidr::SourceRanges;

/// gateway/engine/contract.ts EngineLimits, and what is this engine's own.
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    pub limits: Limits,
    /// Each has a loop, and a socket of its own for each listener. 1 to 64.
    pub threads: usize,
    pub seed: u64,
    /// Before keep-alive probes, s.
    pub keep_alive_s: u32,
    /// Pipes that splicing may use at once, of each thread.
    pub max_pipes: usize,
    /// Whether TLS sessions are resumed.
    pub resume: bool,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    pub max_connections: usize,
    pub max_connections_per_source: usize,
    pub max_hello_bytes: usize,
    pub hello_timeout_ms: u64,
    /// Until a byte stream's caller at an exposed listener that says nothing is taken for one in the clear.
    pub quiet_ms: u64,
    pub handshake_timeout_ms: u64,
    /// 0: never.
    pub idle_timeout_ms: u64,
    /// 0: as `idle_timeout_ms`.
    pub half_close_timeout_ms: u64,
    pub max_attempts: u32,
}

/// What a listener does with what it accepts.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerKind {
    Sni,
    Plain,
    /// A packet filter leads connections there that were to go elsewhere.
    Captured,
    Exposed,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerSpec {
    /// Unique in the engine.
    pub name: String,
    pub address: String,
    /// 0: any free one.
    pub port: u16,
    pub kind: ListenerKind,
    /// Descriptors of sockets that listen there already. Empty: it opens its own.
    #[serde(default)]
    pub sockets: Vec<i32>,
    /// One socket for all threads, because somebody keeps it who knows one for each place.
    #[serde(default)]
    pub one_socket: bool,
    /// Its connections come through proxies that say first who called.
    pub accept_proxy: Option<AcceptProxy>,
}

/// See EngineListenerSpec in gateway/engine/contract.ts.
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptProxy {
    pub trusted: SourceRanges,
}
