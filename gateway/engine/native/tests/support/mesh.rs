//! A mesh for tests: its root, its clusters' intermediates, SVIDs, and both ends of a connection in memory. Its clock is this thread's.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use isthmus_engine::identity::{CompiledBundle, TrustBundle};
use isthmus_engine::tls::OwnIdentity;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, SanType,
};

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(START) };
}

/// 2026-11-22, Unix ms.
pub const START: i64 = 1_795_305_600_000;
pub const HOUR: i64 = 3_600_000;

pub fn now() -> i64 {
    NOW.get()
}

pub fn set_now(unix_ms: i64) {
    NOW.set(unix_ms);
}

pub const DOMAIN: &str = "mesh.test";

pub struct Mesh {
    domain: &'static str,
    root: Issuer<'static, KeyPair>,
    root_der: Vec<u8>,
}

/// Leaf first, and its PKCS#8 key.
pub struct Svid {
    pub chain: Vec<Vec<u8>>,
    pub key: Vec<u8>,
}

impl Mesh {
    pub fn new() -> Self {
        Self::of(DOMAIN)
    }

    pub fn of(domain: &'static str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&format!("{domain} root"), 24 * HOUR);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_der = params.self_signed(&key).unwrap().der().to_vec();
        Self { domain, root: Issuer::new(params, key), root_der }
    }

    /// DER.
    pub fn root(&self) -> &[u8] {
        &self.root_der
    }

    pub fn bundle(&self, denied: &[&str]) -> Arc<CompiledBundle> {
        let denied_serials = denied.iter().map(|serial| serial.to_string()).collect();
        Arc::new(CompiledBundle::new(&TrustBundle { denied_serials, ..self.plain_bundle() }))
    }

    /// With that domain federated.
    pub fn bundle_with(&self, other: &Mesh) -> Arc<CompiledBundle> {
        Arc::new(CompiledBundle::new(&TrustBundle { others: vec![other.plain_bundle()], ..self.plain_bundle() }))
    }

    fn plain_bundle(&self) -> TrustBundle {
        TrustBundle { trust_domain: self.domain.into(), roots: vec![self.root_der.clone()], ..TrustBundle::default() }
    }

    pub fn cluster(&self, name: &str) -> Cluster {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&format!("{name} of {}", self.domain), 12 * HOUR);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let permitted_subtrees = vec![GeneralSubtree::DnsName(san_of(name, self.domain))];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
        let der = params.signed_by(&key, &self.root).unwrap().der().to_vec();
        Cluster { domain: self.domain, name: name.into(), der, issuer: Issuer::new(params, key) }
    }
}

pub struct Cluster {
    name: String,
    domain: &'static str,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Cluster {
    pub fn svid(&self, account: &str) -> Svid {
        self.svid_for(account, HOUR)
    }

    pub fn svid_for(&self, account: &str, lifetime_ms: i64) -> Svid {
        let key = KeyPair::generate().unwrap();
        let mut params = params("", lifetime_ms);
        params.distinguished_name = DistinguishedName::new();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let uri = format!("spiffe://{}/ns/shop/sa/{account}", self.domain);
        let dns = san_of(&self.name, self.domain);
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap()), SanType::DnsName(dns.try_into().unwrap())];
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Svid { chain: vec![leaf, self.der.clone()], key: key.serialize_der() }
    }
}

impl Svid {
    pub fn own(&self) -> Arc<OwnIdentity> {
        OwnIdentity::new(self.chain.clone(), self.key.clone()).unwrap()
    }
}

pub fn uri(account: &str) -> String {
    format!("spiffe://{DOMAIN}/ns/shop/sa/{account}")
}

pub fn san(cluster: &str) -> String {
    san_of(cluster, DOMAIN)
}

fn san_of(cluster: &str, domain: &str) -> String {
    format!("{cluster}.cluster.{domain}")
}

fn params(common_name: &str, lifetime_ms: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |unix_ms: i64| epoch + Duration::from_millis(unix_ms.try_into().unwrap());
    params.not_before = at(now() - HOUR / 12);
    params.not_after = at(now() + lifetime_ms);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
