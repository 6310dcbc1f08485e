use super::certificate::Certificate;
use super::signature::signature_holds;

/// Whether `issuer` named and signed `subject`. Says nothing about whether it may.
pub fn signed_by(subject: &Certificate, issuer: &Certificate) -> bool {
    subject.issuer == issuer.subject
        && subject.der != issuer.der
        && signature_holds(&subject.signature_algorithm, &subject.tbs, &issuer.spki, &subject.signature)
}

/// Why this certificate vouches for nobody as a root; `None` when it may. Says nothing of its time.
pub fn root_fault(root: &Certificate) -> Option<String> {
    let extensions = &root.extensions;
    let Some(basic) = extensions.basic_constraints.as_ref().filter(|basic| basic.ca) else {
        return Some("it is not a signing certificate".into());
    };
    if extensions.key_usage.as_ref().is_some_and(|usage| !usage.key_cert_sign) {
        return Some("it is not a signing certificate".into());
    }
    if basic.path_length == Some(0) {
        return Some("its path length of 0 leaves no room for intermediates".into());
    }
    if extensions.name_constraints.is_some() {
        return Some("a root with name constraints cannot vouch for every cluster".into());
    }
    extensions.unknown_critical.first().map(|id| format!("it has an unknown critical extension {id}"))
}

/// Why this certificate may not issue SVIDs of the cluster whose SAN is `san`; `None` when it may. It must be a CA of path length 0,
/// constrained to that one DNS name: an unconstrained one could speak for every cluster.
pub fn issuer_fault(issuer: &Certificate, san: &str) -> Option<String> {
    let extensions = &issuer.extensions;
    let signs = extensions.key_usage.as_ref().is_some_and(|usage| usage.key_cert_sign);
    let Some(basic) = extensions.basic_constraints.as_ref().filter(|basic| basic.ca && signs) else {
        return Some("its issuer is not a signing certificate".into());
    };
    if basic.path_length != Some(0) {
        return Some("its issuer has no path length of 0".into());
    }
    if let Some(id) = extensions.unknown_critical.first() {
        return Some(format!("its issuer has an unknown critical extension {id}"));
    }
    let Some(constraints) = &extensions.name_constraints else {
        return Some("its issuer is not constrained to a cluster".into());
    };
    if constraints.others > 0 || !constraints.excluded_dns.is_empty() {
        return Some("its issuer has name constraints of another form".into());
    }
    match constraints.permitted_dns.as_slice() {
        [permitted] if permitted == san => None,
        [permitted] => Some(format!("its issuer speaks for {permitted}, not for {san}")),
        _ => Some("its issuer is not constrained to one cluster".into()),
    }
}
