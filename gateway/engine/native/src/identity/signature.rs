//! Signatures and hashes by rustls' provider, which is aws-lc (or its FIPS build): no other cryptography is linked.

use std::sync::LazyLock;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::crypto::{WebPkiSupportedAlgorithms, hash};

use super::{der, oids};

static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| default_provider().signature_verification_algorithms);

/// SHA-256 of the parts, one after another.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hasher().start();
    for part in parts {
        context.update(part);
    }
    let output = context.finish();
    // A hash of another length would be another hash: what does not fit is left out.
    let mut digest = [0; 32];
    digest.iter_mut().zip(output.as_ref()).for_each(|(into, from)| *into = *from);
    digest
}

fn hasher() -> &'static dyn hash::Hash {
    static SHA256: LazyLock<&'static dyn hash::Hash> = LazyLock::new(|| match cipher_suite::TLS13_AES_128_GCM_SHA256 {
        rustls::SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        rustls::SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    });
    *SHA256
}

/**
 Whether a signature by the key of `spki` holds over `data`. False also for algorithms that are not accepted (SHA-1, MD5, anything unknown),
 for keys of another kind and for RSA keys below 2048 or above 8192 bits. `algorithm`: content of the OBJECT IDENTIFIER.
*/
pub fn signature_holds(algorithm: &[u8], data: &[u8], spki: &[u8], signature: &[u8]) -> bool {
    if !oids::SIGNATURE_ALGORITHMS.contains(&algorithm) {
        return false;
    }
    let Some((key_algorithm, key)) = key_of(spki) else { return false };
    ALGORITHMS
        .all
        .iter()
        .filter(|each| is_of(each.signature_alg_id().as_ref(), algorithm) && each.public_key_alg_id().as_ref() == key_algorithm)
        .any(|each| each.verify_signature(key, data, signature).is_ok())
}

/// Whether an AlgorithmIdentifier's content begins with this OBJECT IDENTIFIER: its parameters say nothing here (RFC 4055 §5, RFC 5758 §3.2).
fn is_of(identifier: &[u8], algorithm: &[u8]) -> bool {
    matches!(identifier, [der::OID, length, rest @ ..] if usize::from(*length) == algorithm.len() && rest.starts_with(algorithm))
}

/// The content of its AlgorithmIdentifier, and the key itself.
fn key_of(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = der::read(spki).ok()?;
    let parts = der::sequence(Some(&whole)).ok()?;
    let [algorithm, key] = parts.as_slice() else { return None };
    let algorithm = der::expect(Some(algorithm), der::SEQUENCE).ok()?;
    Some((algorithm.content, der::read_bits(Some(key)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::hex;

    #[test]
    fn sha256_is_that_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(&sha256(&[b"a", b"", b"bc"])), abc);
    }
}
