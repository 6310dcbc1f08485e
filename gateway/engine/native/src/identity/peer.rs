use std::sync::Arc;

use super::bundle::CompiledBundle;
use super::certificate::parse_certificate;
use super::foreign::verify_foreign;
use super::remembered::key_of;
use super::spiffe_id::cluster_san;
use super::verify::verify_svid;

/// Who the other side of an mTLS connection proved to be: what the contract calls PeerIdentity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    pub spiffe_id: String,
    /// SPIFFE id without the scheme.
    pub principal: String,
    pub trust_domain: String,
    pub namespace: String,
    pub service_account: String,
    /// Mesh cluster, from the DNS SAN.
    pub cluster: String,
    pub dns_sans: Vec<String>,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Of another trust domain: namespace, service account, cluster and DNS SANs are empty then.
    pub foreign: bool,
    /// SHA-256 of the root that vouched, lower-case hex; `None` for those of other trust domains.
    pub root: Option<String>,
    /// Of the certificate, lower-case hex. Its issuer's numbering: only of the mesh's own peers may it be sought in the mesh's denied serials.
    pub serial: String,
    /// Unix ms: when the first certificate of its path ends.
    pub not_after_ms: i64,
}

/// What the caller demands of a peer beyond being of a trust domain that is known. `None` demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expectation {
    /// Any of these SPIFFE ids, exactly. Empty: nobody.
    pub uri_sans: Option<Vec<String>>,
    /// And this cluster, by its SAN: `CLUSTER.cluster.TRUST_DOMAIN`.
    pub cluster_san: Option<String>,
}

/// Whoever is at the other end, by its chain (DER, leaf first) at `now` (Unix ms), judged as one of the trust domain that the leaf names,
/// against that domain's authorities alone: an authority of one domain vouches for nobody of another. The reason of a refusal is for logs on the
/// verifying side; it names certificates' public contents only. Never panics, whatever the bytes.
pub fn verify_peer(chain: &[&[u8]], trust: &CompiledBundle, now: i64, expectation: &Expectation) -> Result<Arc<Peer>, String> {
    let key = key_of(chain);
    let verified = match trust.verdicts.get(&key, now) {
        Some(known) => known,
        None => {
            let verified = judge(chain, trust, now)?;
            trust.verdicts.insert(key, verified.clone());
            verified
        }
    };
    expect(&verified.peer, expectation)?;
    Ok(verified.peer)
}

fn judge(chain: &[&[u8]], trust: &CompiledBundle, now: i64) -> Result<super::remembered::Verified, String> {
    let named = if trust.others.is_empty() { None } else { chain.first().and_then(|leaf| trust_domain_of(leaf)) };
    match named {
        Some(named) if named != trust.trust_domain => match trust.others.iter().find(|other| other.trust_domain == named) {
            None => Err(format!("is of trust domain {named}, which is neither {} nor federated", trust.trust_domain)),
            Some(other) => verify_foreign(chain, other, now),
        },
        _ => verify_svid(chain, trust, now),
    }
}

/// `None` where it is not plain: the mesh's own verifier says then what is wrong.
fn trust_domain_of(leaf: &[u8]) -> Option<String> {
    let names = parse_certificate(leaf).ok()?.extensions.subject_alt_name?;
    let [uri] = names.uris.as_slice() else { return None };
    let rest = uri.strip_prefix("spiffe://")?;
    let domain = rest.split('/').next().unwrap_or(rest);
    (!domain.is_empty()).then(|| domain.to_owned())
}

fn expect(peer: &Peer, Expectation { uri_sans, cluster_san: wanted }: &Expectation) -> Result<(), String> {
    if let Some(wanted) = wanted {
        if peer.foreign {
            return Err(format!("is {}, which is of no cluster of this mesh, expected {wanted}", peer.spiffe_id));
        }
        let own = cluster_san(&peer.cluster, &peer.trust_domain);
        if own != *wanted {
            return Err(format!("is {own}, expected {wanted}"));
        }
    }
    match uri_sans {
        Some(sans) if !sans.contains(&peer.spiffe_id) => {
            let any = if sans.is_empty() { "nobody".into() } else { sans.join(" or ") };
            Err(format!("is {}, expected {any}", peer.spiffe_id))
        }
        _ => Ok(()),
    }
}
