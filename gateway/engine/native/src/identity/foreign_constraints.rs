use super::certificate::Certificate;
use super::extensions::NameConstraints;

/// Why `issuer` may not stand in the path of `leaf` in that trust domain; `None` when it may (RFC 5280 §6.1, X.509-SVID §4). `below`: the
/// signing certificates between the two.
pub fn constraint_fault(issuer: &Certificate, below: &[&Certificate], leaf: &Certificate, trust_domain: &str) -> Option<String> {
    let extensions = &issuer.extensions;
    let signs = extensions.key_usage.as_ref().is_none_or(|usage| usage.key_cert_sign);
    let Some(basic) = extensions.basic_constraints.as_ref().filter(|basic| basic.ca && signs) else {
        return Some("an issuer is not a signing certificate".into());
    };
    if let Some(id) = extensions.unknown_critical.first() {
        return Some(format!("an issuer has an unknown critical extension {id}"));
    }
    let counted = below.iter().filter(|each| each.subject != each.issuer).count();
    if let Some(length) = basic.path_length
        && counted > length as usize
    {
        return Some(format!("an issuer has a path length of {length}"));
    }
    let uris = extensions.subject_alt_name.as_ref().map(|names| names.uris.as_slice()).unwrap_or_default();
    if let Some(stranger) = uris.iter().find(|uri| is_of_another(uri, trust_domain)) {
        return Some(format!("an issuer is {stranger}, not of {trust_domain}"));
    }
    names_fault(extensions.name_constraints.as_ref()?, leaf, below)
}

fn is_of_another(uri: &str, trust_domain: &str) -> bool {
    let Some(rest) = uri.strip_prefix("spiffe://") else { return false };
    !rest.strip_prefix(trust_domain).is_some_and(|after| after.is_empty() || after.starts_with('/'))
}

/// Constraints of other forms than DNS cannot be checked here, so whoever has one is not believed.
fn names_fault(constraints: &NameConstraints, leaf: &Certificate, below: &[&Certificate]) -> Option<String> {
    let NameConstraints { permitted_dns, excluded_dns, others } = constraints;
    if *others > 0 {
        return Some("an issuer has name constraints of another form than DNS".into());
    }
    let named = |each: &Certificate| each.extensions.subject_alt_name.as_ref().map(|names| names.dns.clone()).unwrap_or_default();
    let names: Vec<String> = std::iter::once(&leaf).chain(below).flat_map(|each| named(each)).collect();
    let within = |name: &str, bases: &[String]| bases.iter().any(|base| is_within(name, base));
    if let Some(outside) = names.iter().find(|name| !permitted_dns.is_empty() && !within(name, permitted_dns)) {
        return Some(format!("an issuer is not permitted the name {outside}"));
    }
    let excluded = names.iter().find(|name| within(name, excluded_dns))?;
    Some(format!("an issuer is refused the name {excluded}"))
}

/// RFC 5280 §4.2.1.10: a name with any labels added at the left; a leading dot, which some write, demands one.
fn is_within(name: &str, base: &str) -> bool {
    let (own, constraint) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    if constraint.is_empty() {
        return true;
    }
    match own.strip_suffix(&constraint) {
        None => false,
        Some("") => true,
        Some(labels) => constraint.starts_with('.') || labels.ends_with('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_within_a_constraint_by_whole_labels() {
        for (name, base, within) in [
            ("a.example", "a.example", true),
            ("b.A.example", "a.Example", true),
            ("ba.example", "a.example", false),
            ("b.a.example", ".a.example", true),
            ("a.example", ".a.example", false),
            ("a.example", "", true),
            ("example", "a.example", false),
        ] {
            assert_eq!(is_within(name, base), within, "{name} in {base}");
        }
    }

    #[test]
    fn authorities_name_their_own_domain_or_none() {
        assert!(!is_of_another("spiffe://p.example", "p.example"));
        assert!(!is_of_another("spiffe://p.example/x", "p.example"));
        assert!(!is_of_another("https://other", "p.example"));
        assert!(is_of_another("spiffe://p.example.evil", "p.example"));
        assert!(is_of_another("spiffe://mesh.test", "p.example"));
    }
}
