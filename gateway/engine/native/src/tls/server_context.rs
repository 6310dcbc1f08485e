use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;

use super::crypto::{Clock, InjectedTime, VERSIONS, provider};
use super::own_identity::OwnIdentity;
use super::server_verifier::ClientVerifier;
use super::tickets::{BoundTickets, TicketKeys};
use crate::identity::CompiledBundle;

/// What a server shows and demands. Immutable: a renewed SVID or a changed bundle makes a new one, and connections that run keep theirs.
pub struct ServerContext {
    pub(super) trust: Arc<CompiledBundle>,
    pub(super) now: Clock,
    plain: Arc<ServerConfig>,
    /// The same with ALPN, where there is any.
    negotiating: Option<Arc<ServerConfig>>,
}

impl ServerContext {
    /// `alpn`: protocols that are spoken here, the best first; may be empty. `tickets`: by which sessions are resumed, see TicketKeys; without `resume`
    /// none are given.
    pub fn new(
        identity: &OwnIdentity,
        trust: Arc<CompiledBundle>,
        alpn: &[&[u8]],
        tickets: &TicketKeys,
        now: Clock,
        resume: bool,
    ) -> Result<Arc<Self>, String> {
        let verifier = Arc::new(ClientVerifier { trust: trust.clone(), now });
        let mut plain = ServerConfig::builder_with_details(provider(), Arc::new(InjectedTime(now)))
            .with_protocol_versions(VERSIONS)
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identity.shown.clone());
        plain.ignore_client_order = true;
        if resume {
            plain.ticketer = Arc::new(BoundTickets::new(tickets.clone(), &identity.spiffe_id));
        }
        plain.session_storage = Arc::new(NoServerSessionStorage {});
        // Each connection leaves one for the next; of two a client that has no more connections than before never uses the other.
        plain.send_tls13_tickets = usize::from(resume);
        plain.max_tls13_tickets = 2;
        plain.max_early_data_size = 0;
        let negotiating = (!alpn.is_empty()).then(|| {
            let mut config = plain.clone();
            config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        });
        Ok(Arc::new(Self { trust, now, plain: Arc::new(plain), negotiating }))
    }

    /// `offers`: whether the client's hello names a protocol. Without one that both speak it goes on without ALPN, where rustls would refuse.
    pub(super) fn config(&self, offers: impl Fn(&[u8]) -> bool) -> Arc<ServerConfig> {
        let negotiating = self.negotiating.as_ref().filter(|config| config.alpn_protocols.iter().any(|protocol| offers(protocol)));
        negotiating.unwrap_or(&self.plain).clone()
    }
}

impl fmt::Debug for ServerContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ServerContext({})", self.trust.trust_domain())
    }
}
