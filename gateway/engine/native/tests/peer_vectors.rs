//! The verdicts of core/pki, word for word: test/vectors/peer-verification.json, which test/unit/pki/peer-vectors.test.ts makes.

use std::collections::HashMap;

use isthmus_engine::identity::{CompiledBundle, Expectation, TrustBundle, verify_peer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    now: i64,
    bundles: HashMap<String, TrustBundle>,
    cases: Vec<Case>,
    mutations: Vec<Mutations>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    bundle: String,
    now: Option<i64>,
    chain: Vec<String>,
    expectation: ExpectationJson,
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExpectationJson {
    uri_sans: Option<Vec<String>>,
    cluster_san: Option<String>,
}

#[derive(Deserialize, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase", default)]
struct Verdict {
    ok: bool,
    reason: String,
    spiffe_id: String,
    principal: String,
    namespace: String,
    service_account: String,
    cluster: String,
    foreign: bool,
    fingerprint: String,
    root: Option<String>,
    serial: String,
    not_after_ms: i64,
}

/// One case with one byte of one certificate changed, for every byte of it.
#[derive(Deserialize)]
struct Mutations {
    of: String,
    certificate: usize,
    xor: u8,
    reasons: Vec<String>,
    verdicts: Vec<usize>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../test/vectors/peer-verification.json")).expect("vectors of this form")
}

fn chain_of(case: &Case) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    case.chain.iter().map(|der| der.as_bytes().chunks(2).map(byte).collect()).collect()
}

fn judge(chain: &[Vec<u8>], bundle: &CompiledBundle, now: i64, expectation: &ExpectationJson) -> Verdict {
    let ExpectationJson { uri_sans, cluster_san } = expectation;
    let expectation = Expectation { uri_sans: uri_sans.clone(), cluster_san: cluster_san.clone() };
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    let peer = match verify_peer(&chain, bundle, now, &expectation) {
        Err(reason) => {
            return Verdict { reason, ..Verdict::default() };
        }
        Ok(peer) => (*peer).clone(),
    };
    let sans = if peer.foreign { vec![] } else { vec![format!("{}.cluster.{}", peer.cluster, peer.trust_domain)] };
    assert_eq!(peer.dns_sans, sans);
    assert!(peer.principal.starts_with(&peer.trust_domain));
    Verdict {
        ok: true,
        reason: String::new(),
        spiffe_id: peer.spiffe_id,
        principal: peer.principal,
        namespace: peer.namespace,
        service_account: peer.service_account,
        cluster: peer.cluster,
        foreign: peer.foreign,
        fingerprint: peer.fingerprint,
        root: peer.root,
        serial: peer.serial,
        not_after_ms: peer.not_after_ms,
    }
}

/// Each case twice: by its signatures, and by what the bundle remembers. `shared`: by one bundle for all cases, else by one that has seen nobody.
fn check_cases(shared: bool) {
    let vectors = vectors();
    let compiled: HashMap<&str, CompiledBundle> =
        vectors.bundles.iter().map(|(name, bundle)| (name.as_str(), CompiledBundle::new(bundle))).collect();
    assert!(vectors.cases.len() > 90, "{}", vectors.cases.len());
    for case in &vectors.cases {
        let own = CompiledBundle::new(&vectors.bundles[&case.bundle]);
        let bundle = if shared { &compiled[case.bundle.as_str()] } else { &own };
        for round in ["first", "again"] {
            let verdict = judge(&chain_of(case), bundle, case.now.unwrap_or(vectors.now), &case.expectation);
            assert_eq!(verdict, case.verdict, "{}, {round}", case.name);
        }
    }
}

#[test]
fn verdicts_are_those_of_core_pki() {
    check_cases(false);
}

#[test]
fn what_a_bundle_remembers_changes_no_verdict() {
    check_cases(true);
}

#[test]
fn a_changed_byte_anywhere_is_refused_for_the_same_reason() {
    let vectors = vectors();
    assert!(!vectors.mutations.is_empty());
    for Mutations { of, certificate, xor, reasons, verdicts } in &vectors.mutations {
        let case = vectors.cases.iter().find(|case| case.name == *of).expect("a case of that name");
        let bundle = CompiledBundle::new(&vectors.bundles[&case.bundle]);
        let chain = chain_of(case);
        assert_eq!(verdicts.len(), chain[*certificate].len());
        for (at, expected) in verdicts.iter().enumerate() {
            let mut changed = chain.clone();
            changed[*certificate][at] ^= xor;
            let verdict = judge(&changed, &bundle, vectors.now, &case.expectation);
            assert!(!verdict.ok, "{of}: byte {at} of {certificate} xor {xor:#x} is taken");
            assert_eq!(verdict.reason, reasons[*expected], "{of}: byte {at} of {certificate} xor {xor:#x}");
        }
    }
}
