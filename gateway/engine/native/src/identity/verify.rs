use std::sync::Arc;

use super::bundle::CompiledBundle;
use super::certificate::{Certificate, parse_certificate};
use super::leaf_use::{LONGEST_CHAIN, check_in_force, check_leaf_use};
use super::path::{issuer_fault, signed_by};
use super::peer::Peer;
use super::remembered::Verified;
use super::spiffe_id::{SpiffeId, cluster_san, is_dns_label, parse_spiffe_id};

/// Verifies a peer of the mesh's own trust domain by its chain (leaf first; what follows may be in any order, or absent where the bundle has
/// it) at `now`, Unix ms.
///
/// Holds when: a path leads over exactly one signing certificate of the leaf's cluster to a root of the bundle; every certificate on it is in
/// its time, not denied, and within path length, key usage and name constraints; the leaf is for client and server, has exactly one URI SAN of
/// our form in the bundle's trust domain and exactly one DNS SAN, that of the cluster to whose name its issuer is constrained. Name constraints
/// alone let a leaf without DNS SAN pass; here it is refused. Never panics, whatever the bytes.
pub fn verify_svid(chain: &[&[u8]], bundle: &CompiledBundle, now: i64) -> Result<Verified, String> {
    if chain.is_empty() {
        return Err("no certificate".into());
    }
    if chain.len() > LONGEST_CHAIN {
        return Err(format!("chain of more than {LONGEST_CHAIN} certificates"));
    }
    let mut parsed = chain.iter().map(|der| parse_certificate(der)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let leaf = parsed.next().ok_or("no certificate")?;
    let names = leaf_names(&leaf, bundle.trust_domain())?;
    check_leaf_use(&leaf, true)?;
    let offered = parsed.map(Arc::new).chain(bundle.intermediates.iter().cloned());
    let (intermediate, root) = find_path(&leaf, offered, bundle, &names.san)?;
    let path = [&leaf, intermediate.as_ref(), root.as_ref()];
    for certificate in path {
        check_in_force(certificate, |serial| bundle.is_denied(serial), now)?;
    }
    Ok(Verified::new(peer_of(names, &leaf, &root, not_after(&path)), &path))
}

/// When the first of them ends.
pub fn not_after(path: &[&Certificate]) -> i64 {
    path.iter().map(|each| each.not_after).min().unwrap_or(i64::MIN)
}

fn peer_of(names: LeafNames, leaf: &Certificate, root: &Certificate, not_after_ms: i64) -> Peer {
    let LeafNames { spiffe_id, cluster, san } = names;
    let principal = spiffe_id.principal();
    Peer {
        spiffe_id: format!("spiffe://{principal}"),
        principal,
        trust_domain: spiffe_id.trust_domain,
        namespace: spiffe_id.namespace,
        service_account: spiffe_id.service_account,
        cluster,
        dns_sans: vec![san],
        fingerprint: leaf.fingerprint(),
        foreign: false,
        root: Some(root.fingerprint()),
        serial: leaf.serial.clone(),
        not_after_ms,
    }
}

struct LeafNames {
    spiffe_id: SpiffeId,
    cluster: String,
    san: String,
}

fn leaf_names(leaf: &Certificate, trust_domain: &str) -> Result<LeafNames, String> {
    let names = leaf.extensions.subject_alt_name.as_ref();
    let Some((names, [uri])) = names.map(|names| (names, names.uris.as_slice())) else {
        return Err("the leaf has not exactly one URI SAN".into());
    };
    let [san] = names.dns.as_slice() else {
        return Err("the leaf has not exactly one DNS SAN, so no cluster vouches for it".into());
    };
    if names.others > 0 {
        return Err("the leaf has SANs that are neither URI nor DNS".into());
    }
    let spiffe_id = parse_spiffe_id(uri).ok_or("the URI SAN is not spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT")?;
    if spiffe_id.trust_domain != trust_domain {
        return Err(format!("is of trust domain {}, not {trust_domain}", spiffe_id.trust_domain));
    }
    let cluster = san.split_once('.').map_or("", |(first, _)| first);
    if !is_dns_label(cluster) || *san != cluster_san(cluster, trust_domain) {
        return Err(format!("the DNS SAN is not CLUSTER.cluster.{trust_domain}"));
    }
    Ok(LeafNames { spiffe_id, cluster: cluster.into(), san: san.clone() })
}

/// The intermediate and its root. The candidates' first fault is what is reported: the true one is the best hint there is.
fn find_path(
    leaf: &Certificate,
    offered: impl Iterator<Item = Arc<Certificate>>,
    bundle: &CompiledBundle,
    san: &str,
) -> Result<(Arc<Certificate>, Arc<Certificate>), String> {
    let mut fault = None;
    for candidate in offered.filter(|each| leaf.issuer == each.subject) {
        let root = bundle.anchor(&candidate);
        if !signed_by(leaf, &candidate) {
            continue;
        }
        let found = match root {
            None => "its issuer does not chain to a root of the bundle".into(),
            Some(root) => match issuer_fault(&candidate, san) {
                None => return Ok((candidate, root)),
                Some(found) => found,
            },
        };
        fault.get_or_insert(found);
    }
    Err(fault.unwrap_or_else(|| "no issuer of the leaf is known".into()))
}
