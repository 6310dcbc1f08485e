use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName};

use super::sessions::Sessions;
use crate::identity::{CompiledBundle, Expectation};

/// What a server must prove, and the name that asks for it. Sessions are kept for each of these apart, all fields together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Target {
    /// Empty: none is sent.
    pub sni: String,
    /// Any of these SPIFFE ids. Empty: nobody will do.
    pub uri_sans: Vec<String>,
    /// And this DNS SAN, unless `trust_domain` says that it is of no cluster of ours.
    pub cluster_san: String,
    /// Offered, the best first; may be empty.
    pub alpn: Vec<Vec<u8>>,
    /// Of this other trust domain. Empty: of the mesh's own.
    pub trust_domain: String,
    /// Which server of several, in any spelling: the ticket of one means nothing to another. May be empty.
    pub endpoint: String,
}

impl Target {
    pub(super) fn expectation(&self) -> Expectation {
        let cluster_san = self.trust_domain.is_empty().then(|| self.cluster_san.clone());
        Expectation { uri_sans: Some(self.uri_sans.clone()), cluster_san }
    }

    /// What rustls is to send as SNI: nothing for an address.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, String> {
        if self.sni.is_empty() {
            return Ok(ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0]))));
        }
        match ServerName::try_from(self.sni.clone()) {
            Ok(name @ ServerName::DnsName(_)) => Ok(name),
            _ => Err(format!("{} is no name that a server can be asked for", self.sni)),
        }
    }
}

/// A target as connections by one SVID and one bundle need it. Made by ClientContext, and dead with it: whoever keeps one keeps its SVID.
pub struct TargetContext {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) expectation: Expectation,
    pub(super) sessions: Arc<Sessions>,
    pub(super) trust: Arc<CompiledBundle>,
    pub(super) now: super::crypto::Clock,
}

impl fmt::Debug for TargetContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TargetContext").field("name", &self.name).field("expectation", &self.expectation).finish_non_exhaustive()
    }
}
