/// `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT` (SPIFFE-ID §2; the path form is Istio's).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpiffeId {
    pub trust_domain: String,
    pub namespace: String,
    pub service_account: String,
}

/// A SPIFFE id of any trust domain: what its path means is that domain's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadId {
    pub trust_domain: String,
    /// Begins with `/`; never empty, as workloads' are not.
    pub path: String,
}

const MAX_LENGTH: usize = 2048;

/// `None` for anything that is not exactly of the form: other schemes, ports, queries, escapes, empty or extra segments.
pub fn parse_spiffe_id(text: &str) -> Option<SpiffeId> {
    let (trust_domain, path) = split(text)?;
    let mut segments = path.split('/');
    let known = [segments.next()?, segments.next()?, segments.next()?, segments.next()?, segments.next()?];
    let ["", "ns", namespace, "sa", account] = known else { return None };
    if segments.next().is_some() || !is_dns_label(namespace) || !is_account(account) {
        return None;
    }
    Some(SpiffeId { trust_domain: trust_domain.into(), namespace: namespace.into(), service_account: account.into() })
}

/// `None` for anything that is not exactly of the form: other schemes, ports, queries, escapes, empty, `.` or `..` segments, no path.
pub fn parse_workload_id(text: &str) -> Option<WorkloadId> {
    let (trust_domain, path) = split(text)?;
    let segments = path.strip_prefix('/')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fine = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    segments.split('/').all(fine).then(|| WorkloadId { trust_domain: trust_domain.into(), path: path.into() })
}

/// The trust domain, which is of the right form, and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let rest = text.strip_prefix("spiffe://")?;
    let (trust_domain, path) = rest.split_at(rest.find('/')?);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    let fine = (1..=255).contains(&trust_domain.len()) && trust_domain.bytes().all(plain);
    fine.then_some((trust_domain, path))
}

/// RFC 1123 label: what names of clusters and namespaces must be.
pub fn is_dns_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_name(text, 63, plain, |byte| plain(byte) || byte == b'-')
}

fn is_account(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    is_name(text, 253, plain, |byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_name(text: &str, longest: usize, at_ends: impl Fn(u8) -> bool, within: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    bytes.len() <= longest && at_ends(*first) && at_ends(*last) && bytes.iter().all(|byte| within(*byte))
}

/// The DNS SAN that proves which cluster issued an SVID.
pub fn cluster_san(cluster: &str, trust_domain: &str) -> String {
    format!("{cluster}.cluster.{trust_domain}")
}

impl SpiffeId {
    /// As Istio's policies write it: without the scheme.
    pub fn principal(&self) -> String {
        format!("{}/ns/{}/sa/{}", self.trust_domain, self.namespace, self.service_account)
    }
}

impl WorkloadId {
    pub fn principal(&self) -> String {
        format!("{}{}", self.trust_domain, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_mesh_are_exactly_of_the_form() {
        let long = "a".repeat(63);
        let account = format!("A{}9", "b.".repeat(125));
        for text in ["spiffe://mesh.test/ns/shop/sa/orders", &format!("spiffe://m_1/ns/{long}/sa/{account}")] {
            assert_eq!(parse_spiffe_id(text).map(|id| format!("spiffe://{}", id.principal())), Some(text.to_owned()));
        }
        let longer = format!("spiffe://m/ns/{long}a/sa/x");
        for text in [
            "spiffe://mesh.test/ns/shop/sa/",
            "spiffe://mesh.test/ns/shop/sa/a/b",
            "spiffe://mesh.test/ns/-a/sa/b",
            "spiffe:///ns/a/sa/b",
            "spiffe://Mesh/ns/a/sa/b",
            "spiffe://m:1/ns/a/sa/b",
            "spiffe://m/ns/a/sa/b?c",
            "spiffe://m/ns/a/sa/b.",
            "https://m/ns/a/sa/b",
            "spiffe://m/ns/A/sa/b",
            "spiffe://m//ns/a/sa/b",
            "spiffe://m/sa/a/ns/b",
            "spiffe://m",
            "",
            &longer,
        ] {
            assert_eq!(parse_spiffe_id(text), None, "{text}");
        }
    }

    #[test]
    fn ids_of_others_have_any_path_of_plain_segments() {
        for text in ["spiffe://p.example/a", "spiffe://p.example/Region-1/v1.2_b/..."] {
            assert_eq!(parse_workload_id(text).map(|id| format!("spiffe://{}", id.principal())), Some(text.to_owned()));
        }
        for text in [
            "spiffe://p",
            "spiffe://p/",
            "spiffe://p/a/",
            "spiffe://p/a//b",
            "spiffe://p/../b",
            "spiffe://p/.",
            "spiffe://p/%41",
            "spiffe://p/é",
        ] {
            assert_eq!(parse_workload_id(text), None, "{text}");
        }
        assert_eq!(parse_workload_id(&format!("spiffe://p/{}", "a".repeat(2048))), None);
    }
}
