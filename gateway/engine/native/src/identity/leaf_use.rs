use super::certificate::Certificate;
use super::oids;
use super::time_text::iso;

/// Certificates of one chain that are looked at.
pub const LONGEST_CHAIN: usize = 4;

/// Whether a leaf is for what it is shown for. `must_say_extended`: it has to say so by its extended key usage (X.509-SVID §4.4 lets it be
/// absent; ours always have it).
pub fn check_leaf_use(leaf: &Certificate, must_say_extended: bool) -> Result<(), String> {
    let extensions = &leaf.extensions;
    if let Some(id) = extensions.unknown_critical.first() {
        return Err(format!("the leaf has an unknown critical extension {id}"));
    }
    let usage = extensions.key_usage.as_ref();
    if extensions.basic_constraints.as_ref().is_some_and(|basic| basic.ca) || usage.is_some_and(|usage| usage.key_cert_sign) {
        return Err("a signing certificate is no identity".into());
    }
    if !usage.is_some_and(|usage| usage.digital_signature) {
        return Err("the leaf is not for digital signatures".into());
    }
    let for_both = match &extensions.extended_key_usage {
        None => !must_say_extended,
        Some(uses) => [oids::SERVER_AUTH, oids::CLIENT_AUTH].iter().all(|wanted| uses.iter().any(|id| id == wanted)),
    };
    if for_both { Ok(()) } else { Err("the leaf is not for both client and server authentication".into()) }
}

/// Whether a certificate is in its time (`now`: Unix ms) and not taken back.
pub fn check_in_force(certificate: &Certificate, is_denied: impl Fn(&str) -> bool, now: i64) -> Result<(), String> {
    if now < certificate.not_before {
        return Err(format!("not valid before {}", iso(certificate.not_before)));
    }
    if now > certificate.not_after {
        return Err(format!("expired at {}", iso(certificate.not_after)));
    }
    if is_denied(&certificate.serial) {
        return Err(format!("serial {} is denied", certificate.serial));
    }
    Ok(())
}
