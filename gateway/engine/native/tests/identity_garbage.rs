//! Whatever bytes a peer shows, the verifier answers: it never panics, and takes nobody for somebody by damaged certificates.

mod support;

use isthmus_engine::identity::{Expectation, parse_certificate, verify_peer};
use support::random::Random;
use support::scene::Scene;
use support::{START, uri};

#[test]
fn damaged_chains_prove_nobody_else() {
    let scene = Scene::new();
    let bundle = scene.mesh.bundle_with(&support::Mesh::of("partner.example"));
    let chain = scene.east.svid("orders").chain;
    let mut random = Random(0xce27);
    for _ in 0..20_000 {
        let mut damaged = chain.clone();
        let which = random.below(2);
        random.damage(&mut damaged[which]);
        let shown: Vec<&[u8]> = damaged.iter().map(Vec::as_slice).collect();
        match verify_peer(&shown, &bundle, START, &Expectation::default()) {
            Ok(peer) => assert!(damaged == chain && peer.spiffe_id == uri("orders")),
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}

#[test]
fn bytes_that_look_like_der_are_read_or_refused() {
    let mut random = Random(0xde2);
    // What certificates are made of, so that reading gets somewhere.
    let tags = [0x30, 0x02, 0x03, 0x04, 0x06, 0x17, 0x18, 0x01, 0xa0, 0xa3, 0x86, 0x82, 0x81, 0x80, 0x00, 0xff];
    for _ in 0..50_000 {
        let mut bytes: Vec<u8> =
            (0..random.below(120)).map(|_| if random.below(3) == 0 { random.below(128) as u8 } else { tags[random.below(16)] }).collect();
        // Often a whole element around it.
        for _ in 0..random.below(4) {
            let length = bytes.len();
            let head = if length < 128 { vec![0x30, length as u8] } else { vec![0x30, 0x81, length as u8] };
            bytes.splice(0..0, head);
        }
        assert!(parse_certificate(&bytes).is_err_and(|reason| reason.starts_with("not an X.509 certificate: ")));
    }
}
