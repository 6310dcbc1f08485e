use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::crypto::{Clock, chain_of, schemes, verify_handshake};
use super::fault::refusal;
use crate::identity::{CompiledBundle, Expectation, verify_peer};

/// Whom a server lets in: everybody whom the bundle vouches for. What they may do is for rules to say.
pub struct ClientVerifier {
    pub trust: Arc<CompiledBundle>,
    pub now: Clock,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientVerifier({})", self.trust.trust_domain())
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// None: whoever has an SVID has no other to choose, and the names of all roots would be sent to everybody.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let anybody = Expectation::default();
        verify_peer(&chain_of(leaf, others), &self.trust, (self.now)(), &anybody).map_err(refusal)?;
        Ok(ClientCertVerified::assertion())
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
