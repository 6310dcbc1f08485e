use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::crypto::{Clock, chain_of, schemes, verify_handshake};
use super::fault::refusal;
use super::sessions::Sessions;
use crate::identity::{CompiledBundle, Expectation, verify_peer};

/// Whom a client takes for its target: by SPIFFE id and cluster. The SNI is how it asks and proves nothing.
pub struct ServerVerifier {
    pub trust: Arc<CompiledBundle>,
    pub expectation: Expectation,
    pub sessions: Arc<Sessions>,
    pub now: Clock,
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("ServerVerifier").field(&self.expectation).finish()
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let peer = verify_peer(&chain_of(leaf, others), &self.trust, (self.now)(), &self.expectation).map_err(refusal)?;
        self.sessions.proven_until(peer.not_after_ms);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
