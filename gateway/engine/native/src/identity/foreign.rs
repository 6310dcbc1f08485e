use super::bundle::CompiledBundle;
use super::certificate::{Certificate, parse_certificate};
use super::foreign_constraints::constraint_fault;
use super::leaf_use::{LONGEST_CHAIN, check_in_force, check_leaf_use};
use super::path::signed_by;
use super::peer::Peer;
use super::remembered::Verified;
use super::spiffe_id::{WorkloadId, parse_workload_id};
use super::verify::not_after;

/// Signatures looked at for one chain: nobody makes the verifier walk a maze.
const MOST_CHECKS: usize = 32;

/// Verifies the chain of a peer of another trust domain (leaf first) against that domain's bundle alone, at `now`, Unix ms: X.509-SVID §5.
///
/// Holds when: the leaf has exactly one URI SAN, a SPIFFE id with a path in exactly the bundle's trust domain; it is no CA and is for digital
/// signatures; a path leads to an authority of the bundle over signing certificates in their time, within path lengths and name constraints,
/// none of which names another trust domain. Other SANs prove nothing and are not looked at, as constraints alone do. Never panics.
pub fn verify_foreign(chain: &[&[u8]], bundle: &CompiledBundle, now: i64) -> Result<Verified, String> {
    if chain.is_empty() {
        return Err("no certificate".into());
    }
    if chain.len() > LONGEST_CHAIN {
        return Err(format!("chain of more than {LONGEST_CHAIN} certificates"));
    }
    let parsed = chain.iter().map(|der| parse_certificate(der)).collect::<Result<Vec<_>, _>>()?;
    let (leaf, offered) = parsed.split_first().ok_or("no certificate")?;
    let id = id_of(leaf, bundle.trust_domain())?;
    check_leaf_use(leaf, false)?;
    let mut walk = Walk { leaf, offered, bundle, checks: 0, fault: None };
    let issuers = walk.up(leaf, &[])?;
    let missing = || format!("no authority of {} issued it", bundle.trust_domain());
    let Some(issuers) = issuers else {
        return Err(walk.fault.unwrap_or_else(missing));
    };
    let path: Vec<&Certificate> = std::iter::once(leaf).chain(issuers).collect();
    for certificate in &path {
        check_in_force(certificate, |serial| bundle.is_denied(serial), now)?;
    }
    Ok(Verified::new(peer_of(id, leaf, not_after(&path)), &path))
}

/// Of none of our namespaces, accounts or clusters, whatever its path looks like.
fn peer_of(id: WorkloadId, leaf: &Certificate, not_after_ms: i64) -> Peer {
    let principal = id.principal();
    Peer {
        spiffe_id: format!("spiffe://{principal}"),
        principal,
        trust_domain: id.trust_domain,
        fingerprint: leaf.fingerprint(),
        foreign: true,
        serial: leaf.serial.clone(),
        not_after_ms,
        ..Peer::default()
    }
}

fn id_of(leaf: &Certificate, trust_domain: &str) -> Result<WorkloadId, String> {
    let uris = leaf.extensions.subject_alt_name.as_ref().map(|names| names.uris.as_slice()).unwrap_or_default();
    let [uri] = uris else {
        return Err("the leaf has not exactly one URI SAN".into());
    };
    let id = parse_workload_id(uri).ok_or("the URI SAN is no SPIFFE id of a workload")?;
    if id.trust_domain != trust_domain {
        return Err(format!("is of trust domain {}, not {trust_domain}", id.trust_domain));
    }
    Ok(id)
}

/// The search for a path. The first fault met is what is reported: the true one is the best hint there is.
struct Walk<'a> {
    leaf: &'a Certificate,
    offered: &'a [Certificate],
    bundle: &'a CompiledBundle,
    checks: usize,
    fault: Option<String>,
}

impl<'a> Walk<'a> {
    /// The issuers from that of `subject` to an authority of the bundle. `below`: what is between the leaf and them.
    fn up(&mut self, subject: &Certificate, below: &[&'a Certificate]) -> Result<Option<Vec<&'a Certificate>>, String> {
        let (bundle, offered) = (self.bundle, self.offered);
        let authorities = bundle.authorities.iter().map(|each| (each.as_ref(), true));
        for (issuer, ends) in authorities.chain(offered.iter().map(|each| (each, false))) {
            if below.iter().any(|each| std::ptr::eq(*each, issuer)) || !self.signs(subject, issuer)? {
                continue;
            }
            if let Some(found) = constraint_fault(issuer, below, self.leaf, bundle.trust_domain()) {
                self.fault.get_or_insert(found);
                continue;
            }
            if ends {
                return Ok(Some(vec![issuer]));
            }
            let longer = [below, &[issuer]].concat();
            if let Some(above) = self.up(issuer, &longer)? {
                return Ok(Some([vec![issuer], above].concat()));
            }
        }
        Ok(None)
    }

    fn signs(&mut self, subject: &Certificate, issuer: &Certificate) -> Result<bool, String> {
        if subject.issuer != issuer.subject {
            return Ok(false);
        }
        self.checks += 1;
        if self.checks > MOST_CHECKS {
            return Err("its chain leads too many ways".into());
        }
        Ok(signed_by(subject, issuer))
    }
}
