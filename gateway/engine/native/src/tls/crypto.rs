use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, DigitallySignedStruct, Error, NamedGroup, SignatureScheme, SupportedProtocolVersion, version};

/// Unix ms.
pub type Clock = fn() -> i64;

pub const VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// aws-lc, or its FIPS build where the feature says so: suites, groups and signatures are that provider's own.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        // A quarter less work for each byte than AES-256, which is no stronger against anything that is known.
        provider.cipher_suites.sort_by_key(|suite| {
            let fast = [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
            (suite.tls13().is_none(), !fast.contains(&suite.suite()))
        });
        // A hello brings a key of it, and one of X25519 beside it: whoever prefers it, as Envoy does, needs no second hello.
        provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::X25519MLKEM768);
        Arc::new(provider)
    });
    PROVIDER.clone()
}

#[derive(Debug)]
pub struct InjectedTime(pub Clock);

impl TimeProvider for InjectedTime {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from((self.0)()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// That the peer holds the key of the certificate that it showed.
pub fn verify_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    tls13: bool,
) -> Result<HandshakeSignatureValid, Error> {
    let verify = if tls13 { verify_tls13_signature } else { verify_tls12_signature };
    verify(message, certificate, signed, &provider().signature_verification_algorithms)
}

pub fn schemes() -> Vec<SignatureScheme> {
    provider().signature_verification_algorithms.supported_schemes()
}

/// A peer's chain as `identity` takes it.
pub fn chain_of<'a>(leaf: &'a CertificateDer<'_>, others: &'a [CertificateDer<'_>]) -> Vec<&'a [u8]> {
    std::iter::once(leaf).chain(others).map(AsRef::as_ref).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_says_is_what_is_used() {
        assert_eq!(provider().fips(), cfg!(feature = "fips"));
        let first = provider().cipher_suites.first().map(|suite| suite.suite());
        assert_eq!(first, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
        let groups: Vec<_> = provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(groups.first(), Some(&NamedGroup::X25519MLKEM768));
        // Its key is in the hello as well; FIPS 140-3 has it in a hybrid alone.
        assert_eq!(groups.contains(&NamedGroup::X25519), !cfg!(feature = "fips"));
        assert!(groups.contains(&NamedGroup::secp256r1));
    }
}
