use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::certificate::{Certificate, parse_certificate};
use super::hex;
use super::path::{root_fault, signed_by};
use super::remembered::Remembered;

/// What one trust domain is verified against, as TypeScript writes it: JSON of core/pki's TrustBundle, certificates as hex of their DER.
/// Fields that verify no certificates (JWT keys, the signing root) are not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustBundle {
    pub trust_domain: String,
    /// DER. Several while a root rotates.
    #[serde(deserialize_with = "hex::byte_lists::deserialize")]
    pub roots: Vec<Vec<u8>>,
    /// Each cluster's signing certificates; several while one rotates, none needed where chains carry them.
    #[serde(default)]
    pub intermediates: Vec<IntermediateEntry>,
    /// Lower-case hex, of leaves or intermediates, without leading zeros.
    #[serde(default)]
    pub denied_serials: Vec<String>,
    /// Those of other trust domains whose identities handshakes may meet.
    #[serde(default)]
    pub others: Vec<TrustBundle>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct IntermediateEntry {
    pub cluster: String,
    /// DER.
    #[serde(deserialize_with = "hex::bytes::deserialize")]
    pub certificate: Vec<u8>,
}

/// A bundle whose certificates are read. Immutable but for what it remembers of verdicts, so that it is shared by all threads: a change of the
/// bundle is a new one. Entries that do not parse, and roots that are not signing certificates, are left out: they vouch for nobody.
#[derive(Debug)]
pub struct CompiledBundle {
    pub(super) trust_domain: String,
    /// All that parse, for verdicts about peers of another domain: RFC 5280 says what else they must be.
    pub(super) authorities: Vec<Arc<Certificate>>,
    /// Those that may vouch for a cluster's intermediate.
    pub(super) roots: Vec<Arc<Certificate>>,
    pub(super) intermediates: Vec<Arc<Certificate>>,
    pub(super) denied: HashSet<String>,
    pub(super) others: Vec<CompiledBundle>,
    pub(super) verdicts: Remembered,
    anchored: Mutex<HashMap<Vec<u8>, Arc<Certificate>>>,
}

/// Clusters, times their rotations. Only what a root signed gets in, so that nobody else can fill it.
const MAX_ANCHORED: usize = 1_024;

impl CompiledBundle {
    pub fn new(bundle: &TrustBundle) -> Self {
        let authorities = certificates(bundle.roots.iter());
        let roots = authorities.iter().filter(|root| root_fault(root).is_none()).cloned().collect();
        Self {
            trust_domain: bundle.trust_domain.clone(),
            authorities,
            roots,
            intermediates: certificates(bundle.intermediates.iter().map(|entry| &entry.certificate)),
            denied: bundle.denied_serials.iter().cloned().collect(),
            others: bundle.others.iter().map(CompiledBundle::new).collect(),
            verdicts: Remembered::default(),
            anchored: Mutex::default(),
        }
    }

    /// Whether anybody of that trust domain can be verified; empty: of this one's own.
    pub fn knows(&self, trust_domain: &str) -> bool {
        trust_domain.is_empty() || trust_domain == self.trust_domain || self.others.iter().any(|other| other.trust_domain == trust_domain)
    }

    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Whether this serial number, lower-case hex, was taken back.
    pub fn is_denied(&self, serial: &str) -> bool {
        self.denied.contains(serial)
    }

    /// The root that signed the candidate, if one did. Says nothing about time, use or constraints.
    pub(super) fn anchor(&self, candidate: &Certificate) -> Option<Arc<Certificate>> {
        if let Some(known) = self.anchored().get(&candidate.der) {
            return Some(known.clone());
        }
        let root = self.roots.iter().find(|root| signed_by(candidate, root))?;
        let mut anchored = self.anchored();
        if anchored.len() < MAX_ANCHORED {
            anchored.insert(candidate.der.clone(), root.clone());
        }
        Some(root.clone())
    }

    fn anchored(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Certificate>>> {
        self.anchored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn certificates<'a>(ders: impl Iterator<Item = &'a Vec<u8>>) -> Vec<Arc<Certificate>> {
    ders.filter_map(|der| parse_certificate(der).ok().map(Arc::new)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_typescript_writes_it() {
        let own = r#"{"trustDomain":"m","roots":["3000"],"intermediates":[{"cluster":"east","certificate":"0aFF"}],
            "deniedSerials":["1f"],"others":[{"trustDomain":"p","roots":[]}],"jwtKeys":[{}]}"#;
        let bundle: TrustBundle = serde_json::from_str(own).unwrap();
        assert_eq!((bundle.roots.as_slice(), bundle.intermediates[0].certificate.as_slice()), (&[vec![0x30, 0]][..], &[10, 255][..]));
        assert_eq!(bundle.others[0].trust_domain, "p");
        let compiled = CompiledBundle::new(&bundle);
        assert!(compiled.is_denied("1f") && !compiled.is_denied("1F") && compiled.roots.is_empty());
        for wrong in [r#"{"trustDomain":"m","roots":["300"]}"#, r#"{"trustDomain":"m","roots":["zz"]}"#, r#"{"roots":[]}"#] {
            assert!(serde_json::from_str::<TrustBundle>(wrong).is_err(), "{wrong}");
        }
    }
}
