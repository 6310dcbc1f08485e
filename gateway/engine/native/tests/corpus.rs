//! What the fuzzers began with and what they found, replayed: nothing in it may break an invariant, least of all what once did.

mod support;

use std::path::Path;

use support::invariants;

fn replay(target: &str, invariant: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    names.sort();
    assert!(!names.is_empty(), "{} is empty", folder.display());
    for name in names {
        println!("{}", name.display());
        invariant(&std::fs::read(&name).expect("its bytes"));
    }
}

#[test]
fn client_hello() {
    replay("client_hello", invariants::client_hello);
}

#[test]
fn proxy_protocol() {
    replay("proxy_protocol", invariants::proxy_protocol);
}

#[test]
fn sni_name() {
    replay("sni_name", invariants::sni_names);
}
