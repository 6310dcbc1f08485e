use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::crypto::provider;
use crate::identity::parse_certificate;

/// One SVID with its key, ready to be shown. Immutable: a renewed one is another.
pub struct OwnIdentity {
    pub(super) shown: Arc<SingleCertAndKey>,
    /// The URI SAN.
    pub(super) spiffe_id: String,
    serial: String,
}

impl OwnIdentity {
    /// `chain`: DER, leaf first. `key`: PKCS#8 DER, of which no copy is left behind. The error says what does not fit, and nothing of the key.
    pub fn new(chain: Vec<Vec<u8>>, key: Vec<u8>) -> Result<Arc<Self>, String> {
        // First of all, as rustls wipes what it has read.
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        let signing = provider().key_provider.load_private_key(key).map_err(|_| "the key is no PKCS#8 key that can sign")?;
        let leaf = parse_certificate(chain.first().ok_or("no certificate")?)?;
        let uris = leaf.extensions.subject_alt_name.map(|names| names.uris).unwrap_or_default();
        let [spiffe_id] = uris.as_slice() else {
            return Err("the leaf has not exactly one URI SAN".into());
        };
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|_| "the key is not that of the certificate")?;
        let shown = Arc::new(SingleCertAndKey::from(certified));
        Ok(Arc::new(Self { shown, spiffe_id: spiffe_id.clone(), serial: leaf.serial }))
    }

    /// Of the leaf, lower-case hex.
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("OwnIdentity").field("spiffe_id", &self.spiffe_id).field("serial", &self.serial).finish_non_exhaustive()
    }
}
